"""Requests to the trade server: what they name is looked up, and they are refused or answered.

Answers are in the words of MetaTrader 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ea_bridge.model import (
    BUYS,
    Order,
    OrderType,
    PositionType,
    SymbolInfo,
    Tick,
    TradeAction,
    TradeRequest,
    TradeResult,
    TradeRetcode,
)

from .ledger import Holding
from .prices import exact
from .terms import Switches
from .valuation import PossibleFill, Valuation

COMMENTS = {
    TradeRetcode.REQUOTE: "Requote",
    TradeRetcode.REJECT: "Request rejected",
    TradeRetcode.CANCEL: "Request canceled",
    TradeRetcode.PLACED: "Order placed",
    TradeRetcode.DONE: "Request executed",
    TradeRetcode.DONE_PARTIAL: "Request executed partially",
    TradeRetcode.ERROR: "Common error",
    TradeRetcode.TIMEOUT: "Request timed out",
    TradeRetcode.INVALID: "Invalid request",
    TradeRetcode.INVALID_VOLUME: "Invalid volume",
    TradeRetcode.INVALID_PRICE: "Invalid price",
    TradeRetcode.INVALID_STOPS: "Invalid stops",
    TradeRetcode.TRADE_DISABLED: "Trade disabled",
    TradeRetcode.MARKET_CLOSED: "Market closed",
    TradeRetcode.NO_MONEY: "No money",
    TradeRetcode.PRICE_CHANGED: "Price changed",
    TradeRetcode.PRICE_OFF: "No prices",
    TradeRetcode.INVALID_EXPIRATION: "Invalid expiration",
    TradeRetcode.ORDER_CHANGED: "Order changed",
    TradeRetcode.TOO_MANY_REQUESTS: "Too many requests",
    TradeRetcode.NO_CHANGES: "No changes",
    TradeRetcode.SERVER_DISABLES_AT: "AutoTrading disabled by server",
    TradeRetcode.CLIENT_DISABLES_AT: "AutoTrading disabled by client",
    TradeRetcode.LOCKED: "Request locked",
    TradeRetcode.FROZEN: "Order or position frozen",
    TradeRetcode.INVALID_FILL: "Unsupported filling mode",
    TradeRetcode.CONNECTION: "No connection",
    TradeRetcode.ONLY_REAL: "Only real accounts allowed",
    TradeRetcode.LIMIT_ORDERS: "Orders limit reached",
    TradeRetcode.LIMIT_VOLUME: "Volume limit reached",
    TradeRetcode.INVALID_ORDER: "Invalid order",
    TradeRetcode.POSITION_CLOSED: "Position doesn't exist",
    TradeRetcode.INVALID_CLOSE_VOLUME: "Invalid close volume",
    TradeRetcode.CLOSE_ORDER_EXIST: "Close order already exists",
    TradeRetcode.LIMIT_POSITIONS: "Positions limit reached",
    TradeRetcode.REJECT_CANCEL: "Activation rejected, order canceled",
    TradeRetcode.LONG_ONLY: "Only long positions allowed",
    TradeRetcode.SHORT_ONLY: "Only short positions allowed",
    TradeRetcode.CLOSE_ONLY: "Only position closing allowed",
    TradeRetcode.FIFO_CLOSE: "Position closing by FIFO rule only",
    TradeRetcode.HEDGE_PROHIBITED: "Hedging prohibited",
}
"""Texts that the terminal shows beside the number, one for every retcode."""


class RequestRefused(Exception):
    """The server says no. The only way in which a request fails."""

    def __init__(self, retcode: TradeRetcode) -> None:
        super().__init__(COMMENTS[retcode])
        self.retcode = retcode


def answer(
    retcode: TradeRetcode,
    tick: Tick | None = None,
    *,
    order: int = 0,
    deal: int = 0,
    position: int = 0,
    volume: float = 0.0,
    price: float = 0.0,
) -> TradeResult:
    """Return the result of a request; ``tick`` gives the bid and ask that it met."""
    return TradeResult(
        retcode=retcode,
        order=order,
        deal=deal,
        position=position,
        volume=volume,
        price=price,
        bid=tick.bid if tick else 0.0,
        ask=tick.ask if tick else 0.0,
        comment=COMMENTS[retcode],
    )


MARKET = {OrderType.BUY, OrderType.SELL}
LIMITS = {OrderType.BUY_LIMIT, OrderType.SELL_LIMIT}
STOPS = {OrderType.BUY_STOP, OrderType.SELL_STOP}
STOP_LIMITS = {OrderType.BUY_STOP_LIMIT, OrderType.SELL_STOP_LIMIT}
PENDINGS = LIMITS | STOPS | STOP_LIMITS


@dataclass(frozen=True)
class ResolvedRequest:
    """Request with everything that it names looked up.

    ``order`` and the positions are there where the action needs them.
    """

    request: TradeRequest
    now_msc: int
    symbol: SymbolInfo
    tick: Tick | None
    target: Holding | None = None
    """The position to close or to change."""
    opposite: Holding | None = None
    """The other position of a close-by."""
    order: Order | None = None
    """The pending order to change or remove."""

    @property
    def buying(self) -> bool:
        """Whether the order would buy."""
        return self.request.type in BUYS

    @property
    def market_price(self) -> float:
        """The price at which the order would fill now; checked for presence beforehand."""
        tick = self.known_tick
        return tick.ask if self.buying else tick.bid

    @property
    def known_tick(self) -> Tick:
        """The quote.

        Raises:
            RequestRefused: there is none.

        """
        if self.tick is None:
            raise RequestRefused(TradeRetcode.PRICE_OFF)
        return self.tick

    @property
    def trade(self) -> PossibleFill:
        """The fill that the order would have: at the market, or at its own price."""
        pending = self.request.action == TradeAction.PENDING
        price = self.request.price if pending else self.market_price
        return PossibleFill(
            self.symbol, self.buying, exact(self.request.volume), exact(price), self.target
        )


@dataclass(frozen=True)
class CheckContext:
    """Books, terms and prices that the checks compare the request with."""

    valuation: Valuation
    switches: Switches


def look_up(request: TradeRequest, valuation: Valuation, now_msc: int) -> ResolvedRequest:
    """Find what a request names.

    Raises:
        RequestRefused: malformed (10013), or its position (10036) or order (10035) is not there.

    """
    # NaN is neither above nor below anything: no later check would stop it
    if not _numbers_make_sense(request):
        raise RequestRefused(TradeRetcode.INVALID)
    finder = _FINDERS.get(request.action)
    if finder is None:
        raise RequestRefused(TradeRetcode.INVALID)
    return finder(request, valuation, now_msc)


def _numbers_make_sense(request: TradeRequest) -> bool:
    prices = (request.price, request.stoplimit, request.sl, request.tp)
    tickets = (request.order, request.position, request.position_by, request.deviation)
    good_prices = all(math.isfinite(price) and price >= 0 for price in prices)
    return good_prices and math.isfinite(request.volume) and min(tickets) >= 0


def _resolve(
    request: TradeRequest,
    valuation: Valuation,
    now_msc: int,
    name: str,
    *,
    target: Holding | None = None,
    opposite: Holding | None = None,
    order: Order | None = None,
) -> ResolvedRequest:
    symbol = valuation.prices.symbol(name)
    if symbol is None:
        raise RequestRefused(TradeRetcode.INVALID)
    tick = valuation.prices.tick(name)
    return ResolvedRequest(request, now_msc, symbol, tick, target, opposite, order)


def _position(valuation: Valuation, ticket: int) -> Holding:
    holding = valuation.ledger.holdings.get(ticket)
    if holding is None:
        raise RequestRefused(TradeRetcode.POSITION_CLOSED)
    return holding


def _find_deal(request: TradeRequest, valuation: Valuation, now_msc: int) -> ResolvedRequest:
    target = None
    # a netting server does not look at the position that a deal names: a symbol has one
    if request.position and valuation.terms.hedging:
        target = _position(valuation, request.position)
        if target.position.symbol != request.symbol:
            raise RequestRefused(TradeRetcode.INVALID)
        # closing takes the other direction; the same one would enlarge it
        if request.type in MARKET and request.type == target.position.type:
            raise RequestRefused(TradeRetcode.INVALID)
    return _resolve(request, valuation, now_msc, request.symbol, target=target)


def _find_pending(request: TradeRequest, valuation: Valuation, now_msc: int) -> ResolvedRequest:
    return _resolve(request, valuation, now_msc, request.symbol)


def _find_stops(request: TradeRequest, valuation: Valuation, now_msc: int) -> ResolvedRequest:
    """Stops belong to a position: by ticket, or on netting accounts by symbol."""
    if request.position:
        target = _position(valuation, request.position)
    else:
        if valuation.terms.hedging:
            raise RequestRefused(TradeRetcode.INVALID)
        held = valuation.ledger.held(request.symbol)
        if not held:
            raise RequestRefused(TradeRetcode.POSITION_CLOSED)
        target = held[0]
    # the ticket says it all, so the symbol may be left empty
    if request.symbol not in ("", target.position.symbol):
        raise RequestRefused(TradeRetcode.INVALID)
    return _resolve(request, valuation, now_msc, target.position.symbol, target=target)


def _find_order(request: TradeRequest, valuation: Valuation, now_msc: int) -> ResolvedRequest:
    order = valuation.ledger.orders.get(request.order)
    # a market order that waits for its fill can neither be changed nor taken back
    if order is None or order.type not in PENDINGS:
        raise RequestRefused(TradeRetcode.INVALID_ORDER)
    return _resolve(request, valuation, now_msc, order.symbol, order=order)


def _find_close_by(request: TradeRequest, valuation: Valuation, now_msc: int) -> ResolvedRequest:
    if not (valuation.terms.hedging and request.position and request.position_by):
        raise RequestRefused(TradeRetcode.INVALID)
    first = _position(valuation, request.position)
    second = _position(valuation, request.position_by)
    same_symbol = first.position.symbol == second.position.symbol
    types = {first.position.type, second.position.type}
    if not same_symbol or types != {PositionType.BUY, PositionType.SELL}:
        raise RequestRefused(TradeRetcode.INVALID)
    name = first.position.symbol
    return _resolve(request, valuation, now_msc, name, target=first, opposite=second)


_FINDERS: dict[int, Callable[[TradeRequest, Valuation, int], ResolvedRequest]] = {
    TradeAction.DEAL: _find_deal,
    TradeAction.PENDING: _find_pending,
    TradeAction.SLTP: _find_stops,
    TradeAction.MODIFY: _find_order,
    TradeAction.REMOVE: _find_order,
    TradeAction.CLOSE_BY: _find_close_by,
}
