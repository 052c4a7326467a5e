"""Books of the account: open orders and positions, past orders, deals, the balance, tickets.

Every change leaves a :class:`TradeEvent`. Nothing here knows a price.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Generic, Literal, TypeVar

import msgspec

from ea_bridge.model import Deal, DealType, Order, OrderState, Position

from .prices import ZERO, exact

R = TypeVar("R")


class Archive(Mapping[int, R], Generic[R]):
    """Past records by their tickets, in the order in which they came; found by time or number.

    A terminal is asked for the deals of one order after each of its fills. Were all deals looked
    through for them, an account that has traded for long would get slower with every trade.

    Args:
        time_s: when a record is of.
        numbers: by which it can be found as well, each under a name.

    """

    def __init__(self, time_s: Callable[[R], int], **numbers: Callable[[R], int]) -> None:
        self._time_s = time_s
        self._number_of = numbers
        self._records: dict[int, R] = {}
        # the key of each record in ``_in_time``, to find it there when it is replaced
        self._places: dict[int, tuple[int, int]] = {}
        self._came = count()
        self._in_time: list[tuple[int, int, int]] = []
        self._by_number: dict[str, defaultdict[int, dict[int, None]]] = {
            name: defaultdict(dict) for name in numbers
        }

    def __getitem__(self, ticket: int) -> R:
        return self._records[ticket]

    def __iter__(self) -> Iterator[int]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def values(self) -> ValuesView[R]:
        """All of them; as a dict's they can be gone through from the newest as well."""
        return self._records.values()

    def put(self, ticket: int, record: R) -> None:
        """Take a record, or another one in the place of one that is there."""
        # MetaTrader 4 writes into the comment of a closed trade after a partial close
        if ticket in self._records:
            self._discard(ticket)
        self._records[ticket] = record
        place = self._places[ticket] = (self._time_s(record), next(self._came))
        insort(self._in_time, (*place, ticket))
        for name, number_of in self._number_of.items():
            self._by_number[name][number_of(record)][ticket] = None

    def _discard(self, ticket: int) -> None:
        record = self._records[ticket]
        del self._in_time[bisect_left(self._in_time, (*self._places[ticket], ticket))]
        for name, number_of in self._number_of.items():
            self._by_number[name][number_of(record)].pop(ticket)

    def within(self, from_s: int | None, to_s: int | None) -> list[R]:
        """Return the records of a span of time, both ends included, oldest first."""
        first = 0 if from_s is None else bisect_left(self._in_time, (from_s,))
        # a shorter tuple sorts before a longer one that begins the same: all of ``to_s`` is in
        last = None if to_s is None else bisect_right(self._in_time, (to_s + 1,))
        return [self._records[ticket] for _, _, ticket in self._in_time[first:last]]

    def with_number(self, name: str, number: int) -> list[R]:
        """Return the records that have a number, in the order in which they came."""
        return [self._records[ticket] for ticket in self._by_number[name].get(number, ())]


MAX_EVENTS = 10_000
"""Most events kept for one :meth:`BrokerLedger.take_events`; the oldest are lost first, and
counted."""


@dataclass(frozen=True, kw_only=True)
class TradeEvent:
    """One change of the books; exactly one of the three nouns is there, whole.

    A removed order carries its final state; a removed position its last one.
    """

    op: Literal["add", "change", "remove"]
    time_msc: int
    order: Order | None = None
    position: Position | None = None
    deal: Deal | None = None


@dataclass(frozen=True, kw_only=True)
class Holding:
    """An open position and what MetaTrader remembers of the moment it was opened."""

    position: Position
    margin_rate: Decimal
    """Margin currency to account currency. It stays: a position's margin never floats."""
    profit_rate: Decimal
    """Profit currency to account currency at the opening; serves when quotes are gone."""
    commission: Decimal = ZERO
    """MetaTrader 4 only: charged when the position closes."""

    @property
    def volume(self) -> Decimal:
        """Lots."""
        return exact(self.position.volume)

    @property
    def price(self) -> Decimal:
        """The opening price; with several fills their volume-weighted average."""
        return exact(self.position.price_open)


