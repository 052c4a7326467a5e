"""Events of some channels, as an iterator that survives the loss of its connection.

Each subscription has a connection of its own and reads from it only as fast as its events are
taken; nothing runs in the background. A client that falls behind is dealt with by the gateway:
see :data:`gateway.client.transports.MAX_UNREAD`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from gateway.background import ceiling_s
from gateway.client.errors import ConnectionLost, NoAnswer, NotTheGateway, error_from
from gateway.client.protocol import Event, Progress, encode_request
from gateway.client.transports import NORMAL, messages_in, why_closed
from gateway.errors import GatewayError, SubscribeFailed

log = logging.getLogger(__name__)

ANSWER_S = 10.0
"""For the answer to ``subscribe``."""
FIRST_RETRY_S = 0.1
LAST_RETRY_S = 10.0
MAX_ANNOUNCED_S = 60.0
"""A gateway that says when it will be back is believed up to here."""
_REQUEST_ID = "subscribe"


class SubscriptionConnections:
    """WebSocket connections of a client's subscriptions, each open until it is closed.

    A subscription that is left by ``break`` is dropped by Python without a word; its connection
    has tasks of its own, and would outlive it.
    """

    def __init__(self, connect: Callable[[], Awaitable[ClientConnection]]) -> None:
        self._connect = connect
        self._open: set[ClientConnection] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self) -> ClientConnection:
        """Open a connection."""
        socket = await self._connect()
        self._open.add(socket)
        return socket

    async def close(self, socket: ClientConnection) -> None:
        """Close a connection."""
        try:
            await socket.close()
        finally:
            self._open.discard(socket)

    def abandon(self, socket: ClientConnection) -> None:
        """Close a connection that nobody reads from any more; from any thread."""
        if not socket.loop.is_closed():
            socket.loop.call_soon_threadsafe(self._close_soon, socket)

    def _close_soon(self, socket: ClientConnection) -> None:
        task = asyncio.get_running_loop().create_task(self.close(socket))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close all of them."""
        await asyncio.gather(*map(self.close, list(self._open)), *self._closing)


