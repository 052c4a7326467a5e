"""Calculations of a trade's margin and profit."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ea_bridge import commands
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.errors import (
    AmbiguousSymbol,
    InvalidPrice,
    SymbolNotFound,
    TerminalDisconnected,
    Timeout,
)
from gateway.rpc.catalogue import Call, method

from .order_params import side_of
from .params import Price, SideParam, Symbol, Volume

_Side = Annotated[SideParam | None, Field(description="Direction of the trade.")]
_Type = Annotated[
    SideParam | None, Field(description="Another name of `side`, as MetaTrader has it.")
]


@method(
    scope=Scope.READ,
    raises=(AmbiguousSymbol, SymbolNotFound, InvalidPrice, TerminalDisconnected, Timeout),
)
async def order_calc_margin(
    call: Call,
    *,
    symbol: Symbol,
    side: _Side = None,
    type: _Type = None,
    volume: Volume,
    price: Annotated[Price | None, Field(description="The market's if absent.")] = None,
) -> shapes.Margin:
    """Return the margin that a position would need by itself, in the account's currency.

    Positions that are there already, and what they would save, are not counted.
    """
    terminal, order_type = call.terminal, side_of(side, type)
    info = await call.state.symbols.find(terminal, symbol)
    at = float(price) if price else (info.bid if order_type else info.ask)
    if not at:
        raise InvalidPrice("The symbol has no price now: give one", symbol=symbol)
    params = commands.MarginParams(
        type=order_type, symbol=info.name, volume=float(volume), price=at
    )
    amount = await terminal.request(commands.ORDER_CALC_MARGIN, params)
    return {"margin": amount.value, "currency": await _currency(call)}


@method(scope=Scope.READ, raises=(AmbiguousSymbol, SymbolNotFound, TerminalDisconnected, Timeout))
async def order_calc_profit(
    call: Call,
    *,
    symbol: Symbol,
    side: _Side = None,
    type: _Type = None,
    volume: Volume,
    price_open: Price,
    price_close: Price,
) -> shapes.Profit:
    """Return what a position would bring between two prices, in the account's currency.

    Without commission and swap; converted at today's rates.
    """
    terminal, order_type = call.terminal, side_of(side, type)
    info = await call.state.symbols.find(terminal, symbol)
    params = commands.ProfitParams(
        type=order_type,
        symbol=info.name,
        volume=float(volume),
        price_open=float(price_open),
        price_close=float(price_close),
    )
    amount = await terminal.request(commands.ORDER_CALC_PROFIT, params)
    return {"profit": amount.value, "currency": await _currency(call)}


async def _currency(call: Call) -> str:
    hello = call.terminal.hello
    if hello is not None and hello.currency:
        return hello.currency
    return (await call.terminal.request(commands.ACCOUNT_GET, commands.NoParams())).currency
