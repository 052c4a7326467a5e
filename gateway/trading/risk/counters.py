"""Counters of an account's orders: their rate, and the reservations of those on their way.

The rate is a leaking bucket, and counts of the minute and the day (:class:`OrderRate`).

A reservation is an order's part of a limit, before the terminal can show it. An order is checked
by what the terminal says and by the reservations of those before it. Between the moment at which a
fact is asked for and the moment at which it is checked nothing may slip through, so a reservation
counts

* while its order is on its way;
* when it ended after the facts were asked for: they may be from before (*doubtful*: where a limit
  holds without it and not with it, the facts are asked for again);
* when its order was carried out, until a list of the terminal that is asked has shown it, its
  position is closed, or :data:`SETTLE_S` have passed: some terminals list a position a moment
  after its result, and other terminals of the account a moment later;
* when its outcome is unknown, until the journal has found it out.

On a netting account a close counts as well, as long as its position is listed: who counts on that
position for an order the other way would be beyond the limit once it is closed.

Checking and reserving happen without an ``await`` between them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from typing import Literal, NamedTuple

import msgspec

from ea_bridge import host
from ea_bridge.model import TradeAction, TradeRequest
from gateway.errors import InternalError
from gateway.storage.store import Store, StoreError
from gateway.trading.journal import AccountKey
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
    request: str | None = None
    """As it was sent, of an order of the last minute; ``None``: it is older."""

    def day_of(self, to_broker_ms: Callable[[int], int]) -> int:
        """Return the day that it counts for; quotes may have been days old when it was sent."""
        if self.day is not None:
            return self.day
        broker_ms = to_broker_ms(self.utc_ms) if self.broker_ms is None else self.broker_ms
        return broker_ms // DAY_MS


def fingerprint(request: TradeRequest) -> Hashable:
    """Return what is equal for requests for orders that are alike."""
    # at market the price is that of the moment, and says nothing of what is wanted
    price = request.price if request.action == TradeAction.PENDING else 0.0
    return (
        request.symbol,
        request.type,
        request.volume,
        price,
        request.stoplimit,
        request.sl,
        request.tp,
        request.magic,
    )


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

    def count_earlier(
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
            alike = None if order.request is None else fingerprint(_request.decode(order.request))
            stamp = OrderStamp(symbol=symbol, fingerprint=alike, utc_ms=utc_ms, day=day)
            self._count(symbol, utc_ms, day)
            age_s = (now_ms - utc_ms) / 1000
            # after a clock was set back nobody knows how long ago; a minute later it is no matter
            at_s = self._monotonic_s() - age_s if age_s >= 0 else self._begun_s
            if abs(age_s) < MINUTE_S and at_s <= self._begun_s:
                before.append(RateEntry(at_s, stamp))
        # the past comes before what was counted since the start
        self._entries = deque((*before, *self._entries), maxlen=MAX_COUNTED)

    def count(self, stamp: OrderStamp) -> RateEntry:
        """Count a new order."""
        now_s = self._monotonic_s()
        # cleaned as it grows: no timer is needed
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
            # yesterday is kept: around midnight clocks of two terminals differ
            for past in [known for known in self._days if known < day - 1]:
                del self._days[past]
        self._days[day] += 1
        times = self._symbols.setdefault(symbol, deque(maxlen=MAX_OF_SYMBOL))
        times.append(utc_ms)


_request = msgspec.json.Decoder(TradeRequest)
MAX_READ = 100_000
"""Of the newest commands; a limit counts far fewer."""
_SENT = f"""
    SELECT min(sent.created_ms), json_extract(sent.request, '$.symbol'),
        min(json_extract(sent.memo, '$.broker_ms')), min(json_extract(sent.memo, '$.day')),
        min(CASE WHEN sent.created_ms > ? THEN sent.request END)
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
    """Return a function that lists the new orders sent to a terminal's account since a moment."""

    def history(terminal: GuardedTerminal, since_ms: int) -> list[SentOrder]:
        account = terminal.journal.account
        if account is None:
            return []
        try:
            recent_ms = terminal.now_ms() - int(MINUTE_S * 1000)
            rows = store.all(_SENT, recent_ms, *account, terminal.is_paper, since_ms)
        # fail closed: without the past nobody knows how much of a limit is left
        except StoreError:
            raise InternalError("The journal cannot be read, so nothing is sent") from None
        return [SentOrder(*row) for row in rows]

    return history


