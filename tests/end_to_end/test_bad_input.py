"""Bad input from outside: each gets the documented answer, and afterwards the daemon goes on.

A table of what must never work; the rules behind it are tested one by one in tests/gateway/rpc.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import websockets
from demo_process import Demo, running_demo
from product import TIMEOUT_S, WsClient, open_http, open_ws

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-bad-input")]

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
DEEP = 100_000
MIB = 1024 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo_here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """A demo of this file's own; whatever was sent to it, it must not have stumbled."""
    folder: Path = tmp_path_factory.mktemp("bad-input")
    with running_demo(folder / "home") as running:
        yield running
        async with open_http(running.rpc, running.auth_token) as client:
            assert await client.call("get_account_info")
        socket = await open_ws(running.ws, running.auth_token)
        assert await socket.call("get_positions") == []
        await socket.close()
    log = (folder / "home.log.txt").read_text()
    assert "Traceback" not in log
    assert running.auth_token not in log


async def post(demo: Demo, body: bytes, *changes: tuple[str, str | None]) -> tuple[int, Any]:
    """Send one request as raw bytes; return the status and the JSON of the answer."""
    place = urlsplit(demo.rpc)
    target = "/rpc"
    headers: dict[str, str | None] = {
        "Host": place.netloc,
        "Authorization": f"Bearer {demo.auth_token}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    for name, value in changes:
        if name == "target":
            target = value or ""
        else:
            headers[name] = value
    head = f"POST {target} HTTP/1.1\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in headers.items() if value is not None
    )
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(head.encode() + b"\r\n" + body)
    answer = await asyncio.wait_for(reader.read(), TIMEOUT_S)
    writer.close()
    top, _, rest = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(rest) if rest else None


def call(method: str, **params: Any) -> bytes:
    """A request."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


BODIES: dict[str, tuple[bytes, int, int, str | None]] = {
    "no JSON": (b'{"jsonrpc":"2.0",', 200, -32700, None),
    "nothing": (b"", 200, -32700, None),
    "NaN": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"t":NaN}}', 200, -32700, None),
    "1e400": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"t":1e400}}', 200, -32700, None),
    "not UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', 200, -32700, None),
    "deep lists": (b"[" * DEEP + b"]" * DEEP, 200, -32700, None),
    "deep objects": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, 200, -32700, None),
    "deep params": (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"t":'
        + b"[" * 500
        + b"]" * 500
        + b"}}",
        200,
        -32602,
        None,
    ),
    "2 MiB": (b" " * (2 * MIB) + PING, 413, -32008, None),
    "101 items": (b"[" + b",".join([PING] * 101) + b"]", 200, -32600, "batch_too_large"),
    "an empty batch": (b"[]", 200, -32600, "empty_batch"),
    "a number": (b"1", 200, -32600, "not_an_object"),
    "a stranger's member": (PING[:-1] + b',"color":"red"}', 200, -32600, "unknown_member"),
    "the token in the body": (PING[:-1] + b',"auth_token":"x"}', 200, -32600, "unknown_member"),
    "version 1": (PING.replace(b"2.0", b"1.0"), 200, -32600, None),
    "no such method": (call("get_acount_info"), 200, -32601, None),
    "no such param": (call("get_ohlc", symbl="EURUSD"), 200, -32602, None),
    "a wrong type": (call("get_ohlc", symbol="EURUSD", count="ten"), 200, -32602, None),
    "a huge number": (call("get_ohlc", symbol="EURUSD", count=10**30), 200, -32602, None),
    "a volume of 1e308": (
        call("place_order", symbol="EURUSD", side="buy", volume=1e308),
        200,
        -32602,
        None,
    ),
    "a symbol of 1 MB": (call("get_symbol_info", symbol="x" * 1_000_000), 200, -32602, None),
    "a line break in a symbol": (call("get_symbol_info", symbol="EUR\nUSD"), 200, -32602, None),
    "a lone surrogate": (
        b'{"jsonrpc":"2.0","id":1,"method":"get_symbol_info","params":{"symbol":"\\ud800"}}',
        200,
        -32700,
        None,
    ),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body(demo_here: Demo, name: str) -> None:
    """A body that is no good request gets its error, with the documented status and code."""
    body, status, code, reason = BODIES[name]
    told, answer = await post(demo_here, body)
    assert (told, answer["error"]["code"]) == (status, code)
    assert answer["error"]["data"].get("reason") == reason or reason is None
    assert (await post(demo_here, PING))[0] == 200


@pytest.mark.parametrize("name", [name for name in BODIES if name not in ("2 MiB", "not UTF-8")])
async def test_the_same_on_ws(demo_here: Demo, name: str) -> None:
    """The same in a text frame gets the same error, and the connection stays open."""
    body, _, code, reason = BODIES[name]
    socket = await raw_ws(demo_here)
    await socket.send(body.decode())
    answer = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT_S))
    assert answer["error"]["code"] == code
    assert answer["error"]["data"].get("reason") == reason or reason is None
    await socket.send(PING.decode())
    assert "result" in json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT_S))
    await socket.close()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(b"\x00binary", 1003, id="binary"),
        pytest.param(" " * (2 * MIB), 1009, id="2 MiB"),
    ],
)
async def test_a_bad_frame(demo_here: Demo, frame: str | bytes, code: int) -> None:
    """What is no text, or too much of it, ends the connection with its code."""
    socket = await raw_ws(demo_here)
    with suppress(websockets.ConnectionClosed):  # it may be refused before all of it is sent
        await socket.send(frame)
    await asyncio.wait_for(socket.wait_closed(), TIMEOUT_S)
    assert socket.close_code == code


async def raw_ws(demo: Demo) -> websockets.ClientConnection:
    """Open /ws with nothing in between."""
    header = {"Authorization": f"Bearer {demo.auth_token}"}
    socket = await websockets.connect(
        demo.ws, additional_headers=header, proxy=None, compression=None
    )
    welcome = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT_S))
    assert welcome["method"] == "welcome"
    return socket


HOSTILE: dict[str, tuple[Callable[[str], tuple[str, str | None]], int]] = {
    "another host": (lambda _: ("Host", "evil.example"), 421),
    "another host, our port": (lambda port: ("Host", f"evil.example:{port}"), 421),
    "a host that only begins as ours": (lambda port: ("Host", f"127.0.0.1:{port}.evil"), 421),
    "no host": (lambda _: ("Host", None), 400),
    "our address, another port": (lambda _: ("Host", "127.0.0.1:1"), 421),
    "a page's origin": (lambda _: ("Origin", "https://evil.example"), 403),
    "a file's origin": (lambda _: ("Origin", "null"), 403),
    "our own origin": (lambda port: ("Origin", f"http://127.0.0.1:{port}"), 403),
    "an absolute target": (lambda port: ("target", f"http://127.0.0.1:{port}/rpc"), 400),
    "another's target": (lambda _: ("target", "http://evil.example/rpc"), 400),
    "two slashes": (lambda _: ("target", "//rpc"), 400),
    "a token in the URL": (lambda _: ("target", "/rpc?auth_token=mgt_x"), 401),
    "a form": (lambda _: ("Content-Type", "text/plain"), 415),
    "gzip": (lambda _: ("Content-Encoding", "gzip"), 415),
    "no token": (lambda _: ("Authorization", None), 401),
    "another scheme": (lambda _: ("Authorization", "Basic x"), 401),
    "another path": (lambda _: ("target", "/rpc/../etc"), 404),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_request(demo_here: Demo, name: str) -> None:
    """What a web page or a confused program could send is refused before anybody looks inside."""
    change, status = HOSTILE[name]
    port = str(urlsplit(demo_here.rpc).port)
    told, answer = await post(demo_here, PING, change(port))
    assert told == status
    assert answer is None or answer.get("id") is None
    assert answer is None or "result" not in answer


async def test_bytes_that_are_no_http(demo_here: Demo) -> None:
    """Garbage, half a request, and silence on the API's port end by themselves."""
    place = urlsplit(demo_here.rpc)
    for said in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET /ws HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(said)
        answer = await asyncio.wait_for(reader.read(), TIMEOUT_S)
        assert b" 200 " not in answer.partition(b"\r\n")[0]
        writer.close()
    half = [await asyncio.open_connection(place.hostname, place.port) for _ in range(20)]
    for _, writer in half:
        writer.write(b"POST /rpc HTTP/1.1\r\nHost:")
    assert (await post(demo_here, PING))[0] == 200
    for _, writer in half:
        writer.close()


