"""The terminal: its account, clock and EA, and the symbols that can be traded."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ea_bridge import commands
from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.session import SessionState
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
from gateway.trading.session import round_trip_ms
from gateway.trading.trade_sessions import opening

from .params import Symbol


@method(group="account", scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
async def get_account_info(call: Call) -> shapes.AccountInfo:
    """Return everything the terminal knows of the account.

    Money is in the account's `currency`. `margin_level` is in percent and null without positions.
    MetaTrader 4 does not know the margin mode, FIFO rule and some sums: they are null and listed
    in `unavailable`.
    """
    account = await call.terminal.request(commands.ACCOUNT_GET, commands.NoParams())
    return convert.account_info(account, call.terminal.platform)


@method(group="account", scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
async def get_account_balance(call: Call) -> shapes.AccountBalance:
    """Return the account's money: balance, equity, margin, floating profit.

    All of it is from one moment, and also in `get_account_info`.
    """
    account = await call.terminal.request(commands.ACCOUNT_GET, commands.NoParams())
    return convert.account_balance(account)


@method(scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
async def get_terminal_info(call: Call) -> shapes.TerminalInfo:
    """Return what the terminal tells of itself: build, folders, switches, ping to the broker.

    `trade_allowed` is the AutoTrading button; whether the account may trade is in
    `get_account_info`.
    """
    terminal = await call.terminal.request(commands.TERMINAL_GET, commands.NoParams())
    return convert.terminal_info(terminal, call.terminal.platform)


@method(scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
async def get_server_time(call: Call) -> shapes.ServerTime:
    """Return the broker's time, and how far it lies from UTC.

    MetaTrader types the broker's wall clock as if it were UTC. The gateway learns the offset from
    fresh quotes; `offset` says how sure it is. `last_quote_time` stands still without quotes.
    """
    now = await call.terminal.request(commands.CLOCK_GET, commands.NoParams())
    return convert.server_time(now, call.terminal.clock)


@method(scope=Scope.READ)
async def get_ea_status(call: Call) -> shapes.EaStatus:
    """Return the state of the link to the terminal's EA.

    The gateway answers by itself, so this works while the terminal is offline: then `state` is
    `disconnected` and the rest is what was known last. Before the first contact it is null.
    """
    terminal, session = call.terminal, call.terminal.session
    facts, hello = terminal.facts, terminal.hello
    subscribed = call.streams.subscriptions(call.caller, call.listener)
    silence_ms = None if session is None else round(session.silence_s * 1000)
    return {
        "terminal": terminal.name,
        "connected": terminal.state is SessionState.READY,
        "state": terminal.state.value,
        "platform": None if hello is None else terminal.platform,
        "ea_version": None if hello is None else hello.ea,
        "build": None if hello is None else hello.build,
        "login": None if hello is None else hello.login,
        "server": None if hello is None else hello.server,
        "company": None if hello is None else hello.company,
        "capabilities": [] if hello is None else sorted(parse_caps(hello.caps)),
        "state_since": None if facts is None else facts.since_ms,
        "last_heartbeat": None if silence_ms is None else call.daemon.now_ms() - silence_ms,
        "rtt_ms": round_trip_ms(session),
        "broker_connected": None if session is None else session.broker,
        "autotrading": None if session is None else session.autotrading,
        "paper": terminal.is_paper,
        "subscriptions": len(subscribed["subscriptions"]),
    }


@method(group="symbols", scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
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


@method(
    group="symbols",
    scope=Scope.READ,
    raises=(AmbiguousSymbol, SymbolNotFound, TerminalDisconnected, Timeout),
)
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
    group="symbols",
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
@method(
    group="symbols",
    scope=Scope.TRADE,
    raises=(AmbiguousSymbol, SymbolNotFound, TerminalDisconnected, Timeout),
)
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
    try:
        done = await terminal.select(symbol, enable=enable)
    finally:
        call.state.symbols.forget(symbol)
    return {"symbol": done.symbol, "select": done.select}
