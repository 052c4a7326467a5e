"""Authentication of HTTP requests and WebSockets: tokens and tickets, at the pace of failures.

A right token is let in at once. A wrong one waits for its turn, is noted in the audit trail and
in the log, and then refused; see :mod:`gateway.http.rate_limit`.

A WebSocket client that cannot set a header logs in by a subprotocol, or by its first message.
"""

from __future__ import annotations

import base64
import binascii
import copy
import logging
from codecs import BOM_UTF8
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import orjson
from aiohttp import web

from ea_bridge.token import MalformedToken, parse_token
from gateway.audit import Audit
from gateway.auth.caller import Caller, Scope
from gateway.auth.tickets import SUBPROTOCOL as TICKET
from gateway.auth.tickets import Tickets
from gateway.credentials.daemon_api import Way
from gateway.errors import AccessDenied, GatewayError, InvalidRequest, NotReady, Unauthorized
from gateway.http.connections import connection_of
from gateway.http.guard import Refusal, unauthorized
from gateway.http.messages import error_response
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


MAX_HELLO_BYTES = 4096
"""Before the login nobody may send more."""
MAX_UNCLAIMED_HELLO_BYTES = 262_144
"""More is not even taken in: one read of the event loop, since the first calls may come along."""
SUBPROTOCOL = "mtg.v1"
BEARER = "mtg.bearer."
"""A subprotocol that carries the token: base64url without padding."""


class NotHello(Exception):
    """The first message is no ``hello`` with an auth_token; ``answer`` says so to the client."""

    def __init__(self, request_id: Any) -> None:
        self.answer = orjson.dumps(error_response(NotReady(reason="hello_required"), request_id))
        super().__init__("not a hello")


class LoginHello(NamedTuple):
    """The first message of a client that logs in with it."""

    request: dict[str, Any]

    @property
    def token(self) -> str:
        """The auth_token; never logged."""
        token: str = self.request["params"]["auth_token"]
        return token

    def refusal(self, error: GatewayError) -> bytes:
        """Return the answer when the token is not let in."""
        return orjson.dumps(error_response(error, self.request.get("id")))

    def without_token(self) -> bytes:
        """Return the message as it goes on to the method ``hello``."""
        # no method, log or trail ever sees the token
        params = {k: v for k, v in self.request["params"].items() if k != "auth_token"}
        return orjson.dumps({**self.request, "params": params})


def hello_of(text: bytes) -> LoginHello:
    """Return the login in the message.

    Raises:
        NotHello: it is something else.

    """
    try:
        request = orjson.loads(text.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        raise NotHello(None) from None
    if not isinstance(request, dict):
        raise NotHello(None)
    params = request.get("params")
    if (
        request.get("method") != "hello"
        or not isinstance(params, dict)
        or not isinstance(params.get("auth_token"), str)
    ):
        request_id = request.get("id")
        raise NotHello(request_id if isinstance(request_id, int | str) else None)
    return LoginHello(request)


class Offer(NamedTuple):
    """Login in the offered subprotocols: a token, a ticket, or nothing."""

    token: str | None = None
    """Of a program that cannot set a header."""
    ticket: str | None = None
    """Of a web page."""


def offer_of(offered: list[str]) -> Offer:
    """Return the login among the offered subprotocols.

    Raises:
        Refusal: they lack ``mtg.v1``, which is what the server answers with (it never repeats the
            login), or hold more than one login or a token that cannot be decoded.

    """
    names = [name.strip() for line in offered for name in line.split(",")]
    if offered and SUBPROTOCOL not in names:
        raise Refusal(
            400, InvalidRequest(f"Offer the subprotocol {SUBPROTOCOL}", reason="subprotocol")
        )
    # a browser's WebSocket can send nothing of its own but the names of subprotocols
    logins = [name for name in names if name.startswith((BEARER, TICKET))]
    if not logins:
        return Offer()
    if len(logins) > 1:
        raise unauthorized(Unauthorized("Send one token or ticket, once", reason="malformed"))
    (login,) = logins
    if login.startswith(TICKET):
        return Offer(ticket=login.removeprefix(TICKET))
    return Offer(token=_decoded(login.removeprefix(BEARER)))


def _decoded(bearer: str) -> str:
    # "=" may not stand in the name of a subprotocol (RFC 6455, section 4.1)
    padded = bearer + "=" * (-len(bearer) % 4)
    try:
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        raise unauthorized(Unauthorized("The token cannot be read", reason="malformed")) from None
