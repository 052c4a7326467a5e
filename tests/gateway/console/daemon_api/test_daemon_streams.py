"""The stream: events as they happen, heartbeats, acknowledgements; a copied key is noticed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from approval_fixtures import Terminal, posts
from console_fixtures import Clock, Machine, approve, person
from daemon_fixtures import Daemon

from gateway.console.daemon_api import daemon_routes, routes
from gateway.console.database.model import Device, DeviceEvent
from gateway.console.errors import NotFound
from gateway.console.service import Console
from gateway.credentials.daemon_api import MAX_BODY_BYTES
from gateway.credentials.event import open_event
from gateway.credentials.keyset import open_keyset

Socket = aiohttp.ClientWebSocketResponse


async def _approved(console: Console, daemon: Daemon):
    ann = await person(console)
    text, token = await console.tokens.create(ann.id, "MT5-Live")
    await approve(console, token, daemon.machine)
    return ann, token, Terminal(text, daemon.machine)


async def _read(socket: Socket, kind: str = "evt"):
    """Return the next message of a kind."""
    while True:
        message = await socket.receive_json(timeout=60)
        if message["t"] == kind:
            return message


async def _until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - what the database says has no event
            await asyncio.sleep(0.01)


async def _event(console: Console, envelope: str):
    keys = open_keyset(await console.signing.key_set(), await console.signing.root())
    return open_event(envelope, keys.keys_for("evt", console.now_s()))


@pytest.mark.alike
async def test_it_begins_with_the_number_of_the_last_event(console: Console, daemon: Daemon):
    """A daemon that has an older one knows that it missed something."""
    await _approved(console, daemon)
    async with daemon.stream() as socket:
        first = await socket.receive_json(timeout=60)
    last = await console.events.last(daemon.machine.did)
    assert first == {"t": "hb", "seq": last, "time": daemon.clock(), "line": False}


@pytest.mark.alike
async def test_a_revocation_is_pushed(console: Console, daemon: Daemon):
    """Signed, next in number; the acknowledgement is shown to the owner."""
    ann, token, _ = await _approved(console, daemon)
    async with daemon.stream() as socket:
        before = (await _read(socket, "hb"))["seq"]
        await console.tokens.revoke(ann.id, token.tid)
        event = await _event(console, (await _read(socket))["e"])
        assert (event.type, event.tid, event.seq) == ("token.revoked", token.tid, before + 1)

        ack = {"t": "ack", "seq": event.seq, "at_ms": 1_800_000_000_321, "closed_ws": 3}
        await socket.send_json(ack)

        async def is_stopped() -> bool:
            [stop] = await console.events.confirmation(ann.id, tid=token.tid)
            return stop.stopped_at_ms is not None

        await _until(is_stopped)
    [stop] = await console.events.confirmation(ann.id, tid=token.tid)
    assert (stop.stopped_at_ms, stop.closed_ws) == (1_800_000_000_321, 3)


@pytest.mark.alike
async def test_events_that_were_missed_come_first(console: Console, daemon: Daemon):
    """With ``since``: all later ones, once each, in their order."""
    ann, token, _ = await _approved(console, daemon)
    for _ in range(3):
        await console.tokens.update_limits(ann.id, token.tid, token.limits)
    last = await console.events.last(daemon.machine.did)
    async with daemon.stream("?since=1") as socket:
        seqs = [(await _event(console, (await _read(socket))["e"])).seq for _ in range(last - 1)]
        await console.tokens.revoke(ann.id, token.tid)
        seqs.append((await _event(console, (await _read(socket))["e"])).seq)
    assert seqs == list(range(2, last + 2))


async def test_many_events_at_once_come_without_gap(console: Console, daemon: Daemon):
    """Whatever wakes the stream how often."""
    ann, token, _ = await _approved(console, daemon)
    async with daemon.stream() as socket:
        first = (await _read(socket, "hb"))["seq"]
        changes = [
            console.tokens.update_limits(ann.id, token.tid, token.limits) for _ in range(20)
        ]
        await asyncio.gather(*changes)
        seqs = [(await _event(console, (await _read(socket))["e"])).seq for _ in range(20)]
    assert seqs == list(range(first + 1, first + 21))


@pytest.mark.alike
async def test_a_report_is_noted(console: Console, daemon: Daemon):
    """The owner sees the terminal at work."""
    ann, token, terminal = await _approved(console, daemon)
    facts = terminal.hello().terminal.model_dump()
    report = {"tid": token.tid, "state": "online", "since": daemon.clock(), "terminal": facts}
    async with daemon.stream() as socket:
        await socket.send_json({"t": "report", "terminals": [report]})
        await _until(lambda: console.reports.active(ann.id))
    runs = await console.reports.active(ann.id)
    assert (runs[0].state, runs[0].tid) == ("online", token.tid)


@pytest.mark.alike
async def test_only_a_device_that_was_met_may_listen(console: Console, daemon: Daemon):
    """And it has to sign; a plain GET is no stream."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as unknown:
        async with daemon.stream():
            pass
    assert unknown.value.status == 404
    await daemon.machine.seen_by(console)
    path = "/v1/daemon/stream"
    headers = daemon.signed("GET", path) | {"Mgt-Nonce": "A" * 22}
    with pytest.raises(aiohttp.WSServerHandshakeError) as forged:
        await daemon.http.ws_connect(daemon.url + path, headers=headers)
    assert forged.value.status == 401
    assert (await daemon.call("GET", path)).status == 400
    assert (await daemon.call("GET", path + "?since=x", headers=None)).status == 400


