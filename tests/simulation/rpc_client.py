"""HTTP client of the simulated bots."""

from __future__ import annotations

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from .bots import Address
from .http_connection import HttpConnection, connect
from .intents import Json

REQUEST = (
    b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %b\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)

BATCH = 50
"""Requests of one batch: half of what a daemon takes."""


class Asking(NamedTuple):
    """What was so when a message was sent."""

    life: int
    """Of the daemon that it was sent to."""
    tid: str
    """Of the token that it was sent with."""
    ended: str
    """``revoked``, if the token's revocation had been acknowledged by then, or ``expired``."""
    at_s: float
    """By the loop's clock."""
    clock_steps: int
    """How often the daemon's clock had been set."""


def is_served(answer: Any) -> bool:
    """Whether an answer gives anything that was asked for."""
    return any("result" in one for one in (answer if isinstance(answer, list) else [answer]))


def is_refused_as_expired(answer: Any) -> bool:
    """Whether an answer says that the token it was asked with has expired.

    Who asks under one id at the same time as somebody with another token gets that one's answer.
    """
    error = {} if isinstance(answer, list) else answer.get("error", {})
    data = error.get("data") or {}
    return data.get("reason") == "expired" and not data.get("duplicate")


class RpcClient(ABC):
    """Way to a daemon that comes and goes, by JSON-RPC: what all of them share."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._ids = itertools.count(1)

    async def ask(self, method: str, params: Json, timeout_s: float) -> Json | None:
        """Return the response; ``None`` if none came in time, or the connection broke."""
        answer: Json | None = await self._send(self._request(method, params), timeout_s)
        return answer

    async def ask_all(self, method: str, params: Sequence[Json], timeout_s: float) -> list[Json]:
        """Return the responses to requests of one kind, in their order; they go in batches."""
        requests = [self._request(method, one) for one in params]
        by_id: dict[int, Json] = {}
        for start in range(0, len(requests), BATCH):
            answers = await self._send(requests[start : start + BATCH], timeout_s)
            assert isinstance(answers, list), f"nothing was to go wrong here: {answers}"
            by_id |= {one["id"]: one for one in answers}
        return [by_id[one["id"]] for one in requests]

    def _request(self, method: str, params: Json) -> Json:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    @abstractmethod
    async def _send(self, message: Any, timeout_s: float) -> Any:
        """Return the answer to a message; ``None`` if none came in time, or it was cut off."""


class HttpRpcClient(RpcClient):
    """Way to a simulated daemon; keeps connections as long as they last.

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
        super().__init__(address)
        self._token, self._on_ask, self._on_answer = token.encode(), on_ask, on_answer
        self._idle: list[HttpConnection] = []

    async def _send(self, message: Any, timeout_s: float) -> Any:
        if not self.address.url:
            return None
        asking = self._on_ask(message)
        port = int(self.address.url.split(":")[2].split("/")[0])
        connection: HttpConnection | None = None
        try:
            async with asyncio.timeout(timeout_s):
                connection = self._kept(port) or await connect(port)
                body = orjson.dumps(message)
                request = REQUEST % (port, self._token, len(body), body)
                response = await connection.send(request)
        except (OSError, TimeoutError):
            if connection is not None:
                connection.abort()
            return None
        self._idle.append(connection)
        answer = orjson.loads(response.body)
        self._on_answer(message, answer, asking)
        return answer

    def _kept(self, port: int) -> HttpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.port == port and connection.is_open:
                return connection
        return None