Listed = Mapping[int, tuple[float, int]]
"""What lists of a terminal show: volume and time of change of each, by its numbers."""
SETTLE_S = 1.0
"""How long a list may take to show what was carried out."""
UNKNOWN_S = 60.0
"""How long an order of unknown outcome counts where no journal finds it out."""
TIDY_AT = 64
"""Reservations kept before those that no longer count are looked for."""

End = Literal["gone", "done", "unknown"]
Unresolved = Callable[[str], Iterable[str]]


@dataclass(eq=False, slots=True, kw_only=True)
class Reservation:
    """One order's part of the limits. Lots."""

    client_order_id: str
    symbol: str
    volume: Decimal
    buys: bool
    waits: bool
    """It is a pending order."""
    margin: Decimal = Decimal()
    """Its part of the free margin, where that was looked at."""
    tickets: frozenset[int] = frozenset()
    """Of its order and its position, once they are known."""
    end: End | None = None
    ended: int = 0
    """The moment at which it ended."""
    ended_s: float = 0.0
    listed_by: set[str] = field(default_factory=set)
    """Terminals whose lists have shown what came of it, so that they tell all from then on."""
    is_closed: bool = False
    """Its position was closed since, or a part of it: the lists need not show it."""
    closes: bool = False
    """It closes the position that ``tickets`` names, on a netting account."""
    before: Listed = field(default_factory=dict)
    """What was listed when it was admitted: a position of a netting account that it adds to."""


class Reservations:
    """The reservations of one account.

    Args:
        unresolved: tells the client order ids of a symbol whose outcome the journal does not
            know yet; ``None`` where there is no journal.
        monotonic_s: seconds that only grow.

    """

    def __init__(
        self,
        unresolved: Unresolved | None = None,
        monotonic_s: Callable[[], float] = host.monotonic_s,
    ) -> None:
        self.moment = 0
        """Grows whenever a reservation ends."""
        self._unresolved = unresolved
        self._monotonic_s = monotonic_s
        self._held: list[Reservation] = []
        self._looking: dict[int, int] = {}
        self._tidy_at = TIDY_AT

    def __len__(self) -> int:
        """Number of those that are kept."""
        return len(self._held)

    def are_over(self) -> bool:
        """Whether none counts any more."""
        self._tidy()
        return not self._held

    def unresolved(self, symbol: str) -> list[str]:
        """Return the client order ids of a symbol whose outcome is not known."""
        unknown = [held for held in self._held if held.end == "unknown" and held.symbol == symbol]
        ours = {held.client_order_id for held in unknown if self._is_unknown(held)}
        journaled = [] if self._unresolved is None else list(self._unresolved(symbol))
        return [*journaled, *sorted(ours.difference(journaled))]

    def symbols(self) -> set[str]:
        """The symbols of what counts still."""
        # without what has ended: a symbol that lost its price would stop orders in others
        self._tidy()
        return {reservation.symbol for reservation in self._held}

    def hold(self, reservation: Reservation) -> None:
        """Count an order from now on."""
        self._held.append(reservation)
        if len(self._held) >= self._tidy_at:
            self._tidy()

    def end(self, reservation: Reservation, how: End, *tickets: int) -> None:
        """Tell what became of an order; the first word counts."""
        if reservation.end is not None:
            return
        # a ticket of 0 is none, and would be "listed" with any other
        if not reservation.closes:
            reservation.tickets = frozenset(ticket for ticket in tickets if ticket)
        reservation.ended_s = self._monotonic_s()
        self._close(reservation, how)

    def closed(self, ticket: int) -> None:
        """Tell that a position was closed, or a part of it: the lists need not show it."""
        for reservation in self._held:
            if ticket in reservation.tickets and not reservation.closes:
                reservation.is_closed = True

    def _close(self, reservation: Reservation, how: End) -> None:
        self.moment += 1
        reservation.end, reservation.ended = how, self.moment

    @contextmanager
    def looking(self, moment: int) -> Iterator[None]:
        """Mark, while the context lasts, a moment whose facts are still being asked for and
        checked.
        """
        self._looking[moment] = self._looking.get(moment, 0) + 1
        try:
            yield
        finally:
            self._looking[moment] -= 1
            if not self._looking[moment]:
                del self._looking[moment]

    def beside(
        self, asked: int, listed: Listed, terminal: str = ""
    ) -> tuple[list[Reservation], list[Reservation]]:
        """Return what counts beside facts that were asked for at a moment: surely, and doubtful.

        Args:
            asked: the moment.
            listed: what the facts show.
            terminal: that told them.

        """
        surely: list[Reservation] = []
        doubtful: list[Reservation] = []
        for reservation in self._held:
            # the reconciler has found it out: from now on the lists tell
            if reservation.end == "unknown" and not self._is_unknown(reservation):
                self._close(reservation, "gone")
            # nothing of that position is counted on: it is gone, or its order counts by itself
            if reservation.closes and not reservation.tickets & listed.keys():
                continue
            if reservation.end in (None, "unknown"):
                surely.append(reservation)
            elif reservation.ended > asked:
                doubtful.append(reservation)
            elif reservation.end == "done" and not self._is_shown(reservation, listed, terminal):
                surely.append(reservation)
        return surely, doubtful

    def _is_unknown(self, reservation: Reservation) -> bool:
        if self._unresolved is None:
            return self._monotonic_s() - reservation.ended_s < UNKNOWN_S
        # the journal knows of it before anybody else is given a turn
        return reservation.client_order_id in self._unresolved(reservation.symbol)

    def _is_shown(self, reservation: Reservation, listed: Listed, terminal: str) -> bool:
        # a position that was there before shows what was added once it has changed
        if not reservation.closes and any(
            listed[ticket] != reservation.before.get(ticket)
            for ticket in reservation.tickets & listed.keys()
        ):
            reservation.listed_by.add(terminal)
        return terminal in reservation.listed_by or self._has_settled(reservation)

    def _has_settled(self, reservation: Reservation) -> bool:
        return reservation.is_closed or self._monotonic_s() - reservation.ended_s >= SETTLE_S

    def _tidy(self) -> None:
        """Discard what no check can depend on any more."""
        # who looks with older facts may still need what has ended since
        oldest = min(self._looking, default=self.moment)
        self._held = [
            reservation for reservation in self._held if self._may_count(reservation, oldest)
        ]
        # twice as many: so cleaning costs a constant part of each order
        self._tidy_at = max(TIDY_AT, 2 * len(self._held))

    def _may_count(self, reservation: Reservation, oldest: int) -> bool:
        if reservation.end in (None, "unknown") or reservation.ended > oldest:
            return True
        return reservation.end == "done" and not self._has_settled(reservation)


