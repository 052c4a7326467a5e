"""History of an account: fetched in pieces, and put together to closed positions.

An account that has traded for long has more of a past than one answer may hold. A span that is
too large is asked for in halves, and so on down to one second; the newest part comes last, so that
what ends meanwhile is in it.

MetaTrader keeps deals, not closed positions. A *round trip* goes from the deal that opened a
position to the one that closed the last of it; a netting position that is reversed ends one and
begins the next with the same deal.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, TypeVar

from ea_bridge import commands
from ea_bridge.commands import Command, HistoryParams
from ea_bridge.model import Deal, DealEntry, DealType, Order, OrderState, OrderType
from gateway import schemas as shapes
from gateway.broker_time.clock import BrokerClock
from gateway.chunks import in_chunks, map_chunks, take_chunks
from gateway.errors import RangeTooLarge
from gateway.schemas.convert import enums

from .price_grid import exact
from .terminal import GuardedTerminal

R = TypeVar("R")


async def fetch_history(
    terminal: GuardedTerminal,
    command: Command[HistoryParams, list[R]],
    from_s: int,
    to_s: int,
) -> AsyncIterator[list[R]]:
    """Yield what a terminal shows of a span of time, piece by piece, oldest piece first.

    Args:
        command: for past orders, or deals.
        from_s: seconds of the broker's clock, included.
        to_s: the same.

    Raises:
        RangeTooLarge: there is too much in one second.
        GatewayError: the terminal did not say.

    """
    spans = [(from_s, to_s)]
    while spans:
        first, last = spans.pop()
        try:
            found = await terminal.request(command, HistoryParams(from_s=first, to_s=last))
        except RangeTooLarge:
            if first >= last:
                raise
            middle = (first + last) // 2
            spans += [(middle + 1, last), (first, middle)]
        else:
            yield found


@dataclass(frozen=True, slots=True)
class HistoryPart(Generic[R]):
    """The oldest records of a span of time."""

    rows: list[R]
    to_s: int
    """Of what happened up to this second no record is missing."""


async def fetch_oldest(
    terminal: GuardedTerminal,
    command: Command[HistoryParams, list[R]],
    from_s: int,
    to_s: int,
    count: int,
) -> HistoryPart[R]:
    """Return the oldest records of a span of time: ``count`` of them or more, or all there are.

    An EA of an earlier version tells all of a span; where that is too much, the span is halved.

    Raises:
        RangeTooLarge: there is too much in one second.
        GatewayError: the terminal did not say.

    """
    while True:
        params = HistoryParams(from_s=from_s, to_s=to_s, count=count)
        try:
            rows = await terminal.request(command, params)
        except RangeTooLarge:
            if from_s >= to_s:
                raise
            to_s = (from_s + to_s) // 2
        else:
            if len(rows) < count:
                return HistoryPart(rows, to_s)
            return HistoryPart(rows, min(to_s, max(await map_chunks(second_of, rows))))


def second_of(record: Any) -> int:
    """Return the second by which a terminal finds a past order or deal."""
    second: int = record.time_done if isinstance(record, Order) else record.time
    return second


def moment_of(record: Order | Deal) -> int:
    """Return when an order ended, or a deal was made; in milliseconds of the broker's clock."""
    if isinstance(record, Order):
        return record.time_done_msc or record.time_done * 1000
    return record.time_msc or record.time * 1000


AVERAGE_DIGITS = 8
_EXITS = frozenset({DealEntry.OUT, DealEntry.OUT_BY, DealEntry.INOUT})


@dataclass
class RoundTrip:
    """One position, from flat to flat."""

    first: Deal
    opened: Decimal = Decimal()
    closed: Decimal = Decimal()
    paid: Decimal = Decimal()
    got: Decimal = Decimal()
    last: Deal | None = None
    deals: list[Deal] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """All that was opened is closed. Never, where the terminal no longer knows the opening."""
        return self.opened > 0 and self.opened == self.closed

    def enter(self, deal: Deal, volume: Decimal) -> None:
        """Count volume that was opened."""
        self.opened += volume
        self.paid += volume * exact(deal.price)

    def leave(self, deal: Deal, volume: Decimal) -> None:
        """Count volume that was closed."""
        self.closed += volume
        self.got += volume * exact(deal.price)
        self.last = deal


def closes(deal: Deal) -> bool:
    """Whether a deal closed something of a position."""
    return deal.entry in _EXITS and deal.type in (DealType.BUY, DealType.SELL)


def round_trips(deals: Iterable[Deal]) -> list[RoundTrip]:
    """Return the round trips that the deals of one position made, oldest first.

    Args:
        deals: all deals of one ``position_id``, in the order of their time.

    """
    found: list[RoundTrip] = []
    current: RoundTrip | None = None
    for deal in deals:
        if deal.type not in (DealType.BUY, DealType.SELL):
            continue
        volume = exact(deal.volume)
        if current is None or current.is_over:
            current = RoundTrip(deal)
            found.append(current)
        current.deals.append(deal)
        if deal.entry == DealEntry.IN:
            current.enter(deal, volume)
            continue
        left = current.opened - current.closed
        current.leave(deal, min(volume, left) if deal.entry == DealEntry.INOUT else volume)
        if deal.entry == DealEntry.INOUT and volume > left:
            current = RoundTrip(deal, deals=[deal])
            current.enter(deal, volume - left)
            found.append(current)
    return found


