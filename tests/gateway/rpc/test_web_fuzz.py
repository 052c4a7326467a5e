"""Random bytes at the doors: whatever comes, the server goes on and keeps nothing of it."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator

import pytest
from web_server_fixture import Server, masked, open_server, raw_ws, until

BODY = b'{"jsonrpc":"2.0","id":1,"method":"update"}'
SEED = 20261121
TASKS = 4 if sys.platform == "win32" else 2
"""At rest; asyncio's Proactor has one more for each of the two addresses that are listened at."""


def mutated(text: bytes, rng: random.Random) -> bytes:
    """Return the text with a few bytes changed, cut out, doubled or put in."""
    data = bytearray(text)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        how = rng.randrange(5)
        if how == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif how == 1:
            del data[at : at + rng.randint(1, 20)]
        elif how == 2:
            data[at:at] = data[at : at + rng.randint(1, 40)]
        elif how == 3:
            data[at:at] = rng.choice([b"\r\n", b"\x00", b"\xff", b":", b" ", b"\r\n\r\n", b"%"])
        else:
            data[at:at] = rng.randbytes(rng.randint(1, 10))
    return bytes(data)


def frames(rng: random.Random) -> Iterator[bytes]:
    """Yield a few frames, right and wrong."""
    for _ in range(rng.randint(1, 8)):
        payload = rng.choice([BODY, b"", b"[]", b"\xff\xfe", rng.randbytes(rng.randint(0, 300))])
        first = rng.choice([0x81, 0x81, 0x81, 0x01, 0x80, 0x89, 0x8A, 0x88, rng.randrange(256)])
        frame = masked(payload, first)
        yield mutated(frame, rng) if rng.random() < 0.3 else frame


async def goes_on(house: Server) -> None:
    """A caller with a token is served, and the connections of the others are gone."""
    assert (await house.rpc("sum", a=1))["result"] == 1
    await until(lambda: house.server.open_connections == 0)
    assert house.server.open_websockets == 0
    assert house.streams.listeners == []
    await until(lambda: len(asyncio.all_tasks()) <= TASKS)


async def fuzz_http(cases: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(SEED)  # noqa: S311  # no secret
    async with open_server() as house:
        head = house.head("/rpc", "POST", f"Content-Length: {len(BODY)}")
        good = head.encode() + b"\r\n" + BODY
        with monkeypatch.context() as patched:  # those who wait for nothing are sent away soon
            patched.setattr("gateway.http.server.FIRST_REQUEST_S", 0.05)
            for _ in range(cases):
                answer = await answer_to(house, mutated(good, rng))
                assert answer[:5] in (b"HTTP/", b"")
                assert b" 500 " not in answer
        await goes_on(house)


async def answer_to(house: Server, request: bytes) -> bytes:
    """Send something; return how the answer begins, nothing if the server just hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    try:
        writer.write(request)
        writer.write_eof()
        return await reader.read(100)
    except ConnectionError:  # it had not read all that came when it hung up
        return b""
    finally:
        writer.close()


async def fuzz_ws(cases: int) -> None:
    rng = random.Random(SEED)  # noqa: S311  # no secret
    async with open_server() as house:
        for _ in range(cases):
            async with raw_ws(house, login=rng.random() < 0.8) as ws:
                for frame in frames(rng):
                    ws.writer.write(frame)
                ws.send(b"", 8)
                assert await ws.ended()
        await goes_on(house)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What mutilated messages leave unfinished is given up soon."""
    monkeypatch.setattr("gateway.http.messages.BODY_S", 0.05)
    monkeypatch.setattr("gateway.rpc.websocket.connection.CLOSE_S", 0.05)
    monkeypatch.setattr("gateway.rpc.websocket.connection.PING_EVERY_S", 0.1)
    monkeypatch.setattr("gateway.rpc.websocket.connection.PONG_WITHIN_S", 0.05)
    monkeypatch.setattr("gateway.rpc.websocket.connection.HELLO_S", 0.1)


async def test_mutilated_requests(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T3, short form: an answer or none, never a 500, never a traceback."""
    await fuzz_http(2000, monkeypatch)
    assert "Traceback" not in caplog.text


async def test_mutilated_frames(caplog: pytest.LogCaptureFixture) -> None:
    """T4, short form: each connection ends, none leaves anything behind."""
    await fuzz_ws(300)
    assert "Traceback" not in caplog.text


@pytest.mark.long
@pytest.mark.timeout(0)
async def test_mutilated_requests_at_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """T3, long form."""
    await fuzz_http(100_000, monkeypatch)


@pytest.mark.long
@pytest.mark.timeout(0)
async def test_mutilated_frames_at_length() -> None:
    """T4, long form."""
    await fuzz_ws(50_000)