@pytest.mark.alike
@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 1008),
        ("[]", 1008),
        ('{"t":"evt"}', 1008),
        ('{"t":"ack","seq":0,"at_ms":1}', 1008),
        ('{"t":"ack","seq":1,"at_ms":1.5}', 1008),
        (b"\x00", 1008),
        pytest.param("x" * (MAX_BODY_BYTES + 1), 1009, id="too long"),
    ],
)
async def test_bad_messages_end_the_stream(
    console: Console, daemon: Daemon, message: str | bytes, code: int
):
    """With a code; nothing else is concerned."""
    await daemon.machine.seen_by(console)
    async with daemon.stream() as socket:
        if isinstance(message, str):
            await socket.send_str(message)
        else:
            await socket.send_bytes(message)
        while not (await socket.receive(timeout=10)).type.name.startswith("CLOSE"):
            pass
        assert socket.close_code == code
    assert (await daemon.sync()).tokens == ()


@pytest.mark.alike
async def test_a_flood_ends_the_stream(console: Console, daemon: Daemon):
    """Pings are messages too."""
    await daemon.machine.seen_by(console)
    async with daemon.stream() as socket:
        for _ in range(400):
            await socket.ping(b"x")
        while not (await socket.receive(timeout=10)).type.name.startswith("CLOSE"):
            pass
        assert socket.close_code == 1013


async def test_a_copied_key_is_noticed(console: Console, daemon: Daemon, clock: Clock):
    """Two streams that both answer: no leases until the owner decides, and a mail; revocations
    reach both."""
    ann, token, _ = await _approved(console, daemon)
    thief = Daemon(daemon.url, daemon.http, clock, daemon.machine)
    async with daemon.stream() as first, thief.stream() as second:
        sockets = (first, second)
        for socket in sockets:
            await _read(socket, "hb")
        # a client answers pings while it reads
        readers = [asyncio.create_task(_read(socket)) for socket in sockets]
        await _until(lambda: console.clones.held(daemon.machine.did))
        [offer] = (await thief.sync()).tokens
        assert (offer.lease, offer.server_key) == (None, None)
        [warning] = await posts(console, "device-copied")
        assert warning.address == ann.email
        assert await console.clones.suspended(ann.id) == {
            daemon.machine.did: ("this computer", "this computer")
        }

        await console.clones.resume(ann.id, daemon.machine.did)
        assert (await daemon.sync()).tokens[0].lease is not None
        with pytest.raises(NotFound):
            await console.clones.resume(ann.id, daemon.machine.did)

        await console.tokens.revoke(ann.id, token.tid)
        told = [json.dumps(result) for result in await asyncio.gather(*readers)]
        assert told[0] == told[1]


