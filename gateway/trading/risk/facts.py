"""Facts that an order is checked with: those of the account, and those of the order itself.

The account's are asked of the terminal while an order is checked.

Facts are asked for anew for each order. Where many orders are checked at once, those who come
while an answer is on its way take that answer: a hundred parallel orders cost one question. Each
answer knows the moment at which it was asked for, so that :mod:`.counters` can tell what it
may not show yet.

A fact that could not be had is kept as the error that it met: the check that needs it raises it,
and so refuses.

The order's own are its direction, volume and prices, be it new or a change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from ea_bridge import commands
from ea_bridge.model import (
    BUYS,
    Account,
    Deal,
    DealType,
    Order,
    OrderType,
    Position,
    PositionType,
    TradeAction,
)
from gateway.errors import GatewayError, RiskLimit
from gateway.trading.history import fetch_history, is_closed_trade
from gateway.trading.price_grid import exact
from gateway.trading.requests import PreparedOrder
from gateway.trading.symbols import SymbolNames
from gateway.trading.terminal import GuardedTerminal

STOP_LIMITS = frozenset({OrderType.BUY_STOP_LIMIT, OrderType.SELL_STOP_LIMIT})
NETTING = frozenset({"netting", "exchange"})
"""Modes of an account in which a symbol has one position at most."""
WITH_STOPS = frozenset(
    {TradeAction.DEAL, TradeAction.PENDING, TradeAction.MODIFY, TradeAction.SLTP}
)
"""Requests that have a stop loss and a take profit."""


def buys(order: PreparedOrder) -> bool:
    """Return the direction of an order; of a change, that of what is changed."""
    held = order.changes
    if isinstance(held, Position):
        return held.type == PositionType.BUY
    return order.request.type in BUYS


def market(order: PreparedOrder) -> float:
    """Return what the order would be filled at now; 0 without a quote."""
    info = order.symbol
    if info is None:
        return 0.0
    return info.ask if buys(order) else info.bid


def entry(order: PreparedOrder) -> float:
    """Return where the position begins: at the market, at a pending order's own price, or at the
    limit of one that a stop triggers.
    """
    held, request = order.changes, order.request
    if isinstance(held, Position):
        return held.price_open
    # whatever price its caller names: the broker fills it at the market, or not at all
    if request.action == TradeAction.DEAL:
        return market(order)
    return request.stoplimit if request.type in STOP_LIMITS else request.price


def volume(order: PreparedOrder) -> Decimal:
    """Return the lots of an order, or of the position whose stops are changed."""
    held = order.changes
    return exact(held.volume if isinstance(held, Position) else order.request.volume)


def direction(order: PreparedOrder) -> OrderType:
    """Return the kind of market order that it comes down to."""
    return OrderType.BUY if buys(order) else OrderType.SELL


Need = Literal[
    "account", "positions", "orders", "brought", "tick", "margin", "risk", "worth", "allowed"
]
"""``brought``: what the day's deals brought. ``worth``: of one lot, by symbol, and of one of the
order itself under ``None``. ``risk``: what would be lost at the order's stop loss. ``allowed``:
the broker's names of the symbols that may be traded."""
SHARED: tuple[Need, ...] = ("account", "positions", "orders", "brought")
"""Facts of the account, the same for everybody who asks."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """Facts for one order; each member raises the error that its question met."""

    asked: int
    """The moment before the first question, as :mod:`.counters` counts them."""
    _values: Mapping[Need, Any]

    def has(self, need: Need) -> bool:
        """Whether that was asked for."""
        return need in self._values

    @property
    def account(self) -> Account:
        """The account."""
        value: Account = self._get("account")
        return value

    @property
    def positions(self) -> list[Position]:
        """All that are open."""
        value: list[Position] = self._get("positions")
        return value

    @property
    def orders(self) -> list[Order]:
        """All that wait."""
        value: list[Order] = self._get("orders")
        return value

    def number(self, need: Need) -> float:
        """One of the sums."""
        value: float = self._get(need)
        return value

    @property
    def worth(self) -> Mapping[str | None, float]:
        """Worth of a lot of each symbol now; under ``None`` that of the order, at its price."""
        value: Mapping[str | None, float] = self._get("worth")
        return value

    @property
    def allowed(self) -> frozenset[str]:
        """The broker's names of the symbols that may be traded."""
        value: frozenset[str] = self._get("allowed")
        return value

    @property
    def tick_ms(self) -> int:
        """Time of the last tick; milliseconds of the broker's clock."""
        value: int = self._get("tick")
        return value

    def _get(self, need: Need) -> Any:
        value = self._values[need]
        if isinstance(value, GatewayError):
            raise copy_error(value)
        return value


