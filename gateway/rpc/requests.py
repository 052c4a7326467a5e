"""Requests of the two doors: ``POST /rpc``, and how each one that is refused is told so.

:class:`RpcContext` has the parts of the gateway that ``/rpc`` and ``/ws`` make calls with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.auth.tickets import Tickets
from gateway.errors import Unauthorized
from gateway.http.connections import connection_of
from gateway.http.guard import Refusal, unauthorized
from gateway.http.messages import json_response, read_body, refusal_response
from gateway.http.rate_limit import ThrottleExceeded
from gateway.http.rest import PREFIX
from gateway.http.rest.models import detail_response
from gateway.rpc.authentication import Gatekeeper, note_request
from gateway.rpc.catalogue import Call, Transport
from gateway.rpc.jsonrpc import HTTP_STATUS, JsonRpc
from gateway.runtime import RuntimeInfo
from gateway.streams import Listener, Streams
from gateway.trading.kill_switch.service import Safeguards
from gateway.trading.state import StateOf
from gateway.trading.terminal import GuardedTerminal


class UnheardSafeguards(Safeguards):
    """Safeguards of a call that is no sign of life of the token's program."""

    def heard(self, *_: object) -> None:
        """Note nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcContext:
    """JSON-RPC front and the parts that calls are made with; wired once, by the web server."""

    front: JsonRpc
    gate: Gatekeeper
    tickets: Tickets
    streams: Streams
    daemon: RuntimeInfo
    terminal_for: Callable[[Caller], GuardedTerminal]
    """The guarded terminal of a caller's token; it may be offline."""
    state_of: StateOf
    """The shared state of such a terminal."""
    safeguards: Safeguards
    welcome: Callable[[Call], Mapping[str, Any]] | None = None
    """Makes what a ``/ws`` connection is told when it has signed in; without one, nothing."""

    def call(
        self,
        caller: Caller,
        transport: Transport,
        listener: Listener | None = None,
        origin: str | None = None,
        *,
        by_program: bool = True,
        may_read: bool = False,
    ) -> Call:
        """Return the call that the answers to one message are made with.

        Args:
            by_program: whether it shows that the token's program lives. What another makes with
                the same token, as a person on the live page does, holds up no timer for a
                program that has fallen silent.
            may_read: see :attr:`Call.may_read`.

        """
        terminal = self.terminal_for(caller)
        return Call(
            caller=caller,
            transport=transport,
            terminal=terminal,
            state=self.state_of(terminal),
            safeguards=self.safeguards if by_program else self._unheard(),
            streams=self.streams,
            listener=listener,
            daemon=self.daemon,
            tickets=self.tickets,
            origin=origin,
            may_read=may_read,
        )

    def _unheard(self) -> UnheardSafeguards:
        parts = self.safeguards
        return UnheardSafeguards(
            switch=parts.switch, dead_man=parts.dead_man, disconnects=parts.disconnects
        )


RPC_PATHS = ("/rpc", "/v1/rpc")
WS_PATHS = ("/ws", "/v1/ws")

Answer = Callable[[web.BaseRequest, Mapping[str, str]], Awaitable[web.StreamResponse]]


async def answered(
    request: web.BaseRequest,
    headers: Mapping[str, str],
    answer: Answer,
    refused: Counter[int],
    audit: Audit,
) -> web.StreamResponse:
    """Return the answer to a request, or its refusal.

    Args:
        headers: to send beside those of every answer.
        answer: makes the answer; raises ``Refusal``, ``Unauthorized`` or ``ThrottleExceeded``.
        refused: counts refusals by status.
        audit: trail of who was not let in.

    """
    refuse = _refuser(request)
    try:
        return await answer(request, headers)
    except Refusal as refusal:
        refused[refusal.status] += 1
        note_request(audit, refusal.error)
        return refuse(_unsent(request, refusal), headers)
    except Unauthorized as error:
        refused[401] += 1
        return refuse(_unsent(request, unauthorized(error)), headers)
    except ThrottleExceeded:
        connection_of(request).abort()
        return web.Response()  # nobody gets to see it


class SessionCallers(Protocol):
    """Sessions of the live page, as the web server sees them."""

    def caller(self, request: web.BaseRequest) -> Caller:
        """Return the caller whose session a request belongs to.

        Raises:
            Unauthorized: it belongs to none.

        """


class RpcHandler:
    """Handler of ``POST /rpc``: one JSON-RPC message in the body, its answer in the response's."""

    def __init__(self, context: RpcContext) -> None:
        self._context = context
        self._max_bytes = context.daemon.limits.max_message_bytes

    async def answer(
        self,
        request: web.BaseRequest,
        caller: Caller,
        headers: Mapping[str, str],
        page: SessionCallers | None = None,
    ) -> web.Response:
        """Answer one request.

        Args:
            headers: to send beside those of every answer.
            page: sessions of the live page, where one of them stands for the token.

        Raises:
            Refusal: the body is too large (413) or too slow (408).
            Unauthorized: the page's session has ended while the body came.

        """
        raw = await read_body(request, self._max_bytes)
        if page is not None:
            # a call of a session that is over could get a ticket that nobody withdraws any more
            caller = page.caller(request)
        origin = request.headers.get("Origin")
        call = self._context.call(caller, "http", origin=origin, by_program=page is None)
        body, error = await self._context.front.answer(raw, call)
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


def _refuser(
    request: web.BaseRequest,
) -> Callable[[Refusal, Mapping[str, str]], web.Response]:
    """Return the maker of refusals in the form of the API that was meant."""
    return detail_response if request.raw_path.startswith(PREFIX) else refusal_response


def _unsent(request: web.BaseRequest, refusal: Refusal) -> Refusal:
    """Return the refusal of a request as its caller is told it: nobody has looked into what was
    posted to be carried out, so if it was a trade, nothing was sent.
    """
    if request.method == "POST" and request.raw_path.partition("?")[0] in RPC_PATHS:
        refusal.error.data["outcome"] = "not_sent"
    return refusal