GATHER = 16
"""Positions or orders that a terminal is asked about at a time: it answers one question after the
other, and orders wait behind them."""


async def position_deals(
    terminal: GuardedTerminal, numbers: Sequence[int]
) -> AsyncIterator[tuple[int, list[Deal]]]:
    """Yield positions with all of their deals, whenever they were made."""
    for start in range(0, len(numbers), GATHER):
        group = numbers[start : start + GATHER]
        asked = [
            terminal.request(commands.HISTORY_DEALS_GET, HistoryParams(position=number))
            for number in group
        ]
        for number, deals in zip(group, await asyncio.gather(*asked), strict=True):
            yield number, deals


@dataclass(frozen=True, slots=True)
class ClosedPosition:
    """A round trip that is over."""

    trip: RoundTrip
    number: int
    """Which of the round trips of its position, from 0."""

    @property
    def moment_ms(self) -> int:
        """When it was closed, on the broker's clock."""
        return moment_of(self.trip.last or self.trip.first)


def closed_positions(deals: Iterable[Deal]) -> list[ClosedPosition]:
    """Return the round trips of one position that are over, given all of its deals."""
    trips = enumerate(round_trips(sorted(deals, key=_by_time)))
    return [ClosedPosition(trip, number) for number, trip in trips if trip.is_over]


class ClosedPositions:
    """Reader of the positions that something was closed of in a span of time, oldest end first.

    A span has the deals that closed a position; those that opened it may lie before. MetaTrader
    names a position by the order that opened it. Where that order ended within what was read, and
    its deals there make up its whole volume, nothing of the position lies before. Only of the
    others the terminal is asked one by one, and no further than a page reaches.

    Args:
        from_s, to_s: seconds of the broker's clock, both included.
        count: closed positions that are wanted at first.
        symbol: of the positions; all if absent.

    """

    def __init__(
        self,
        terminal: GuardedTerminal,
        from_s: int,
        to_s: int,
        count: int,
        symbol: str | None = None,
    ) -> None:
        self.settled_ms = from_s * 1000 - 1
        """All that was closed up to then, on the broker's clock, has been returned."""
        self.fetched = 0
        """Deals of the span that were read."""
        self.asked = 0
        """Positions that the terminal was asked about by their number."""
        self._terminal = terminal
        self._symbol = symbol
        self._to_s = to_s
        self._next_s = self._orders_s = from_s
        self._wanted = count
        self._count = 2 * count  # a closed position has two deals at the least
        self._deals: dict[int, list[Deal]] = defaultdict(list)
        self._filled: dict[int, Decimal] = {}
        """Volume that ended orders have filled, by their tickets."""
        self._told: dict[int, int] = {}
        """Number of the next round trip to return, by position."""
        self._complete: set[int] = set()
        """Positions whose deals were asked for."""
        self._waiting: deque[tuple[int, int]] = deque()
        """When something was closed of positions that have to be asked for, and their numbers."""

    @property
    def is_over(self) -> bool:
        """Nothing is left to read."""
        return not self._waiting and self._next_s > self._to_s

    async def read(self) -> list[ClosedPosition]:
        """Read on; return what was found, in no order, and some of it maybe past
        :attr:`settled_ms`.
        """
        found = await (self._ask() if self._waiting else self._read_deals())
        end_ms = self._next_s * 1000 - 1
        self.settled_ms = self._waiting[0][0] - 1 if self._waiting else end_ms
        return found

    async def clear(self) -> None:
        """Throw away what was read, in chunks."""
        async for numbers in take_chunks([*self._deals]):
            for number in numbers:
                del self._deals[number]

    async def _ask(self) -> list[ClosedPosition]:
        group = [self._waiting.popleft()[1] for _ in range(min(GATHER, len(self._waiting)))]
        self.asked += len(group)
        self._complete.update(group)
        found: list[ClosedPosition] = []
        async for number, deals in position_deals(self._terminal, group):
            found += self._ended(number, deals)
        return found

    async def _read_deals(self) -> list[ClosedPosition]:
        span = self._next_s, self._to_s
        part = await fetch_oldest(self._terminal, commands.HISTORY_DEALS_GET, *span, self._count)
        self._next_s, self._count = part.to_s + 1, 2 * self._count
        self.fetched += len(part.rows)
        closed: dict[int, int] = {}
        keys = await map_chunks(_by_time, part.rows)
        in_order = [part.rows[at] for at in sorted(range(len(keys)), key=keys.__getitem__)]
        async for chunk in in_chunks(in_order):
            for deal in chunk:
                if self._is_wanted(deal):
                    self._deals[deal.position_id].append(deal)
                    if closes(deal):
                        closed.setdefault(deal.position_id, moment_of(deal))
        strangers = await self._strangers([*closed])
        # an EA of an earlier version tells all of the span, of which a short page needs little
        if min(len(strangers), self._wanted) > GATHER:
            await self._read_orders(part.to_s)
            strangers = await self._strangers(strangers)
        self._waiting.extend((closed[number], number) for number in strangers)
        found: list[ClosedPosition] = []
        async for some in in_chunks([*(closed.keys() - set(strangers))]):
            for number in some:
                found += self._ended(number, self._deals[number])
        return found

    def _is_wanted(self, deal: Deal) -> bool:
        """Whether a deal is of a position that is read: bookings of balance are of none."""
        is_known = not deal.position_id or deal.position_id in self._complete
        return not is_known and self._symbol in (None, deal.symbol)

    async def _read_orders(self, to_s: int) -> None:
        span = self._orders_s, to_s
        async for orders in fetch_history(self._terminal, commands.HISTORY_ORDERS_GET, *span):
            async for chunk in take_chunks(orders):
                for order in chunk:
                    volume = exact(order.volume_initial) - exact(order.volume_current)
                    self._filled[order.ticket] = volume
        self._orders_s = to_s + 1

    async def _strangers(self, numbers: list[int]) -> list[int]:
        """Return those positions that may have begun before what was read."""
        whole = await map_chunks(self._is_whole, numbers)
        return [number for number, is_whole in zip(numbers, whole, strict=True) if not is_whole]

    def _is_whole(self, number: int) -> bool:
        """Whether all that opened a position was read."""
        filled = self._filled.get(number)
        if filled is None:
            return False
        made = [deal for deal in self._deals[number] if deal.order == number]
        opened = sum((exact(deal.volume) for deal in made), Decimal())
        is_opening = bool(made) and all(deal.entry == DealEntry.IN for deal in made)
        return is_opening and opened == filled

    def _ended(self, number: int, deals: list[Deal]) -> list[ClosedPosition]:
        told = self._told.get(number, 0)
        found = [closed for closed in closed_positions(deals) if closed.number >= told]
        if found:
            self._told[number] = found[-1].number + 1
        return found


