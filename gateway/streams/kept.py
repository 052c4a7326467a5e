"""Kept streams: what was told of terminals' accounts, from the end of one gateway to the next.

At an orderly end the last events of each account's lossless channels are written to the ledger,
with the number of the last event of the EA's run that they hold. The next gateway takes them out
of it and goes on there: the EA tells again what came after that number, or that it cannot.

Each gateway numbers on in an epoch of its own, and knows the epoch before as far as it was told.
So a position that a client has of events which this gateway never heard of, since a copy of the
home was put back, is never mistaken for one of its own.

After a kill or a power cut nothing is there, and every channel begins anew.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping

import msgspec

from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError

TABLE = """
CREATE TABLE kept_streams (
    terminal TEXT PRIMARY KEY,
    streams BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

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


class StreamBook:
    """Book of the kept streams, in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def take(self) -> dict[str, KeptStreams]:
        """Take out what the last gateway has left, by terminal.

        Raises:
            StoreError: the ledger cannot be read.

        """
        rows = self._ledger.reader.all("SELECT terminal, streams FROM kept_streams")
        if rows:
            # no commit of its own: what this gateway tells because of a later write is told of a
            # ledger in which this is gone, too
            self._ledger.write_soon(_delete)
        try:
            return {
                row["terminal"]: msgspec.json.decode(row["streams"], type=KeptStreams)
                for row in rows
            }
        except msgspec.MsgspecError:  # of another version of this program
            _log.warning("the streams of the last run are not continued: they cannot be read")
            return {}

    def put(self, kept: Mapping[str, KeptStreams]) -> None:
        """Leave streams for the next gateway; nothing else is told after that.

        They are no reason to touch the disk's reserve: where that is needed they are not kept.
        """
        rows = [(name, msgspec.json.encode(streams)) for name, streams in kept.items()]

        def work(connection: sqlite3.Connection) -> None:
            _delete(connection)
            connection.executemany("INSERT INTO kept_streams VALUES (?, ?)", rows)

        if not rows or not self._ledger.has_reserve:
            return
        try:
            self._ledger.write_soon(work)
        except StoreError as error:  # it is closed
            _log.warning("streams are not kept: %s", error)


def _delete(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM kept_streams")
