"""Clocks of a simulated world: the true time, those of a PC, and those of a broker.

The loop's time moves by itself and stands for the timers of every machine. What a machine sleeps
while its timers stand still passes in the world all the same: :class:`TrueTime` knows both. A PC
reads off it what its owner, NTP and its quartz made of the time (:class:`PcClocks`), a broker what
its server shows (:class:`BrokerTime`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from random import Random
from typing import Literal

from ea_bridge.simulation.clock import MarketClock

from .loop import SimulatedLoop

NS = 1_000_000_000
HOUR_S = 3600
ORDINARY_S = 1_780_001_000
"""When most worlds begin."""


def utc_s(*when: int) -> int:
    """Return a moment, given as year, month, day and so on, in seconds since 1970."""
    return int(datetime(*when, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]  # a date


WEEKENDS_S = (
    (utc_s(2026, 6, 5, 21), utc_s(2026, 6, 7, 21)),
    (utc_s(2027, 3, 12, 22), utc_s(2027, 3, 14, 21)),
    (utc_s(2027, 11, 5, 21), utc_s(2027, 11, 7, 22)),
)
"""From when until when markets rest: at any weekend, and at those at which brokers put their
clocks on and back."""
WEEKEND_SHARE = 0.5
BEFORE_S = 600
"""So long before one of them other worlds begin."""


class TrueTime:
    """UTC as it is; nobody can set it, nothing in the world can read it without an error.

    Args:
        loop_s: seconds by the loop's time.
        start_s: UTC at the beginning, in seconds since 1970.

    """

    def __init__(self, loop_s: Callable[[], float], start_s: int) -> None:
        self._loop_s = loop_s
        self._begun_s = loop_s()
        self._start_ns = start_s * NS
        self._slept_ns = 0

    def since_s(self) -> float:
        """Return how much of the loop's time has passed since the beginning."""
        return self._loop_s() - self._begun_s

    def ns(self, since_s: float | None = None) -> int:
        """Return it in nanoseconds since 1970, so long after the beginning: now, if absent."""
        since_s = self.since_s() if since_s is None else since_s
        return self._start_ns + self._slept_ns + int(since_s * NS)

    @property
    def slept_ns(self) -> int:
        """How much of it passed while all timers stood still."""
        return self._slept_ns

    def pass_asleep(self, seconds: float) -> None:
        """Let time pass of which no timer takes notice."""
        self._slept_ns += int(seconds * NS)


class PcClocks:
    """Clocks of one PC, on which the gateway runs, or a terminal.

    Args:
        time: as it is.
        up_s: how long ago it was booted.
        ahead_s: how far its wall clock is ahead at the beginning.
        drift_ppm: by how many seconds in a million its wall clock runs fast.

    """

    def __init__(
        self, time: TrueTime, *, up_s: float = 3600.0, ahead_s: float = 0.0, drift_ppm: float = 0.0
    ) -> None:
        self._time = time
        self._booted_ns = time.ns() - int(up_s * NS)
        self._ahead_ns = int(ahead_s * NS)
        self._drift_ns = drift_ppm * NS / 1e6
        """A second."""
        self.steps = 0
        """How often its wall clock was set."""
        self.zone_off_s = 0
        """How far the UTC that MetaTrader makes of its local time is off: a zone whose summer
        time its system does not know."""

    def wall_ns(self) -> int:
        """Return UTC as its wall clock has it, in nanoseconds since 1970."""
        since_s = self._time.since_s()
        return self._time.ns(since_s) + self._ahead_ns + int(since_s * self._drift_ns)

    def boot_ns(self) -> int:
        """Return the nanoseconds since it was booted, sleep included."""
        return self._time.ns() - self._booted_ns

    def time_gmt_s(self) -> float:
        """Return what ``TimeGMT`` is in a terminal there, in seconds since 1970."""
        return self.wall_ns() / NS + self.zone_off_s

    def ahead_s(self) -> float:
        """Return how far its wall clock is ahead of the true time."""
        return (self.wall_ns() - self._time.ns()) / NS

    def step(self, by_s: float) -> None:
        """Set the wall clock forward, or back if negative."""
        self.steps += 1
        self._ahead_ns += int(by_s * NS)

    def boot(self) -> None:
        """Boot it anew: what counts since boot begins at 0."""
        self._booted_ns = self._time.ns()


