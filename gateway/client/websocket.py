"""Connections to ``/ws``, and what became of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from gateway.client.address import Address
from gateway.client.failures import (
    ConnectionLost,
    NotTheGateway,
    StreamEnded,
    Unreachable,
    error_from,
)
from gateway.errors import GatewayError, Unauthorized

CONNECT_S = 5.0
CLOSE_S = 1.0
PING_S = 10.0
"""Between our pings; and how long their pong may take before the connection counts as dead."""
MAX_MESSAGE_BYTES = 16_777_216
MAX_UNREAD = 1024
"""Messages that wait to be read. With so many the connection is not read any further, the gateway
notices, and deals with us as with any slow client: it merges events of ``latest`` channels, and
closes with 4000 when too much piles up on lossless ones. Nothing is dropped in silence here."""

_WORD = re.compile(r"[a-z_]{1,32}", re.ASCII)


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """Keeps websockets from logging handshakes, whose headers carry the token."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


class _Connect(connect):
    """Follows no redirect: it would carry the token to where it does not belong."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_websocket(address: Address, auth_token: str) -> ClientConnection:
    """Open a connection that is authenticated by header.

    Raises:
        GatewayError: the gateway refused: :class:`~gateway.errors.Unauthorized` above all.
        Unreachable: nobody listens there.
        NotTheGateway: something else does.

    """
    try:
        return await _Connect(
            address.ws,
            additional_headers={"Authorization": f"Bearer {auth_token}"},
            compression=None,
            proxy=None,
            user_agent_header=None,
            open_timeout=CONNECT_S,
            close_timeout=CLOSE_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=MAX_UNREAD,
            logger=_Quiet(logging.getLogger("gateway.client.websocket")),
        )
    except InvalidStatus as refused:
        raise _refusal(address, refused) from None
    except InvalidHandshake:
        raise NotTheGateway(f"{address.ws} does not speak our WebSocket") from None
    except OSError:  # a TimeoutError too
        raise Unreachable(f"Nobody answers at {address.base}: is the gateway running?") from None


def messages_in(frame: bytes) -> Iterator[dict[str, Any]]:
    """Yield the messages of one frame: one, or an array of them.

    Raises:
        NotTheGateway: it is neither.

    """
    try:
        content = orjson.loads(frame)
    except orjson.JSONDecodeError:
        raise NotTheGateway("A message came that is no JSON") from None
    for message in content if isinstance(content, list) else [content]:
        if not isinstance(message, dict):
            raise NotTheGateway("A message came that is no JSON-RPC")
        yield message


def why_closed(closed: ConnectionClosed) -> GatewayError | ConnectionLost | StreamEnded:
    """Return what a closed connection means for who read from it.

    ``ConnectionLost`` where the gateway is glad to see us again; 4000 to 4499 and everything that
    the network does is of that kind.
    """
    frame = closed.rcvd
    if frame is None:
        if closed.sent is not None and closed.sent.code == TOO_BIG:
            return StreamEnded(TOO_BIG, f"a message is over {MAX_MESSAGE_BYTES} bytes")
        return ConnectionLost("The connection broke")
    if frame.code == AUTH_FAILED:
        return Unauthorized("The auth_token is not let in", reason="unknown")
    if frame.code == TOKEN_REVOKED:
        reason = frame.reason if _WORD.fullmatch(frame.reason) else "revoked"
        return Unauthorized(f"The auth_token is no longer valid: {reason}", reason=reason)
    if frame.code in FOR_GOOD or 4500 <= frame.code < 5000:
        return StreamEnded(frame.code, frame.reason)
    return ConnectionLost(f"The gateway closed the connection: {frame.code} {frame.reason}")


NORMAL = 1000
TOO_BIG = 1009
AUTH_FAILED = 4501
TOKEN_REVOKED = 4506
FOR_GOOD = frozenset({NORMAL, 1002, 1003, 1007, TOO_BIG})
"""The gateway ended it, or one of us is at fault: the same again would end the same."""


def _refusal(address: Address, refused: InvalidStatus) -> GatewayError | NotTheGateway:
    response = refused.response
    try:
        answer = orjson.loads(response.body or b"")
        return error_from(answer["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return NotTheGateway(f"{address.ws} answered {response.status_code}")
