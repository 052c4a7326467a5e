"""The server as a whole: sockets, documents, wrong tokens, start and stop."""

from __future__ import annotations

import asyncio
import logging
import socket

import orjson
import pytest
from web_server_fixture import (
    Server,
    open_server,
    raw_ws,
    read_response,
    split_response,
    until,
)

from ea_bridge.sockets import bind_loopback
from ea_bridge.token import new_token
from gateway.http.rate_limit import MAX_WAIT_S

UPDATE = b'{"jsonrpc":"2.0","id":1,"method":"update"}'


async def get(house: Server, path: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\n\r\n"
    status, headers, body = split_response(await house.raw(head.encode(), host=host))
    assert "server" not in headers
    return status, body


async def test_the_documents_need_no_token_and_tell_no_details(house: Server) -> None:
    """/healthz says that it lives; /openrpc.json and /asyncapi.json are what was handed in."""
    assert await get(house, "/healthz") == (200, b'{"status":"ok"}')
    assert await get(house, "/openrpc.json") == (200, b'{"openrpc":"1.3.2"}')
    assert await get(house, "/asyncapi.json") == (200, b'{"asyncapi":"3.0.0"}')
    assert (await get(house, "/"))[0] == 404


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@needs_ipv6
async def test_both_loopback_addresses_are_served_on_one_port(house: Server) -> None:
    """A client that says localhost must not meet another program on the second address."""
    for host in ("127.0.0.1", "::1"):
        assert (await get(house, "/healthz", host))[0] == 200


async def test_wrong_tokens_are_answered_at_a_pace_and_right_ones_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Guessing is slow, also for all together; nobody with a token waits or is locked out."""
    async with open_server(failures_per_s=10) as house:
        loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        done_at = []

        async def guess() -> None:
            assert (await house.post(UPDATE, token=new_token()))[0] == 401
            done_at.append(loop.time() - began)

        guesses = [asyncio.create_task(guess()) for _ in range(14)]
        await until(lambda: len(done_at) >= 10)
        assert (await house.rpc("sum", a=1))["result"] == 1
        assert len(done_at) < 14
        await asyncio.gather(*guesses)
        assert done_at[-1] >= 0.35
        assert caplog.text.count("refused a token: unknown") == 14


async def test_who_would_wait_too_long_gets_no_answer() -> None:
    """The queue of failures is bounded by time: beyond it the connection is cut.

    A next answer is free after 100 s: however long a busy machine takes, the twelfth is too early.
    """
    async with open_server(failures_per_s=0.01) as house:
        answers = [await house.raw(guess(house)) for _ in range(12)]
        assert [bool(answer) for answer in answers] == [True] * 10 + [False] * 2
        assert MAX_WAIT_S == 5
        async with raw_ws(house, login=False) as ws:
            ws.send(
                {
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "hello",
                    "params": {"auth_token": new_token()},
                }
            )
            assert await ws.ended()
        assert (await house.rpc("sum", a=1))["result"] == 1


def guess(house: Server) -> bytes:
    head = house.head("/rpc", "POST", f"Content-Length: {len(UPDATE)}", token=new_token())
    return head.encode() + b"\r\n" + UPDATE


async def test_a_missing_token_is_not_paced(house: Server) -> None:
    """It is no guess; the challenge comes at once and says what is missing."""
    head = house.head("/rpc", "POST", f"Content-Length: {len(UPDATE)}").split("\r\n")
    del head[2]
    raw = await house.raw("\r\n".join(head).encode() + b"\r\n" + UPDATE)
    status, headers, body = split_response(raw)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert orjson.loads(body)["error"]["data"]["reason"] == "missing"


async def test_stop_ends_everything_soon(caplog: pytest.LogCaptureFixture) -> None:
    """Idle, half-sent, calling, streaming and stalled connections: all gone within two seconds."""
    caplog.set_level(logging.WARNING)
    async with open_server() as house:
        idle = await asyncio.open_connection("127.0.0.1", house.port)
        half = await asyncio.open_connection("127.0.0.1", house.port)
        half[1].write(b"POST /rpc HTTP/1.1\r\nHost:")
        calling = asyncio.create_task(
            house.post({"jsonrpc": "2.0", "id": 1, "method": "wait", "params": {}})
        )
        await house.doings.entered.wait()
        async with raw_ws(house) as ws, raw_ws(house, receive_buffer=4096) as stalled:
            stalled.send({"jsonrpc": "2.0", "id": 1, "method": "big", "params": [2_000_000]})
            ws.send({"jsonrpc": "2.0", "id": 1, "method": "wait"})
            ws.send({"jsonrpc": "2.0", "id": 2, "method": "update"})
            assert (await ws.json())["id"] == 2
            began_s = asyncio.get_running_loop().time()
            await house.server.stop("update", 3000)
            assert asyncio.get_running_loop().time() - began_s < 2
            farewell = await ws.json()
            assert farewell["method"] == "server_shutdown"
            assert farewell["params"] == {"reason": "update", "restart_in_ms": 3000}
            assert await ws.close_code() == 1001
            assert house.streams.listeners == []
            assert house.server.open_websockets == 0
        assert await idle[0].read() == b""
        with pytest.raises((ConnectionError, ValueError, IndexError)):
            await calling
        idle[1].close()
        half[1].close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", house.port)
    leftover = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    assert not leftover


async def test_while_it_stops_new_requests_are_told(house: Server) -> None:
    """503 and -32007, on connections that were open before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % house.port
    writer.write(request)
    assert split_response(await read_response(reader))[0] == 200
    async with raw_ws(house) as ws:
        ws.send({"jsonrpc": "2.0", "id": 1, "method": "wait"})
        await house.doings.entered.wait()
        stopping = asyncio.create_task(house.server.stop())
        assert await ws.close_code() == 1001
        writer.write(request)
        status, _, body = split_response(await read_response(reader))
        assert (status, orjson.loads(body)["error"]["code"]) == (503, -32007)
        await stopping
    writer.close()


async def test_stop_may_be_called_again_and_frees_the_port() -> None:
    """Whoever failed to start the rest can always stop the web server."""
    async with open_server() as house:
        await house.server.stop()
        await house.server.stop()
        for sock in bind_loopback(house.port):
            sock.close()
