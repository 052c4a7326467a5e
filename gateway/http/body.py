"""Request bodies, read within bounds of size and time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.errors import Timeout, TooLarge
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
    while part := await request.content.readany():
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise _too_large(size, max_bytes)
    return b"".join(parts)


def _too_large(size: int, limit: int) -> Refusal:
    error = TooLarge("The body is over the limit", limit=limit, size=size, hint="send less")
    return Refusal(413, error)


async def _invite(request: web.BaseRequest) -> None:
    """Ask for the body, where the client waits to be asked; curl does from 1 MB on."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
