"""The rules of first contact, on the daemon's way to the console."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from link_fixtures import FAST, House, until
from scripted_console import ScriptedConsole

from ea_bridge.protocol.messages import Auth, Hello
from ea_bridge.server import Admitted, CodeRejected, ConsoleChallenge, NotAdmitted, Waiting
from ea_bridge.token import parse_token
from gateway.auth.caller import terminal_fp
from gateway.credentials.device import device_id
from gateway.credentials.keyset import public_key

EID, RID = "E" * 20, "R" * 20
CONTACT, PROOF = "/v1/daemon/contact", f"/v1/daemon/contact/{EID}"
REQUEST, CONFIRM = f"/v1/daemon/requests/{RID}", f"/v1/daemon/requests/{RID}/confirm"
PENDING = {
    "status": "pending",
    "rid": RID,
    "user_code": "BCDF-GHJK",
    "url": "http://127.0.0.1:7402/approve",
    "expires_s": 600,
}
AUTH = Auth(proof="AB" * 32)


def answers(body: Any, status: int = 200) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    return answer


def hello(token: str) -> Hello:
    return Hello(
        proto="1-1",
        tid=parse_token(token),
        cnonce="C0" * 32,
        boot="b",
        platform="mt5",
        login=7,
        server="Broker-Demo",
        company="Broker",
    )


@pytest.fixture
def met(console: ScriptedConsole) -> list[dict[str, Any]]:
    """Enrollments that the console was asked for, which it answers."""
    bodies: list[dict[str, Any]] = []

    async def contact(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({"eid": EID, "proof": "0f" * 32})

    console.extra["POST", CONTACT] = contact
    console.extra["POST", PROOF] = answers(PENDING)
    console.extra["GET", REQUEST] = answers(PENDING)
    return bodies


async def test_a_terminal_is_introduced_by_what_it_says(
    house: House, console: ScriptedConsole, met: list[dict[str, Any]]
) -> None:
    """Signed by the key that comes along, which is the device's."""
    token = console.create()
    async with house.running() as uplink:
        challenge = await uplink.enroller.fetch_challenge(hello(token), "D0" * 32)
    assert challenge == ConsoleChallenge(id=EID, proof="0f" * 32)
    (body,) = met
    assert device_id(public_key(body["pub"])) == house.home.device.did
    assert (body["cnonce"], body["snonce"]) == ("c0" * 32, "d0" * 32)
    assert body["terminal"]["fp"] == terminal_fp(hello(token))
    assert token not in str(body)


async def test_a_person_approves(
    house: House, console: ScriptedConsole, met: list[dict[str, Any]]
) -> None:
    """Then the record is fetched before anybody is told, and the terminal is known."""
    async with house.running() as uplink:
        token = console.create(devices=())
        challenge = await uplink.enroller.fetch_challenge(hello(token), "0" * 64)
        assert isinstance(challenge, ConsoleChallenge)
        waiting = await uplink.enroller.prove(challenge, AUTH)
        assert isinstance(waiting, Waiting)
        (pending,) = uplink.status().pending
        assert (pending.user_code, pending.tid) == ("BCDF-GHJK", parse_token(token))
        outcome = asyncio.create_task(uplink.enroller.outcome(waiting))
        await asyncio.sleep(0.05)
        assert not outcome.done()
        console.tokens.clear()
        token = console.create()
        outcome.cancel()
        waiting = await again(uplink.enroller, token)
        console.extra["GET", REQUEST] = answers({"status": "approved"})
        verdict = await asyncio.wait_for(uplink.enroller.outcome(waiting), 60)
        assert isinstance(verdict, Admitted)
        assert uplink.status().pending == ()
    assert house.reason(token) == ""


async def again(enroller: Any, token: str) -> Waiting:
    challenge = await enroller.fetch_challenge(hello(token), "0" * 64)
    waiting = await enroller.prove(challenge, AUTH)
    assert isinstance(waiting, Waiting)
    return waiting


