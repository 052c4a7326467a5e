"""HTTP responses whose body is JSON-RPC, refusals included: clients need one parser."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from multidict import CIMultiDict

from gateway.web.guard import Refusal
from gateway.web.jsonrpc import refuse

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
    response = json_response(refuse(refusal.error).body or b"", fields, refusal.status)
    response.force_close()
    return response


def raw_refusal(refusal: Refusal) -> bytes:
    """Return the same as bytes, for a connection that gets no further than this."""
    body = refuse(refusal.error).body or b""
    status = HTTPStatus(refusal.status)
    fields = {**JSON_HEADERS, **refusal.headers, "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    line = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
    return f"{line}{head}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body
