"""HTTP responses whose body is JSON-RPC, refusals included: clients need one parser."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from multidict import CIMultiDict

from gateway.errors import GatewayError
from gateway.http.guard import Refusal

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