async def test_an_event_makes_it_look_at_once(
    house: House,
    console: ScriptedConsole,
    met: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without waiting for the next poll."""
    monkeypatch.setattr("gateway.console_link.enrollment.POLL_S", 3600)
    token = console.create()
    async with house.running() as uplink:
        await until(lambda: uplink.status().connected)
        waiting = await again(uplink.enroller, token)
        outcome = asyncio.create_task(uplink.enroller.outcome(waiting))
        await asyncio.sleep(0.05)
        console.extra["GET", REQUEST] = answers({"status": "approved"})
        await console.push(console.event("device.approved", parse_token(token)))
        assert isinstance(await asyncio.wait_for(outcome, 60), Admitted)


async def test_a_first_contact_opens_the_stream(
    house: House, console: ScriptedConsole, met: list[dict[str, Any]]
) -> None:
    """The console had not met this machine, and would have been asked again only much later: what
    its owner decides is to be heard at once."""
    console.fault = answers({"error": "unknown_device", "message": "x"}, 404)
    token = console.create()
    async with house.running(pace=replace(FAST, retry_s=600, max_retry_s=600)) as uplink:
        await until(lambda: "has not met this machine" in uplink.status().problem)
        assert not uplink.status().connected
        console.fault = None
        await again(uplink.enroller, token)
        await until(lambda: uplink.status().connected)


@pytest.mark.parametrize("code", ["unknown", "revoked", "expired", "account_disabled", "busy"])
async def test_what_the_console_denies_is_told(
    house: House, console: ScriptedConsole, met: list[dict[str, Any]], code: str
) -> None:
    """In the words that an EA knows."""
    console.extra["POST", PROOF] = answers({"status": "denied", "code": code})
    async with house.running() as uplink:
        challenge = await uplink.enroller.fetch_challenge(hello(console.create()), "0" * 64)
        assert isinstance(challenge, ConsoleChallenge)
        verdict = await uplink.enroller.prove(challenge, AUTH)
    assert isinstance(verdict, NotAdmitted)
    assert verdict.code == code
    assert verdict.reason


@pytest.mark.parametrize(("expires_s", "code"), [(600, "refused"), (0, "device_pending")])
async def test_a_refusal_is_told_from_silence(
    house: House,
    console: ScriptedConsole,
    met: list[dict[str, Any]],
    expires_s: int,
    code: str,
) -> None:
    """The console says one word for both; time tells."""
    console.extra["POST", PROOF] = answers({**PENDING, "expires_s": expires_s})
    console.extra["GET", REQUEST] = answers({"status": "denied", "code": "refused"})
    async with house.running() as uplink:
        waiting = await again(uplink.enroller, console.create())
        verdict = await uplink.enroller.outcome(waiting)
    assert isinstance(verdict, NotAdmitted)
    assert verdict.code == code


async def test_the_code_of_the_mail(
    house: House, console: ScriptedConsole, met: list[dict[str, Any]]
) -> None:
    """Wrong with the tries that are left; right lets in; also without naming the request."""
    token = console.create()
    async with house.running() as uplink:
        nobody = await uplink.enroller.confirm("12345678")
        assert isinstance(nobody, NotAdmitted)
        waiting = await again(uplink.enroller, token)
        wrong = {"error": "wrong_code", "message": "no", "tries_left": 4}
        console.extra["POST", CONFIRM] = answers(wrong, 403)
        assert await uplink.enroller.verify(waiting, "00000000") == CodeRejected(tries_left=4)
        console.extra["POST", CONFIRM] = answers({"error": "gone", "message": "no"}, 410)
        gone = await uplink.enroller.verify(waiting, "00000000")
        assert isinstance(gone, NotAdmitted)
        assert gone.code == "device_pending"
        console.extra["POST", CONFIRM] = answers({"error": "too_many", "message": "no"}, 429)
        busy = await uplink.enroller.verify(waiting, "00000000")
        assert isinstance(busy, NotAdmitted)
        assert busy.code == "busy"
        console.extra["POST", CONFIRM] = answers({"status": "approved"})
        assert isinstance(await uplink.enroller.confirm("12345678"), Admitted)


async def test_without_a_console_a_terminal_is_told_to_come_again(
    house: House, console: ScriptedConsole
) -> None:
    """Nothing of the token is told."""
    console.fault = answers({"error": "unavailable", "message": "x"}, 503)
    async with house.running() as uplink:
        verdict = await uplink.enroller.fetch_challenge(hello(console.create()), "0" * 64)
    assert isinstance(verdict, NotAdmitted)
    assert verdict.code == "busy"


async def test_an_approval_without_a_record_lets_nobody_in(
    house: House, console: ScriptedConsole, met: list[dict[str, Any]]
) -> None:
    """The word alone opens nothing: what is signed does."""
    token = console.create()
    console.tokens.clear()
    console.extra["POST", PROOF] = answers({"status": "approved"})
    async with house.running() as uplink:
        challenge = await uplink.enroller.fetch_challenge(hello(token), "0" * 64)
        assert isinstance(challenge, ConsoleChallenge)
        verdict = await uplink.enroller.prove(challenge, AUTH)
    assert isinstance(verdict, NotAdmitted)
    assert verdict.code == "busy"
