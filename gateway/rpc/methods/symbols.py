"""Symbols that can be traded."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ea_bridge import commands
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.errors import (
    AmbiguousSymbol,
    MethodNotSupported,
    SymbolNotFound,
    TerminalDisconnected,
    Timeout,
)
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert
from gateway.trading.trade_sessions import opening

from .params import Symbol


@method(scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
async def get_symbols(
    call: Call,
    *,
    group: Annotated[
        str | None,
        Field(
            max_length=256,
            description="Masks separated by commas; `*` stands for anything, `!` excludes: "
            "`*USD*,!EURUSD`. They are applied from left to right. All symbols if absent.",
        ),
    ] = None,
    selected: Annotated[bool, Field(description="Only those in Market Watch.")] = False,
) -> list[str]:
    """Return the names of the broker's symbols, in the broker's order."""
    params = commands.SymbolsParams(group=group, selected=selected)
    return [entry.name for entry in await call.terminal.request(commands.SYMBOLS_GET, params)]


@method(scope=Scope.READ, raises=(AmbiguousSymbol, SymbolNotFound, TerminalDisconnected, Timeout))
async def get_symbol_info(call: Call, *, symbol: Symbol) -> shapes.SymbolInfo:
    """Return everything the terminal knows of a symbol: contract, limits, sessions, prices.

    A symbol outside Market Watch is put into it first, since it has no prices otherwise. An
    unknown one is refused with the nearest names in `did_you_mean`.
    """
    terminal = call.terminal
    return convert.symbol_info(
        await call.state.symbols.find(terminal, symbol), terminal.clock, terminal.platform
    )


@method(
    scope=Scope.READ,
    raises=(AmbiguousSymbol, SymbolNotFound, MethodNotSupported, TerminalDisconnected, Timeout),
)
async def get_sessions(call: Call, *, symbol: Symbol) -> shapes.SymbolSessions:
    """Return when a symbol trades: the broker's weekly table, the next opening and closing.

    An order for a closed market is refused before it travels: 2006 `market_closed`, with the same
    `opens_at`. Holidays are in no table; then the broker refuses it.
    """
    terminal = call.terminal
    symbol = await call.state.symbols.name(terminal, symbol)
    week, table = await call.state.risk.sessions.table(terminal, symbol)
    now_ms = terminal.now_ms()
    broker_ms = terminal.clock.broker_now_ms(now_ms)
    closes = week.next_close(broker_ms)
    return {
        "symbol": symbol,
        "open": week.is_open(broker_ms),
        "opens_at": opening(week, terminal.clock, now_ms),
        "closes_at": None if closes is None else terminal.clock.to_utc_ms(closes),
        "sessions": convert.sessions(table),
    }


# what is taken out is missed by every client of the terminal, so it is not for who only looks
@method(scope=Scope.TRADE, raises=(AmbiguousSymbol, SymbolNotFound, TerminalDisconnected, Timeout))
async def symbol_select(
    call: Call,
    *,
    symbol: Symbol,
    enable: Annotated[bool, Field(description="False takes it out.")] = True,
) -> shapes.SymbolSelected:
    """Put a symbol into Market Watch, or take it out.

    Other methods select what they need by themselves. The terminal keeps a symbol that has a
    chart, an order or a position: then `select` stays true.
    """
    terminal = call.terminal
    symbol = await call.state.symbols.name(terminal, symbol)
    done = await terminal.select(symbol, enable=enable)
    return {"symbol": done.symbol, "select": done.select}
