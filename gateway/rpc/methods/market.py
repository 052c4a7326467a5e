"""Prices: bars, ticks, the order book."""

from __future__ import annotations

import asyncio
from typing import Annotated, TypeVar, cast

from pydantic import Field

from ea_bridge import commands
from ea_bridge.commands import Command
from ea_bridge.model import MT4_TIMEFRAMES, Bar, CopyTicks, History, Missing
from ea_bridge.model import Tick as TickModel
from ea_bridge.model import Timeframe as TimeframeModel
from ea_bridge.model.struct import Struct
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.chunks import map_chunks
from gateway.errors import (
    AmbiguousSymbol,
    HistoryLoading,
    InvalidParams,
    MethodNotSupported,
    NoMarketDepth,
    RangeTooLarge,
    SymbolNotFound,
    TerminalDisconnected,
    Timeout,
)
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert
from gateway.schemas.convert import enums
from gateway.schemas.enums import Timeframe
from gateway.trading.terminal import GuardedTerminal

from .params import Cursor, CursorText, Symbol, TickKindParam, Time, TimeframeParam, read_cursor

MAX_BARS = 10_000
"""Bars in one answer."""
MAX_TICKS = 20_000
"""Ticks in one answer."""
MAX_LEAPS = 24
"""Empty stretches to leap over before an empty page is given back."""
LEAP_BARS = 50_000
"""Bars that a stretch could hold after an empty one; what the bridge can carry at once."""
MONTH_S = 31 * 86_400
LOADING_S = 5.0
"""How long a terminal that is still loading is asked again, before what it has is passed on."""
FIRST_PAUSE_S = 0.25

P = TypeVar("P", bound=Struct)
T = TypeVar("T")

READ_ERRORS = (
    AmbiguousSymbol,
    SymbolNotFound,
    HistoryLoading,
    RangeTooLarge,
    MethodNotSupported,
    TerminalDisconnected,
    Timeout,
)


@method(scope=Scope.READ, raises=READ_ERRORS)
async def get_ohlc(
    call: Call,
    *,
    symbol: Symbol,
    timeframe: TimeframeParam = "M1",
    count: Annotated[int, Field(gt=0, le=MAX_BARS, description="How many bars.")] = 100,
    start: Annotated[
        int,
        Field(ge=0, le=10_000_000, description="How many of the newest to leave out."),
    ] = 0,
) -> shapes.Bars:
    """Return the last bars of a symbol, oldest first.

    With `start` 0 the last one is the forming bar. `time` is when a bar opened. There may be
    fewer than `count`: with `complete` true the broker has no more, with false the terminal does
    not have them all, and `reason` says why. For a span of time see `get_history_prices`.
    """
    period = period_of(call.terminal, timeframe)
    symbol = await call.state.symbols.name(call.terminal, symbol)
    params = commands.RatesParams(symbol=symbol, timeframe=int(period), start=start, count=count)
    bars = await ask_for_history(call.terminal, commands.RATES_GET, params)
    return await _bars(call.terminal, symbol, period, bars, None)