class BrokerLedger:
    """The books of one account."""

    def __init__(self, first_order: int, first_deal: int) -> None:
        self.balance = ZERO
        self.credit = ZERO
        self.orders: dict[int, Order] = {}
        self.holdings: dict[int, Holding] = {}
        self.past_orders = Archive[Order](
            lambda order: order.time_done,
            position=lambda order: order.position_id,
            position_by=lambda order: order.position_by_id,
        )
        self.deals = Archive[Deal](
            lambda deal: deal.time,
            order=lambda deal: deal.order,
            position=lambda deal: deal.position_id,
        )
        self.version = 0
        """Grows with every change of orders and positions."""
        self.events_lost = 0
        self._events: deque[TradeEvent] = deque(maxlen=MAX_EVENTS)
        self.next_order_ticket = first_order
        self.next_deal_ticket = first_deal

    def new_order_ticket(self) -> int:
        """Take the next ticket of orders (and of positions, which inherit it)."""
        self.next_order_ticket += 1
        return self.next_order_ticket - 1

    def new_deal_ticket(self) -> int:
        """Take the next ticket of deals."""
        self.next_deal_ticket += 1
        return self.next_deal_ticket - 1

    def take_events(self) -> list[TradeEvent]:
        """Return what changed since last asked, in the order in which it did."""
        events = list(self._events)
        self._events.clear()
        return events

    def add_order(self, order: Order, now_msc: int) -> None:
        """Take an order into the book."""
        self.orders[order.ticket] = order
        self._note(TradeEvent(op="add", time_msc=now_msc, order=order))

    def change_order(self, order: Order, now_msc: int) -> None:
        """Replace an open order."""
        self.orders[order.ticket] = order
        self._note(TradeEvent(op="change", time_msc=now_msc, order=order))

    def finish_order(self, order: Order, state: OrderState, now_msc: int) -> Order:
        """Move an order from the book to the history."""
        self.orders.pop(order.ticket, None)
        final = msgspec.structs.replace(
            order, state=state, time_done=now_msc // 1000, time_done_msc=now_msc
        )
        self.past_orders.put(final.ticket, final)
        self._note(TradeEvent(op="remove", time_msc=now_msc, order=final))
        return final

    def drop_order(self, order: Order, now_msc: int) -> None:
        """Take an order out of the book that lives on as a position: MetaTrader 4."""
        self.orders.pop(order.ticket, None)
        self._note(TradeEvent(op="remove", time_msc=now_msc, order=order))

    def archive_order(self, order: Order) -> None:
        """Put an order straight into the history, such as MetaTrader 4's closed trades."""
        self.past_orders.put(order.ticket, order)

    def add_deal(self, deal: Deal) -> None:
        """Enter a deal and its money."""
        self.deals.put(deal.ticket, deal)
        amount = sum(map(exact, (deal.profit, deal.swap, deal.commission, deal.fee)), ZERO)
        # credit holds up equity and margin, but never becomes balance
        if deal.type == DealType.CREDIT:
            self.credit += amount
        else:
            self.balance += amount
        self._note(TradeEvent(op="add", time_msc=deal.time_msc, deal=deal))

    def add_position(self, holding: Holding, now_msc: int) -> None:
        """Open a position."""
        self.holdings[holding.position.ticket] = holding
        self._note(TradeEvent(op="add", time_msc=now_msc, position=holding.position))

    def change_position(self, holding: Holding, now_msc: int) -> None:
        """Replace an open position."""
        position = msgspec.structs.replace(
            holding.position, time_update=now_msc // 1000, time_update_msc=now_msc
        )
        self.holdings[position.ticket] = dataclasses.replace(holding, position=position)
        self._note(TradeEvent(op="change", time_msc=now_msc, position=position))

    def set_swap(self, ticket: int, swap: Decimal, now_msc: int) -> None:
        """Set the swap of a position that there must be."""
        holding = self.holdings[ticket]
        position = msgspec.structs.replace(holding.position, swap=float(swap))
        self.change_position(dataclasses.replace(holding, position=position), now_msc)

    def remove_position(self, holding: Holding, now_msc: int) -> None:
        """Close a position."""
        self.holdings.pop(holding.position.ticket)
        self._note(TradeEvent(op="remove", time_msc=now_msc, position=holding.position))

    def held(self, symbol: str) -> list[Holding]:
        """Return the open positions of a symbol, oldest first."""
        return [holding for holding in self.holdings.values() if holding.position.symbol == symbol]

    def load(self, orders: Iterable[Order], deals: Iterable[Deal]) -> None:
        """Enter records of the past without events; new tickets continue above theirs."""
        for order in orders:
            if order.state in (OrderState.PLACED, OrderState.PARTIAL):
                self.orders[order.ticket] = order
            else:
                self.archive_order(order)
        for deal in deals:
            self.add_deal(deal)
        self._events.clear()
        self.version += 1
        self._continue_above_all()

    def restore(
        self,
        *,
        orders: Iterable[Order],
        past_orders: Iterable[Order],
        holdings: Iterable[Holding],
        deals: Iterable[Deal],
    ) -> None:
        """Go on with books that somebody has kept: the same as :meth:`load`, with what is open."""
        self.holdings.update((holding.position.ticket, holding) for holding in holdings)
        self.orders.update((order.ticket, order) for order in orders)
        self.load(past_orders, deals)

    def continue_above(self, order: int, deal: int) -> None:
        """Give out no ticket below these: somebody may know them."""
        self.next_order_ticket = max(self.next_order_ticket, order)
        self.next_deal_ticket = max(self.next_deal_ticket, deal)

    def _continue_above_all(self) -> None:
        # positions have tickets of orders, so both count
        used = max([0, *self.orders, *self.past_orders, *self.holdings])
        self.continue_above(used + 1, max(self.deals, default=0) + 1)

    def _note(self, event: TradeEvent) -> None:
        self.version += 1
        # the deque drops the oldest by itself and says nothing
        if len(self._events) == MAX_EVENTS:
            self.events_lost += 1
        self._events.append(event)


