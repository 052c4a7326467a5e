"""MetaTrader's own records, untranslated, for programs written against the MetaTrader5 package.

Symbols are named as the broker names them, exactly, and times are on the broker's clock.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from struct import Struct as Layout
from typing import Annotated, Any, Final

from pydantic import Field

from ea_bridge import commands, model
from ea_bridge.commands import Command
from ea_bridge.model import Bar, Tick
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.chunks import in_chunks, map_chunks
from gateway.errors import (
    InvalidParams,
    MethodNotSupported,
    RangeTooLarge,
    SymbolNotFound,
    TerminalDisconnected,
    Timeout,
)
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert
from gateway.schemas.convert import enums
from gateway.schemas.native import NativeKind
from gateway.trading.history import fetch_oldest, second_of

from .market import READ_ERRORS, ask_for_history, period_of
from .params import ListLimit, Symbol, Ticket, TickKindParam, TimeframeParam, page_by_ticket

DEFAULT_LIMIT = 1000
MAX_SYMBOLS = 100
"""Symbols in one answer: the terminal is asked for each by itself."""
MAX_ROWS = 100_000
"""Bars or ticks in one answer: an EA gives no more ticks at once."""
AT_A_TIME = 16
"""Symbols that a terminal is asked for together: it answers them in one turn."""
LAST_S = 4_102_444_800
"""The year 2100, in seconds."""
BAR = Layout("<qddddQiQ")
TICK = Layout("<qdddQqId")
_UINT64, _INT32 = 2**64 - 1, 2**31

Seconds = Annotated[int, Field(ge=0, le=LAST_S, description="Seconds of the broker's clock.")]
Milliseconds = Annotated[
    int, Field(ge=0, le=LAST_S * 1000, description="Milliseconds of the broker's clock.")
]
Rows = Annotated[int, Field(gt=0, le=MAX_ROWS, description="Most in the answer.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _NativeQuestion:
    """Params of ``get_native``."""

    symbol: str | None
    group: str | None
    selected: bool
    ticket: int | None
    position: int | None
    from_s: int
    to_s: int
    limit: int
    after: int

    @property
    def named(self) -> commands.SymbolParams:
        """The symbol that must be named.

        Raises:
            InvalidParams: it is not.

        """
        if self.symbol is None:
            raise InvalidParams(errors=[{"field": "symbol", "reason": "needed with this kind"}])
        return commands.SymbolParams(symbol=self.symbol)


_Found = tuple[type[Any], Sequence[Any], int | None]
"""The type of the records, the records, and where the next page begins."""


@method(
    group="native",
    scope=Scope.READ,
    raises=(SymbolNotFound, MethodNotSupported, RangeTooLarge, TerminalDisconnected, Timeout),
)
async def get_native(
    call: Call,
    *,
    kind: Annotated[NativeKind, Field(description="Which records.")],
    symbol: Annotated[
        Symbol | None,
        Field(
            description="The broker's name, exactly; of `symbol`, `tick` and `book`, and a filter "
            "of `positions` and `orders`."
        ),
    ] = None,
    group: Annotated[
        str | None, Field(max_length=256, description="Of `symbols`, as of `get_symbols`.")
    ] = None,
    selected: Annotated[bool, Field(description="Only symbols in Market Watch.")] = False,
    ticket: Annotated[
        Ticket | None, Field(description="One position, one order, or the deals of one order.")
    ] = None,
    position: Annotated[
        Ticket | None, Field(description="Past orders or deals of one position.")
    ] = None,
    from_s: Annotated[Seconds, Field(description="First second of past orders or deals.")] = 0,
    to_s: Annotated[Seconds, Field(description="Last second of past orders or deals.")] = LAST_S,
    limit: Annotated[ListLimit, Field(description="Most in one answer, about.")] = DEFAULT_LIMIT,
    after: Annotated[
        int, Field(ge=0, lt=2**63, description="`next` of the page before this one.")
    ] = 0,
) -> shapes.NativeRecords:
    """Return records as MetaTrader has them: its names, its numbers, the broker's clock.

    For programs that were written against the MetaTrader5 package, such as the drop-in
    `gateway.client.mt5`; others are better served by the methods with words and UTC. Nothing is
    put into Market Watch for it but where there is no answer otherwise (`tick`, `book`).
    """
    question = _NativeQuestion(
        symbol=symbol,
        group=group,
        selected=selected,
        ticket=ticket,
        position=position,
        from_s=from_s,
        to_s=to_s,
        limit=limit,
        after=after,
    )
    noun, records, following = await _FINDERS[kind](call, question)
    fields = noun.__struct_fields__
    values = attrgetter(*fields)
    return {
        "kind": kind,
        "fields": list(fields),
        "rows": await map_chunks(lambda record: list(values(record)), records),
        "next": following,
    }


def _single(
    noun: type[Any], command: Command[Any, Any], *, of_symbol: bool
) -> Callable[[Call, _NativeQuestion], Awaitable[_Found]]:
    async def find(call: Call, question: _NativeQuestion) -> _Found:
        params = question.named if of_symbol else commands.NoParams()
        found = await call.terminal.request(command, params)
        return noun, found if isinstance(found, list) else [found], None

    return find


async def _symbols(call: Call, question: _NativeQuestion) -> _Found:
    params = commands.SymbolsParams(group=question.group, selected=question.selected)
    listed = await call.terminal.request(commands.SYMBOLS_GET, params)
    end = question.after + min(question.limit, MAX_SYMBOLS)
    names = [entry.name for entry in listed[question.after : end]]
    found: list[model.SymbolInfo | None] = []
    for start in range(0, len(names), AT_A_TIME):
        some = names[start : start + AT_A_TIME]
        found += await asyncio.gather(*(_symbol(call, name) for name in some))
    known = [info for info in found if info is not None]
    return model.SymbolInfo, known, end if end < len(listed) else None


async def _symbol(call: Call, name: str) -> model.SymbolInfo | None:
    try:
        return await call.terminal.request(commands.SYMBOL_GET, commands.SymbolParams(symbol=name))
    except SymbolNotFound:  # the broker has taken it off the list a moment ago
        return None


async def _positions(call: Call, question: _NativeQuestion) -> _Found:
    found = await call.terminal.request(commands.POSITIONS_GET, _filter(question))
    page = page_by_ticket(found, question.limit, question.after)
    return model.Position, page, _next_ticket(page, question)


async def _orders(call: Call, question: _NativeQuestion) -> _Found:
    found = await call.terminal.request(commands.ORDERS_GET, _filter(question))
    found = found + call.state.contingent.orders(question.symbol, question.ticket)
    page = page_by_ticket(found, question.limit, question.after)
    return model.Order, page, _next_ticket(page, question)


def _filter(question: _NativeQuestion) -> commands.FilterParams:
    return commands.FilterParams(
        symbol=question.symbol,
        ticket=question.ticket,
        after=question.after or None,
        count=question.limit,
    )


def _next_ticket(page: list[Any], question: _NativeQuestion) -> int | None:
    return page[-1].ticket if len(page) >= question.limit else None


def _history(
    noun: type[Any], command: Command[commands.HistoryParams, list[Any]]
) -> Callable[[Call, _NativeQuestion], Awaitable[_Found]]:
    async def find(call: Call, question: _NativeQuestion) -> _Found:
        if question.ticket is not None or question.position is not None:
            params = commands.HistoryParams(ticket=question.ticket, position=question.position)
            return noun, await call.terminal.request(command, params), None
        from_s = max(question.from_s, question.after)
        if from_s > question.to_s:
            return noun, [], None
        part = await fetch_oldest(call.terminal, command, from_s, question.to_s, question.limit)
        # of an EA of an earlier version there may be more; those come again with their page
        rows = part.rows if part.to_s >= question.to_s else _until(part.rows, part.to_s)
        return noun, rows, None if part.to_s >= question.to_s else part.to_s + 1

    return find


def _until(rows: list[Any], to_s: int) -> list[Any]:
    return [row for row in rows if second_of(row) <= to_s]


_FINDERS: Final[dict[NativeKind, Callable[[Call, _NativeQuestion], Awaitable[_Found]]]] = {
    "account": _single(model.Account, commands.ACCOUNT_GET, of_symbol=False),
    "terminal": _single(model.Terminal, commands.TERMINAL_GET, of_symbol=False),
    "symbol": _single(model.SymbolInfo, commands.SYMBOL_GET, of_symbol=True),
    "symbols": _symbols,
    "tick": _single(Tick, commands.TICK_GET, of_symbol=True),
    "book": _single(model.BookEntry, commands.BOOK_GET, of_symbol=True),
    "positions": _positions,
    "orders": _orders,
    "history_orders": _history(model.Order, commands.HISTORY_ORDERS_GET),
    "history_deals": _history(model.Deal, commands.HISTORY_DEALS_GET),
}


@method(group="native", scope=Scope.READ, raises=READ_ERRORS)
async def copy_rates(
    call: Call,
    *,
    symbol: Annotated[Symbol, Field(description="The broker's name, exactly.")],
    timeframe: TimeframeParam,
    start: Annotated[
        int | None, Field(ge=0, le=100_000_000, description="With `count`: how many to leave out.")
    ] = None,
    count: Rows | None = None,
    from_s: Seconds | None = None,
    to_s: Seconds | None = None,
) -> shapes.PackedRows:
    """Return bars as bytes, oldest first: MetaTrader's `CopyRates` in its three forms.

    `start` and `count`: so many, back from the newest, the forming bar at 0. `to_s` and `count`:
    the last ones that opened until then. `from_s` and `to_s`: those that opened in that span.
    """
    period = period_of(call.terminal, timeframe)
    given = {"start": start, "count": count, "from_s": from_s, "to_s": to_s}
    named = {name for name, value in given.items() if value is not None}
    if named not in ({"start", "count"}, {"count", "to_s"}, {"from_s", "to_s"}):
        reason = "give start and count, or count and to_s, or from_s and to_s"
        raise InvalidParams(errors=[{"field": "count", "reason": reason}])
    params = commands.RatesParams(symbol=symbol, timeframe=int(period), **given)
    bars = await ask_for_history(call.terminal, commands.RATES_GET, params)
    return await _packed(bars, _bar_bytes)


@method(group="native", scope=Scope.READ, raises=READ_ERRORS)
async def copy_ticks(
    call: Call,
    *,
    symbol: Annotated[Symbol, Field(description="The broker's name, exactly.")],
    from_ms: Annotated[Milliseconds | None, Field(description="The newest if absent.")] = None,
    to_ms: Milliseconds | None = None,
    count: Rows | None = None,
    flags: Annotated[TickKindParam, Field(description="As of `get_history_ticks`.")] = "all",
) -> shapes.PackedRows:
    """Return past ticks as bytes, oldest first: MetaTrader's `CopyTicks` and `CopyTicksRange`.

    With `from_ms` and `to_ms` all of that span, with `from_ms` and `count` so many from then on,
    with `count` alone the newest.
    """
    if count is None and (from_ms is None or to_ms is None):
        raise InvalidParams(errors=[{"field": "count", "reason": "needed without a span"}])
    params = commands.TicksParams(
        symbol=symbol,
        # an EA reads 0 as none
        from_msc=None if from_ms is None else max(1, from_ms),
        to_msc=to_ms,
        count=count or MAX_ROWS,
        flags=convert.code(enums.COPY_TICKS, flags),
    )
    ticks = await ask_for_history(call.terminal, commands.TICKS_GET, params)
    return await _packed(ticks, _tick_bytes)


async def _packed(
    history: model.History[Any], to_bytes: Callable[[Any], bytes]
) -> shapes.PackedRows:
    packed = bytearray()
    async for chunk in in_chunks(history.rows):
        packed += b"".join(map(to_bytes, chunk))
    return {
        "count": len(history.rows),
        "data": base64.b64encode(packed).decode("ascii"),
        "complete": not history.missing,
        "reason": history.missing or None,
    }


def _bar_bytes(bar: Bar) -> bytes:
    return BAR.pack(
        bar.time,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.tick_volume & _UINT64,
        _int32(bar.spread),
        bar.real_volume & _UINT64,
    )


def _tick_bytes(tick: Tick) -> bytes:
    return TICK.pack(
        tick.time_msc // 1000,
        tick.bid,
        tick.ask,
        tick.last,
        tick.volume & _UINT64,
        tick.time_msc,
        tick.flags & 0xFFFFFFFF,
        tick.volume_real,
    )


def _int32(number: int) -> int:
    return max(-_INT32, min(number, _INT32 - 1))
