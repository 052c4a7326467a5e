"""Connections to SQLite whose threads end before the database counts as closed.

aiosqlite works in one thread a connection. If its opening is cancelled or fails, it tells that
thread to stop and does not wait: the thread may speak to an event loop that is closed by then.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from threading import Thread
from typing import Any

import aiosqlite


class SqliteConnections:
    """Connections of one engine, from before they are open until their threads have ended."""

    def __init__(self) -> None:
        self._connections: dict[Thread, aiosqlite.Connection] = {}

    async def connect(self, *args: Any, **options: Any) -> aiosqlite.Connection:
        """Open a connection; the engine is given this as ``async_creator_fn``.

        Cancelled, it closes what it has opened: aiosqlite would leave that to its thread.
        """
        self._discard_ended()
        connection = aiosqlite.connect(*args, **options)
        thread = connection._thread
        thread.daemon = True  # as SQLAlchemy does: a process that is ended does not wait for it
        self._connections[thread] = connection
        opening = asyncio.ensure_future(connection)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with suppress(sqlite3.Error):
                await (await opening).close()
            raise

    async def end(self) -> None:
        """Stop what the engine has not closed, and wait until all threads have ended."""
        for connection in self._connections.values():
            if connection._running:  # it was not told to stop
                connection.stop()
        self._discard_ended()
        if not self._connections:
            return
        joining = asyncio.ensure_future(asyncio.to_thread(_join, tuple(self._connections)))
        try:
            await asyncio.shield(joining)
        except asyncio.CancelledError:
            await joining
            raise

    def _discard_ended(self) -> None:
        for thread in [thread for thread in self._connections if _has_ended(thread)]:
            del self._connections[thread]


def _has_ended(thread: Thread) -> bool:
    return thread.ident is not None and not thread.is_alive()


def _join(threads: Iterable[Thread]) -> None:
    for thread in threads:
        if thread.is_alive():  # not so if its opening was cancelled before it began
            thread.join()
