"""Heads that no program of good faith sends: refused by name, and no failure of ours."""

from __future__ import annotations

import logging

import orjson
import pytest
from web_server_fixture import UPGRADE, Server, split_response

BODY = b'{"jsonrpc":"2.0","id":1,"method":"update"}'
NAMES = (
    "Host", "Origin", "Referer", "Authorization", "Content-Type", "Content-Length",
    "Content-Encoding", "Transfer-Encoding", "Expect", "Upgrade", "Connection", "Cookie",
    "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions", "Sec-Fetch-Site", "User-Agent", "X-Anything",
)  # fmt: skip
BEYOND_ASCII = (b"\xff", "\u00ff".encode(), b"a\x80b", b"\xff, upgrade")


def request(house: Server, path: str, changed: str, value: bytes, *, logged_in: bool) -> bytes:
    """Return a good request with one header in other bytes."""
    fields = {"Host": b"127.0.0.1:%d" % house.port}
    if logged_in:
        fields["Authorization"] = b"Bearer " + house.token.encode()
    if path == "/ws":
        fields |= {name: value.encode() for name, value in (line.split(": ") for line in UPGRADE)}
    if path == "/rpc":
        fields |= {"Content-Type": b"application/json", "Content-Length": b"%d" % len(BODY)}
    fields[changed] = value
    method = b"POST " if path == "/rpc" else b"GET "
    lines = [method + path.encode() + b" HTTP/1.1"]
    lines += [name.encode() + b": " + text for name, text in fields.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (BODY if path == "/rpc" else b"")


@pytest.mark.parametrize("path", ["/rpc", "/ws", "/healthz", "/nope"])
async def test_bytes_beyond_ascii_are_no_failure_of_ours(
    house: Server, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger could fill the log with tracebacks, hundreds a second."""
    caplog.set_level(logging.DEBUG)
    for name in NAMES:
        for value in BEYOND_ASCII:
            for logged_in in (False, True):
                answer = await house.raw(request(house, path, name, value, logged_in=logged_in))
                assert answer[8:12] != b" 500", (name, value, answer)
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR or one.exc_info]


@pytest.mark.parametrize(
    "name", ["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"]
)
async def test_a_handshake_beyond_ascii_is_a_bad_one(house: Server, name: str) -> None:
    """400 with its name, before anybody asks for a token; and which version is spoken."""
    for value in BEYOND_ASCII[:3]:
        raw = await house.raw(request(house, "/ws", name, value, logged_in=False))
        status, headers, body = split_response(raw)
        if status == 400 and orjson.loads(body)["error"]["data"]["reason"] == "http":
            continue  # the parser has not let it through
        assert status == (426 if name == "Upgrade" else 400)
        assert orjson.loads(body)["error"]["data"]["reason"] == "upgrade"
        assert headers.get("sec-websocket-version") == (None if name == "Upgrade" else "13")


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (" HTTP/1.1", 200), (" HTTP/1.0", 200), (" HTTP/2.0", 505), (" HTTP/0.9", 505), ("", 505),
        (" HTTP/1.2", 400), (" HTTP/3.0", 400), (" http/1.1", 400),
    ],
)  # fmt: skip
async def test_http_1_is_spoken_and_no_other(house: Server, version: str, status: int) -> None:
    """Another version means something else by the same bytes."""
    head = house.head("/rpc", "POST", f"Content-Length: {len(BODY)}")
    raw = await house.raw(head.replace(" HTTP/1.1", version, 1).encode() + b"\r\n" + BODY)
    got, _, body = split_response(raw)
    assert got == status
    assert len(house.doings.calls) == (status == 200)
    if status == 505:
        assert orjson.loads(body)["error"]["data"]["reason"] == "http_version"


@pytest.mark.parametrize(
    ("coding", "status"),
    [
        ("chunked", 200), ("Chunked", 200), ("gzip, chunked", 501), ("identity, chunked", 501),
        (",chunked", 501), ("gzip", 400), ("chunked, gzip", 400), ("chunked, chunked", 400),
    ],
)  # fmt: skip
async def test_bodies_come_chunked_or_whole(house: Server, coding: str, status: int) -> None:
    """What is packed would be read as if it were not."""
    head = house.head("/rpc", "POST", f"Transfer-Encoding: {coding}")
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    got, _, body = split_response(await house.raw(head.encode() + b"\r\n" + chunks))
    assert got == status
    assert len(house.doings.calls) == (status == 200)
    if status == 501:
        assert orjson.loads(body)["error"]["data"]["reason"] == "transfer_encoding"


async def test_an_expectation_that_nobody_can_meet_is_refused(house: Server) -> None:
    """417, as HTTP has it; ``100-continue`` is met."""
    head = house.head("/rpc", "POST", f"Content-Length: {len(BODY)}", "Expect: the-impossible")
    got, _, body = split_response(await house.raw(head.encode() + b"\r\n" + BODY))
    assert got == 417
    assert orjson.loads(body)["error"]["data"]["reason"] == "expect"
