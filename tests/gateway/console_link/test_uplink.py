"""The rules of the link to the console, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from link_fixtures import FAST, House, until
from scripted_console import ScriptedConsole

from ea_bridge.token import parse_token
from gateway.auth.gate import Gate
from gateway.credentials.lease import Tier

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def acknowledged(console: ScriptedConsole) -> dict[str, Any]:
    """Return the next acknowledgement."""
    async with asyncio.timeout(60):
        while True:
            said = await console.said.get()
            if said["t"] == "ack":
                return said


# --- in step -----------------------------------------------------------------------------------


async def test_a_token_of_the_console_is_let_in(house: House, console: ScriptedConsole) -> None:
    """With the record and the lease of the first sync; the root key is kept."""
    token = console.create()
    assert house.reason(token) == "unknown"
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "")
        await until(lambda: uplink.status().connected)
        status = uplink.status()
    house.gate.recheck(house.gate.admit(token), Tier.FULL)
    assert status.root == console.root_text
    assert status.problem == ""
    assert status.last_sync_ms is not None
    (one,) = status.tokens
    assert (one.terminal, one.tier, one.reason) == ("demo", "full", "")


async def test_a_revocation_over_the_stream_ends_at_once_and_is_acknowledged(
    house: House, console: ScriptedConsole
) -> None:
    """With what was closed; counted once, before it is closed."""
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "" and uplink.status().connected)
        await console.push(console.revoke(parse_token(token)))
        said = await acknowledged(console)
    assert house.reason(token) == "revoked"
    assert (said["seq"], said["closed_ws"], said["closed_bridge"]) == (1, 3, 1)
    assert said["orders_in_flight"] == 2
    assert house.counted == [frozenset({parse_token(token)})]
    assert house.changes.get_nowait() == (parse_token(token), "revoked")


async def test_it_ends_though_nothing_can_be_fetched(
    house: House, console: ScriptedConsole
) -> None:
    """The event alone does it, and it holds over a restart."""
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "" and uplink.status().connected)
        console.fault = answering(500)
        await console.push(console.event("device.revoked"))
        await acknowledged(console)
        assert house.reason(token) == "device_revoked"
    again = house.home.console()
    gate = Gate(again.book, house.home.device.did, again.now_s, leases=again.leases)
    assert gate.allowance(parse_token(token)).reason == "device_revoked"


async def test_a_revocation_is_polled_where_there_is_no_stream(
    house: House, console: ScriptedConsole
) -> None:
    """And acknowledged with the next sync, at once."""
    token = console.create()
    console.stream_fault = answering(503)
    async with house.running():
        await until(lambda: house.reason(token) == "")
        console.revoke(parse_token(token))
        await until(lambda: house.reason(token) == "revoked")
        await until(lambda: any(sync.acks for sync in console.syncs))
    (ack,) = next(sync.acks for sync in console.syncs if sync.acks)
    assert (ack.seq, ack.closed_ws) == (1, 3)


async def test_leases_are_renewed(house: House, console: ScriptedConsole) -> None:
    """Without being asked for."""
    token = console.create()
    async with house.running(pace=replace(FAST, renew_s=0.3, poll_s=60)):
        await until(lambda: house.reason(token) == "")
        await asyncio.wait_for(console.synced_times(4), 60)


async def test_a_gap_is_filled_before_trades_go_on(house: House, console: ScriptedConsole) -> None:
    """An event that was not heard may be a revocation."""
    mine, other = console.create("a"), console.create("b")
    async with house.running() as uplink:
        await until(lambda: house.reason(mine) == "" and uplink.status().connected)
        console.fault = answering(500)
        console.revoke(parse_token(other))  # nobody hears it
        await console.push(console.event("token.updated", parse_token(mine)))
        await until(lambda: house.gate.allowance(parse_token(mine)).tier is Tier.READ)
        assert house.gate.allowance(parse_token(mine)).reason == "missed_event"
        console.fault = None
        await until(lambda: house.reason(other) == "revoked")
        await until(lambda: house.gate.allowance(parse_token(mine)).tier is Tier.FULL)


async def test_a_heartbeat_tells_of_a_gap_too(house: House, console: ScriptedConsole) -> None:
    """Where nothing else is said."""
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "" and uplink.status().connected)
        console.revoke(parse_token(token))
        await until(lambda: house.reason(token) == "revoked")


async def test_an_event_that_comes_twice_is_done_once(
    house: House, console: ScriptedConsole
) -> None:
    """By its number."""
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "" and uplink.status().connected)
        envelope = console.revoke(parse_token(token))
        await console.push(envelope)
        await console.push(envelope)
        await acknowledged(console)
        await asyncio.sleep(0.1)
    assert len(house.counted) == 1


@pytest.mark.parametrize("changes", [{"did": "a" * 52}, {"aud": "x"}, {"iss": "x"}])
async def test_an_event_that_is_not_ours_ends_nothing(
    house: House, console: ScriptedConsole, changes: dict[str, Any]
) -> None:
    """It is logged, and makes us ask."""
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "" and uplink.status().connected)
        times = len(console.syncs)
        envelope = console.event("token.revoked", parse_token(token), **changes)
        console.events.pop()
        await console.push(envelope)
        await asyncio.wait_for(console.synced_times(times + 1), 60)
        assert house.reason(token) == ""


async def test_an_event_signed_with_a_new_key_is_believed_once_the_key_is(
    house: House, console: ScriptedConsole
) -> None:
    """It makes us fetch the key set."""
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "" and uplink.status().connected)
        console.rotate()
        await console.push(console.revoke(parse_token(token)))
        await until(lambda: house.reason(token) == "revoked")


# --- faults ------------------------------------------------------------------------------------


def answering(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer every request like that."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def hang(_: web.Request) -> web.StreamResponse:
    """Say nothing for ever."""
    await asyncio.sleep(3600)
    raise AssertionError


async def drop(request: web.Request) -> web.StreamResponse:
    """Cut the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


