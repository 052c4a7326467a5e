"""``POST /rpc``: one JSON-RPC message in the body, its answer in the response's.

The HTTP status speaks of the transport alone: an error of a method is a 200 with the error
object. Notifications get 204. The body is read after the guard and the gate, never before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.auth.caller import Caller
from gateway.http.body import read_body
from gateway.http.responses import json_response
from gateway.rpc.context import Backend
from gateway.rpc.jsonrpc import HTTP_STATUS


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
        raw = await read_body(request, self._max_bytes)
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


def _retry_after(status: int, error: Mapping[str, Any]) -> dict[str, str]:
    if status not in (429, 503):
        return {}
    wait_ms = error["data"].get("retry_after_ms", 1000)
    return {"Retry-After": str(max(1, -(-int(wait_ms) // 1000)))}