MAX_IDLE = 256
"""Counters kept of accounts that have nothing on its way; beyond that the one that was used the
longest ago is made anew, of the journal, when it is asked for again."""


class AccountCounters:
    """Counters of one account: its rate and its reservations.

    Args:
        unresolved: as of :class:`Reservations`.

    """

    def __init__(self, unresolved: Unresolved | None = None) -> None:
        self.rate = OrderRate()
        self.reservations = Reservations(unresolved)
        self.is_earlier_counted = False
        """The orders of before the daemon was started are counted."""


class CounterBook:
    """Counters of all accounts, on paper apart from those at the market.

    An account has one, however many terminals are logged in to it and whoever's tokens their
    orders carry: its limits are about all of them together.

    Args:
        unresolved: makes of an account what :class:`Reservations` asks; ``None``
            where there is no journal.

    """

    def __init__(self, unresolved: Callable[[AccountKey], Unresolved] | None = None) -> None:
        self._unresolved = unresolved
        self._counters: dict[AccountKey | None, AccountCounters] = {}

    def of(self, terminal: GuardedTerminal) -> AccountCounters:
        """Return the counters of the account that a terminal is logged in to, or was last."""
        account = terminal.account
        side = terminal.trading_account_of(account)
        # taken out and put back: the dictionary's order is that of the last use
        counters = self._counters.pop(side, None)
        if counters is None:
            self._make_room()
            counters = AccountCounters(self._asking(account))
        self._counters[side] = counters  # the one that was used last comes last
        return counters

    def _asking(self, account: AccountKey | None) -> Unresolved | None:
        if account is None or self._unresolved is None:
            return None
        return self._unresolved(account)

    def _make_room(self) -> None:
        if len(self._counters) < MAX_IDLE:
            return
        idle = [
            key for key, counters in self._counters.items() if counters.reservations.are_over()
        ]
        for account in idle[: len(idle) - MAX_IDLE + 1]:
            del self._counters[account]
