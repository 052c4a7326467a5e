"""The JSON API: what the pages do, for programs. Its document is at ``/api/v1/openapi.json``."""

from __future__ import annotations

import json

from aiohttp import web

from gateway.console.service import Console
from gateway.http.rest.openapi import document

from . import account, devices, tokens
from .operation import DOCUMENT, DOCUMENT_INFO, ConsoleOperation

OPERATIONS: tuple[ConsoleOperation, ...] = (
    *account.OPERATIONS,
    *account.USER_OPERATIONS,
    *tokens.OPERATIONS,
    *devices.OPERATIONS,
    *tokens.HISTORY_OPERATIONS,
)


def api_routes(console: Console) -> list[web.RouteDef]:
    """Return the routes of the API and of its document."""

    async def serve_document(request: web.Request) -> web.StreamResponse:
        text = json.dumps(document(DOCUMENT_INFO, OPERATIONS, console.url()))
        return web.Response(text=text, content_type="application/json")

    routes = [operation.served_by(console) for operation in OPERATIONS]
    return [*routes, web.get(DOCUMENT, serve_document, allow_head=False)]
