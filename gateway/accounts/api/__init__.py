"""``/api/v1``: registered accounts, their trades, risk settings and the kill switch, by REST.

An operation is declared once, in the tables of the modules here; routing, checks of what is sent
and the OpenAPI document are made from that. The guard and the gate stand before all of them as
they stand before ``/rpc``; beyond that the token needs the scope ``admin``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from aiohttp import web

from gateway.auth.caller import Caller, Scope
from gateway.credentials.secrets import SecretsError
from gateway.errors import AccessDenied, GatewayError, Unauthorized
from gateway.http.guard import Route
from gateway.http.messages import json_response, read_body
from gateway.http.mount import Credentials, LazyDocument
from gateway.http.rest.models import Problem
from gateway.http.rest.openapi import DocumentInfo, bearer, document
from gateway.http.rest.operation import operation_of, routes_at
from gateway.storage.store import StoreError

from . import import_, reads, registration, risk_settings
from .operation import AccountsOperation, AccountsServices

__all__ = ["AccountsApi", "AccountsServices"]

OPENAPI: Final = "/api/v1/openapi.json"
DOCUMENT_INFO: Final = DocumentInfo(
    title="mt-gateway accounts",
    description=(
        "Registered accounts: what they may do is enforced for every order of a terminal that is "
        "logged in to them. Send `Authorization: Bearer` with an auth_token of the scope `admin`."
    ),
    schemes=bearer("auth_token"),
    status_descriptions={
        400: "The trade server refused login or password, or the request cannot be read",
        401: "The token is missing, or does not open this gateway",
        403: "The token lacks the scope admin, or a web page may not call",
        404: "There is none, or it was deleted",
        405: "Not with this method",
        408: "The body came too slowly",
        409: "The account is registered",
        413: "The body is too large",
        415: "The body is not JSON",
        421: "The Host header is not ours",
        422: "The request is not as described here",
        500: "The gateway failed; its log says why",
        502: "The terminal or the trade server did not answer as it should",
        503: "Nobody who could answer is linked, or not yet; try again later",
    },
    anytime=frozenset({400, 401, 403, 405, 413, 421, 422, 500, 503}),
)
MAX_BYTES = 65_536
"""Of a body: none needs more, and to find all faults of a larger one holds the orders of others
up."""
OPERATIONS: tuple[AccountsOperation, ...] = (
    *registration.OPERATIONS,
    *reads.OPERATIONS,
    *import_.OPERATIONS,
    *reads.ANALYTICS,
    *risk_settings.OPERATIONS,
)

log = logging.getLogger(__name__)


class AccountsApi:
    """Accounts API: answers the requests that the guard and the gate let through.

    Args:
        services: what is answered from.
        max_bytes: of a body, of any request; here it is at most :data:`MAX_BYTES`.

    """

    def __init__(self, services: AccountsServices, max_bytes: int) -> None:
        self._services = services
        self._max_bytes = min(max_bytes, MAX_BYTES)

    def documents(self, url: str) -> Mapping[str, LazyDocument]:
        """Return the OpenAPI document of the gateway at a URL, by its path."""
        return {
            OPENAPI: LazyDocument(lambda: orjson.dumps(document(DOCUMENT_INFO, OPERATIONS, url)))
        }

    def routes(self, path: str) -> Sequence[Route]:
        """Return what a path takes; nothing if it is none of ours."""
        return routes_at(OPERATIONS, path)

    async def call(
        self, caller: Caller, name: str, account_id: int | None, body: bytes
    ) -> tuple[int, bytes]:
        """Answer a call that came by another way than HTTP: a status of HTTP, and JSON.

        Args:
            caller: let in by the gate.
            name: of one of :data:`OPERATIONS`.
            account_id: where its path has one.
            body: JSON, or empty.

        Raises:
            Unauthorized: the caller's rights ended meanwhile.

        """
        operation = next(one for one in OPERATIONS if one.name == name)
        target = operation.path.replace("{account_id}", str(account_id))
        try:
            if Scope.ADMIN not in caller.scopes:
                raise self._lacks_scope(operation, caller)
            content = await _carry_out(operation, self._services, caller, target, body)
        except Problem as problem:
            return problem.status, problem.body
        return operation.status, content

    async def answer(
        self,
        request: web.BaseRequest,
        credentials: Credentials[Caller],
        headers: Mapping[str, str],
    ) -> web.Response:
        """Answer one request.

        Args:
            headers: to send beside those of every answer.

        Raises:
            Refusal: the body is too large (413) or too slow (408).
            Unauthorized: there is no token, it opens nothing, or its rights ended meanwhile.
            ThrottleExceeded: so many fail that this one gets no answer.

        """
        caller = await credentials.caller()
        target = request.raw_path
        operation = operation_of(OPERATIONS, request)
        try:
            # before the body is read: whoever may not call makes us hold nothing
            if Scope.ADMIN not in caller.scopes:
                raise self._lacks_scope(operation, caller)
            body = await read_body(request, self._max_bytes)
            content = await _carry_out(operation, self._services, caller, target, body)
        except Problem as problem:
            return problem.response(headers)
        if operation.response_model is None:
            return web.Response(
                status=operation.status, headers={"Cache-Control": "no-store", **headers}
            )
        return json_response(content, headers, operation.status)

    def _lacks_scope(self, operation: AccountsOperation, caller: Caller) -> Problem:
        self._services.audit.often(
            "call_refused",
            outcome="refused",
            reason="forbidden",
            actor=caller.tid,
            terminal=caller.terminal,
            object=operation.name,
            scope=Scope.ADMIN.value,
        )
        return Problem(403, "This needs an auth_token with the scope admin")


async def _carry_out(
    operation: AccountsOperation,
    services: AccountsServices,
    caller: Caller,
    target: str,
    body: bytes,
) -> bytes:
    try:
        return await operation.carry_out(services, caller, target, body)
    except (Problem, Unauthorized):
        raise  # a 401 is the server's to write: it has the header that asks for a token
    except AccessDenied as error:
        raise Problem(403, error.message) from error
    except (StoreError, SecretsError) as error:
        log.error("%s: %s", operation.name, error)
        raise Problem(
            500, "The gateway's database or its key cannot be used; see its log"
        ) from error
    except GatewayError as error:
        raise Problem(502, error.message) from error
    except Exception as error:  # nothing of it goes to the caller
        log.exception("%s failed", operation.name)
        raise Problem(500, "The gateway failed; its log says why") from error
