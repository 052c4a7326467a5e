"""Who writes the audit trail: a call that costs microseconds and waits for nothing."""

from __future__ import annotations

import logging
from functools import partial
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

from ea_bridge import host
from gateway.storage.store import StoreError

from .entry import encode
from .sampling import Sampler
from .table import append

if TYPE_CHECKING:
    from gateway.storage.ledger import Ledger

OFTEN = 10
"""Events of one kind that are each noted, in :data:`OFTEN_S`; of more their number is."""
OFTEN_S = 60.0
HOUR_S = 3600.0

logger = logging.getLogger(__name__)


class Audit:
    """Writes what is done into the ledger.

    Args:
        ledger: where to; ``None`` keeps nothing, for parts that run without one.

    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._ledger = ledger
        self.boot = new_boot()
        """Names this run of the program."""
        self._often = Sampler(OFTEN, OFTEN_S)
        self._hourly = Sampler(1, HOUR_S)

    def record(self, event: str, **fields: Any) -> None:
        """Note an event with the ledger's next group; never raises and never waits.

        Args:
            event: what happened, such as ``kill_switch``.
            fields: as in :mod:`~gateway.audit.entry`; those that are ``None`` are left out.

        """
        if self._ledger is None:
            return
        try:
            self._ledger.write_soon(partial(_append, entry=_entry(event, self.boot, fields)))
        except StoreError as error:
            logger.error("not in the audit trail: %s: %s", event, error)

    def record_with(self, connection: Connection, event: str, **fields: Any) -> None:
        """Note an event in the transaction of work that the ledger does: both or neither.

        Args:
            connection: of that work; see :meth:`gateway.storage.ledger.Ledger.write`.
            event: what happened.
            fields: as with :meth:`record`.

        """
        if self._ledger is not None:
            append(connection, _entry(event, self.boot, fields))

    async def written(self) -> None:
        """Wait until all that was recorded is on the disk.

        Raises:
            StoreError: it could not be written.

        """
        if self._ledger is not None:
            await self._ledger.write(_nothing)

    # --- what comes in floods ----------------------------------------------------------------

    def often(self, event: str, **fields: Any) -> None:
        """Note what may come in floods: the first ten of a kind in a minute, then a count.

        Args:
            event: such as ``access_refused``.
            fields: as with :meth:`record`. ``outcome``, ``reason`` and ``actor`` make the kind, so
                that an actor whom nobody has checked does not belong there; name it ``object``.

        """
        self._sample(self._often, event, fields)

    def once_an_hour(self, event: str, **fields: Any) -> None:
        """Note what goes on and on, such as a bot that shows its token with each call."""
        self._sample(self._hourly, event, fields)

    def count_left_out(self, *, at_end: bool = False) -> None:
        """Note how many of a flood were left out, where it is over; to be called now and then."""
        for sampler in (self._often, self._hourly):
            for (event, outcome, reason, actor), more in sampler.over(all_of_them=at_end):
                self.record(event, outcome=outcome, reason=reason, actor=actor, more=more)

    def _sample(self, sampler: Sampler, event: str, fields: dict[str, Any]) -> None:
        kind = (event, fields.get("outcome"), fields.get("reason"), fields.get("actor"))
        left_out = sampler.take(kind)
        if left_out is not None:
            self.record(event, more_before=left_out or None, **fields)


def note(connection: Connection, event: str, **fields: Any) -> None:
    """Note an event in a transaction of the ledger's file, for a command that writes once.

    Args:
        connection: of :meth:`gateway.storage.store.Store.transaction`.
        event: what happened.
        fields: as with :meth:`Audit.record`.

    """
    append(connection, _entry(event, new_boot(), fields))


def new_boot() -> str:
    """Return a name for one run of a program."""
    return host.token_urlsafe(6)


def entry_of(event: str, **fields: Any) -> bytes:
    """Return the row that :func:`note` would add, for whoever adds it with something else."""
    return _entry(event, new_boot(), fields)


def _entry(event: str, boot: str, fields: dict[str, Any]) -> bytes:
    entry = {name: value for name, value in fields.items() if value is not None}
    entry["ts"] = host.wall_ms()
    entry["mono_us"] = host.monotonic_ns() // 1000
    entry["boot"] = boot
    entry["event"] = event
    return encode(entry)


def _append(connection: Connection, *, entry: bytes) -> None:
    append(connection, entry)


def _nothing(_: Connection) -> None:
    """What was put into the queue before it is written with it, or was before."""
