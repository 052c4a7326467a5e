"""One call on a connection of its own, for programs that ask once or twice and end.

It needs the standard library alone: to import aiohttp takes a hundred times as long as the call.
"""

from __future__ import annotations

import asyncio
import io
from contextlib import closing
from http.client import BadStatusLine, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from gateway.client.errors import (
    CallTimedOut,
    ConnectionLost,
    NoAnswer,
    NotTheGateway,
    Unreachable,
)
from gateway.client.protocol import encode_request, parse_address, result_in
from gateway.client.reads import READS
from gateway.errors import Outcome

if TYPE_CHECKING:
    import socket

CONNECT_S = 5.0
TIMEOUT_S = 30.0
"""For one call. The gateway's own deadlines are shorter, so that it answers first."""


async def call_once(
    url: str,
    auth_token: str,
    method: str,
    params: dict[str, Any] | None = None,
    *,
    timeout_s: float = TIMEOUT_S,
) -> Any:
    """Call a method by its name and return its result. It is never sent a second time.

    Args:
        url: ``http://127.0.0.1:7400``.
        auth_token: opens one terminal.
        method: its name.
        params: by name.
        timeout_s: for the answer.

    Raises:
        GatewayError: the answer is an error.
        NoAnswer: none came; of a trade ``outcome`` tells whether it may have been executed.
        ValueError: the URL is none or holds a secret, or a param is NaN or infinite.

    """
    address, given = parse_address(url), params or {}
    lost: Outcome | None = None if method in READS else "unknown"
    try:
        request = _request(address.rpc, auth_token, encode_request(1, method, given))
        reader, writer = await _connected(address.rpc, lost and "not_sent")
        with closing(writer):
            answer = await _answer(reader, writer, request, timeout_s, lost)
            return result_in(*_read(answer, address.rpc, lost), lost)
    except NoAnswer as failure:
        failure.client_order_id = given.get("client_order_id")
        raise


def _request(url: str, auth_token: str, body: bytes) -> bytes:
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\n"
        f"Host: {parts.netloc}\r\n"
        f"Authorization: Bearer {auth_token}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n"
        "\r\n"
    )
    return head.encode() + body


async def _connected(
    url: str, not_sent: Outcome | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    secure = True if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    try:
        async with asyncio.timeout(CONNECT_S):
            return await asyncio.open_connection(parts.hostname, port, ssl=secure)
    except (OSError, TimeoutError):
        base = f"{parts.scheme}://{parts.netloc}"
        raise Unreachable(f"Nobody answers at {base}: is the gateway running?", not_sent) from None


async def _answer(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: bytes,
    timeout_s: float,
    lost: Outcome | None,
) -> bytes:
    try:
        # http.client reads from sockets that block: so all bytes come first, then _read parses
        async with asyncio.timeout(timeout_s):
            writer.write(request)
            return await reader.read()  # the gateway was asked to close
    except TimeoutError:
        raise CallTimedOut(f"No answer within {timeout_s:g} s", lost) from None
    except OSError as error:
        raise _broken(error, lost) from None


def _read(answer: bytes, url: str, lost: Outcome | None) -> tuple[bytes, str, int]:
    """Return body, URL and status of an answer."""
    response = HTTPResponse(cast("socket.socket", _Bytes(answer)), method="POST")
    try:
        response.begin()
        return response.read(), url, response.status
    except BadStatusLine as error:
        # of no bytes at all http.client says the same as of bytes that are no HTTP
        if answer:
            raise NotTheGateway(f"{url} answered, but not in HTTP") from None
        raise _broken(error, lost) from None
    except HTTPException as error:
        raise _broken(error, lost) from None


def _broken(error: Exception, lost: Outcome | None) -> ConnectionLost:
    what = type(error).__name__
    return ConnectionLost(f"The connection broke before the answer came ({what})", lost)


class _Bytes:
    """Received bytes in the shape of a socket, as the standard library wants it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._data)
