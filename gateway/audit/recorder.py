"""Who writes the audit trail: a call that costs microseconds and waits for nothing."""

from __future__ import annotations

import logging
import secrets
import time
from functools import partial
from sqlite3 import Connection
from typing import Any

from gateway.ledger import Ledger
from gateway.store import StoreError

from .entry import encode
from .sampling import Sampler
from .table import Head, append

REFUSALS = 10
"""Refusals of one kind that are each noted, in :data:`REFUSALS_S`; of more their number is."""
REFUSALS_S = 60.0
GRANTS_S = 3600.0
"""A bot shows its token with each call: its first in this time is noted, of the others the number.
"""

logger = logging.getLogger(__name__)


class Audit:
    """Writes what is done into the ledger.

    Args:
        ledger: where to; ``None`` keeps nothing, for parts that run without one.
        boot: names this run of the program; made if absent.

    """

    def __init__(self, ledger: Ledger | None = None, boot: str = "") -> None:
        self._ledger = ledger
        self.boot = boot or secrets.token_urlsafe(6)
        self._refusals = Sampler(REFUSALS, REFUSALS_S)
        self._grants = Sampler(1, GRANTS_S)

    def record(self, event: str, **fields: Any) -> None:
        """Note an event with the ledger's next group; never raises and never waits.

        Args:
            event: what happened, such as ``kill_switch``.
            fields: as in :mod:`~gateway.audit.entry`; those that are ``None`` are left out.

        """
        if self._ledger is None:
            return
        try:
            self._ledger.write_soon(partial(_append, entry=self._encode(event, fields)))
        except StoreError as error:
            logger.error("not in the audit trail: %s: %s", event, error)

    def record_with(self, connection: Connection, event: str, **fields: Any) -> None:
        """Note an event in the transaction of work that the ledger does: both or neither.

        Args:
            connection: of that work; see :meth:`gateway.ledger.Ledger.write`.
            event, fields: as with :meth:`record`.

        """
        if self._ledger is not None:
            append(connection, self._encode(event, fields))

    async def written(self) -> Head | None:
        """Wait until all that was recorded is on the disk; return how far the trail goes.

        Raises:
            StoreError: it could not be written.

        """
        return None if self._ledger is None else await self._ledger.write(_last)

    # --- what comes in floods ----------------------------------------------------------------

    def refused(self, event: str, reason: str, **fields: Any) -> None:
        """Note that something was refused: the first ten of a kind in a minute, then a count.

        Args:
            event: such as ``access_refused``; with ``reason`` and ``actor`` it is the kind. An
                actor whom nobody has checked does not belong there: each would be a kind.
            reason: a stable word.

        """
        self._sample(self._refusals, event, {"outcome": "refused", "reason": reason, **fields})

    def granted(self, event: str, **fields: Any) -> None:
        """Note that somebody was let in: once an hour for each ``actor``, then a count."""
        self._sample(self._grants, event, {"outcome": "granted", **fields})

    def count_left_out(self, *, at_end: bool = False) -> None:
        """Note how many of a flood were left out, where it is over; to be called now and then."""
        for sampler in (self._refusals, self._grants):
            for kind, count in sampler.over(all_of_them=at_end):
                assert isinstance(kind, tuple)  # made below
                event, outcome, reason, actor = kind
                self.record(
                    event, outcome=outcome, reason=reason, actor=actor, more=count, summary=True
                )

    def _sample(self, sampler: Sampler, event: str, fields: dict[str, Any]) -> None:
        kind = (event, fields["outcome"], fields.get("reason"), fields.get("actor"))
        left_out = sampler.take(kind)
        if left_out is not None:
            self.record(event, more_before=left_out or None, **fields)

    def _encode(self, event: str, fields: dict[str, Any]) -> bytes:
        entry = {name: value for name, value in fields.items() if value is not None}
        entry["ts"] = time.time_ns() // 1_000_000
        entry["mono_us"] = time.monotonic_ns() // 1000
        entry["boot"] = self.boot
        entry["event"] = event
        return encode(entry)


def _append(connection: Connection, *, entry: bytes) -> None:
    append(connection, entry)


def _last(connection: Connection) -> Head | None:
    row = connection.execute("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1").fetchone()
    return None if row is None else Head(row["n"], row["hash"])
