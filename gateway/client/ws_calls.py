"""Calls over one ``/ws`` connection: many at a time, answers in any order."""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from gateway.client.address import Address
from gateway.client.failures import CallTimedOut, ConnectionLost, NoAnswer, error_from
from gateway.client.message import encode_request
from gateway.client.websocket import messages_in, open_websocket, why_closed
from gateway.errors import GatewayError, Outcome

MAX_IN_FLIGHT = 64
"""Calls that wait for their answers; the gateway reads no more from one connection."""


class WsLine:
    """Connects with the first call, and again with the first one after a loss."""

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
            async with asyncio.timeout(timeout_s), self._room:
                socket = await self._connected(lost)
                sent = True
                answer = await self._exchange(socket, number, message, lost)
        except TimeoutError:
            outcome = lost if sent else (lost and "not_sent")
            raise CallTimedOut(f"No answer within {timeout_s:g} s", outcome) from None
        if "error" in answer:
            raise error_from(answer["error"])
        return answer["result"]

    async def _connected(self, lost: Outcome | None) -> ClientConnection:
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
        """Hand answers to who waits for them; events of the token's subscriptions go by."""
        why: GatewayError | NoAnswer = ConnectionLost("The connection was closed")
        try:
            while True:
                for message in messages_in(await socket.recv(decode=False)):
                    answer = self._waiting.get(message.get("id", 0))
                    if answer is not None and not answer.done():
                        answer.set_result(message)
        except ConnectionClosed as closed:
            why = why_closed(closed)
        except NoAnswer as failure:
            why = failure
        finally:
            self._socket = None
            await socket.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionLost(str(why)))
