"""Transports of calls: ``POST /rpc``, and one connection to ``/ws``.

Subscriptions open their connections here as well: :func:`open_websocket`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from gateway.client.errors import (
    CallTimedOut,
    ConnectionLost,
    NoAnswer,
    NotTheGateway,
    StreamEnded,
    Unreachable,
    error_from,
)
from gateway.client.protocol import Address, encode_request, result_in
from gateway.errors import GatewayError, Outcome, Unauthorized

CONNECT_S = 5.0
IDLE_S = 15.0
"""Half of what the gateway allows a connection without requests, so that it is never the one to
close while a request is on its way."""


class HttpTransport:
    """Transport of one JSON-RPC request a POST, over connections that are kept open."""

    def __init__(self, address: Address, auth_token: str) -> None:
        self._address = address
        self._headers = {
            "Authorization": f"Bearer {auth_token}",
            "Content-Type": "application/json",
        }
        self._session: aiohttp.ClientSession | None = None
        self._last_id = 0

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self, method: str, params: dict[str, Any], *, lost: Outcome | None, timeout_s: float
    ) -> Any:
        """Send one request and return its result.

        Args:
            lost: the outcome to report if the request left us and no answer came.

        Raises:
            GatewayError: the answer is an error.
            NoAnswer: none came.

        """
        self._last_id += 1
        request = encode_request(self._last_id, method, params)
        status, body = await self._post(request, lost, timeout_s)
        return result_in(body, self._address.rpc, status, lost)

    async def _post(
        self, body: bytes, lost: Outcome | None, timeout_s: float
    ) -> tuple[int, bytes]:
        not_sent: Outcome | None = lost and "not_sent"
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=CONNECT_S)
        try:
            async with self._open().post(
                self._address.rpc, data=body, timeout=timeout, allow_redirects=False
            ) as response:
                return response.status, await response.read()
        # never chained: aiohttp's exceptions carry the request's headers, with the token
        except aiohttp.ClientSSLError:
            raise Unreachable(_untrusted(self._address), not_sent) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise Unreachable(
                f"Nobody answers at {self._address.base}: is the gateway running?", not_sent
            ) from None
        except TimeoutError:
            raise CallTimedOut(f"No answer within {timeout_s:g} s", lost) from None
        except aiohttp.ClientError as error:
            raise ConnectionLost(
                f"The connection broke before the answer came ({type(error).__name__})", lost
            ) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=64, keepalive_timeout=IDLE_S, ssl=self._address.tls or True
                ),
                # nothing may be kept between calls but the connection
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
            )
        return self._session


MAX_IN_FLIGHT = 64
"""Calls that wait for their answers; the gateway reads no more from one connection."""
CLOSE_S = 1.0
PING_S = 10.0
"""Between our pings; and how long their pong may take before the connection counts as dead."""
MAX_MESSAGE_BYTES = 16_777_216
MAX_UNREAD = 1024
"""Messages that wait to be read. With so many the connection is not read any further, the gateway
notices, and deals with us as with any slow client: it merges events of ``latest`` channels, and
closes with 4000 when too much piles up on lossless ones. Nothing is dropped in silence here."""

NORMAL = 1000
TOO_BIG = 1009
AUTH_FAILED = 4501
TOKEN_REVOKED = 4506
FOR_GOOD = frozenset({NORMAL, 1002, 1003, 1007, TOO_BIG})
"""The gateway ended it, or one of us is at fault: the same again would end the same."""

_WORD = re.compile(r"[a-z_]{1,32}", re.ASCII)


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """Logger that keeps websockets from logging handshakes, whose headers carry the token."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


class _Connect(connect):
    """Connector that follows no redirect: it would carry the token elsewhere."""

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
            ssl=address.tls,
            compression=None,
            # a proxy that the environment names would see the token
            proxy=None,
            user_agent_header=None,
            open_timeout=CONNECT_S,
            close_timeout=CLOSE_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=MAX_UNREAD,
            logger=_Quiet(logging.getLogger("gateway.client.transports")),
        )
    except InvalidStatus as refused:
        raise _refusal(address, refused) from None
    except InvalidHandshake:
        raise NotTheGateway(f"{address.ws} does not speak our WebSocket") from None
    except ssl.SSLError:
        raise Unreachable(_untrusted(address)) from None
    except OSError:  # a TimeoutError too
        raise Unreachable(f"Nobody answers at {address.base}: is the gateway running?") from None


