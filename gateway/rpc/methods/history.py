"""The account's past: orders, deals, positions that are closed."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from ea_bridge import commands
from ea_bridge.commands import Command, HistoryParams
from ea_bridge.model import Deal, Order
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.broker_time.clock import BrokerClock
from gateway.chunks import in_chunks, map_chunks, take_chunks
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
    ClosedPosition,
    ClosedPositions,
    closed_positions,
    closed_trade,
    closes,
    fetch_oldest,
    history_position,
    is_closed_trade,
    moment_of,
    position_deals,
    second_of,
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

MAX_PARTS = 16
"""Questions about one list for a page, each for twice as much as the one before. Where a symbol
was hardly traded the page has less then."""
MAX_ASKED = 256
"""Positions of a page that are asked for one by one, about: the page has less then."""


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


class _Item(NamedTuple):
    """Something that happened, by its time on the broker's clock."""

    at_ms: int
    list: str
    ticket: int
    noun: Any


@dataclass(frozen=True, slots=True)
class _Found:
    """Records found for a page, or more, in no order."""

    items: list[_Item]
    settled_ms: int | None = None
    """Nothing of before that or then is missing; ``None``: nothing is missing at all."""


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
    closed; both ends are included. While `next_cursor` is not null there may be more: ask again
    with the same params and that `cursor`. A page may hold fewer than `limit`, or none: where a
    symbol was hardly traded, or many positions began before the page.

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
    page, following = await _page(_Question(terminal, kind, chosen, span, symbol), start, limit)
    lists: dict[str, list[Any]] = defaultdict(list)
    async for chunk in in_chunks(page):
        for item in chunk:
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