async def test_a_batch_keeps_what_is_good(demo_here: Demo) -> None:
    """In a batch each item is judged by itself: the good ones are answered."""
    items = [PING, b"1", call("nope"), b'{"jsonrpc":"2.0","method":"ping"}', PING]
    for wrap in (post_batch, ws_batch):
        answers = await wrap(demo_here, b"[" + b",".join(items) + b"]")
        codes = [one.get("error", {}).get("code") for one in answers]
        assert codes == [None, -32600, -32601, None]


async def post_batch(demo: Demo, body: bytes) -> list[Any]:
    """Send a batch over /rpc."""
    _, answers = await post(demo, body)
    assert isinstance(answers, list)
    return answers


async def ws_batch(demo: Demo, body: bytes) -> list[Any]:
    """Send a batch over /ws."""
    socket = await raw_ws(demo)
    await socket.send(body.decode())
    answers = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT_S))
    await socket.close()
    assert isinstance(answers, list)
    return answers


async def test_a_flood_of_connections(demo_here: Demo) -> None:
    """More connections than there may be: who has the token and keeps one is not disturbed."""
    socket: WsClient = await open_ws(demo_here.ws, demo_here.auth_token)
    place = urlsplit(demo_here.rpc)
    strangers = [await asyncio.open_connection(place.hostname, place.port) for _ in range(300)]
    for _ in range(20):
        await socket.call("get_account_info")
    for _, writer in strangers:
        writer.close()
    await socket.close()
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                if (await post(demo_here, PING))[0] == 200:
                    break
            except (ConnectionError, IndexError):
                await asyncio.sleep(0.05)


async def test_a_burst_of_good_calls(demo_here: Demo) -> None:
    """A program that makes two hundred calls at once gets two hundred answers: results, or 1004
    where the terminal has more to do than it may; no connection is dropped without a word."""
    async with open_http(demo_here.rpc, demo_here.auth_token) as client:
        answers = await asyncio.gather(
            *(client.ask("get_account_info", {}) for _ in range(200)),
        )
    codes = {one.get("error", {}).get("code") for one in answers}
    assert codes <= {None, 1004}
    assert sum("result" in one for one in answers) >= 64
