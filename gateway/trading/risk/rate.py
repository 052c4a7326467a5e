"""Rate of orders to one account: a leaking bucket, and counts of the minute and the day."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from ea_bridge import host
from ea_bridge.model import TradeAction
from gateway.errors import InternalError
from gateway.storage.store import Store, StoreError
from gateway.trading.journal.intents import PAPER_FP
from gateway.trading.terminal import GuardedTerminal

MAX_COUNTED = 10_000
"""Orders of the last minute that are remembered; a limit above that counts as that."""
MAX_OF_SYMBOL = 1000
"""The same of one symbol, for its own limit."""
MINUTE_S = 60.0
DAY_MS = 86_400_000
PAST_MS = 7 * DAY_MS
"""How far back orders are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStamp:
    """The part of a new order that is counted."""

    symbol: str
    fingerprint: Hashable
    """Orders with the same one are alike."""
    utc_ms: int
    day: int
    """Of the broker's clock, counted since 1970."""


@dataclass(eq=False, frozen=True, slots=True)
class RateEntry:
    """One order that went, or that was about to go."""

    at_s: float
    stamp: OrderStamp


class SentOrder(NamedTuple):
    """A new order of the past."""

    utc_ms: int
    """By our clock, which may have been wrong then."""
    symbol: str
    broker_ms: int | None = None
    """Time of the broker's quotes then; ``None``: there were none."""
    day: int | None = None
    """Its day, as of :class:`OrderStamp`; ``None``: an earlier version has sent it."""

    def day_of(self, to_broker_ms: Callable[[int], int]) -> int:
        """Return the day that it counts for; quotes may have been days old when it was sent."""
        if self.day is not None:
            return self.day
        broker_ms = to_broker_ms(self.utc_ms) if self.broker_ms is None else self.broker_ms
        return broker_ms // DAY_MS


class OrderRate:
    """Orders that went to one account lately.

    Args:
        monotonic_s: seconds that only grow.

    """

    def __init__(self, monotonic_s: Callable[[], float] = host.monotonic_s) -> None:
        self._monotonic_s = monotonic_s
        self._begun_s = monotonic_s()
        self._level = 0.0
        self._level_s = monotonic_s()
        self._entries: deque[RateEntry] = deque(maxlen=MAX_COUNTED)
        self._days: Counter[int] = Counter()
        self._symbols: dict[str, deque[int]] = {}

    # --- the bucket ----------------------------------------------------------------------------

    def level(self, per_second: float) -> float:
        """Return how full the bucket is, after it has leaked at that rate since the last drop."""
        return max(0.0, self._level - (self._monotonic_s() - self._level_s) * per_second)

    def consume(self, per_second: float, burst: int) -> None:
        """Count one command of any kind; what always may go cannot overfill the bucket."""
        self._level = min(self.level(per_second) + 1, burst)
        self._level_s = self._monotonic_s()

    # --- the counts ----------------------------------------------------------------------------

    def within(self, seconds: float) -> int:
        """Return how many orders went in the last seconds, at most a minute."""
        since = self._monotonic_s() - seconds
        return sum(1 for entry in self._entries if entry.at_s > since)

    def alike(self, fingerprint: Hashable, seconds: float) -> int:
        """Return how many of them were alike."""
        since = self._monotonic_s() - seconds
        return sum(
            1
            for entry in self._entries
            if entry.at_s > since and entry.stamp.fingerprint == fingerprint
        )

    def today(self, day: int) -> int:
        """Return how many went on that day of the broker's clock."""
        return self._days[day]

    def of_symbol(self, symbol: str, since_ms: int) -> int:
        """Return how many went for a symbol since a moment, UTC milliseconds."""
        return sum(1 for sent_ms in self._symbols.get(symbol, ()) if sent_ms > since_ms)

    def recall(
        self, orders: Iterable[SentOrder], to_broker_ms: Callable[[int], int], now_ms: int
    ) -> None:
        """Count what went before the daemon was started; by days and symbols, instead of what was
        counted so far.
        """
        self._days.clear()
        self._symbols.clear()
        before: list[RateEntry] = []
        for order in sorted(orders, key=itemgetter(0)):
            utc_ms, symbol, day = order.utc_ms, order.symbol, order.day_of(to_broker_ms)
            stamp = OrderStamp(symbol=symbol, fingerprint=None, utc_ms=utc_ms, day=day)
            self._count(symbol, utc_ms, day)
            age_s = (now_ms - utc_ms) / 1000
            # after a clock was set back nobody knows how long ago; a minute later it is no matter
            at_s = self._monotonic_s() - age_s if age_s >= 0 else self._begun_s
            if abs(age_s) < MINUTE_S and at_s <= self._begun_s:
                before.append(RateEntry(at_s, stamp))
        self._entries = deque((*before, *self._entries), maxlen=MAX_COUNTED)

    def count(self, stamp: OrderStamp) -> RateEntry:
        """Count a new order."""
        now_s = self._monotonic_s()
        while self._entries and self._entries[0].at_s <= now_s - MINUTE_S:
            self._entries.popleft()
        entry = RateEntry(now_s, stamp)
        self._entries.append(entry)
        self._count(stamp.symbol, stamp.utc_ms, stamp.day)
        return entry

    def take_back(self, entry: RateEntry) -> None:
        """Do not count an order that was not sent after all."""
        stamp = entry.stamp
        with suppress(ValueError):
            self._entries.remove(entry)
        with suppress(ValueError):
            self._symbols[stamp.symbol].remove(stamp.utc_ms)
        if self._days[stamp.day]:
            self._days[stamp.day] -= 1

    def _count(self, symbol: str, utc_ms: int, day: int) -> None:
        if day not in self._days:
            for past in [known for known in self._days if known < day - 1]:
                del self._days[past]
        self._days[day] += 1
        times = self._symbols.setdefault(symbol, deque(maxlen=MAX_OF_SYMBOL))
        times.append(utc_ms)


MAX_READ = 100_000
"""Of the newest commands; a limit counts far fewer."""
_SENT = f"""
    SELECT min(sent.created_ms), json_extract(sent.request, '$.symbol'),
        min(json_extract(sent.memo, '$.broker_ms')), min(json_extract(sent.memo, '$.day'))
    FROM (SELECT * FROM sends ORDER BY command_id DESC LIMIT {MAX_READ}) AS sent
    JOIN orders ON orders.id = sent.order_id
    WHERE orders.login = ? AND orders.server = ? AND (sent.fp = '{PAPER_FP}') = ?
        AND sent.stage != 'not_sent' AND sent.created_ms > ?
        AND json_extract(sent.request, '$.action')
            IN ({TradeAction.DEAL:d}, {TradeAction.PENDING:d})
        AND coalesce(json_extract(sent.request, '$.position'), 0) = 0
    GROUP BY sent.order_id
"""  # noqa: S608  # our own words and numbers


def sent_orders(store: Store) -> Callable[[GuardedTerminal, int], list[SentOrder]]:
    """Return what tells the new orders that the account of a terminal was sent since a moment, at
    the market or on paper, wherever the terminal trades.
    """

    def history(terminal: GuardedTerminal, since_ms: int) -> list[SentOrder]:
        account = terminal.journal.account
        if account is None:
            return []
        try:
            rows = store.all(_SENT, *account, terminal.is_paper, since_ms)
        except StoreError:
            raise InternalError("The journal cannot be read, so nothing is sent") from None
        return [SentOrder(*row) for row in rows]

    return history
