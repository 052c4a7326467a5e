"""Wake who waits for a device's events, in this process and in others on the same database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from .database import Database
from .database.model import Device

logger = logging.getLogger(__name__)

CHANNEL = "mtgw_events"
POLL_S = 0.25
"""How often SQLite is asked whether another process wrote; PostgreSQL tells by itself."""
CHECK_S = 5.0
"""How often it is checked that PostgreSQL still could."""


class Waking:
    """Callbacks by device.

    Args:
        db: over which other processes are heard.

    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._callbacks: dict[str, list[Callable[[], None]]] = {}

    def subscribe(self, did: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Register a callback; returns how to take it back, which may be done twice."""
        self._callbacks.setdefault(did, []).append(callback)

        def end() -> None:
            callbacks = self._callbacks.get(did, [])
            if callback in callbacks:
                callbacks.remove(callback)
            if not callbacks:
                self._callbacks.pop(did, None)

        return end

    def wake(self, dids: Iterable[str]) -> None:
        """Call those who wait for these devices; one that fails keeps no other from it."""
        for did in dids:
            for callback in tuple(self._callbacks.get(did, ())):
                try:
                    callback()
                except Exception:
                    logger.exception("what waits for events of device %.8s failed", did)

    async def announce(self, session: AsyncSession, dids: Iterable[str]) -> None:
        """Tell other processes, once the transaction is on disk."""
        if not self._db.is_sqlite:
            for did in dids:
                notify = text("SELECT pg_notify(:channel, :did)")
                await session.execute(notify, {"channel": CHANNEL, "did": did})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear other processes until the block ends."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _listen(self) -> None:
        listen = self._poll_sqlite if self._db.is_sqlite else self._listen_postgresql
        while True:
            try:
                await listen()
            except Exception as error:  # drivers have errors of their own; the next try may do
                logger.warning("events of other processes are not heard now: %r", error)
            await asyncio.sleep(CHECK_S)
            self.wake(tuple(self._callbacks))

    async def _poll_sqlite(self) -> None:
        """Look who has new events whenever another connection wrote: perhaps another process."""
        async with self._db.engine.connect() as connection:
            version, seqs = 0, dict[str, int]()
            while True:
                before, version = version, await connection.scalar(text("PRAGMA data_version"))
                if version != before:
                    rows = await connection.execute(select(Device.did, Device.seq))
                    fresh = {did: seq for did, seq in rows}
                    self.wake(did for did, seq in fresh.items() if seqs.get(did, 0) != seq)
                    seqs = fresh
                await connection.rollback()
                await asyncio.sleep(POLL_S)

    async def _listen_postgresql(self) -> None:
        async with self._db.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            await driver.add_listener(CHANNEL, self._heard)
            try:
                # what was told before we listened
                self.wake(tuple(self._callbacks))
                while not driver.is_closed():  # noqa: ASYNC110 (the driver tells no event)
                    await asyncio.sleep(CHECK_S)
            finally:
                if not driver.is_closed():
                    await driver.remove_listener(CHANNEL, self._heard)

    def _heard(self, _connection: object, _pid: int, _channel: str, did: str) -> None:
        self.wake((did,))