@method(scope=Scope.READ, raises=READ_ERRORS)
async def get_history_prices(
    call: Call,
    *,
    symbol: Symbol,
    timeframe: TimeframeParam = "M1",
    from_: Annotated[Time, Field(alias="from", description="First opening time.")],
    to: Annotated[Time | None, Field(description="Last opening time; now if absent.")] = None,
    limit: Annotated[int, Field(gt=0, le=MAX_BARS, description="Most bars in one answer.")] = 1000,
    cursor: CursorText | None = None,
) -> shapes.Bars:
    """Return the bars of a symbol that opened in a span of time, oldest first, page by page.

    Both ends are included. While `next_cursor` is not null there may be more: ask again with the
    same params and that `cursor`; a page in the middle of a long gap can be empty. While
    `complete` is false bars are missing from the page, and `reason` says why: where the terminal
    is `loading`, ask for the same page again. Past dates are converted with the broker's offset
    of that date.
    """
    terminal = call.terminal
    period = period_of(terminal, timeframe)
    until = call.daemon.now_ms() if to is None else to
    first_ms, last_ms = terminal.clock.stamps(from_, until)
    first_s, last_s = -(-first_ms // 1000), last_ms // 1000
    symbol = await call.state.symbols.name(terminal, symbol)
    if cursor is not None:
        first_s = read_cursor(cursor, first_s * 1000, last_s * 1000).at_ms // 1000
    bars, more_from_s = await _bars_between(terminal, symbol, period, (first_s, last_s), limit)
    following = None if more_from_s is None else str(Cursor(more_from_s * 1000))
    return await _bars(terminal, symbol, period, bars, following)


@method(scope=Scope.READ, raises=READ_ERRORS)
async def get_history_ticks(
    call: Call,
    *,
    symbol: Symbol,
    from_: Annotated[
        Time | None,
        Field(alias="from", description="First time; without it the last `limit` ticks."),
    ] = None,
    to: Annotated[Time | None, Field(description="Last time; now if absent.")] = None,
    flags: Annotated[
        TickKindParam,
        Field(description="`info`: changes of bid and ask; `trade`: of last and volume."),
    ] = "all",
    limit: Annotated[
        int, Field(gt=0, le=MAX_TICKS, description="Most ticks in one answer.")
    ] = 1000,
    cursor: CursorText | None = None,
) -> shapes.HistoryTicks:
    """Return past ticks of a symbol, oldest first, page by page.

    Both ends are included. Ticks may share a millisecond; none is lost or told twice between
    pages. While `complete` is false ticks are missing from the page, and `reason` says why: where
    the terminal is `loading`, ask for the same page again. MetaTrader 5 can take 45 seconds to
    load ticks, and does nothing else meanwhile: 3002 `history_loading` says that it is at it.
    MetaTrader 4 keeps no ticks: there the method is not supported.
    """
    terminal = call.terminal
    if from_ is None and (to is not None or cursor is not None):
        raise InvalidParams(errors=[{"field": "from", "reason": "needed with to and cursor"}])
    kind = convert.code(enums.COPY_TICKS, flags)
    symbol = await call.state.symbols.name(terminal, symbol)
    if from_ is None:
        params = commands.TicksParams(symbol=symbol, count=limit, flags=kind)
        newest = await ask_for_history(terminal, commands.TICKS_GET, params)
        return await _ticks(terminal, symbol, newest.rows[-limit:], newest.missing, None)
    until = call.daemon.now_ms() if to is None else to
    first_ms, last_ms = terminal.clock.stamps(from_, until)
    start = Cursor(first_ms)
    if cursor is not None:
        start = read_cursor(cursor, start.at_ms, last_ms)
    ticks = await ask_for_history(
        terminal,
        commands.TICKS_GET,
        commands.TicksParams(
            symbol=symbol,
            from_msc=start.at_ms,
            to_msc=last_ms,
            count=start.skip + limit + 1,  # one more tells whether there is another page
            flags=CopyTicks(kind),
        ),
    )
    page = ticks.rows[start.skip : start.skip + limit]
    more = len(ticks.rows) > start.skip + limit
    following = str(_after(page, start)) if more else None
    return await _ticks(terminal, symbol, page, ticks.missing, following)


@method(
    scope=Scope.READ,
    raises=(
        AmbiguousSymbol,
        SymbolNotFound,
        NoMarketDepth,
        MethodNotSupported,
        TerminalDisconnected,
        Timeout,
    ),
)
async def get_market_book(call: Call, *, symbol: Symbol) -> shapes.Book:
    """Return the order book of a symbol as it is now: highest price first, sells above buys.

    For its changes subscribe to `book:<symbol>`. MetaTrader 4 has no order books; with brokers
    that publish none for the symbol the answer is 3004 `no_market_depth`.
    """
    terminal = call.terminal
    info = await call.state.symbols.find(terminal, symbol)
    symbol = info.name
    entries = await terminal.request(commands.BOOK_GET, commands.SymbolParams(symbol=symbol))
    # an empty book of a symbol that has one is an answer: the market is thin or closed
    if not entries and not info.ticks_bookdepth:
        raise NoMarketDepth(symbol=symbol)
    return convert.book(symbol, entries, 0, terminal.clock)


def period_of(terminal: GuardedTerminal, name: str) -> TimeframeModel:
    period = TimeframeModel[name]
    if terminal.platform == "mt4" and period not in MT4_TIMEFRAMES:
        raise MethodNotSupported(
            f"MetaTrader 4 has no {name}",
            terminal=terminal.name,
            platform="mt4",
            capability=f"timeframe {name}",
            allowed=[frame.name for frame in TimeframeModel if frame in MT4_TIMEFRAMES],
        )
    return period


async def ask_for_history(
    terminal: GuardedTerminal, command: Command[P, History[T]], params: P
) -> History[T]:
    """Ask for bars or ticks, and again while the terminal is still loading them."""
    loop = asyncio.get_running_loop()
    until_s, pause_s = loop.time() + LOADING_S, FIRST_PAUSE_S
    answer = await terminal.request(command, params)
    # MetaTrader loads history in the background and answers what it has meanwhile
    while answer.missing == "loading" and loop.time() + pause_s < until_s:
        await asyncio.sleep(pause_s)
        pause_s *= 2
        answer = await terminal.request(command, params)
    return answer


async def _bars_between(
    terminal: GuardedTerminal,
    symbol: str,
    period: TimeframeModel,
    span_s: tuple[int, int],
    limit: int,
) -> tuple[History[Bar], int | None]:
    """Return at most ``limit`` bars, and where the rest begins, if there may be one.

    The terminal is asked for stretches that hold few bars, so that a long span does not make it
    send years. The months tell where the history begins; nights and weekends are leapt over.
    """
    start_s, last_s = span_s
    missing: Missing = ""
    stretch_s = limit * period.minutes * 60
    for leap in range(MAX_LEAPS):
        if start_s > last_s:
            return History(rows=[], missing=missing), None
        end_s = min(last_s, start_s + stretch_s - 1)
        bars = await _rates(terminal, symbol, period, start_s, end_s)
        missing = bars.missing or missing
        if bars.rows:
            page = bars.rows[:limit]
            rest_s = page[-1].time + 1 if len(bars.rows) > limit else end_s + 1
            following = rest_s if rest_s <= last_s else None
            return History(rows=page, missing=missing), following
        if missing == "loading":  # what is not there yet is no gap to leap over
            return History(rows=[], missing=missing), start_s
        start_s = end_s + 1
        stretch_s = max(stretch_s, LEAP_BARS * period.minutes * 60)
        # once: months cost a second question, and after it gaps are short
        if leap == 0:
            start_s = await _next_month(terminal, symbol, start_s, last_s)
    return History(rows=[], missing=missing), start_s if start_s <= last_s else None


async def _next_month(terminal: GuardedTerminal, symbol: str, start_s: int, last_s: int) -> int:
    """Return the first moment from which there may be bars; after the span if there are none."""
    # the month that holds start_s opened before it
    earliest_s = max(0, start_s - MONTH_S)
    months = await _rates(terminal, symbol, TimeframeModel.MN1, earliest_s, last_s)
    if months.missing == "loading":
        return start_s
    return max(start_s, months.rows[0].time) if months.rows else last_s + 1


async def _rates(
    terminal: GuardedTerminal, symbol: str, period: TimeframeModel, from_s: int, to_s: int
) -> History[Bar]:
    params = commands.RatesParams(symbol=symbol, timeframe=int(period), from_s=from_s, to_s=to_s)
    return await ask_for_history(terminal, commands.RATES_GET, params)


async def _bars(
    terminal: GuardedTerminal,
    symbol: str,
    period: TimeframeModel,
    bars: History[Bar],
    following: str | None,
) -> shapes.Bars:
    return {
        "symbol": symbol,
        "timeframe": cast("Timeframe", period.name),
        "bars": await map_chunks(lambda bar: convert.bar(bar, terminal.clock), bars.rows),
        "next_cursor": following,
        "complete": not bars.missing,
        "reason": bars.missing or None,
    }


async def _ticks(
    terminal: GuardedTerminal,
    symbol: str,
    ticks: list[TickModel],
    missing: Missing,
    following: str | None,
) -> shapes.HistoryTicks:
    return {
        "symbol": symbol,
        "ticks": await map_chunks(lambda tick: convert.history_tick(tick, terminal.clock), ticks),
        "next_cursor": following,
        "complete": not missing,
        "reason": missing or None,
    }


def _after(page: list[TickModel], start: Cursor) -> Cursor:
    """Return where the next page begins: ticks of the last millisecond are skipped by number."""
    last_ms = page[-1].time_msc
    seen = sum(1 for tick in page if tick.time_msc == last_ms)
    return Cursor(last_ms, seen + start.skip if last_ms == start.at_ms else seen)
