"""Trade sessions of symbols: the broker's weekly table, and the next opening.

The table is in the broker's wall clock. Until that clock is measured (see
:mod:`gateway.broker_time.clock`) its offset is a guess, so that a market is called closed only
where it is closed for hours around. Holidays are in no table: then the broker says 10018.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ea_bridge import commands, host
from ea_bridge.model import TradeSession
from gateway.broker_time.clock import BrokerClock
from gateway.errors import GatewayError

from .terminal import GuardedTerminal

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
SUNDAY_MS = 3 * DAY_MS
"""From Thursday, the first of January 1970, to the first Sunday."""
GUESS_MS = 3 * 3_600_000
"""How far a clock that was not measured may be wrong."""
KEPT_S = 900.0
"""How long a table is believed; brokers change them on holidays, hours ahead."""
MAX_TABLES = 1024


@dataclass(frozen=True, slots=True)
class Week:
    """Trade sessions of a symbol: spans in milliseconds since Sunday, ends exclusive."""

    spans: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, sessions: list[TradeSession]) -> Week:
        """Join sessions that touch, as those on both sides of a midnight do."""
        given = sorted(
            (
                session.day * DAY_MS + session.from_s * 1000,
                session.day * DAY_MS + session.to_s * 1000,
            )
            for session in sessions
            if session.to_s > session.from_s
        )
        spans: list[tuple[int, int]] = []
        for start, end in given:
            # at midnight two sessions touch: as one, the market is not closed for a moment
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return cls(tuple(spans))

    def is_open(self, broker_ms: int) -> bool:
        """Whether the symbol trades at a moment of the broker's clock."""
        into = (broker_ms - SUNDAY_MS) % WEEK_MS
        return any(start <= into < end for start, end in self.spans)

    def is_closed_around(self, broker_ms: int, around_ms: int) -> bool:
        """Whether it trades at no moment so near."""
        if around_ms == 0:
            return not self.is_open(broker_ms)
        first = broker_ms - around_ms
        return not self.is_open(first) and self._ahead_ms(first) > 2 * around_ms

    def next_open(self, broker_ms: int) -> int | None:
        """Return when it trades next, the moment itself if it does; ``None`` if it never does."""
        if self.is_open(broker_ms):
            return broker_ms
        return broker_ms + self._ahead_ms(broker_ms) if self.spans else None

    def next_close(self, broker_ms: int) -> int | None:
        """Return when the present session ends, on any day; ``None`` if it does not trade now, or
        always.
        """
        into = (broker_ms - SUNDAY_MS) % WEEK_MS
        end = next((end for start, end in self.spans if start <= into < end), None)
        if end is None or self.spans == ((0, WEEK_MS),):
            return None
        if end == WEEK_MS and self.spans[0][0] == 0:  # goes on through Sunday's midnight
            end += self.spans[0][1]
        return broker_ms + end - into

    def _ahead_ms(self, broker_ms: int) -> int:
        """Return the time until a session begins."""
        into = (broker_ms - SUNDAY_MS) % WEEK_MS
        return min(((start - into) % WEEK_MS for start, _ in self.spans), default=WEEK_MS)


@dataclass(frozen=True, slots=True)
class _Kept:
    week: Week
    sessions: list[TradeSession]
    until_s: float


@dataclass
class SessionTables:
    """The tables of one terminal's symbols, asked for when they are needed."""

    monotonic_s: Callable[[], float] = host.monotonic_s
    _kept: dict[tuple[int, str, str], _Kept] = field(default_factory=dict)

    async def week(self, terminal: GuardedTerminal, symbol: str) -> Week | None:
        """Return when a symbol trades; ``None`` where the terminal cannot tell.

        Raises:
            GatewayError: the terminal did not answer.

        """
        kept = self._kept.get(_key(terminal, symbol))
        if kept is not None and kept.until_s > self.monotonic_s():
            return kept.week
        if not terminal.can("sessions"):
            return None  # an older EA: the broker tells whether the market is open
        return (await self._table(terminal, symbol)).week

    async def table(
        self, terminal: GuardedTerminal, symbol: str
    ) -> tuple[Week, list[TradeSession]]:
        """Return when a symbol trades, and the broker's table itself.

        Raises:
            MethodNotSupported: the terminal cannot tell.
            SymbolNotFound: the broker has no such symbol.

        """
        kept = await self._table(terminal, symbol)
        return kept.week, kept.sessions

    async def opens_at(self, terminal: GuardedTerminal, symbol: str) -> int | None:
        """Return when a market that the broker calls closed opens next, UTC milliseconds.

        ``None`` if the table says that it is open, as on a holiday, or cannot be had.
        """
        try:
            week = await self.week(terminal, symbol)
        except GatewayError:
            return None
        return None if week is None else opening(week, terminal.clock, terminal.now_ms())

    async def _table(self, terminal: GuardedTerminal, symbol: str) -> _Kept:
        key = _key(terminal, symbol)
        kept = self._kept.get(key)
        if kept is not None and kept.until_s > self.monotonic_s():
            return kept
        params = commands.SymbolParams(symbol=symbol)
        sessions = await terminal.request(commands.SESSIONS_GET, params)
        kept = _Kept(Week.of(sessions), sessions, self.monotonic_s() + KEPT_S)
        # what is discarded costs one question
        if len(self._kept) >= MAX_TABLES:
            self._kept.clear()
        self._kept[key] = kept
        return kept


def is_closed(week: Week, clock: BrokerClock, now_ms: int) -> bool:
    """Whether a market is surely closed, as far as the table goes."""
    guess = 0 if clock.is_measured else GUESS_MS
    return week.is_closed_around(clock.broker_now_ms(now_ms), guess)


def opening(week: Week, clock: BrokerClock, now_ms: int) -> int | None:
    """Return when a market opens next, UTC milliseconds; ``None`` if it is open, or never is."""
    broker_ms = clock.broker_now_ms(now_ms)
    opens = week.next_open(broker_ms)
    return None if opens is None or opens == broker_ms else clock.to_utc_ms(opens)


def _key(terminal: GuardedTerminal, symbol: str) -> tuple[int, str, str]:
    hello = terminal.hello
    return (0, "", symbol) if hello is None else (hello.login, hello.server, symbol)
