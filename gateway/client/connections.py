"""The WebSocket connections of a client's subscriptions, so that each of them ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection


class Connections:
    """Opens connections and keeps hold of them until they are closed.

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
