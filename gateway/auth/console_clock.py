"""The console's time, as far as this machine can know it without trusting its own wall clock.

Whoever sets the wall clock back must not make a lease longer. So time is what the console has
signed, carried on by a clock that runs while the machine sleeps and that nobody can set (the time
since boot). Only a restart needs more: then the time since boot gives the least that has passed,
and the wall clock, if it says more, is believed. A wall clock that went backwards since makes the
time suspect until the console is heard again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ea_bridge import host
from gateway.credentials.keyset import SKEW_S
from gateway.storage.store import Store, StoreError

logger = logging.getLogger(__name__)

SAVE_S = 30.0
"""Between two times written down while the daemon runs."""

TABLE = """
-- the console's time when it was last written down, and what our clocks showed then; seconds
CREATE TABLE console_time (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    server_s REAL NOT NULL,
    wall_s REAL NOT NULL,
    boot_s REAL NOT NULL,
    seen_wall_s REAL NOT NULL  -- the newest that our wall clock showed since
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of this machine, in seconds; tests set them."""

    wall_s: Callable[[], float] = host.wall_s
    """Since 1970, by the wall clock, which anybody may set."""
    boot_s: Callable[[], float] = host.boot_s
    """Since boot, sleep included."""
    monotonic_s: Callable[[], float] = host.monotonic_s
    """For timers; stands still in sleep on some systems."""


class ConsoleClock:
    """Tells the console's time: never less than it is, at most a round trip more.

    That holds while the daemon runs, and over a restart within one boot of the machine.
    """

    def __init__(self, store: Store, clocks: Clocks) -> None:
        self._store = store
        self._clocks = clocks
        self._ahead_s: float | None = None
        """Of the console's time to our boot time: certain, and never less; ``None``: unknown."""
        self._guess_s: float | None = None
        """The same by the wall clock, from a restart until the console is heard."""
        self.is_suspect = False
        """The wall clock went backwards while we were off, and the console was not heard since."""
        self._saved_at_s: float | None = None
        row = store.one("SELECT server_s, wall_s, boot_s, seen_wall_s FROM console_time")
        if row is not None:
            self._restore(*row)

    @property
    def is_known(self) -> bool:
        """Whether the console was ever heard, in this run or an earlier one."""
        return self._ahead_s is not None

    def now_s(self) -> float:
        """Return the console's time; that of the wall clock if the console was never heard."""
        if self._ahead_s is None:
            return self._clocks.wall_s()
        ahead = self._ahead_s if self._guess_s is None else max(self._ahead_s, self._guess_s)
        return self._clocks.boot_s() + ahead

    def least_s(self) -> float:
        """Return a time that the console's has certainly reached; 0 if it was never heard."""
        return 0.0 if self._ahead_s is None else self._clocks.boot_s() + self._ahead_s

    def heard(self, signed_s: int, at_boot_s: float) -> None:
        """Take over a time that the console has signed.

        Args:
            signed_s: seconds since 1970, of a verified envelope.
            at_boot_s: a time since boot that was not after the signing: when it was asked for.

        """
        ahead = signed_s - at_boot_s
        if self._ahead_s is None or ahead >= self._ahead_s:
            self._ahead_s = ahead
        elif ahead < self._ahead_s - SKEW_S:
            self._hear_behind(signed_s, ahead)
        self._guess_s = None
        self.is_suspect = False

    def save(self) -> None:
        """Write the time down.

        Raises:
            StoreError: it cannot be written.

        """
        if self._ahead_s is None:
            return
        wall, boot = self._clocks.wall_s(), self._clocks.boot_s()
        self._saved_at_s = boot
        with self._store.transaction() as db:
            if self._guess_s is None:
                values = (self._ahead_s + boot, wall, boot, wall)
                db.execute("INSERT OR REPLACE INTO console_time VALUES (1, ?, ?, ?, ?)", values)
            else:  # what is only guessed is not written as certain
                db.execute("UPDATE console_time SET seen_wall_s = max(seen_wall_s, ?)", (wall,))

    def tick(self) -> None:
        """Save, if that was long ago; if it fails, the next time counts."""
        if self._saved_at_s is not None and self._clocks.boot_s() - self._saved_at_s < SAVE_S:
            return
        try:
            self.save()
        except StoreError as error:
            logger.error("the time is not saved: %s", error)

    def _restore(self, server_s: float, wall_s: float, boot_s: float, seen_wall_s: float) -> None:
        wall, boot = self._clocks.wall_s(), self._clocks.boot_s()
        # in the same boot that has passed; after another one at least the time since boot
        passed = boot - boot_s if boot >= boot_s else boot
        self._ahead_s = server_s + passed - boot
        self._guess_s = server_s + (max(wall, seen_wall_s) - wall_s) - boot
        self.is_suspect = wall < seen_wall_s - SKEW_S
        if self.is_suspect:
            logger.warning(
                "the clock of this machine went back by %d s while the gateway was off: nothing "
                "new is opened until the console is reached",
                seen_wall_s - wall,
            )

    def _hear_behind(self, signed_s: int, ahead: float) -> None:
        behind = (self._ahead_s or 0.0) - ahead
        if abs(self._clocks.wall_s() - signed_s) <= SKEW_S:
            logger.warning("the console's clock was set back by %d s", behind)
            self._ahead_s = ahead
        else:
            logger.warning(
                "the console has signed a time that is %d s older than one before: see that its "
                "clock and that of this machine are right",
                behind,
            )