class BrokerTime(MarketClock):
    """Clock of a broker's server, in UTC; :class:`ea_bridge.simulation.clock.BrokerZone` makes
    of it what MetaTrader shows.

    Args:
        time: as it is.
        ahead_s: how far it is ahead.
        drift_ppm: by how many seconds in a million it runs fast.

    """

    def __init__(self, time: TrueTime, *, ahead_s: float = 0.0, drift_ppm: float = 0.0) -> None:
        super().__init__(0, 0.0)
        self._time = time
        self._ahead_ms = int(ahead_s * 1000)
        self._drift_ms = drift_ppm / 1000
        """A second."""

    def now_ms(self, real_s: float) -> int:  # it has a time of its own
        """Return it in milliseconds since 1970, whatever a PC's clock shows."""
        since_s = self._time.since_s()
        return self._time.ns(since_s) // 1_000_000 + self._ahead_ms + int(since_s * self._drift_ms)

    def jump(self, by_ms: int) -> None:
        """Put it forward, or back if negative."""
        self._ahead_ms += by_ms


class Calendar:
    """All clocks of a world, and what is done to them.

    Args:
        loop: whose time stands for all timers.
        dice: draw when it begins, and how wrong its clocks are.
        terminals: their names; some have a PC of their own.
        is_wrong: whether they may be; else all agree.
        has_weekends: whether it may begin before a weekend, at which markets rest.
        begins_s: when it begins, in seconds since 1970, with markets that rest at weekends; drawn
            if absent.

    """

    def __init__(
        self,
        loop: SimulatedLoop,
        dice: Random,
        terminals: Iterable[str],
        *,
        is_wrong: bool,
        has_weekends: bool,
        begins_s: int | None = None,
    ) -> None:
        self._loop, self._dice, self._is_wrong = loop, dice, is_wrong
        self.sessions: Literal["always", "real"] = "always"
        """Of the market; it is closed at weekends where there is one."""
        self._weekend_over_s = 0
        if begins_s is not None:
            self.sessions = "real"
        elif has_weekends and dice.random() < WEEKEND_SHARE:
            rests_s, self._weekend_over_s = dice.choice(WEEKENDS_S)
            self.sessions, begins_s = "real", rests_s - BEFORE_S
        self.time = TrueTime(lambda: loop.now, ORDINARY_S if begins_s is None else begins_s)
        self.pc = self._new_pc()
        """On which the daemon runs, and most terminals."""
        self._others = {
            name: self._new_pc() for name in terminals if is_wrong and dice.random() < 0.1
        }
        self.brokers = {name: self._new_broker() for name in terminals}
        """Of each terminal."""

    def pc_of(self, program: str) -> PcClocks:
        """Return the clocks of the PC on which a program runs: a terminal, or another one."""
        return self._others.get(program, self.pc)

    def add_machine(self, program: str) -> PcClocks:
        """Give a program a computer of its own; return its clocks."""
        self._others[program] = self._new_pc()
        return self._others[program]

    def sleep(self, seconds: float, *, timers_run: bool) -> None:
        """Let all PCs sleep, and wake now; the brokers go on meanwhile.

        Args:
            seconds: of sleep.
            timers_run: what was to happen meanwhile is due when they wake; else it comes as much
                later.

        """
        if timers_run:
            self._loop.sleep(seconds)
        else:
            self.time.pass_asleep(seconds)

    def weekend_s(self) -> float:
        """Return how long the weekend ahead still takes, once; 0: there is none."""
        over_s, self._weekend_over_s = self._weekend_over_s, 0
        woken_s = over_s + self._dice.uniform(70, 300)  # brokers' clocks differ by a minute
        return max(0.0, woken_s - self.time.ns() / NS)

    def _new_broker(self) -> BrokerTime:
        dice = self._dice
        if not self._is_wrong or dice.random() < 0.5:
            return BrokerTime(self.time)
        return BrokerTime(
            self.time, ahead_s=dice.uniform(-60, 60), drift_ppm=dice.uniform(-100, 100)
        )

    def _new_pc(self) -> PcClocks:
        dice = self._dice
        if not self._is_wrong:
            return PcClocks(self.time)
        longest_s = dice.choice((0.0, 2.0, 2.0, 100.0, 5.0 * HOUR_S))
        return PcClocks(
            self.time,
            up_s=dice.choice((10.0, 1e4, 1e7)),
            ahead_s=dice.uniform(-longest_s, longest_s),
            drift_ppm=dice.uniform(-300, 300),
        )
