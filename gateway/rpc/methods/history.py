"""The account's past: orders, deals, positions that are closed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from ea_bridge import commands
from ea_bridge.commands import Command, HistoryParams
from ea_bridge.model import Deal, Order
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.broker_time.clock import BrokerClock
from gateway.errors import (
    AmbiguousSymbol,
    InvalidParams,
    MethodNotSupported,
    RangeTooLarge,
    TerminalDisconnected,
    Timeout,
)
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert
from gateway.trading.history import (
    closed_trade,
    closes,
    history_position,
    is_closed_trade,
    round_trips,
)
from gateway.trading.receipts import DEAL_DELAYS_S
from gateway.trading.terminal import GuardedTerminal

from .params import Cursor, CursorText, Symbol, Ticket, Time, read_cursor

MAX_ITEMS = 5000
"""Orders, deals or positions in one answer."""
DEFAULT_SPAN_MS = 30 * 86_400_000
SLACK_MS = 86_400_000
"""How far past now the newest is looked for: the broker's clock may be ahead of what we think."""
MT4_HISTORY_LACKS = ("reason", "fee", "deals")

_GATHER = 16
"""Positions whose deals are asked for at a time."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Both ends are included; milliseconds on the broker's clock."""

    first_ms: int
    last_ms: int

    def __contains__(self, at_ms: int) -> bool:
        return self.first_ms <= at_ms <= self.last_ms

    @property
    def params(self) -> HistoryParams:
        """The whole seconds around it: terminals look no finer."""
        return HistoryParams(from_s=self.first_ms // 1000, to_s=-(-self.last_ms // 1000))


_EVER = _Span(0, 2**62)


@dataclass(frozen=True, slots=True)
class _Item:
    """Something that happened, by its time on the broker's clock."""

    at_ms: int
    ticket: int
    list: str
    symbol: str
    noun: Any


@method(
    scope=Scope.READ,
    raises=(AmbiguousSymbol, RangeTooLarge, MethodNotSupported, TerminalDisconnected, Timeout),
)
async def get_history_orders(
    call: Call,
    *,
    kind: Annotated[
        shapes.HistoryKind, Field(description="What to return; `orders_deals` is both lists.")
    ] = "orders",
    from_: Annotated[
        Time | None, Field(alias="from", description="First time; 30 days ago if absent.")
    ] = None,
    to: Annotated[Time | None, Field(description="Last time; now if absent.")] = None,
    symbol: Symbol | None = None,
    ticket: Annotated[
        Ticket | None, Field(description="One order, or its deals, of any time.")
    ] = None,
    position: Annotated[
        Ticket | None,
        Field(description="What belongs to one position (its `identifier`), of any time."),
    ] = None,
    limit: Annotated[
        int, Field(gt=0, le=MAX_ITEMS, description="Most items in one answer.")
    ] = 1000,
    cursor: CursorText | None = None,
) -> shapes.History:
    """Return past orders, deals, closed positions, or orders with deals, oldest first.

    Orders count by the time they ended, deals by their own, positions by the time they were
    closed; both ends are included. While `next_cursor` is not null there is more: ask again with
    the same params and that `cursor`.

    Positions are put together from their deals: average prices, and the sums of profit, swap,
    commission and fee. One that is still open is not among them. Right after a fill some
    terminals do not know the deal yet: asked for by `ticket` or `position`, it is waited for a
    little.

    MetaTrader 4 has no deals: `deals` and `orders_deals` are not supported there, its closed
    trades are `positions`, and `unavailable` lists what they lack.
    """
    terminal = call.terminal
    if kind in ("deals", "orders_deals") and not terminal.can("deals"):
        raise terminal.not_supported("deals")
    symbol = await call.state.symbols.optional(terminal, symbol)
    chosen, span = _chosen(call, from_, to, ticket, position)
    start = Cursor(0)
    if cursor is not None:
        start = read_cursor(cursor, 0, 2**53)
    items = [
        item
        for item in await _items(terminal, kind, chosen)
        if item.at_ms in span and symbol in (None, item.symbol)
    ]
    # a total order, the same in each call: a cursor counts how many of a moment were told
    items.sort(key=lambda item: (item.at_ms, item.list, item.ticket))
    page, following = _page(items, start, limit)
    lists: dict[str, list[Any]] = defaultdict(list)
    for item in page:
        lists[item.list].append(_SHAPE[item.list](item.noun, terminal.clock))
    return {
        "kind": kind,
        "orders": lists["orders"],
        "deals": lists["deals"],
        "positions": lists["positions"],
        "next_cursor": following,
        "unavailable": list(MT4_HISTORY_LACKS) if terminal.platform == "mt4" else [],
    }


def _chosen(
    call: Call, from_: int | None, to: int | None, ticket: int | None, position: int | None
) -> tuple[HistoryParams, _Span]:
    if ticket is not None and position is not None:
        raise InvalidParams(errors=[{"field": "position", "reason": "not beside ticket"}])
    if ticket is not None or position is not None:
        if from_ is not None or to is not None:
            reason = "not beside ticket or position"
            raise InvalidParams(errors=[{"field": "from", "reason": reason}])
        return HistoryParams(ticket=ticket, position=position), _EVER
    now_ms = call.daemon.now_ms()
    # an open end lies past now: what happened a second ago must not fall out of the page
    last = now_ms + SLACK_MS if to is None else to
    first = min(now_ms, last) - DEFAULT_SPAN_MS if from_ is None else from_
    clock = call.terminal.clock
    span = _Span(*clock.stamps(first, last))
    return span.params, span


def _page(items: list[_Item], start: Cursor, limit: int) -> tuple[list[_Item], str | None]:
    """Return one page of sorted items, and the cursor of the next."""
    rest = [item for item in items if item.at_ms >= start.at_ms][start.skip :]
    page = rest[:limit]
    if len(rest) <= limit:
        return page, None
    last_ms = page[-1].at_ms
    told = sum(1 for item in page if item.at_ms == last_ms)
    if last_ms == start.at_ms:
        told += start.skip
    return page, str(Cursor(last_ms, told))


def _as_it_is(position: shapes.HistoryPosition, _: BrokerClock) -> shapes.HistoryPosition:
    return position


_SHAPE: dict[str, Callable[[Any, BrokerClock], Any]] = {
    "orders": convert.order,
    "deals": convert.deal,
    "positions": _as_it_is,
}


async def _items(
    terminal: GuardedTerminal, kind: shapes.HistoryKind, chosen: HistoryParams
) -> list[_Item]:
    items: list[_Item] = []
    if kind in ("orders", "orders_deals"):
        orders = await _patiently(terminal, commands.HISTORY_ORDERS_GET, chosen)
        items += [
            _Item(_ended(order), order.ticket, "orders", order.symbol, order) for order in orders
        ]
    if kind in ("deals", "orders_deals"):
        deals = await _patiently(terminal, commands.HISTORY_DEALS_GET, chosen)
        items += [
            _Item(_happened(deal), deal.ticket, "deals", deal.symbol, deal) for deal in deals
        ]
    if kind == "positions":
        found = await _positions(terminal, chosen)
        items += [
            _Item(
                position["broker_time_close"] or 0,
                position["position_id"],
                "positions",
                position["symbol"],
                position,
            )
            for position in found
        ]
    return items


async def _patiently(
    terminal: GuardedTerminal, command: Command[HistoryParams, Any], chosen: HistoryParams
) -> list[Any]:
    """Ask for history; what was asked for by its number is waited for a little."""
    by_number = chosen.ticket is not None or chosen.position is not None
    found: list[Any] = []
    # the terminal may tell of a fill before its own history has the deal
    for delay_s in DEAL_DELAYS_S if by_number else (0.0,):
        await asyncio.sleep(delay_s)
        found = await terminal.request(command, chosen)
        if found:
            break
    return found


async def _positions(
    terminal: GuardedTerminal, chosen: HistoryParams
) -> list[shapes.HistoryPosition]:
    """Return the positions that something was closed of in a span of time, or the one asked for:
    all of their rounds.
    """
    clock = terminal.clock
    if not terminal.can("deals"):
        orders = await _patiently(terminal, commands.HISTORY_ORDERS_GET, chosen)
        return [closed_trade(order, clock) for order in orders if is_closed_trade(order)]
    deals = await _patiently(terminal, commands.HISTORY_DEALS_GET, chosen)
    complete = _by_position(deals)
    if chosen.position is None:
        numbers = list(dict.fromkeys(deal.position_id for deal in deals if closes(deal)))
        complete = await _completed(terminal, numbers)
    return [
        history_position(trip, clock)
        for of_one in complete.values()
        for trip in round_trips(sorted(of_one, key=lambda deal: (_happened(deal), deal.ticket)))
        if trip.is_over
    ]


async def _completed(terminal: GuardedTerminal, numbers: list[int]) -> dict[int, list[Deal]]:
    """Return all deals of positions: their entries may lie long before the span of time."""
    # in groups: a terminal answers one question after the other, and orders wait behind them
    found: dict[int, list[Deal]] = {}
    for start in range(0, len(numbers), _GATHER):
        some = numbers[start : start + _GATHER]
        answers = await asyncio.gather(
            *(
                terminal.request(commands.HISTORY_DEALS_GET, HistoryParams(position=number))
                for number in some
            )
        )
        found.update(zip(some, answers, strict=True))
    return found


def _by_position(deals: Iterable[Deal]) -> dict[int, list[Deal]]:
    found: dict[int, list[Deal]] = defaultdict(list)
    for deal in deals:
        if deal.position_id:  # bookings of balance and credit belong to none
            found[deal.position_id].append(deal)
    return found


def _ended(order: Order) -> int:
    return order.time_done_msc or order.time_done * 1000


def _happened(deal: Deal) -> int:
    return deal.time_msc or deal.time * 1000
