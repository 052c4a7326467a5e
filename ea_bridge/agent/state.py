"""State of the terminal as it was seen last, by the thread that owns the package.

What the daemon is told of switches must never go back to what was before. So there is one place
where they are read, each look that finds something new gets the next number, and all that is told
leaves in the order in which it was seen: snapshots, events and answers through one queue
(:mod:`.terminal`), heartbeats from the newest snapshot that has come out of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ea_bridge import host
from ea_bridge.model import Account, Terminal, Tick

from .package import Package

CLOCK_SYMBOLS = 8
"""Of Market Watch, by whose quotes the broker's clock is told while nothing is watched."""

Identity = tuple[int, str]
"""Login and server of an account."""


@dataclass(frozen=True)
class SwitchSnapshot:
    """Terminal and account at one moment; ``number`` grows with each."""

    number: int
    account: Account
    terminal: Terminal

    @property
    def identity(self) -> Identity:
        """The account that the terminal is logged in to."""
        return self.account.login, self.account.server

    @property
    def switches(self) -> tuple[bool, bool, bool]:
        """Three switches: broker connected, trading allowed in the terminal, and on the
        account.
        """
        terminal = self.terminal
        return (
            terminal.connected,
            terminal.trade_allowed and not terminal.tradeapi_disabled,
            self.account.trade_allowed,
        )


class PackageState:
    """State of the terminal, as far as it was seen.

    Args:
        package: owned by the thread that calls this.
        tell: is given each snapshot that shows something new, before anything that was found
            out after it.

    """

    def __init__(self, package: Package, tell: Callable[[SwitchSnapshot], None]) -> None:
        self._package = package
        self._tell = tell
        self._latest: SwitchSnapshot | None = None
        self._number = 0
        self._connected_at: float | None = None
        self._newest_msc = 0
        self._clock_symbols: list[str] = []

    @property
    def latest(self) -> SwitchSnapshot:
        """The newest snapshot; there is one once the terminal was looked at."""
        assert self._latest is not None
        return self._latest

    @property
    def identity(self) -> Identity:
        """The account, as it was seen last; no account before."""
        return (0, "") if self._latest is None else self._latest.identity

    @property
    def broker_s(self) -> int:
        """``TimeCurrent``: the newest stamp of a quote, by the broker's wall clock; 0 before."""
        return self._newest_msc // 1000

    @property
    def connected_s(self) -> float:
        """For how long the broker has been connected, with this account, without a break that was
        seen; 0 while he is not."""
        return 0.0 if self._connected_at is None else host.monotonic_s() - self._connected_at

    def look(self, *, anew: bool = False) -> SwitchSnapshot:
        """Look at terminal and account.

        Args:
            anew: tell it in any case, since the terminal was gone meanwhile.

        Raises:
            PackageError: they cannot be read.

        """
        # until both are read nobody knows whether the connection has lasted
        since, self._connected_at = self._connected_at, None
        terminal, account = self._package.terminal(), self._package.account()
        before = self._latest
        if terminal.connected and account.login:
            has_lasted = not anew and self.identity == (account.login, account.server)
            lasts = since if has_lasted else None
            self._connected_at = host.monotonic_s() if lasts is None else lasts
        is_same = before is not None and (before.terminal, before.account) == (terminal, account)
        if before is not None and is_same and not anew:
            return before
        self._number += 1
        latest = self._latest = SwitchSnapshot(self._number, account, terminal)
        if before is not None and before.identity != latest.identity:
            self._newest_msc = 0
        self._tell(latest)
        return latest

    def note_tick(self, tick: Tick) -> Tick:
        """Learn the broker's time from a quote; return it."""
        self._newest_msc = max(self._newest_msc, tick.time_msc)
        return tick

    def find_clock(self) -> None:
        """Choose the symbols whose quotes tell the time: those that were quoted last."""
        selected = [info for info in self._package.call("symbols_get") if info.select]
        selected.sort(key=lambda info: -info.time)
        self._clock_symbols = [info.name for info in selected[:CLOCK_SYMBOLS]]
        if selected:
            self._newest_msc = max(self._newest_msc, selected[0].time * 1000)

    def read_clock(self) -> None:
        """Look what time it is at the broker."""
        for symbol in self._clock_symbols:
            self.note_tick(self._package.last_tick(symbol))