def _by_time(deal: Deal) -> tuple[int, int]:
    return moment_of(deal), deal.ticket


def history_position(trip: RoundTrip, clock: BrokerClock) -> shapes.HistoryPosition:
    """Return a round trip that is over as clients see it."""
    last = trip.last or trip.first
    opened, closed = moment_of(trip.first), moment_of(last)
    # a reversing deal is in two round trips; what it brought belongs to the one that it ended
    money = [deal for deal in trip.deals if not _only_begins(trip, deal)]
    return {
        "position_id": trip.first.position_id,
        "symbol": trip.first.symbol,
        "type": enums.POSITION_TYPE[trip.first.type],
        "volume": float(trip.opened),
        "price_open": float(round(trip.paid / trip.opened, AVERAGE_DIGITS)),
        "price_close": float(round(trip.got / trip.closed, AVERAGE_DIGITS)),
        "time": clock.to_utc_ms(opened) if opened else None,
        "broker_time": opened or None,
        "time_close": clock.to_utc_ms(closed) if closed else None,
        "broker_time_close": closed or None,
        "profit": _total(deal.profit for deal in money),
        "commission": _total(deal.commission for deal in money),
        "swap": _total(deal.swap for deal in money),
        "fee": _total(deal.fee for deal in money),
        "magic": trip.first.magic,
        "comment": trip.first.comment,
        "reason": enums.DEAL_REASON[last.reason],
        "deals": [deal.ticket for deal in trip.deals],
        "paper": trip.first.paper,
    }


def closed_trade(order: Order, clock: BrokerClock) -> shapes.HistoryPosition:
    """Return a closed trade of MetaTrader 4, which keeps it as an order with two prices."""
    opened = order.time_setup_msc or order.time_setup * 1000
    closed = order.time_done_msc or order.time_done * 1000
    return {
        "position_id": order.ticket,
        "symbol": order.symbol,
        "type": enums.POSITION_TYPE[order.type],
        "volume": order.volume_initial,
        "price_open": order.price_open,
        "price_close": order.price_current,
        "time": clock.to_utc_ms(opened) if opened else None,
        "broker_time": opened or None,
        "time_close": clock.to_utc_ms(closed) if closed else None,
        "broker_time_close": closed or None,
        "profit": order.profit,
        "commission": order.commission,
        "swap": order.swap,
        "fee": None,
        "magic": order.magic,
        "comment": order.comment,
        "reason": None,
        "deals": [],
        "paper": order.paper,
    }


def is_closed_trade(order: Order) -> bool:
    """Whether an order of MetaTrader 4's history is a trade that was closed."""
    return order.type in (OrderType.BUY, OrderType.SELL) and order.state == OrderState.FILLED


def _only_begins(trip: RoundTrip, deal: Deal) -> bool:
    return deal.entry == DealEntry.INOUT and deal is trip.first


def _total(amounts: Iterable[float]) -> float:
    return float(sum((exact(amount) for amount in amounts), Decimal()))
