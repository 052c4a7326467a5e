"""HTTP messages: bodies of requests within bounds, and responses whose body is JSON-RPC.

Refusals are JSON-RPC as well: clients need one parser.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from multidict import CIMultiDict

from gateway.errors import GatewayError, Timeout, TooLarge
from gateway.http.guard import Refusal

BODY_S = 5.0
"""The whole body must have come by then."""


async def read_body(
    request: web.BaseRequest,
    max_bytes: int,
    *,
    within_s: float | None = None,
    is_invited: bool = False,
) -> bytes:
    """Return the body of a request; it can be read once.

    Args:
        max_bytes: a longer one is refused.
        within_s: from now; :data:`BODY_S` by default.
        is_invited: a client that waits to be asked for its body has been asked.

    Raises:
        ConnectionError: the client has hung up.
        Refusal: it is too large (413) or too slow (408).

    """
    within_s = BODY_S if within_s is None else within_s
    length = request.content_length
    if length is not None and length > max_bytes:
        raise _too_large(length, max_bytes)
    content = request.content
    if content.is_eof():
        body = content.read_nowait()
    else:
        if not is_invited:
            await _invite(request)
        try:
            async with asyncio.timeout(within_s):
                body = await _read(request, max_bytes)
        except TimeoutError:
            error = Timeout("The body did not come in time", timeout_ms=int(within_s * 1000))
            raise Refusal(408, error) from None
    if len(body) > max_bytes:
        raise _too_large(len(body), max_bytes)
    return body


async def _read(request: web.BaseRequest, max_bytes: int) -> bytes:
    parts, size = [], 0
    while part := await _part(request):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise _too_large(size, max_bytes)
    return b"".join(parts)


async def _part(request: web.BaseRequest) -> bytes:
    """Return what has come of a body, empty behind its end.

    Raises:
        ConnectionError: its client has hung up.

    """
    # aiohttp has no exception of its own where that was before it called the handler
    if request.transport is None:
        raise ConnectionResetError("the client has hung up")
    return await request.content.readany()


def _too_large(size: int, limit: int) -> Refusal:
    error = TooLarge("The body is over the limit", limit=limit, size=size, hint="send less")
    return Refusal(413, error)


async def _invite(request: web.BaseRequest) -> None:
    """Ask for the body, where the client waits to be asked; curl does from 1 MB on."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        # no part of the answer: that would count as begun, and a failure could not be told
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


JSON_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def json_response(
    body: bytes, headers: Mapping[str, str] | None = None, status: int = 200
) -> web.Response:
    """Return a response that nobody caches."""
    fields = CIMultiDict(JSON_HEADERS)
    if headers:
        fields.update(headers)
    return web.Response(body=body, status=status, headers=fields)


def refusal_response(refusal: Refusal, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return the response that ends a request and its connection."""
    fields = {**refusal.headers, **(headers or {}), "Connection": "close"}
    response = json_response(_error_body(refusal.error), fields, refusal.status)
    response.force_close()
    return response


def raw_refusal(refusal: Refusal) -> bytes:
    """Return the same as bytes, for a connection that gets no further than this."""
    body = _error_body(refusal.error)
    status = HTTPStatus(refusal.status)
    fields = {**JSON_HEADERS, **refusal.headers, "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    line = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
    return f"{line}{head}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body


def error_response(error: GatewayError, request_id: str | int | float | None) -> dict[str, Any]:
    """Return the JSON-RPC response that carries an error; its id is null where it is not known."""
    return {"jsonrpc": "2.0", "error": error.as_dict(), "id": request_id}


def _error_body(error: GatewayError) -> bytes:
    return orjson.dumps(error_response(error, None))