@dataclass(frozen=True, slots=True)
class _Question:
    """Request for a page: its terminal, span and kind."""

    terminal: GuardedTerminal
    kind: shapes.HistoryKind
    chosen: HistoryParams
    span: _Span
    symbol: str | None

    def seconds(self, start: Cursor) -> tuple[int, int]:
        """Return the seconds of the span from the beginning of a page on, both included."""
        assert self.chosen.from_s is not None
        assert self.chosen.to_s is not None
        return max(self.chosen.from_s, start.at_ms // 1000), self.chosen.to_s

    @property
    def is_by_number(self) -> bool:
        """Of one order or position, and of any time: it fits in one answer."""
        return self.chosen.ticket is not None or self.chosen.position is not None

    @property
    def lists(self) -> tuple[str, ...]:
        """The terminal's lists that it is answered from; MetaTrader 4 has one alone."""
        if self.kind == "positions":
            return ("deals",) if self.terminal.can("deals") else ("orders",)
        return ("orders", "deals") if self.kind == "orders_deals" else (self.kind,)

    def items(self, name: str, records: Sequence[Order | Deal]) -> list[_Item]:
        """Return what is asked for among records of one of the terminal's lists."""
        if self.kind == "positions":
            name = "positions"
            records = [one for one in records if isinstance(one, Order) and is_closed_trade(one)]
        made = (_Item(moment_of(record), name, record.ticket, record) for record in records)
        return [item for item in made if self.holds(item.at_ms, item.noun.symbol)]

    def holds(self, at_ms: int, symbol: str) -> bool:
        """Whether something is asked for."""
        return at_ms in self.span and self.symbol in (None, symbol)


async def _page(question: _Question, start: Cursor, limit: int) -> tuple[list[_Item], str | None]:
    """Return one page, and the cursor of the next."""
    if question.is_by_number:
        found = await _by_number(question)
    elif question.kind == "positions" and question.terminal.can("deals"):
        found = await _closed_positions(question, start, limit)
    else:
        found = await _records(question, start, limit)
    found = await _oldest(found, start, limit)
    await asyncio.sleep(0)  # thousands take milliseconds to sort
    # a total order, the same in each call: a cursor counts how many of a moment were told
    items = sorted(found.items, key=_ORDER)
    first = bisect_left(items, start.at_ms, key=_MOMENT) + start.skip
    end = len(items)
    if found.settled_ms is not None:
        end = bisect_right(items, found.settled_ms, key=_MOMENT)
    page = items[first : min(first + limit, end)]
    if first + limit < end:
        last_ms = page[-1].at_ms
        told = sum(1 for item in page if item.at_ms == last_ms)
        if last_ms == start.at_ms:
            told += start.skip
        return page, str(Cursor(last_ms, told))
    return page, None if found.settled_ms is None else str(Cursor(found.settled_ms + 1))


async def _oldest(found: _Found, start: Cursor, limit: int) -> _Found:
    """Return what a page can need: an item more than fits, and all of its moment."""
    moments = sorted(await map_chunks(_MOMENT, found.items))
    last = bisect_left(moments, start.at_ms) + start.skip + limit
    if last >= len(moments):
        return found
    kept: list[_Item] = []
    async for chunk in take_chunks(found.items):
        kept += [item for item in chunk if item.at_ms <= moments[last]]
    return _Found(kept, found.settled_ms)


_ORDER = itemgetter(0, 1, 2)
_MOMENT = itemgetter(0)


_SHAPE: dict[str, Callable[[Any, BrokerClock], Any]] = {
    "orders": convert.order,
    "deals": convert.deal,
    "positions": lambda noun, clock: (
        closed_trade(noun, clock) if isinstance(noun, Order) else history_position(noun, clock)
    ),
}
_COMMANDS: dict[str, Command[HistoryParams, Any]] = {
    "orders": commands.HISTORY_ORDERS_GET,
    "deals": commands.HISTORY_DEALS_GET,
}


async def _by_number(question: _Question) -> _Found:
    """Find what belongs to one order or position."""
    terminal, items = question.terminal, []
    for name in question.lists:
        records = await _patiently(terminal, _COMMANDS[name], question.chosen)
        if question.kind != "positions" or name == "orders":
            items += question.items(name, records)
        elif question.chosen.position is not None:
            items += _trips(question, records)
        else:
            numbers = list(dict.fromkeys(deal.position_id for deal in records if closes(deal)))
            async for _, deals in position_deals(terminal, numbers):
                items += _trips(question, deals)
    return _Found(items)


def _trips(question: _Question, deals: list[Deal]) -> list[_Item]:
    """Return the round trips of a position that are over."""
    return [
        _trip(closed)
        for closed in closed_positions(deals)
        if question.symbol in (None, closed.trip.first.symbol)
    ]


def _trip(closed: ClosedPosition) -> _Item:
    trip = closed.trip
    return _Item(closed.moment_ms, "positions", trip.first.position_id, trip)


async def _records(question: _Question, start: Cursor, limit: int) -> _Found:
    """Find orders, deals or both of a span of time, until a page is full.

    Of both lists counts what is before the end of the shorter part.
    """
    items: list[_Item] = []
    from_s, to_s = question.seconds(start)
    count = start.skip + limit + 1  # one more tells whether there is another page
    for _ in range(MAX_PARTS):
        parts = {
            name: await fetch_oldest(question.terminal, _COMMANDS[name], from_s, to_s, count)
            for name in question.lists
        }
        until_s = min(part.to_s for part in parts.values())
        for name, part in parts.items():
            # of an EA of an earlier version they are far more than a page
            async for chunk in take_chunks(part.rows):
                known = [record for record in chunk if second_of(record) <= until_s]
                items += question.items(name, known)
        if until_s >= to_s:
            return _Found(items)
        from_s, count = until_s + 1, 2 * count
        if sum(item.at_ms >= start.at_ms for item in items) > start.skip + limit:
            break
    return _Found(items, until_s * 1000 + 999)


async def _closed_positions(question: _Question, start: Cursor, limit: int) -> _Found:
    """Find positions that were closed in a span of time, until a page is full."""
    items: list[_Item] = []
    wanted = start.skip + limit + 1
    reader = ClosedPositions(question.terminal, *question.seconds(start), wanted, question.symbol)
    is_enough = False
    while not (reader.is_over or is_enough):
        async for chunk in in_chunks(await reader.read()):
            made = (_trip(closed) for closed in chunk)
            items += [trip for trip in made if trip.at_ms in question.span]
        known = sum(start.at_ms <= item.at_ms <= reader.settled_ms for item in items)
        # what was asked for so far is a page, unless all of it happened at one moment
        has_asked = reader.asked >= MAX_ASKED and reader.settled_ms > start.at_ms
        is_enough = known >= wanted or has_asked
    await reader.clear()
    return _Found(items, reader.settled_ms if is_enough else None)


async def _patiently(
    terminal: GuardedTerminal, command: Command[HistoryParams, Any], chosen: HistoryParams
) -> list[Any]:
    """Ask for what belongs to one order or position; it is waited for a little."""
    found: list[Any] = []
    # the terminal may tell of a fill before its own history has the deal
    for delay_s in DEAL_DELAYS_S:
        await asyncio.sleep(delay_s)
        found = await terminal.request(command, chosen)
        if found:
            break
    return found
