"""History of an account: fetched in pieces, and put together to closed positions.

An account that has traded for long has more of a past than one answer may hold. A span that is
too large is asked for in halves, and so on down to one second; the newest part comes last, so that
what ends meanwhile is in it.

MetaTrader keeps deals, not closed positions. A *round trip* goes from the deal that opened a
position to the one that closed the last of it; a netting position that is reversed ends one and
begins the next with the same deal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from ea_bridge.commands import Command, HistoryParams
from ea_bridge.model import Deal, DealEntry, DealType, Order, OrderState, OrderType
from gateway import schemas as shapes
from gateway.broker_time.clock import BrokerClock
from gateway.errors import RangeTooLarge
from gateway.schemas.convert import enums, word

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


def history_position(trip: RoundTrip, clock: BrokerClock) -> shapes.HistoryPosition:
    """Return a round trip that is over as clients see it."""
    last = trip.last or trip.first
    opened, closed = _time(trip.first), _time(last)
    # a reversing deal is in two round trips; what it brought belongs to the one that it ended
    money = [deal for deal in trip.deals if not _only_begins(trip, deal)]
    return {
        "position_id": trip.first.position_id,
        "symbol": trip.first.symbol,
        "type": word(enums.POSITION_TYPE, trip.first.type),
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
        "reason": word(enums.DEAL_REASON, last.reason),
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
        "type": word(enums.POSITION_TYPE, order.type),
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


def _time(deal: Deal) -> int:
    return deal.time_msc or deal.time * 1000


def _total(amounts: Iterable[float]) -> float:
    return float(sum((exact(amount) for amount in amounts), Decimal()))
