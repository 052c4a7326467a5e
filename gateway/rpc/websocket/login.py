"""Login of a WebSocket client that cannot set a header."""

from __future__ import annotations

import base64
import binascii
from codecs import BOM_UTF8
from typing import Any, NamedTuple

import orjson

from gateway.auth.tickets import SUBPROTOCOL as TICKET
from gateway.errors import GatewayError, InvalidRequest, NotReady, Unauthorized
from gateway.http.guard import Refusal, unauthorized
from gateway.http.messages import error_response

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