FAULTS = {
    "500": answering(500, b"Traceback: secret"),
    "503": answering(503, b'{"error":"unavailable","message":"later"}'),
    "429": answering(429, b'{"error":"too_many","message":"slow\\u001b[31m down"}'),
    "a redirect": answering(302, Location="http://127.0.0.1:9/v1/daemon/sync"),
    "a page": answering(200, b"<html>login to the hotel's network</html>"),
    "an empty object": answering(200, b"{}"),
    "a list": answering(500, b"[1]"),
    "deep": answering(500, b"[" * 60_000),
    "no text": answering(200, b"\xff\xfe\x00"),
    "a cut": drop,
}


@pytest.mark.parametrize("name", FAULTS)
async def test_no_answer_ends_the_link(house: House, console: ScriptedConsole, name: str) -> None:
    """It says what is wrong, what was known goes on, and all is well as soon as it can be."""
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "")
        console.fault = console.stream_fault = FAULTS[name]
        await console.cut()
        await until(lambda: uplink.status().problem)
        problem = uplink.status().problem
        assert house.reason(token) == ""
        assert "\x1b" not in problem
        assert "Traceback" not in problem
        console.fault = console.stream_fault = None
        await until(lambda: uplink.status().connected and not uplink.status().problem)


async def test_a_console_that_hangs_is_not_waited_for(
    house: House, console: ScriptedConsole
) -> None:
    """An answer takes ten seconds at most; here a fraction of one."""
    token = console.create()
    console.stream_fault = console.fault = hang
    async with house.running(pace=replace(FAST, answer_s=0.2)) as uplink:
        await until(lambda: "does not answer" in uplink.status().problem)
        console.stream_fault = console.fault = None
        await until(lambda: house.reason(token) == "")


async def test_a_stream_without_heartbeats_is_dropped(
    house: House, console: ScriptedConsole
) -> None:
    """Two missed, and the daemon opens another one, and polls meanwhile."""
    token = console.create()
    console.beats = False
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "" and uplink.status().connected)
        first = set(console.sockets)
        console.beats = True
        await until(lambda: console.sockets and not console.sockets & first)