@dataclass(frozen=True)
class ClosedTrade:
    """A line of MetaTrader 4's account history: the order and its money."""

    order: Order
    profit: float
    swap: float
    commission: float


def select_orders(
    ledger: BrokerLedger,
    from_s: int | None,
    to_s: int | None,
    ticket: int | None,
    position: int | None,
) -> list[Order]:
    """Return past orders by the time they ended, both ends included; of a number by the number."""
    past = ledger.past_orders
    if ticket is not None:
        found = [past[ticket]] if ticket in past else []
    elif position is not None:
        found = past.with_number("position", position)
        # 0 stands in every order that was no close-by: it would find nearly all
        if position:
            found += past.with_number("position_by", position)
    else:
        found = past.within(from_s, to_s)
    # by ticket, since a close-by is found from both of its positions
    fitting = {
        order.ticket: order
        for order in found
        if _within(order.time_done, from_s, to_s)
        and position in (None, order.position_id, order.position_by_id or None)
    }
    return sorted(fitting.values(), key=lambda order: (order.time_done_msc, order.ticket))


def select_deals(
    ledger: BrokerLedger,
    from_s: int | None,
    to_s: int | None,
    order: int | None,
    position: int | None,
) -> list[Deal]:
    """Return deals by their time, both ends included; of a number by the number."""
    kept = ledger.deals
    if order is not None:
        found = kept.with_number("order", order)
    elif position is not None:
        found = kept.with_number("position", position)
    else:
        found = kept.within(from_s, to_s)
    return [
        deal
        for deal in found
        if _within(deal.time, from_s, to_s) and position in (None, deal.position_id)
    ]


def find_closed_trade(ledger: BrokerLedger, order: Order) -> ClosedTrade | None:
    """Return what a past order of MetaTrader 4 brought; ``None`` if it was no trade."""
    found = ledger.deals.with_number("position", order.ticket)
    return (
        ClosedTrade(order, found[-1].profit, found[-1].swap, found[-1].commission)
        if found
        else None
    )


def _within(time_s: int, from_s: int | None, to_s: int | None) -> bool:
    return (from_s is None or from_s <= time_s) and (to_s is None or time_s <= to_s)