def _untrusted(address: Address) -> str:
    if address.tls is not None:
        return f"What answers at {address.base} has another key than the one that is pinned"
    return (
        f"What answers at {address.base} speaks no TLS, or nobody vouches for its certificate: "
        "give its pin, which mt-gateway remote pin prints"
    )


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
    """Return what a closed connection means for its reader.

    ``ConnectionLost`` where the gateway is glad to see us again; 4000 to 4499 and everything that
    the network does is of that kind.
    """
    frame = closed.rcvd
    if frame is None:
        # we ended it, over a message that would be as long the next time
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


class WsTransport:
    """Transport of calls over one connection: many at a time, answers in any order.

    It connects with the first call, and again with the first one after a loss.
    """

    def __init__(self, address: Address, auth_token: str) -> None:
        self._address = address
        self._auth_token = auth_token
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._room = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0

    async def close(self) -> None:
        """Close the connection; calls under way end with :class:`ConnectionLost`."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await asyncio.wait([self._reader])

    async def request(
        self, method: str, params: dict[str, Any], *, lost: Outcome | None, timeout_s: float
    ) -> Any:
        """Send one request and return its result.

        Args:
            lost: the outcome to report if the request left us and no answer came.

        Raises:
            GatewayError: the answer is an error.
            NoAnswer: none came.

        """
        self._last_id += 1
        number = self._last_id
        message = encode_request(number, method, params)
        sent = False
        try:
            # the wait for room counts as well: the caller knows nothing of other calls
            async with asyncio.timeout(timeout_s), self._room:
                socket = await self._connected(lost)
                sent = True  # before send(): bytes may have left where it fails half-way
                answer = await self._exchange(socket, number, message, lost)
        except TimeoutError:
            outcome = lost if sent else (lost and "not_sent")
            raise CallTimedOut(f"No answer within {timeout_s:g} s", outcome) from None
        if "error" in answer:
            raise error_from(answer["error"])
        return answer["result"]

    async def _connected(self, lost: Outcome | None) -> ClientConnection:
        # one connection for all calls, also for those that find none at the same moment
        async with self._connecting:
            if self._socket is None:
                try:
                    self._socket = await open_websocket(self._address, self._auth_token)
                except NoAnswer as failure:
                    failure.outcome = lost and "not_sent"
                    raise
                self._reader = asyncio.create_task(self._read(self._socket))
            return self._socket

    async def _exchange(
        self,
        socket: ClientConnection,
        number: int,
        message: bytes,
        lost: Outcome | None,
    ) -> dict[str, Any]:
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await socket.send(message, text=True)
            return await answer
        except (ConnectionClosed, ConnectionLost):
            raise ConnectionLost("The connection broke before the answer came", lost) from None
        finally:
            del self._waiting[number]

    async def _read(self, socket: ClientConnection) -> None:
        """Hand answers to their calls; events of the token's subscriptions go by."""
        why: GatewayError | NoAnswer = ConnectionLost("The connection was closed")
        try:
            while True:
                for message in messages_in(await socket.recv(decode=False)):
                    # an answer whose call has timed out finds nobody; ids begin at 1
                    answer = self._waiting.get(message.get("id", 0))
                    if answer is not None and not answer.done():
                        answer.set_result(message)
        except ConnectionClosed as closed:
            why = why_closed(closed)
        except NoAnswer as failure:
            why = failure
        finally:
            # at once: a call that begins while we close opens a new connection
            self._socket = None
            await socket.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionLost(str(why)))


def _refusal(address: Address, refused: InvalidStatus) -> GatewayError | NotTheGateway:
    response = refused.response
    try:
        answer = orjson.loads(response.body or b"")
        return error_from(answer["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return NotTheGateway(f"{address.ws} answered {response.status_code}")
