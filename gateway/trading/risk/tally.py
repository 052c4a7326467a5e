"""What an account has been sent, and what of it is on its way.

An account has one tally, however many terminals are logged in to it and whoever's tokens their
orders carry: its limits are about all of them together. On paper it is another account.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.trading.journal import Account
from gateway.trading.terminal import GuardedTerminal

from .pace import Pace
from .reservations import Reservations, Unresolved

MAX_IDLE = 256
"""Tallies kept of accounts that have nothing on its way; beyond that the one that was used the
longest ago is made anew, of the journal, when it is asked for again."""


class Tally:
    """One account's.

    Args:
        unresolved: as of :class:`~.reservations.Reservations`.

    """

    def __init__(self, unresolved: Unresolved | None = None) -> None:
        self.pace = Pace()
        self.reservations = Reservations(unresolved)
        self.is_recalled = False
        """The orders of before the daemon was started are counted."""


class Tallies:
    """Those of all accounts.

    Args:
        unresolved: makes of an account what :class:`~.reservations.Reservations` asks; ``None``
            where there is no journal.

    """

    def __init__(self, unresolved: Callable[[Account], Unresolved] | None = None) -> None:
        self._unresolved = unresolved
        self._tallies: dict[Account | None, Tally] = {}

    def of(self, terminal: GuardedTerminal) -> Tally:
        """Return the tally of the account that a terminal is logged in to, or was last."""
        account, side = terminal.account, terminal.side
        tally = self._tallies.pop(side, None)
        if tally is None:
            self._make_room()
            tally = Tally(self._asking(account))
        self._tallies[side] = tally  # the one that was used last comes last
        return tally

    def _asking(self, account: Account | None) -> Unresolved | None:
        if account is None or self._unresolved is None:
            return None
        return self._unresolved(account)

    def _make_room(self) -> None:
        if len(self._tallies) < MAX_IDLE:
            return
        idle = [key for key, one in self._tallies.items() if one.reservations.are_over()]
        for key in idle[: len(idle) - MAX_IDLE + 1]:
            del self._tallies[key]