@dataclass
class _Flight:
    """A question whose answer is on its way."""

    asked: int
    answer: asyncio.Task[Any]


class Flights:
    """The shared questions of one terminal.

    Args:
        moment: tells when it is, as :mod:`.counters` counts.

    """

    def __init__(self, moment: Callable[[], int]) -> None:
        self._moment = moment
        self._flights: dict[Need, _Flight] = {}

    def earliest(self) -> int:
        """Return the moment of the oldest facts that who asks now can get."""
        moment = self._moment()
        if not self._flights:
            return moment
        return min(moment, *(flight.asked for flight in self._flights.values()))

    async def ask(self, need: Need, question: Callable[[], Awaitable[Any]]) -> tuple[int, Any]:
        """Return when it was asked and the answer, or the error that the question met.

        Joins a question that is on its way; it goes on for the others if one of them leaves.
        """
        # joined only while it is on its way: an answer that is there is old for who asks now
        flight = self._flights.get(need)
        if flight is None:
            # the error is an answer, too: raised in the task it would be raised in nobody's name
            task = asyncio.ensure_future(attempt(question()))
            flight = self._flights[need] = _Flight(self._moment(), task)
            task.add_done_callback(lambda _: self._flights.pop(need, None))
        return flight.asked, await asyncio.shield(flight.answer)


def copy_error(error: GatewayError) -> GatewayError:
    """Return a copy of an error that several callers share: each adds data of its own."""
    return type(error)(error.message, **error.data)


async def attempt(question: Awaitable[T]) -> T | GatewayError:
    """Return the answer, or the error that it met."""
    try:
        return await question
    except GatewayError as error:
        return error


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
    order: PreparedOrder,
    needs: frozenset[Need],
    *,
    flights: Flights,
    symbols: Iterable[str],
) -> AccountFacts:
    """Ask for the facts that the checks of an order need, all at once.

    Args:
        sources: of the facts.
        order: to be checked.
        needs: the facts.
        flights: the shared questions.
        symbols: those of orders on their way, whose worth may have to be known.

    """
    shared = [need for need in SHARED if need in needs]
    own = [need for need in _OWN if need in needs]
    answers, numbers = await asyncio.gather(
        asyncio.gather(*(flights.ask(need, partial(_ask, sources, need)) for need in shared)),
        asyncio.gather(*(attempt(_OWN[need](sources, order)) for need in own)),
    )
    values: dict[Need, Any] = dict(zip(own, numbers, strict=True))
    values |= {need: value for need, (_, value) in zip(shared, answers, strict=True)}
    if "worth" in needs:
        values["worth"] = await attempt(_worth(sources.terminal, order, values, symbols))
    # the oldest counts for all: what ended since may be missing in one of them
    return AccountFacts(min((asked for asked, _ in answers), default=0), values)


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
            # held orders are exposure to come, though the terminal knows nothing of them
            return orders + sources.held.counted()
        case _:
            return await _brought_today(terminal)


