"""``POST /rpc``: one JSON-RPC message in the body, its answer in the response's.

The HTTP status speaks of the transport alone: an error of a method is a 200 with the error
object. Notifications get 204. The body is read after the guard and the gate, never before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.auth.caller import Caller
from gateway.errors import Timeout, TooLarge
from gateway.web.backend import Backend
from gateway.web.guard import Refusal
from gateway.web.jsonrpc import HTTP_STATUS
from gateway.web.responses import json_response

BODY_S = 5.0
"""The whole body must have come by then."""


class RpcDoor:
    """Answers the requests that the guard let through."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._max_bytes = backend.daemon.limits.max_message_bytes

    async def answer(
        self, request: web.BaseRequest, caller: Caller, headers: Mapping[str, str]
    ) -> web.Response:
        """Answer one request.

        Args:
            headers: to send beside those of every answer.

        Raises:
            Refusal: the body is too large (413) or too slow (408).

        """
        raw = await self._body(request)
        call = self._backend.call(caller, "http", origin=request.headers.get("Origin"))
        body, error = await self._backend.front.answer(raw, call)
        for act in call.after_answer:
            act()
        if body is None:
            return web.Response(status=204, headers={"Cache-Control": "no-store", **headers})
        if error is None:
            return json_response(body, headers)
        status = HTTP_STATUS.get(error["code"], 200)
        return json_response(body, {**headers, **_retry_after(status, error)}, status)

    async def _body(self, request: web.BaseRequest) -> bytes:
        length = request.content_length
        if length is not None and length > self._max_bytes:
            raise self._too_large(length)
        content = request.content
        if content.is_eof():
            body = content.read_nowait()
        else:
            await _invite(request)
            try:
                async with asyncio.timeout(BODY_S):
                    body = await self._read(request)
            except TimeoutError:
                error = Timeout("The body did not come in time", timeout_ms=int(BODY_S * 1000))
                raise Refusal(408, error) from None
        if len(body) > self._max_bytes:
            raise self._too_large(len(body))
        return body

    async def _read(self, request: web.BaseRequest) -> bytes:
        parts, size = [], 0
        while part := await request.content.readany():
            parts.append(part)
            size += len(part)
            if size > self._max_bytes:
                raise self._too_large(size)
        return b"".join(parts)

    def _too_large(self, size: int) -> Refusal:
        error = TooLarge(
            "The body is over the limit", limit=self._max_bytes, size=size, hint="send less"
        )
        return Refusal(413, error)


async def _invite(request: web.BaseRequest) -> None:
    """Ask for the body, where the client waits to be asked; curl does from 1 MB on."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _retry_after(status: int, error: Mapping[str, Any]) -> dict[str, str]:
    if status not in (429, 503):
        return {}
    wait_ms = error["data"].get("retry_after_ms", 1000)
    return {"Retry-After": str(max(1, -(-int(wait_ms) // 1000)))}
