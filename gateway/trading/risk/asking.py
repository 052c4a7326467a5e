"""The questions behind the facts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ea_bridge import commands
from ea_bridge.model import Deal, DealType, Order, OrderType
from gateway.errors import GatewayError, RiskLimit
from gateway.trading.past import past_of
from gateway.trading.requests import PreparedOrder
from gateway.trading.rounds import is_closed_trade
from gateway.trading.symbols import SymbolNames
from gateway.trading.terminal import GuardedTerminal

from . import traded
from .facts import SHARED, Facts, Flights, Need, again, attempt

DAY_S = 86_400
_MOVED = frozenset({DealType.BALANCE, DealType.CREDIT, DealType.CORRECTION, DealType.BONUS})
"""Deals that are money put in or taken out, and neither profit nor loss."""


class HeldOrderList(Protocol):
    """The orders that the gateway keeps itself, as far as limits count them."""

    def counted(self) -> list[Order]:
        """Return those of the account, whichever terminal holds them."""


@dataclass(frozen=True, slots=True)
class FactSources:
    """A terminal, and what the gateway knows beside it."""

    terminal: GuardedTerminal
    symbols: SymbolNames
    held: HeldOrderList


async def learn(
    sources: FactSources,
    trade: PreparedOrder,
    needs: frozenset[Need],
    *,
    flights: Flights,
    symbols: Iterable[str],
) -> Facts:
    """Ask for the facts that the checks of a trade need, all at once.

    Args:
        sources: of the facts.
        trade: to be judged.
        needs: the facts.
        flights: the shared questions.
        symbols: those of orders on their way, whose worth may have to be known.

    """
    shared = [need for need in SHARED if need in needs]
    own = [need for need in _OWN if need in needs]
    answers, numbers = await asyncio.gather(
        asyncio.gather(*(flights.ask(need, partial(_ask, sources, need)) for need in shared)),
        asyncio.gather(*(attempt(_OWN[need](sources, trade)) for need in own)),
    )
    values: dict[Need, Any] = dict(zip(own, numbers, strict=True))
    values |= {need: value for need, (_, value) in zip(shared, answers, strict=True)}
    if "worth" in needs:
        values["worth"] = await attempt(_worth(sources.terminal, trade, values, symbols))
    return Facts(min((asked for asked, _ in answers), default=0), values)


async def _ask(sources: FactSources, need: Need) -> Any:
    """Ask for a fact of the account."""
    terminal = sources.terminal
    match need:
        case "account":
            return await terminal.request(commands.ACCOUNT_GET, commands.NoParams())
        case "positions":
            return await terminal.request(commands.POSITIONS_GET, commands.FilterParams())
        case "orders":
            orders = await terminal.request(commands.ORDERS_GET, commands.FilterParams())
            return orders + sources.held.counted()
        case _:
            return await _brought_today(terminal)


async def _brought_today(terminal: GuardedTerminal) -> float:
    """What the deals since the broker's midnight brought, with all costs."""
    now_s = terminal.broker_ms // 1000
    day = (now_s // DAY_S * DAY_S, now_s + DAY_S)
    total = 0.0
    if terminal.is_mt4:
        async for closed in past_of(terminal, commands.HISTORY_ORDERS_GET, *day):
            total += sum(
                (one.profit or 0.0) + (one.swap or 0.0) + (one.commission or 0.0)
                for one in closed
                if is_closed_trade(one)
            )
        return total
    async for deals in past_of(terminal, commands.HISTORY_DEALS_GET, *day):
        total += sum(_brought(one) for one in deals if one.type not in _MOVED)
    return total


def _brought(deal: Deal) -> float:
    return deal.profit + deal.commission + deal.swap + deal.fee


async def _tick(sources: FactSources, trade: PreparedOrder) -> int:
    params = commands.SymbolParams(symbol=trade.request.symbol)
    return (await sources.terminal.request(commands.TICK_GET, params)).time_msc


async def _margin(sources: FactSources, trade: PreparedOrder) -> float:
    params = commands.MarginParams(
        type=traded.direction(trade),
        symbol=trade.request.symbol,
        volume=trade.request.volume,
        price=traded.entry(trade),
    )
    return (await sources.terminal.request(commands.ORDER_CALC_MARGIN, params)).value


async def _risk(sources: FactSources, trade: PreparedOrder) -> float:
    params = commands.ProfitParams(
        type=traded.direction(trade),
        symbol=trade.request.symbol,
        volume=float(traded.volume(trade)),
        price_open=traded.entry(trade),
        price_close=trade.request.sl,
    )
    return (await sources.terminal.request(commands.ORDER_CALC_PROFIT, params)).value


async def _allowed(sources: FactSources, trade: PreparedOrder) -> frozenset[str]:
    terminal = sources.terminal
    allowed = terminal.limits().allowed_symbols or frozenset()
    if trade.request.symbol in allowed:
        return allowed
    return await sources.symbols.names(terminal, allowed)


_OWN: dict[Need, Any] = {"tick": _tick, "margin": _margin, "risk": _risk, "allowed": _allowed}


async def _worth(
    terminal: GuardedTerminal,
    trade: PreparedOrder,
    known: Mapping[Need, Any],
    symbols: Iterable[str],
) -> dict[str, float]:
    """What a lot of each symbol is worth now, in the account's currency."""
    prices: dict[str, float] = {}
    for listed in (known["positions"], known["orders"]):
        if isinstance(listed, GatewayError):
            raise again(listed)
        prices |= {one.symbol: one.price_current or one.price_open for one in listed}
    prices[trade.request.symbol] = traded.entry(trade)
    for symbol in set(symbols) - prices.keys():
        info = await terminal.symbol(symbol)
        prices[symbol] = info.ask or info.bid
    sums = await asyncio.gather(
        *(_lot_worth(terminal, symbol, price) for symbol, price in prices.items())
    )
    return dict(zip(prices, sums, strict=True))


async def _lot_worth(terminal: GuardedTerminal, symbol: str, price: float) -> float:
    """What a lot would bring if its price doubled is all that it is worth; the terminal knows
    the contract and converts.
    """
    if price <= 0:
        raise RiskLimit(f"{symbol} has no price now, so its worth is not known", value=None)
    params = commands.ProfitParams(
        type=OrderType.BUY, symbol=symbol, volume=1.0, price_open=price, price_close=2 * price
    )
    return (await terminal.request(commands.ORDER_CALC_PROFIT, params)).value
