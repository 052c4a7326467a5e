"""What a terminal's errors become, and the evidence that makes a refusal useful."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from ea_bridge import commands, errors
from ea_bridge.commands import TERMINAL_ERRORS, TOO_LARGE, Command
from ea_bridge.model import Account, OrderType, SymbolInfo, Tick, TradeRequest
from ea_bridge.model.struct import Struct
from gateway.errors import (
    GatewayError,
    HistoryLoading,
    InternalError,
    InvalidParams,
    MethodNotSupported,
    NoMarketDepth,
    OrderNotFound,
    OrderRejected,
    PositionNotFound,
    did_you_mean,
)

from .retcodes import Evidence, ruling

HISTORY_RETRY_MS = 500
MAX_COMPARED = 2000
"""Symbols that a mistyped one is compared with; brokers have up to tens of thousands."""

NOT_EXECUTED = frozenset(TERMINAL_ERRORS) - {4024, 4756, TOO_LARGE}
"""Run-time errors after which a trade surely was not sent to the broker. Any other may have come
after ``OrderSend``: 4024 is MQL's internal error, 4756 stands beside whatever is not a success."""

Look = Callable[[Command[Any, Any], Struct], Awaitable[Any]]
"""Asks a question; ``None`` if the answer does not come soon."""

BUYS = frozenset(
    {OrderType.BUY, OrderType.BUY_LIMIT, OrderType.BUY_STOP, OrderType.BUY_STOP_LIMIT}
)


def failure(
    failed: errors.CommandFailed, params: Struct, *, terminal: str, platform: str
) -> GatewayError:
    """Return what a caller sees of an MQL run-time error."""
    about = {
        name: value
        for name in ("symbol", "ticket", "order", "position")
        if (value := getattr(params, name, None))
    }
    name = TERMINAL_ERRORS.get(failed.err, f"other_{failed.err}")
    match failed.err:
        case 4401:
            return HistoryLoading(retry_after_ms=HISTORY_RETRY_MS, **about)
        case 4753:
            return PositionNotFound(**about)
        case 4754:
            return OrderNotFound(**about)
        case 4756:
            return OrderRejected("The terminal could not send the order", err=failed.err, **about)
        case 4901:
            return NoMarketDepth(**about)
        case 4003:
            return InvalidParams("The terminal does not accept these params", err=failed.err)
        case 4014:
            return MethodNotSupported(terminal=terminal, platform=platform, err_name=name)
        case _:
            return InternalError(
                "The terminal failed; its Experts log may say why", err=failed.err, err_name=name
            )


async def explain(look: Look, retcode: int, evidence: Evidence) -> Evidence:
    """Ask the terminal for what the explanation of a refusal needs."""
    request, needs = evidence.request, ruling(retcode).needs
    if needs == "symbol" and request.symbol:
        symbol = await look(commands.SYMBOL_GET, commands.SymbolParams(symbol=request.symbol))
        return replace(evidence, symbol=symbol)
    if needs == "prices":
        return await _prices(look, evidence)
    if needs == "money":
        return await _money(look, evidence)
    return evidence


async def _prices(look: Look, evidence: Evidence) -> Evidence:
    result = evidence.result
    if result is not None and result.bid and result.ask:
        return replace(evidence, bid=result.bid, ask=result.ask)
    symbol = evidence.request.symbol
    tick: Tick | None = await look(commands.TICK_GET, commands.SymbolParams(symbol=symbol))
    return evidence if tick is None else replace(evidence, bid=tick.bid, ask=tick.ask)


async def _money(look: Look, evidence: Evidence) -> Evidence:
    request = evidence.request
    account: Account | None = await look(commands.ACCOUNT_GET, commands.NoParams())
    free = None if account is None else account.margin_free
    price = request.price or await _market_price(look, request)
    required: commands.Amount | None = None
    if request.symbol and price:
        required = await look(
            commands.ORDER_CALC_MARGIN,
            commands.MarginParams(
                type=OrderType.BUY if request.type in BUYS else OrderType.SELL,
                symbol=request.symbol,
                volume=request.volume,
                price=price,
            ),
        )
    margin = None if required is None else required.value
    return replace(evidence, margin_free=free, margin_required=margin)


async def _market_price(look: Look, request: TradeRequest) -> float:
    info: SymbolInfo | None = await look(
        commands.SYMBOL_GET, commands.SymbolParams(symbol=request.symbol)
    )
    if info is None:
        return 0.0
    return info.ask if request.type in BUYS else info.bid


def nearest_symbols(given: str, known: Iterable[str]) -> dict[str, Any]:
    """Return ``did_you_mean``; compares those that begin alike or contain what was given."""
    wanted = given.lower()
    alike = [
        name
        for name in known
        if name[:1].lower() == wanted[:1] or wanted in name.lower() or name.lower() in wanted
    ]
    return did_you_mean(given, alike[:MAX_COMPARED])
