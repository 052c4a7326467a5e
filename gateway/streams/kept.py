"""Kept streams: what was told of terminals' accounts, from the end of one gateway to the next.

At an orderly end the last events of orders, positions and deals are written to the ledger, with
the number of the last event of the EA's run that they hold. The next gateway takes them out of it
and goes on there: the EA tells again what came after that number, or that it cannot. Channel
``terminal`` begins anew: a halt may come and go while no gateway runs, and no EA tells of that.

Each gateway numbers on in an epoch of its own, and knows the epoch before as far as it was told.
So a position that a client has of events which this gateway never heard of, since a copy of the
home was put back, is never mistaken for one of its own.

After a kill or a power cut nothing is there, and every channel begins anew.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping

import msgspec

from ea_bridge import host
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError

TABLE = """
CREATE TABLE kept_streams (
    terminal TEXT PRIMARY KEY,
    streams BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

KEPT_FOR_MS = 86_400_000
"""As long as the events of a topic are kept."""
MAX_KEPT_BYTES = 32 * 1024 * 1024
"""Of all terminals together; what is beyond begins anew."""
DELETE_WITHIN_S = 5.0
"""A disk that fails has so long to delete what was kept; without it every channel begins anew."""
RETRY_S = 0.25

_log = logging.getLogger(__name__)


class EventRun(msgspec.Struct, frozen=True):
    """Run of an EA, and how far its counted events were told."""

    boot: str
    login: int
    server: str
    q: int
    """Of the last event that was told."""


class KeptEvent(msgspec.Struct, frozen=True, array_like=True):
    """Event of a topic, without what all of the topic have in common."""

    kind: str
    ts: int
    data: msgspec.Raw


class KeptTopic(msgspec.Struct, frozen=True):
    """Topic as it was at the end of a gateway."""

    epoch: str
    seq: int
    events: list[KeptEvent]
    """The last ones, up to number ``seq``."""
    earlier: dict[str, int]
    """Epochs that it went on from, each with the number of its last event."""


class KeptStreams(msgspec.Struct, frozen=True):
    """Streams of one terminal's account as they were at the end of a gateway."""

    run: EventRun
    topics: dict[str, KeptTopic]
    at_ms: int
    """When the gateway ended that had told of them last; UTC."""


class StreamBook:
    """Book of the kept streams, in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def take(self, now_ms: int) -> dict[str, KeptStreams]:
        """Take out what the last gateway has left, by terminal; what is a day old is dropped.

        Raises:
            StoreError: the ledger cannot be read.

        """
        rows = self._ledger.reader.all("SELECT terminal, streams FROM kept_streams")
        # gone from the disk first: the gateway after a kill must not go on from it as well
        if not rows or not await self._is_deleted():
            return {}
        try:
            kept = {
                row["terminal"]: msgspec.json.decode(row["streams"], type=KeptStreams)
                for row in rows
            }
        except msgspec.MsgspecError:  # of another version of this program
            _log.warning("the streams of the last run are not continued: they cannot be read")
            return {}
        return {name: one for name, one in kept.items() if now_ms - one.at_ms <= KEPT_FOR_MS}

    async def _is_deleted(self) -> bool:
        """Delete what the last gateway has left; return whether that is on the disk.

        A disk that fails is given some time, in which nothing is told yet: what is still there
        when this gateway is killed, the next one would go on from, past all that was told here.
        """
        give_up_s = host.monotonic_s() + DELETE_WITHIN_S
        while True:
            try:
                await self._ledger.write(_delete)
                return True
            except StoreError as error:
                if host.monotonic_s() >= give_up_s:
                    _log.warning("the streams of the last run are not continued: %s", error)
                    self._ledger.write_soon(_delete)
                    return False
            await asyncio.sleep(RETRY_S)

    def put(self, kept: Mapping[str, KeptStreams]) -> None:
        """Leave streams for the next gateway; nothing else is told after that.

        They are no reason to touch the disk's reserve: where that is needed they are not kept.
        """
        rows, size = [], 0
        for name, streams in kept.items():
            row = name, msgspec.json.encode(streams)
            size += len(row[1])
            if size > MAX_KEPT_BYTES:
                _log.warning("terminal %s: its streams are not kept, there are too many", name)
                break
            rows.append(row)

        def work(connection: sqlite3.Connection) -> None:
            _delete(connection)
            connection.executemany("INSERT INTO kept_streams VALUES (?, ?)", rows)

        # twice: in the log, and in the database when that is copied into it
        if not rows or not self._ledger.has_room(2 * size):
            rows = []  # what could not be deleted at the start is gone now at the latest
        try:
            self._ledger.write_soon(work)
        except StoreError as error:  # it is closed
            _log.warning("streams are not kept: %s", error)


def _delete(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM kept_streams")