async def _brought_today(terminal: GuardedTerminal) -> float:
    """Return what the deals since the broker's midnight brought, with all costs."""
    now_s = terminal.broker_ms // 1000
    # the broker's day, and a day more: its clock may be ahead of what we think
    day = (now_s // DAY_S * DAY_S, now_s + DAY_S)
    total = 0.0
    if terminal.is_mt4:
        async for closed in fetch_history(terminal, commands.HISTORY_ORDERS_GET, *day):
            total += sum(
                (order.profit or 0.0) + (order.swap or 0.0) + (order.commission or 0.0)
                for order in closed
                if is_closed_trade(order)
            )
        return total
    async for deals in fetch_history(terminal, commands.HISTORY_DEALS_GET, *day):
        total += sum(_brought(deal) for deal in deals if deal.type not in _MOVED)
    return total


def _brought(deal: Deal) -> float:
    return deal.profit + deal.commission + deal.swap + deal.fee


async def _tick(sources: FactSources, order: PreparedOrder) -> int:
    params = commands.SymbolParams(symbol=order.request.symbol)
    return (await sources.terminal.request(commands.TICK_GET, params)).time_msc


async def _margin(sources: FactSources, order: PreparedOrder) -> float:
    params = commands.MarginParams(
        type=direction(order),
        symbol=order.request.symbol,
        volume=order.request.volume,
        price=entry(order),
    )
    return (await sources.terminal.request(commands.ORDER_CALC_MARGIN, params)).value


async def _risk(sources: FactSources, order: PreparedOrder) -> float:
    parts = [(float(volume(order)), entry(order))]
    hello = sources.terminal.hello
    if order.changes is None and hello is not None and hello.mode in NETTING:
        # its stop loss becomes that of the whole position
        wanted = commands.FilterParams(symbol=order.request.symbol)
        parts += [
            (position.volume, position.price_open)
            for position in await sources.terminal.request(commands.POSITIONS_GET, wanted)
            if (position.type == PositionType.BUY) == buys(order)
        ]
    asked = (_profit_at_stop(sources, order, lots, price) for lots, price in parts)
    # a part that still gains there pays for no other: its gain is in the equity already
    return sum(min(profit, 0.0) for profit in await asyncio.gather(*asked))


async def _profit_at_stop(
    sources: FactSources, order: PreparedOrder, lots: float, price_open: float
) -> float:
    params = commands.ProfitParams(
        type=direction(order),
        symbol=order.request.symbol,
        volume=lots,
        price_open=price_open,
        price_close=order.request.sl,
    )
    return (await sources.terminal.request(commands.ORDER_CALC_PROFIT, params)).value


async def _allowed(sources: FactSources, order: PreparedOrder) -> frozenset[str]:
    terminal = sources.terminal
    allowed = terminal.limits().allowed_symbols or frozenset()
    # the broker's name is listed: then nothing has to be looked up
    if order.request.symbol in allowed:
        return allowed
    return await sources.symbols.names(terminal, allowed)


_OWN: dict[Need, Any] = {"tick": _tick, "margin": _margin, "risk": _risk, "allowed": _allowed}


async def _worth(
    terminal: GuardedTerminal,
    order: PreparedOrder,
    known: Mapping[Need, Any],
    symbols: Iterable[str],
) -> dict[str | None, float]:
    """Return what a lot of each symbol is worth now, and one of the order (``None``), in the
    account's currency.
    """
    # its own price: a limit far from the market is worth what it will cost
    prices: dict[str | None, float] = {None: entry(order)}
    needed = {*symbols, order.request.symbol}
    for listed in (known["positions"], known["orders"]):
        if isinstance(listed, GatewayError):
            raise copy_error(listed)
        needed.update(item.symbol for item in listed)
        # a price is in the lists already: it costs no question; orders that are held have none
        prices |= {item.symbol: item.price_current for item in listed if item.price_current}
    for symbol in needed - prices.keys():
        info = await terminal.symbol(symbol)
        prices[symbol] = info.ask or info.bid
    sums = await asyncio.gather(
        *(
            _lot_worth(terminal, symbol or order.request.symbol, price)
            for symbol, price in prices.items()
        )
    )
    return dict(zip(prices, sums, strict=True))


async def _lot_worth(terminal: GuardedTerminal, symbol: str, price: float) -> float:
    """Return the worth of a lot: its profit if the price doubled. The terminal knows the contract,
    and converts.
    """
    if price <= 0:
        raise RiskLimit(f"{symbol} has no price now, so its worth is not known", value=None)
    params = commands.ProfitParams(
        type=OrderType.BUY, symbol=symbol, volume=1.0, price_open=price, price_close=2 * price
    )
    return (await terminal.request(commands.ORDER_CALC_PROFIT, params)).value
