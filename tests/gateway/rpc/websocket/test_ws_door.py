"""The handshake of /ws, the ways to log in, and how connections end from outside."""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import Any

import orjson
import pytest
import websockets
from small_catalogue import event
from web_server_fixture import (
    UPGRADE,
    RawWs,
    Server,
    masked,
    open_server,
    raw_ws,
    read_response,
    split_response,
    until,
)

from ea_bridge.token import new_token
from gateway.auth.caller import Caller
from gateway.config import Limits


def hello(token: Any, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"auth_token": token, **more}}


def bearer(token: str) -> str:
    return "mtg.bearer." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


async def upgrade(house: Server, *more: str, token: str | None = None) -> tuple[int, Any, Any]:
    """Try the handshake; return status, headers and what follows."""
    lines = [f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{house.port}", *UPGRADE, *more]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return split_response(await house.raw("\r\n".join(lines).encode() + b"\r\n\r\n"))


async def test_a_header_logs_in_before_the_101(house: Server) -> None:
    """Way A: the connection starts authenticated and hears the token's events."""
    async with raw_ws(house) as ws:
        ws.send({"jsonrpc": "2.0", "id": 1, "method": "ws_only"})
        assert (await ws.json())["result"] == "ws"
        (listener,) = house.streams.listeners
        assert listener.by_header
        assert listener.tid == house.gate.tokens[house.token].tid


@pytest.mark.parametrize("reason", ["malformed", "unknown", "revoked"])
async def test_a_wrong_token_in_the_header_gets_no_101(house: Server, reason: str) -> None:
    """401 with a JSON-RPC body; no listener was ever made."""
    token = {"malformed": "mgt_x", "unknown": new_token(), "revoked": house.token}[reason]
    if reason == "revoked":
        house.gate.revoke(token)
    status, headers, body = await upgrade(house, token=token)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert orjson.loads(body)["error"]["data"]["reason"] == reason
    assert house.streams.listeners == []


async def test_a_first_message_logs_in(house: Server) -> None:
    """Way B: hello with the token; the method never sees the token, and is answered."""
    async with raw_ws(house, login=False) as ws:
        ws.send(hello(house.token, client="bot"))
        answer = await ws.json()
        assert answer["result"]["client"] == "bot"
        assert answer["result"]["tid"] == house.gate.tokens[house.token].tid
        (listener,) = house.streams.listeners
        assert not listener.by_header
        ws.send({"jsonrpc": "2.0", "id": 2, "method": "update"})
        assert (await ws.json())["id"] == 2


async def test_hello_may_be_said_again(house: Server) -> None:
    """On a connection that has logged in it is a method like others."""
    async with raw_ws(house) as ws:
        for client in ("a", "b"):
            ws.send({"jsonrpc": "2.0", "id": 1, "method": "hello", "params": {"client": client}})
            assert (await ws.json())["result"]["client"] == client


@pytest.mark.parametrize("kind", ["empty", "malformed", "unknown", "revoked"])
async def test_a_wrong_token_in_hello_is_answered_then_closed(
    house: Server, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """-32001 with the id of hello, then 4501; the token is in no log."""
    caplog.set_level(logging.DEBUG)
    token = {"empty": "", "malformed": "mgt_x", "unknown": new_token(), "revoked": house.token}[
        kind
    ]
    if kind == "revoked":
        house.gate.revoke(token)
    async with raw_ws(house, login=False) as ws:
        ws.send(hello(token))
        answer = await ws.json()
        assert (answer["id"], answer["error"]["code"]) == (1, -32001)
        assert await ws.close_code() == 4501
    assert house.streams.listeners == []
    assert token[16:] == "" or token[16:] not in caplog.text


@pytest.mark.parametrize(
    "first",
    [
        b"", b"{", b"[]", b"[1]", b'"hello"',
        {"jsonrpc": "2.0", "id": 9, "method": "update"},
        {"jsonrpc": "2.0", "id": 9, "method": "hello"},
        {"jsonrpc": "2.0", "id": 9, "method": "hello", "params": ["mgt_x"]},
        {"jsonrpc": "2.0", "id": 9, "method": "hello", "params": {"auth_token": 5}},
        [{"jsonrpc": "2.0", "id": 9, "method": "hello", "params": {"auth_token": "x"}}],
    ],
)  # fmt: skip
async def test_nothing_goes_before_hello(house: Server, first: Any) -> None:
    """-32002 hello_required with the id where there is one, then 4502."""
    async with raw_ws(house, login=False) as ws:
        ws.send(first)
        answer = await ws.json()
        assert answer["error"]["code"] == -32002
        assert answer["error"]["data"]["reason"] == "hello_required"
        assert answer["id"] == (9 if isinstance(first, dict) else None)
        assert await ws.close_code() == 4502
    assert house.doings.calls == []


async def test_hello_fits_into_four_kib(house: Server) -> None:
    """Before the login nobody may send more."""
    async with raw_ws(house, login=False) as ws:
        ws.send(hello(house.token, client="x" * 4096))
        assert await ws.close_code() == 4502
    assert house.gate.admitted == 0


async def test_no_more_than_a_hello_is_taken_in(house: Server) -> None:
    """4502 while the rest is still on its way: strangers cannot fill memory with half messages."""
    async with raw_ws(house, login=False) as ws:
        ws.writer.write(masked(b" " * 1_000_000, 0x81)[:500_000])
        assert await ws.close_code() == 4502
        assert await ws.ended()
    assert house.gate.admitted == 0


async def test_what_came_before_the_upgrade_is_not_held_against_hello(
    house: Server,
) -> None:
    """A connection may have carried long calls over /rpc first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "update"}).ljust(500_000)
    writer.write(house.head("/rpc", "POST", f"Content-Length: {len(body)}").encode() + b"\r\n")
    writer.write(body)
    assert split_response(await read_response(reader))[0] == 200
    upgrade = house.head("/ws", "GET", *UPGRADE).replace("Authorization", "X")
    writer.write(upgrade.encode() + b"\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    ws = RawWs(reader, writer)
    ws.send(hello(house.token))
    assert "result" in await ws.json()
    writer.close()


async def test_hello_must_come_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """4500, whatever pings are sent meanwhile; a login in time stops the clock."""
    monkeypatch.setattr("gateway.rpc.websocket.connection.HELLO_S", 0.1)
    async with open_server() as house:
        async with raw_ws(house, login=False) as ws:
            ws.send(b"", 9)
            assert (await ws.frame())[0] == 10
            assert await ws.close_code() == 4500
        async with raw_ws(house, login=False) as ws:
            ws.send(hello(house.token))
            assert "result" in await ws.json()
            await asyncio.sleep(0.15)
            ws.send({"jsonrpc": "2.0", "id": 2, "method": "update"})
            assert (await ws.json())["id"] == 2


async def test_a_subprotocol_logs_in_and_is_not_repeated(house: Server) -> None:
    """Way C: mtg.v1 is echoed, the token never."""
    connection = websockets.connect(
        house.ws_url,
        subprotocols=["mtg.v1", bearer(house.token)],  # type: ignore[list-item]
        compression=None,
        proxy=None,
    )
    async with connection as ws:
        assert ws.subprotocol == "mtg.v1"
        await ws.send('{"jsonrpc":"2.0","id":1,"method":"update"}')
        assert orjson.loads(await ws.recv())["id"] == 1
    raw = await upgrade(house, f"Sec-WebSocket-Protocol: {bearer(house.token)}, mtg.v1")
    assert raw[0] == 101
    assert raw[1]["sec-websocket-protocol"] == "mtg.v1"


@pytest.mark.parametrize(
    ("offered", "status"),
    [
        ("{good}", 400), ("graphql-ws", 400), ("mtg.v2, {good}", 400), ("", 400),
        ("mtg.v1, {good}, {good}", 401), ("mtg.v1, mtg.bearer.", 401),
        ("mtg.v1, mtg.bearer.%%", 401),
        ("mtg.v1, mtg.bearer.gICA", 401), ("mtg.v1, {wrong}", 401), ("mtg.v1, {padded}", 401),
    ],
)  # fmt: skip
async def test_other_subprotocols_are_refused(
    house: Server, offered: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """400 without mtg.v1, 401 for what is no good token; nothing offered is ever logged."""
    caplog.set_level(logging.DEBUG)
    good = bearer(house.token)
    text = offered.format(good=good, wrong=bearer(new_token()), padded=good + "==x")
    answer = await upgrade(house, f"Sec-WebSocket-Protocol: {text}")
    assert answer[0] == status
    assert good not in caplog.text
    assert house.token[16:] not in caplog.text


async def test_a_token_is_sent_once(house: Server) -> None:
    """Header and subprotocol together are refused: which of the two counts?"""
    offer = f"Sec-WebSocket-Protocol: mtg.v1, {bearer(house.token)}"
    assert (await upgrade(house, offer, token=house.token))[0] == 401


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ("Upgrade: h2c", 426), ("Upgrade: ", 426), ("Sec-WebSocket-Version: 12", 400),
        ("Sec-WebSocket-Key: short", 400), ("Sec-WebSocket-Key: ", 400),
        ("Connection: close", 400),
    ],
)  # fmt: skip
async def test_a_broken_handshake_is_refused(house: Server, changed: str, status: int) -> None:
    """426 where it is no WebSocket, 400 where it is a bad one; always JSON."""
    name = changed.partition(":")[0]
    lines = [line if not line.startswith(name + ":") else changed for line in UPGRADE]
    head = house.head("/ws", "GET", *lines)
    got, headers, body = split_response(await house.raw(head.encode() + b"\r\n"))
    assert got == status
    assert orjson.loads(body)["error"]["data"]["reason"] == "upgrade"
    assert headers.get("upgrade") == ("websocket" if status == 426 else None)


async def test_nothing_is_compressed(house: Server) -> None:
    """permessage-deflate is not agreed to, however it is offered."""
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    status, headers, _ = await upgrade(house, offer, token=house.token)
    assert status == 101
    assert "sec-websocket-extensions" not in headers
    assert "server" not in headers


async def test_a_token_has_so_many_connections_and_no_more() -> None:
    """4504 for the one too many, by header or by hello; room again when one leaves."""
    async with open_server(limits=Limits(max_websockets=2)) as house:
        other = house.gate.new()
        async with raw_ws(house):
            async with raw_ws(house), raw_ws(house) as late, raw_ws(house, login=False) as later:
                assert await late.close_code() == 4504
                later.send(hello(house.token))
                assert await later.close_code() == 4504
                async with raw_ws(house, login=False) as ws:
                    ws.send(hello(other))
                    assert "result" in await ws.json()
            await until(lambda: len(house.streams.listeners) <= 1)
            async with raw_ws(house) as ws:
                ws.send({"jsonrpc": "2.0", "id": 1, "method": "update"})
                assert (await ws.json())["id"] == 1


async def test_a_revoked_token_ends_its_connections_and_no_others(house: Server) -> None:
    """4506 at once, without a word from the client; then the socket is cut within 250 ms."""
    other = house.gate.new()
    async with (
        raw_ws(house) as first,
        raw_ws(house) as second,
        raw_ws(house, login=False) as third,
    ):
        third.send(hello(other))
        assert "result" in await third.json()
        for ws in (first, second):
            ws.send({"jsonrpc": "2.0", "id": 1, "method": "update"})
            await ws.json()
        began = asyncio.get_running_loop().time()
        house.gate.revoke(house.token)
        assert len(house.streams.listeners) == 1
        for ws in (first, second):
            assert await ws.close_code() == 4506
            assert await ws.ended()
        assert asyncio.get_running_loop().time() - began < 1
        third.send({"jsonrpc": "2.0", "id": 2, "method": "update"})
        assert (await third.json())["id"] == 2


async def test_a_revoked_client_that_does_not_read_is_cut_all_the_same(
    house: Server,
) -> None:
    """It cannot hold the connection by not taking the close frame."""
    async with raw_ws(house, receive_buffer=4096) as ws:
        ws.send({"jsonrpc": "2.0", "id": 1, "method": "big", "params": [4_000_000]})
        assert (await ws.reader.readexactly(1))[0]
        ws.reader._transport.pause_reading()  # type: ignore[attr-defined]
        house.gate.revoke(house.token)
        await until(lambda: not house.server.open_connections)
        await until(lambda: not house.server.open_websockets)
        ws.reader._transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises(ConnectionResetError):  # what the kernel still had is gone too
            await ws.reader.readexactly(4_000_000)


async def test_a_token_that_is_revoked_in_the_handshake_does_not_come_in(
    house: Server,
) -> None:
    """Who ends its connections did not see this one yet."""
    admit = house.gate.admit

    def admit_and_revoke(token: str) -> Caller:
        caller = admit(token)
        house.gate.revoke(token)
        return caller

    house.gate.admit = admit_and_revoke  # type: ignore[method-assign]  # at the worst moment
    async with raw_ws(house) as ws:
        assert await ws.close_code() == 4506
    assert house.streams.listeners == []


async def test_a_revocation_that_nobody_told_of_stops_the_next_request(
    house: Server,
) -> None:
    """The gate is asked before each message."""
    async with raw_ws(house) as ws:
        house.gate.revoke(house.token, tell=False)
        ws.send({"jsonrpc": "2.0", "id": 1, "method": "trade", "params": {"name": "a"}})
        assert await ws.close_code() == 4506
    assert house.doings.calls == []


async def test_a_client_of_another_maker_talks_and_listens(house: Server) -> None:
    """websockets: requests, a batch, events, and an orderly end with 1000."""
    headers = {"Authorization": f"Bearer {house.token}"}
    connection = websockets.connect(
        house.ws_url, additional_headers=headers, compression=None, proxy=None
    )
    async with connection as ws:
        await ws.send(b'{"jsonrpc":"2.0","id":1,"method":"subtract","params":[42,23]}'.decode())
        assert orjson.loads(await ws.recv())["result"] == 19
        await ws.send('[{"jsonrpc":"2.0","id":1,"method":"update"},{"jsonrpc":"2.0"}]')
        assert len(orjson.loads(await ws.recv())) == 2
        house.streams.publish(event("tick:EURUSD", 1), event("tick:EURUSD", 2))
        assert [orjson.loads(await ws.recv())["params"]["seq"] for _ in range(2)] == [1, 2]
        pong = await ws.ping(b"are you there")
        await pong
    assert ws.close_code == 1000