class Subscription(AsyncIterator[Event]):
    """Iterator over the events of some channels, made by :meth:`GatewayClient.subscribe`.

    The connection is opened by the first step. When it is lost later on, it is opened again after
    a growing wait, for as long as it takes; then each channel goes on after its last event, and
    an event ``reconnected`` of each says whether something is missing. ``break`` out of the loop
    closes the connection soon; ``async with`` and :meth:`aclose` wait until it is closed.

    Raises, from iteration:
        SubscribeFailed: channels do not exist; ``data["failed"]`` says which, and what may have
            been meant.
        GatewayError: the gateway refuses, for good: the token was revoked, for example.
        Unreachable: nobody listens at the address; at the first connection only.
        StreamEnded: the gateway closed the stream for good.

    """

    def __init__(
        self,
        connections: SubscriptionConnections,
        channels: Sequence[str],
        *,
        terminal: str | None,
        snapshot: bool,
        since: Mapping[str, tuple[str, int]],
    ) -> None:
        self._socket: ClientConnection | None = None
        self._connections = connections
        self._channels = list(dict.fromkeys(channels))
        self._common = {"snapshot": snapshot} | ({"terminal": terminal} if terminal else {})
        self._since = dict(since)
        self._progress = Progress()
        self._ready: deque[Event] = deque()
        self._begun = False
        self._failures = 0
        self._restart_in_ms: int | None = None
        self._closed = False

    @property
    def positions(self) -> dict[str, tuple[str, int]]:
        """``(epoch, seq)`` of the last event that came, by channel: ``since`` of a later
        subscription, in another process too."""
        return self._progress.positions

    async def __anext__(self) -> Event:
        while not self._ready:
            if self._closed:
                raise StopAsyncIteration
            try:
                await self._advance()
            except ConnectionClosed as closed:
                await self._lost(closed)
            except (GatewayError, NoAnswer) as why:
                await self._retry(why)
        return self._ready.popleft()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; an iteration under way ends."""
        self._closed = True
        await self._drop()

    async def _advance(self) -> None:
        """Read one frame, or open the connection."""
        if self._socket is not None:
            for message in messages_in(await self._socket.recv(decode=False)):
                self._handle(message)
            return
        self._socket = await self._connections.open()
        if self._closed:  # aclose() came while the connection was opened, and found none to close
            await self._drop()
            return
        await self._socket.send(self._request(), text=True)
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._read_answer(self._socket)
        except TimeoutError:
            raise ConnectionLost(f"No answer to subscribe within {ANSWER_S:g} s") from None
        # only now: a gateway that lets us in and then refuses is not called without a pause
        self._failures, self._restart_in_ms, self._begun = 0, None, True

    async def _drop(self) -> None:
        if self._socket is not None:
            socket, self._socket = self._socket, None
            await self._connections.close(socket)

    def __del__(self) -> None:
        # Not to be awaited here, and not always in the loop's own thread.
        if self._socket is not None:
            self._connections.abandon(self._socket)

    async def _lost(self, closed: ConnectionClosed) -> None:
        if self._closed or (closed.rcvd is not None and closed.rcvd.code == NORMAL):
            await self.aclose()
        else:
            await self._retry(why_closed(closed))

    async def _retry(self, why: GatewayError | NoAnswer) -> None:
        """Wait before the next try, or give up."""
        await self._drop()
        # a proxy's page, say: what was the gateway before is away rather than something else
        may_pass = why.retryable or isinstance(why, NotTheGateway)
        # before the first success an error is a mistake of the caller's, to be told and not healed
        if not (may_pass and self._begun):
            self._closed = True
            raise why
        delay_s = retry_delay_s(self._failures, self._restart_in_ms)
        self._failures, self._restart_in_ms = self._failures + 1, None
        log.warning("connecting again in %.1f s: %s", delay_s, why)
        await asyncio.sleep(delay_s)

    def _request(self) -> bytes:
        # where we are now counts more than where the caller wanted to begin
        since = self._since | self.positions
        channels = []
        for name in self._channels:
            item: dict[str, Any] = {"channel": name, **self._common}
            if name in since:
                epoch, seq = since[name]
                item["since"] = {"epoch": epoch, "seq": seq}
            channels.append(item)
        return encode_request(_REQUEST_ID, "subscribe", {"channels": channels})

    async def _read_answer(self, socket: ClientConnection) -> None:
        answered = False
        while not answered:
            for message in messages_in(await socket.recv(decode=False)):
                if message.get("id") == _REQUEST_ID:
                    answered = True
                    self._subscribed(message)
                else:
                    # events of other channels of the token may come before the answer
                    self._handle(message)

    def _subscribed(self, answer: Mapping[str, Any]) -> None:
        if "error" in answer:
            raise error_from(answer["error"])
        subscribed, failed = answer["result"]["subscribed"], answer["result"]["failed"]
        if failed and not self._begun:
            names = ", ".join(entry["channel"] for entry in failed)
            raise SubscribeFailed(
                f"These channels could not be subscribed: {names}", failed=failed
            )
        for entry in failed:
            self._ready.extend(self._progress.failed(entry))
        for entry in subscribed:
            again = self._begun or entry["channel"] in self._since
            self._ready.extend(self._progress.subscribed(entry, again=again))
        # from now on by their canonical names, which events carry
        self._channels = [entry["channel"] for entry in subscribed]

    def _handle(self, message: Mapping[str, Any]) -> None:
        """Take a message of a kind that we know; the rest is for newer clients."""
        method = message.get("method")
        if method == "event":
            self._ready.extend(self._progress.event(message["params"]))
        elif method == "server_shutdown":
            self._restart_in_ms = message["params"].get("restart_in_ms")


def retry_delay_s(
    failures: int,
    restart_in_ms: int | None = None,
    rng: Callable[[], float] = random.random,
) -> float:
    """Return the wait after so many failures in a row: it doubles, and half of it is chance.

    Many clients that lost one gateway at one moment so come back at different ones.

    Args:
        restart_in_ms: when the gateway said that it will be back, if it did.

    """
    ceiling = ceiling_s(FIRST_RETRY_S, LAST_RETRY_S, failures)
    announced = 0.0 if restart_in_ms is None else min(restart_in_ms / 1000, MAX_ANNOUNCED_S)
    return announced + ceiling * (0.5 + rng() / 2)
