"""Authentication of HTTP requests and WebSockets: tokens and tickets, at the pace of failures.

A right token is let in at once. A wrong one waits for its turn, is noted in the audit trail and
in the log, and then refused; see :mod:`gateway.http.rate_limit`.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from ea_bridge.token import MalformedToken, parse_token
from gateway.audit import Audit
from gateway.auth.caller import Caller, Scope
from gateway.auth.tickets import Tickets
from gateway.credentials.daemon_api import Way
from gateway.errors import AccessDenied, GatewayError, Unauthorized
from gateway.http.connections import connection_of
from gateway.http.rate_limit import FailureThrottle

log = logging.getLogger(__name__)

NOT_REMOTE = (
    "This auth_token is not for other machines: make one that has the scope remote as well"
)
NoteLogin = Callable[[str, Way, str, str], None]
"""Callback for each use of a token: its id, the way, why it was refused, the program."""


class Gatekeeper(Protocol):
    """Part of the gate that the web server needs."""

    def admit(self, token: str) -> Caller:
        """Return the caller that holds the token.

        Raises:
            Unauthorized: the token opens nothing.

        """

    def recheck(self, caller: Caller) -> None:
        """Make sure that a caller still has its rights; costs next to nothing.

        Raises:
            Unauthorized: they were revoked, ran out or changed.

        """

    def on_change(self, callback: Callable[[str, str], None]) -> Callable[[], None]:
        """Have ``callback(tid, reason)`` called when a token loses its rights.

        Returns:
            What ends that.

        """


class Authenticator:
    """Checks tokens and tickets; slows down failures alone.

    Args:
        gate: knows the tokens.
        audit: trail of who was let in, and who was not.
        throttle: pace of failures, of all callers together.
        note_login: see :data:`NoteLogin`; must not wait.

    """

    def __init__(
        self, gate: Gatekeeper, audit: Audit, throttle: FailureThrottle, note_login: NoteLogin
    ) -> None:
        self._gate = gate
        self._audit = audit
        self._throttle = throttle
        self._note_login = note_login
        self._address: str | None = None
        """Of the other machine that calls."""
        self.tickets = Tickets(gate.recheck)
        """Tickets of web pages, which may show no token."""

    def for_remote(self, address: str) -> Authenticator:
        """Return that of a request from another machine: it lets in who has the scope for it.

        Tickets and the pace of failures are the same at both doors.
        """
        remote = copy.copy(self)
        remote._address = address
        return remote

    async def admit(self, token: str, way: Way, agent: str = "") -> Caller:
        """Return the caller that holds a token.

        Args:
            agent: what the program says of itself.

        Raises:
            Unauthorized: the gate does not let it in.
            ThrottleExceeded: so many fail that this one gets no answer.

        """
        try:
            caller = self._checked(self._gate.admit(token))
            self._audit.once_an_hour(
                "access_granted",
                actor=caller.tid,
                terminal=caller.terminal,
                address=self._address,
            )
            self._note(caller.tid, way, "", agent)
            return caller
        except Unauthorized as error:
            if tid := _tid_of(token):
                self._note(tid, way, str(error.data["reason"]), agent)
            await self._refuse("token", error)
            raise

    async def redeem(self, ticket: str, origin: str | None) -> Caller:
        """Return the caller whose ticket it is; a ticket opens once.

        Raises:
            Unauthorized: it opens nothing, or nothing any more.
            ThrottleExceeded: so many fail that this one gets no answer.

        """
        try:
            caller = self._checked(self.tickets.take(ticket, origin))
            self._note(caller.tid, "ws", "", origin or "")
            return caller
        except Unauthorized as error:
            await self._refuse("ticket", error)
            raise

    async def slow_down(self) -> None:
        """Wait for the turn of one more failure.

        Raises:
            ThrottleExceeded: so many fail that this one gets no answer.

        """
        await self._throttle.turn()

    def missing(self) -> Unauthorized:
        """Return the error of a request without a token, noted in the trail."""
        error = Unauthorized("Send the header Authorization: Bearer", reason="missing")
        note_request(self._audit, error)
        return error

    def _checked(self, caller: Caller) -> Caller:
        if self._address is not None and Scope.REMOTE not in caller.scopes:
            raise Unauthorized(NOT_REMOTE, reason="not_remote")
        return caller

    def _note(self, tid: str, way: Way, reason: str, agent: str) -> None:
        # first, as what a program says of itself may be of any length
        words = [self._address] if self._address is not None else []
        self._note_login(tid, way, reason, ", ".join([*words, *filter(None, [agent])]))

    async def _refuse(self, what: str, error: Unauthorized) -> None:
        self._audit.often(
            "access_refused",
            outcome="refused",
            reason=error.data.get("reason"),
            object=what,
            address=self._address,
        )
        await self._throttle.turn()
        log.warning("refused a %s: %s", what, error.data.get("reason"))


class RequestCredentials:
    """Bearer token of one request: see :class:`gateway.http.mount.Credentials`."""

    def __init__(
        self, authenticator: Authenticator, request: web.BaseRequest, token: str | None
    ) -> None:
        self.token = token
        self._authenticator = authenticator
        self._request = request

    async def caller(self) -> Caller:
        """Return the caller that holds the token of a terminal."""
        if self.token is None:
            raise self._authenticator.missing()
        agent = self._request.headers.get("User-Agent", "")
        caller = await self._authenticator.admit(self.token, "http", agent)
        self.accept()
        return caller

    def accept(self) -> None:
        """Note that the connection has shown a valid token."""
        connection_of(self._request).known()

    async def slow_down(self) -> None:
        """Wait for the turn of a failure."""
        await self._authenticator.slow_down()


def note_request(audit: Audit, error: GatewayError) -> None:
    """Note that a request was not let in; a malformed one is no matter of access."""
    if isinstance(error, AccessDenied):
        reason = error.data.get("reason")
        audit.often("request_refused", outcome="refused", reason=reason)


def _tid_of(token: str) -> str:
    """Return the id of a token; empty for what is none."""
    try:
        return parse_token(token)
    except MalformedToken:
        return ""
