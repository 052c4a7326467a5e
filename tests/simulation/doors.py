"""Bots' HTTP client of the simulated world, with as little in it as there can be."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from .bots import Address
from .intents import Json

REQUEST = (
    b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %b\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)
LENGTH = b"content-length:"


class Asking(NamedTuple):
    """What was so when a message was sent."""

    life: int
    """Of the daemon that it was sent to."""
    revoked: str
    """The token that it was sent with, if its revocation had been acknowledged by then."""
    at_s: float
    """By the loop's clock."""


def is_served(answer: Any) -> bool:
    """Whether an answer gives anything that was asked for."""
    return any("result" in one for one in (answer if isinstance(answer, list) else [answer]))


class HttpDoor:
    """The way to a daemon that comes and goes; keeps connections as long as they last.

    Args:
        on_ask: told of each message before it is sent; returns what was so then.
        on_answer: told of each message, its answer, and what was so when it was sent.

    """

    def __init__(
        self,
        address: Address,
        token: str,
        *,
        on_ask: Callable[[Any], Asking],
        on_answer: Callable[[Any, Any, Asking], None],
    ) -> None:
        self.address = address
        self._token, self._on_ask, self._on_answer = token.encode(), on_ask, on_answer
        self._ids = itertools.count(1)
        self._idle: list[_Connection] = []

    async def ask(self, method: str, params: Json, timeout_s: float) -> Json | None:
        """Return the response; ``None`` if none came in time, or the connection broke."""
        answer: Json | None = await self._send(self._request(method, params), timeout_s)
        return answer

    async def ask_all(self, method: str, params: Sequence[Json], timeout_s: float) -> list[Json]:
        """Return the responses to a batch, in the order of the requests."""
        requests = [self._request(method, one) for one in params]
        answers = await self._send(requests, timeout_s)
        assert answers is not None, "nothing was to go wrong here"
        assert isinstance(answers, list), answers
        by_id = {one["id"]: one for one in answers}
        return [by_id[one["id"]] for one in requests]

    def _request(self, method: str, params: Json) -> Json:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    async def _send(self, message: Any, timeout_s: float) -> Any:
        if not self.address.url:
            return None
        asking = self._on_ask(message)
        port = int(self.address.url.split(":")[2].split("/")[0])
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(timeout_s):
                connection = self._kept(port) or await _connect(port)
                answer = await connection.post(self._token, orjson.dumps(message))
        except (OSError, TimeoutError):
            if connection is not None:
                connection.transport.abort()
            return None
        self._idle.append(connection)
        answer = orjson.loads(answer)
        self._on_answer(message, answer, asking)
        return answer

    def _kept(self, port: int) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.port == port and connection.is_open:
                return connection
        return None


async def _connect(port: int) -> _Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: _Connection(port), "127.0.0.1", port)
    return connection


class _Connection(asyncio.Protocol):
    """A connection that takes one request at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.is_open = True
        self.transport: asyncio.Transport
        self._came = b""
        self._waiter: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def post(self, token: bytes, body: bytes) -> asyncio.Future[bytes]:
        """Send a request; return the body of its response."""
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(REQUEST % (self.port, token, len(body), body))
        return self._waiter

    def data_received(self, data: bytes) -> None:
        self._came += data
        end = self._came.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head = self._came[:end].lower()
        begin = head.index(LENGTH) + len(LENGTH)
        whole = end + int(head[begin : head.index(b"\r", begin)])
        if len(self._came) >= whole:
            body, self._came = self._came[end:whole], self._came[whole:]
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionResetError())
