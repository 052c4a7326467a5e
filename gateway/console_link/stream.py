"""The stream: a WebSocket to the console, over which it tells at once what has changed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from gateway.credentials.daemon_api import MAX_BODY_BYTES, Heartbeat, Pushed

from .errors import ConsoleFailure, ConsoleRefused, ConsoleUnreachable, InvalidResponse
from .http import ConsoleHttp, explained

PATH = "/v1/daemon/stream"
OPEN_S = 10.0
CLOSE_S = 1.0
SEND_S = 5.0
MAX_WAITING = 64
"""Messages that came and were not taken yet; then the console has to wait."""

_SAID = TypeAdapter[Pushed | Heartbeat](Annotated[Pushed | Heartbeat, Field(discriminator="t")])


class _StreamConnect(connect):
    """Does not follow redirects: a signed request goes to the console or nowhere."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class ConsoleStream:
    """An open stream."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def next(self, timeout_s: float) -> Pushed | Heartbeat:
        """Return the next message.

        Raises:
            ConsoleUnreachable: the stream has ended, or nothing came in time.
            InvalidResponse: it is none.

        """
        try:
            async with asyncio.timeout(timeout_s):
                text = await self._socket.recv()
        except TimeoutError:
            raise ConsoleUnreachable(f"the console was silent for {timeout_s:.0f} s") from None
        except ConnectionClosed:
            raise ConsoleUnreachable("the console has closed the stream") from None
        try:
            return _SAID.validate_json(text)
        except ValidationError:
            raise InvalidResponse("the console said on the stream what no console says") from None

    async def say(self, message: BaseModel) -> None:
        """Send a message.

        Raises:
            ConsoleUnreachable: the stream has ended, or is stuck.

        """
        try:
            async with asyncio.timeout(SEND_S):
                await self._socket.send(message.model_dump_json())
        except (TimeoutError, ConnectionClosed):
            raise ConsoleUnreachable("the console has closed the stream") from None


@asynccontextmanager
async def open_stream(http: ConsoleHttp) -> AsyncIterator[ConsoleStream]:
    """Open the stream, signed as every request is.

    Raises:
        ConsoleFailure: it cannot be opened.

    """
    url = "ws" + http.url.removeprefix("http") + PATH
    try:
        socket = await _StreamConnect(
            url,
            additional_headers=http.signed("GET", PATH),
            ssl=http.tls if url.startswith("wss:") else None,
            compression=None,
            proxy=None,
            user_agent_header=None,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            ping_interval=None,
            max_size=MAX_BODY_BYTES,
            max_queue=MAX_WAITING,
        )
    except (InvalidHandshake, InvalidMessage, OSError, TimeoutError, ssl.SSLError) as error:
        raise _failure(http.url, error) from error
    try:
        yield ConsoleStream(socket)
    finally:
        await socket.close()


def _failure(url: str, error: Exception) -> ConsoleFailure:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return ConsoleRefused(status, "", "the stream is not opened", {})
    if isinstance(error, InvalidHandshake):
        return InvalidResponse(
            f"{url} does not open a stream: see that it is the console's address"
        )
    return explained(url, error)
