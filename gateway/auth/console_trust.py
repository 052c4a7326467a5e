"""Records, leases and clock of the console that a daemon believes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.auth.console_clock import ConsoleClock
    from gateway.auth.leases import Leases
    from gateway.auth.offers import Offers
    from gateway.auth.records import RecordBook


@dataclass(frozen=True)
class ConsoleBook:
    """What a daemon believes that takes its records from a console."""

    book: RecordBook
    leases: Leases
    clock: ConsoleClock
    offers: Offers

    def now_s(self) -> int:
        """The console's time, by which everything is judged."""
        return int(self.clock.now_s())