@pytest.mark.parametrize(
    "garbage", ["{", '{"t":"evt"}', '{"t":"who"}', "[" * 50_000], ids=lambda text: text[:20]
)
async def test_garbage_on_the_stream_ends_the_stream_alone(
    house: House, console: ScriptedConsole, garbage: str
) -> None:
    """And another one is opened."""
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "" and uplink.status().connected)
        first = set(console.sockets)
        for socket in first:
            await socket.send_str(garbage)
        await until(lambda: console.sockets and not console.sockets & first)
        await until(lambda: uplink.status().connected)


async def test_a_console_that_is_down_is_found_again(house: House, tmp_path: Path) -> None:
    """As soon as it is there; the daemon starts without it."""
    console = ScriptedConsole()
    console.know(house.home.device.did, house.home.device.public)
    token = console.create()
    async with console.served():
        port = console.port
    async with house.running(f"http://127.0.0.1:{port}") as uplink:
        await until(lambda: "cannot be reached" in uplink.status().problem)
        async with console.served(port):
            await until(lambda: house.reason(token) == "")
        await until(lambda: not uplink.status().connected)
        assert house.reason(token) == ""


async def test_a_console_that_comes_back_is_noticed_by_the_stream(
    house: House, console: ScriptedConsole
) -> None:
    """Once it has met this device: syncs alone are tried again once a minute in the end, streams
    every few seconds."""
    token = console.create()
    async with house.running():
        await until(lambda: house.reason(token) == "")
        console.revoke(parse_token(token))
        await until(lambda: house.reason(token) == "revoked")
    console.fault = console.stream_fault = FAULTS["500"]
    async with house.running(pace=replace(FAST, retry_s=600, max_retry_s=600)) as uplink:
        await until(lambda: uplink.status().problem)
        console.fault = console.stream_fault = None
        await until(lambda: not uplink.status().problem)


async def test_another_console_in_its_place_is_refused(
    house: House, console: ScriptedConsole, tmp_path: Path
) -> None:
    """What the first one has said goes on until its time is over."""
    token = console.create()
    async with house.running():
        await until(lambda: house.reason(token) == "")
    other = ScriptedConsole()
    other.know(house.home.device.did, house.home.device.public)
    async with other.served(), house.running(other.url) as uplink:
        await until(lambda: "root key" in uplink.status().problem)
        assert house.reason(token) == ""
        assert other.root_text in uplink.status().problem


async def test_an_older_key_set_is_refused(house: House, console: ScriptedConsole) -> None:
    """As after a restored backup."""
    token = console.create()
    before = (console.key, console.kid, console.version)
    console.rotate()
    async with house.running() as uplink:
        await until(lambda: house.reason(token) == "")
        console.key, console.kid, console.version = before
        uplink._link.wake()
        await until(lambda: "older" in uplink.status().problem)
        assert house.reason(token) == ""


async def test_the_console_tells_the_time_by_which_we_sign(
    house: House, console: ScriptedConsole
) -> None:
    """A clock that is wrong by an hour does not keep the daemon out."""
    token = console.create()
    normal = console._handle

    async def skewed(request: web.Request) -> web.StreamResponse:
        signed_s = int(request.headers["Mgt-Time"])
        if abs(signed_s - console.now_s() - 3600) > 60:
            body = {"error": "clock_skewed", "message": "x", "server_time": console.now_s() + 3600}
            return web.json_response(body, status=401)
        console.fault = None
        real, console.now_s = console.now_s, lambda: signed_s
        try:
            return await normal(request)
        finally:
            console.now_s = real

    console.fault = skewed
    async with house.running():
        await until(lambda: console.syncs)
    assert token


async def test_a_console_that_never_met_this_device_is_asked_again(
    house: House, console: ScriptedConsole
) -> None:
    """Until a terminal has made them known to each other; no stream is tried before."""
    console.fault = answering(404, b'{"error":"unknown_device","message":"x"}')
    console.stream_fault = FAULTS["500"]
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: "has not met this machine" in uplink.status().problem)
        console.fault = console.stream_fault = None
        await until(lambda: house.reason(token) == "" and uplink.status().connected)
