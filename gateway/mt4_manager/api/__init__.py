"""``/api``: users, money, trades, groups and symbols of an MT4 server, for a CRM.

34 operations over the MT4 Manager API, declared once in the tables of the modules here; routing,
checks of what is sent, the OpenAPI document and the reference page are made from that. Operators
log in with a name and a password of their own; tokens of terminals open nothing here, nor an
operator's token anything else. A bearer token is all that counts: there are no cookies, and no web
page may call, of whatever origin.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Final

import orjson
from aiohttp import web

from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.model import ReturnCode
from gateway.credentials.secrets import SecretsError
from gateway.errors import Unauthorized
from gateway.http.guard import Refusal, Route
from gateway.http.messages import JSON_HEADERS, json_response, read_body
from gateway.http.mount import Credentials, LazyDocument
from gateway.http.rest.models import Problem
from gateway.http.rest.openapi import document
from gateway.http.rest.operation import operation_of, read_header, routes_at
from gateway.mt4_manager import (
    ChangeUnknown,
    KeyReused,
    LoginRefused,
    ManagerError,
    PeerOffline,
    PeerRefused,
    PeerSilent,
    RateExceeded,
)
from gateway.mt4_manager.access import Admission
from gateway.storage.store import StoreError

from . import server, trades, users
from .answers import Listing, Pieces, encode
from .operation import (
    DOCUMENT_INFO,
    KEY_HEADER,
    OPENAPI,
    REFERENCE,
    SUCCESSOR,
    ManagerCall,
    ManagerOperation,
    ManagerServices,
    canonical_request,
)
from .reference import HEADERS as PAGE_HEADERS
from .reference import reference

__all__ = ["OPERATIONS", "ManagerApi", "ManagerServices"]

MAX_BYTES = 262_144
"""Of a body: ten thousand logins, or the longest mail."""
UNUSABLE = "The gateway's database or its key cannot be used; see its log"
MAX_LONG_LISTS = 16
"""That an operator may be sent at a time: each holds two pieces until they are read."""
OPERATIONS: tuple[ManagerOperation, ...] = (
    *server.OPERATIONS,
    *users.OPERATIONS,
    *users.MONEY_OPERATIONS,
    *trades.OPERATIONS,
    *server.MARKET_OPERATIONS,
    *trades.ADMIN_OPERATIONS,
    *users.ADMIN_OPERATIONS,
    *server.CONFIG_OPERATIONS,
)

log = logging.getLogger(__name__)


class ManagerApi:
    """Manager API: answers the requests that the guard let through.

    Args:
        services: what is answered from.
        max_bytes: of a body, of any request; here it is at most :data:`MAX_BYTES`.

    """

    def __init__(self, services: ManagerServices, max_bytes: int) -> None:
        self._services = services
        self._max_bytes = min(max_bytes, MAX_BYTES)
        self._long_lists: Counter[str] = Counter()
        """How many each operator is being sent."""

    def documents(self, url: str) -> Mapping[str, LazyDocument]:
        """Return what everybody may read, by path: the OpenAPI document, and the reference as a
        page, of the gateway at a URL.
        """
        described = cache(partial(document, DOCUMENT_INFO, OPERATIONS, url))
        return {
            OPENAPI: LazyDocument(lambda: orjson.dumps(described())),
            REFERENCE: LazyDocument(
                lambda: reference(OPERATIONS, described()).encode(), PAGE_HEADERS
            ),
        }

    def routes(self, path: str) -> Sequence[Route]:
        """Return what a path takes; nothing if it is none of ours."""
        return routes_at(OPERATIONS, path)

    async def answer(
        self,
        request: web.BaseRequest,
        credentials: Credentials[object],
        cors: Mapping[str, str],
    ) -> web.StreamResponse:
        """Answer one request.

        Args:
            cors: headers for a page of a listed origin; none, since no page may call.

        Raises:
            Refusal: the body is too large (413) or too slow (408).
            Unauthorized: the token is missing or opens nothing; ``reason`` tells which.
            ThrottleExceeded: so many fail that this one gets no answer.

        """
        operation = operation_of(OPERATIONS, request)
        admission = None
        headers: dict[str, str] = {}
        try:
            if not operation.is_open:
                # all of this before the body is read: strangers make us hold nothing
                admission = await self._let_in(credentials)
                credentials.accept()
                if admission.successor is not None:
                    headers[SUCCESSOR] = admission.successor
                self._services.rate.take(admission.operator.name)
                self._check_role(operation, admission)
            result = await self._carry_out(operation, admission, request, headers)
            if isinstance(result, Pieces) and not result.is_whole:
                assert admission is not None  # no list is open to everybody
                with self._long_list_of(admission):
                    return await self._send(request, result, headers, operation, admission)
        except LoginRefused as error:
            await credentials.slow_down()
            return problem_of(error).response(headers)
        except RateExceeded as error:
            return problem_of(error).response(headers)
        except Problem as problem:
            return problem.response(headers)
        if isinstance(result, Pieces):
            return json_response(result.body, headers)
        body = result if isinstance(result, bytes) else encode(result)
        return json_response(body, headers, operation.status)

    async def _let_in(self, credentials: Credentials[object]) -> Admission:
        """Return whose token it is; a wrong one waits for its turn before it is refused."""
        try:
            return self._admit(credentials.token)
        except Unauthorized as error:
            if credentials.token is not None:
                self._note_wrong_token(error)
                await credentials.slow_down()
            raise

    @contextmanager
    def _long_list_of(self, admission: Admission) -> Iterator[None]:
        """Count a list that comes in pieces, while the context lasts.

        Raises:
            RateExceeded: its operator has as many as he may have.

        """
        name = admission.operator.name
        if self._long_lists[name] >= MAX_LONG_LISTS:
            raise RateExceeded(1.0, "Too many long lists at a time; read those to their end first")
        self._long_lists[name] += 1
        try:
            yield
        finally:
            self._long_lists[name] -= 1
            self._long_lists += Counter()  # which drops those at zero

    async def _send(
        self,
        request: web.BaseRequest,
        pieces: Pieces[Struct],
        headers: Mapping[str, str],
        operation: ManagerOperation,
        admission: Admission,
    ) -> web.StreamResponse:
        """Send a list piece by piece, or cut off where the peer is lost or the token ends."""
        response = web.StreamResponse(headers={**JSON_HEADERS, **headers})
        await response.prepare(request)
        try:
            async for piece in pieces:
                # a long list may take minutes, in which the operator is signed out
                if not self._services.tokens.recheck(admission, operation.needs):
                    log.warning("a list was cut off: its token has ended")
                    # cut, so that half a list never looks like a whole one
                    raise ConnectionError("the rest of the list is not for this caller any more")
                await response.write(piece)
        except (ManagerError, StoreError) as error:
            log.warning("a list was cut off: %s", error)
            raise ConnectionError("the rest of the list did not come") from error
        await response.write_eof()
        return response

    def _admit(self, token: str | None) -> Admission:
        if token is None:
            raise Unauthorized("Send the header Authorization: Bearer", reason="missing")
        try:
            admission = self._services.tokens.admit(token)
        except StoreError as error:
            log.error("access tokens cannot be looked up: %s", error)
            raise Problem(500, UNUSABLE) from error
        if admission is None:
            raise Unauthorized(
                "The access token opens nothing, or nothing any more; log in", reason="unknown"
            )
        return admission

    def _note_wrong_token(self, error: Unauthorized) -> None:
        self._services.audit.often(
            "access_refused",
            outcome="refused",
            reason=error.data.get("reason"),
            object="manager_token",
        )

    def _check_role(self, operation: ManagerOperation, admission: Admission) -> None:
        operator = admission.operator
        if not operator.role.includes(operation.needs):
            self._services.audit.often(
                "manager_refused",
                outcome="refused",
                reason="role",
                actor=f"manager:{operator.name}",
                object=operation.name,
            )
            raise Problem(403, f"This takes the role {operation.needs}; you have {operator.role}")

    async def _carry_out(
        self,
        operation: ManagerOperation,
        admission: Admission | None,
        request: web.BaseRequest,
        headers: dict[str, str],
    ) -> Struct | bytes | Pieces[Struct]:
        try:
            body = await read_body(request, self._max_bytes)
            sent = operation.read(request.raw_path, body)
            call = ManagerCall(
                path=sent.path,
                query=sent.query,
                content=sent.content,
                services=self._services,
                operation=operation,
                admission=admission,
                key=_key(operation, request),
                request=canonical_request(operation, sent),
                told=headers,
            )
            result = await operation.handle(call)
            return await result.begin() if isinstance(result, Listing) else result
        except (Problem, Refusal, Unauthorized, LoginRefused):
            raise
        except ManagerError as error:
            raise problem_of(error) from error
        except (StoreError, SecretsError) as error:
            log.error("%s: %s", operation.name, error)
            raise Problem(500, UNUSABLE) from error
        except Exception as error:  # nothing of it goes to the caller
            log.exception("%s failed", operation.name)
            raise Problem(500, "The gateway failed; its log says why") from error


def _key(operation: ManagerOperation, request: web.BaseRequest) -> str | None:
    if not operation.is_change:
        return None
    key: str | None = read_header(KEY_HEADER, request.headers.getall(KEY_HEADER.name, ()))
    return key


# --- errors -------------------------------------------------------------------------------------
# A return code of the Manager API becomes the status that tells a program what to do: 4xx where
# the request has to change, 429 and 503 where it may come again later.


RETRY_S: Final = 5

_STATUS: Final[Mapping[int, tuple[int, str]]] = {
    ReturnCode.INVALID_DATA: (
        422,
        "the MT4 server knows no such group, symbol or trade, or refuses a value",
    ),
    ReturnCode.NO_CONNECT: (
        503,
        "not connected to the MT4 server; POST its server, login and password to "
        "/api/test/connect",
    ),
    ReturnCode.NOT_ENOUGH_RIGHTS: (403, "the manager's login lacks the right for this"),
    ReturnCode.TOO_FREQUENT: (429, "too many requests to the MT4 server; wait a moment"),
    ReturnCode.ACCOUNT_DISABLED: (403, "the account is disabled"),
    ReturnCode.BAD_ACCOUNT_INFO: (404, "there is no such account"),
    ReturnCode.TRADE_TIMEOUT: (504, "the MT4 server did not answer in time"),
    ReturnCode.TRADE_BAD_PRICES: (422, "the prices are wrong"),
    ReturnCode.TRADE_BAD_STOPS: (422, "the stops are wrong"),
    ReturnCode.TRADE_BAD_VOLUME: (422, "the volume is wrong"),
    ReturnCode.TRADE_MARKET_CLOSED: (409, "the market is closed"),
    ReturnCode.TRADE_DISABLE: (403, "trading is disabled"),
    ReturnCode.TRADE_NO_MONEY: (409, "there is not enough money in the account"),
    ReturnCode.TRADE_OFFQUOTES: (503, "there are no prices"),
    ReturnCode.TRADE_BROKER_BUSY: (503, "the MT4 server is busy"),
    ReturnCode.TRADE_REQUOTE: (503, "the price has changed"),
    ReturnCode.TRADE_ORDER_LOCKED: (409, "the trade is being worked on"),
    ReturnCode.TRADE_TOO_MANY_REQ: (429, "too many requests to the MT4 server; wait a moment"),
    ReturnCode.TRADE_MODIFY_DENIED: (409, "it may not be changed"),
    ReturnCode.TRADE_CONTEXT_BUSY: (503, "the MT4 server is busy"),
    ReturnCode.TRADE_HEDGE_PROHIBITED: (409, "hedging is prohibited"),
    ReturnCode.TRADE_PROHIBITED_BY_FIFO: (409, "only the oldest trade may be closed"),
}
"""Status and words of return codes; any other is a 502."""


def problem_of(error: ManagerError) -> Problem:
    """Return the answer that an error is."""
    match error:
        case PeerRefused():
            return _refused(error)
        case PeerOffline():
            return Problem(503, str(error), _retry(RETRY_S))
        case PeerSilent() | ChangeUnknown():
            return Problem(504, str(error))
        case KeyReused():
            return _unfit("header", "Idempotency-Key", "key_reused", str(error))
        case RateExceeded():
            return Problem(429, str(error), _retry(error.wait_s))
        case LoginRefused() if error.wait_s:
            return Problem(429, str(error), _retry(error.wait_s))
        case LoginRefused():
            return Problem(401, str(error), {"WWW-Authenticate": "Bearer"})
    return Problem(502, str(error))


def _refused(error: PeerRefused) -> Problem:
    status, words = _STATUS.get(error.retcode, (502, ""))
    message = f"{error}: {words}" if words else str(error)
    if status == 422:
        return _unfit("body", "", f"mt4_{error.retcode}", message)
    return Problem(status, message, _retry(RETRY_S) if status in (429, 503) else None)


def _unfit(where: str, name: str, kind: str, message: str) -> Problem:
    loc = [where, name] if name else [where]
    return Problem(422, [{"type": kind, "loc": loc, "msg": message}])


def _retry(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}
