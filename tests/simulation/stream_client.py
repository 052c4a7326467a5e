"""Way of a bot to a daemon by ``/ws``, with ``POST /rpc`` beside it for while there is none."""

from __future__ import annotations

import asyncio
from typing import Any

from .intents import Json
from .rpc_client import HttpRpcClient
from .stream_wire import Refused, StreamWire

OPEN_S = 5.0
PATIENT_S = 5.0
"""Who waits for an answer for so long in vain takes the connection to be broken."""


class Line:
    """One connection to ``/ws`` over which calls are made.

    Args:
        token: of the terminal.
        port: of the gateway.

    """

    def __init__(self, token: str, port: int) -> None:
        self.wire = StreamWire(token, port, self._take)
        self._port = port
        self._waiting: dict[int, asyncio.Future[Json]] = {}

    @property
    def is_over(self) -> bool:
        """Whether this end knows that it is gone."""
        return self.wire.over.done()

    async def open(self) -> bool:
        """Connect; return whether that has worked."""
        try:
            async with asyncio.timeout(OPEN_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: self.wire, "127.0.0.1", self._port
                )
                await self.wire.opened
        except (OSError, TimeoutError, Refused):
            self.wire.vanish()
            return False
        return True

    async def ask(self, message: Json, timeout_s: float) -> Json | None:
        """Return the answer; ``None`` if none came in time, or the connection is gone."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[message["id"]] = future
        self.wire.send(message)
        await asyncio.wait(
            (future, self.wire.over), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        self._waiting.pop(message["id"])
        return future.result() if future.done() else None

    def _take(self, message: dict[str, Any], payload: bytes) -> None:
        waiting = self._waiting.get(message.get("id", 0))
        if waiting is not None and not waiting.done():
            waiting.set_result(message)


class StreamClient(HttpRpcClient):
    """Way to a simulated daemon by one connection to ``/ws`` after the other."""

    line: Line | None = None
    """What single calls are sent over; without one they go to ``/rpc``."""

    def on_line_ask(self, line: Line | None, message: Json) -> None:
        """A call is about to be sent; without a line to ``/rpc``."""

    def on_line_answer(self, line: Line, message: Json, answer: Json, asked_s: float) -> None:
        """Its answer has come over the line; by the loop's clock it was sent at ``asked_s``."""

    def new_line(self) -> Line | None:
        """Return a line that is to be opened; ``None`` while no daemon is known."""
        if not self.address.url:
            return None
        return Line(self._token.decode(), int(self.address.url.split(":")[2].split("/")[0]))

    async def ask_on(
        self, line: Line, method: str, params: Json, timeout_s: float = PATIENT_S
    ) -> Json | None:
        """Return the response to a call over a line; ``None`` if there is none."""
        return await self._send_on(line, self._request(method, params), timeout_s)

    async def _send(self, message: Any, timeout_s: float) -> Any:
        line = self.line
        if isinstance(message, dict) and line is not None and not line.is_over:
            return await self._send_on(line, message, timeout_s)
        if isinstance(message, dict):
            self.on_line_ask(None, message)
        return await super()._send(message, timeout_s)

    async def _send_on(self, line: Line, message: Json, timeout_s: float) -> Json | None:
        self.on_line_ask(line, message)
        asking = self._on_ask(message)
        answer = await line.ask(message, timeout_s)
        if answer is not None:
            self._on_answer(message, answer, asking)
            self.on_line_answer(line, message, answer, asking.at_s)
        elif timeout_s >= PATIENT_S:
            line.wire.vanish()  # it is broken, though nobody has said so
        return answer