async def test_a_daemon_that_connects_anew_is_no_copy(
    console: Console, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    """The stream that it left behind does not answer any more, and is cut."""
    monkeypatch.setattr(routes, "PROOF_S", 0.3)
    ann, token, _ = await _approved(console, daemon)
    dead = daemon.stream()
    old = await dead.__aenter__()
    await _read(old, "hb")
    # nothing reads the old connection from here on, so nothing answers its pings
    async with daemon.stream() as socket:
        reader = asyncio.create_task(_read(socket))
        await _until(lambda: _is_cut(old))
        assert not await console.clones.held(daemon.machine.did)
        await console.tokens.revoke(ann.id, token.tid)
        assert (await reader)["t"] == "evt"
    await dead.__aexit__(None, None, None)


async def _is_cut(socket: Socket) -> bool:
    connection = socket._response.connection
    return connection is None or connection.transport is None or connection.transport.is_closing()


@pytest.mark.alike
async def test_too_many_streams_of_one_device(console: Console, daemon: Daemon):
    """A fifth is refused."""
    await daemon.machine.seen_by(console)
    opened = [daemon.stream() for _ in range(5)]
    for stream in opened[:4]:
        await stream.__aenter__()
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await opened[4].__aenter__()
    assert caught.value.status == 503
    for stream in opened[:4]:
        await stream.__aexit__(None, None, None)


@pytest.mark.alike
async def test_another_device_is_not_told(console: Console, daemon: Daemon):
    """What happens to one user's device is no other's business."""
    ann, token, _ = await _approved(console, daemon)
    other = Daemon(daemon.url, daemon.http, daemon.clock, Machine("other"))
    await other.machine.seen_by(console)
    async with daemon.stream() as mine, other.stream() as theirs:
        await console.tokens.revoke(ann.id, token.tid)
        assert (await _read(mine))["t"] == "evt"
        await console.rotate_keys()
        first = await _event(console, (await _read(theirs))["e"])
    assert (first.type, first.seq) == ("keys.rotated", 1)


@pytest.mark.alike
async def test_heartbeats_and_silence(console: Console, http: aiohttp.ClientSession, clock: Clock):
    """A daemon that answers stays; one that does not is cut after two and a half heartbeats."""

    @asynccontextmanager
    async def beating(heartbeat_s: float) -> AsyncIterator[Daemon]:
        other = copy(console)
        other.settings = replace(console.settings, heartbeat_s=heartbeat_s)  # type: ignore[arg-type]
        app = web.Application()
        app.add_routes(daemon_routes(other))
        async with TestServer(app) as server:
            daemon = Daemon(str(server.make_url("")).rstrip("/"), http, clock)
            await daemon.machine.seen_by(console)
            yield daemon

    # so slow that a busy machine answers in time, too
    async with beating(1.0) as daemon, daemon.stream() as socket:
        for _ in range(5):
            assert (await socket.receive_json(timeout=60))["t"] == "hb"
    async with beating(0.2) as daemon:
        headers = daemon.signed("GET", "/v1/daemon/stream")
        url = f"{daemon.url}/v1/daemon/stream"
        async with http.ws_connect(url, headers=headers, autoping=False) as deaf:
            async with asyncio.timeout(60):
                kinds = [message.type async for message in deaf]
        assert aiohttp.WSMsgType.PING in kinds


async def test_a_daemon_that_does_not_read_is_cut(
    console: Console, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    """It costs a bounded time and no memory; connected anew it misses nothing."""
    monkeypatch.setattr(routes, "SEND_S", 0.3)
    await daemon.machine.seen_by(console)
    count, large = 800, "x" * 16_000
    async with console.db.begin() as session:
        device = await session.get_one(Device, daemon.machine.did)
        device.seq = count
        for seq in range(1, count + 1):
            session.add(
                DeviceEvent(did=device.did, seq=seq, type="x", iat=1, envelope=large, ends_by=1)
            )
    host, port = daemon.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    path = "/v1/daemon/stream?since=0"
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket"]
    lines += ["Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    lines += [f"{name}: {value}" for name, value in daemon.signed("GET", path).items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 101")
    transport = writer.transport
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()
    async with asyncio.timeout(60):
        await asyncio.sleep(1)
        transport.resume_reading()
        taken = 0
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                taken += len(data)
    writer.close()
    assert taken < count * len(large)
    async with daemon.stream(f"?since={count - 1}") as socket:
        assert (await _read(socket))["e"] == large
