"""What a stop-limit order is made of, where the platform has none.

When the market comes to its price (the ask for a buy, the bid for a sell) a limit order takes its
place. A broker takes that only on the right side of the market: a gap may have passed the limit
already, and then the limit order follows once the market is back on the other side. It is never
filled worse than at its limit; a broker's own might have been filled where this one waits.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from msgspec.structs import replace as with_

from ea_bridge.model import Order, OrderType, SymbolInfo, TradeAction
from gateway.errors import InvalidPrice
from gateway.trading.grid import Grid, exact, price_grid
from gateway.trading.placing import check_wish, prepare
from gateway.trading.requests import ExecutionOptions, OrderRequest, PreparedOrder
from gateway.trading.sides import misplaced
from gateway.trading.state import TradingState
from gateway.trading.terminal import GuardedTerminal

STOPS = {
    OrderType.BUY_STOP_LIMIT: OrderType.BUY_STOP,
    OrderType.SELL_STOP_LIMIT: OrderType.SELL_STOP,
}
LIMITS = {
    OrderType.BUY_STOP_LIMIT: OrderType.BUY_LIMIT,
    OrderType.SELL_STOP_LIMIT: OrderType.SELL_LIMIT,
}


async def prepared(
    terminal: GuardedTerminal,
    state: TradingState,
    wish: OrderRequest,
    options: ExecutionOptions,
    held: Order | None = None,
) -> PreparedOrder:
    """Return the trade that a stop-limit order would be, or the change of one that is held.

    Raises:
        InvalidParams, InvalidVolume, InvalidPrice: as of any order; and where the limit or the
            market lies on the wrong side of the price.

    """
    check_wish(wish)
    as_stop = replace(wish, type=STOPS[wish.type], stoplimit=None)
    trade, _ = await prepare(terminal, state, as_stop, options)
    info = trade.symbol or await terminal.symbol(trade.request.symbol)
    grid = Grid(info, options.normalize)
    limit = grid.price("stoplimit", wish.stoplimit or Decimal())
    request = with_(trade.request, type=int(wish.type), stoplimit=float(limit))
    wrong = misplaced(request, info)
    if wrong is not None:
        raise InvalidPrice(wrong.message, **price_grid(info) | wrong.data)
    _check_limit(info, exact(request.price), limit, buying=wish.type == OrderType.BUY_STOP_LIMIT)
    if held is not None:
        request = with_(request, action=int(TradeAction.MODIFY), order=held.ticket)
    return replace(trade, request=request, changes=held, moved=[*trade.moved, *grid.moved])


def _check_limit(info: SymbolInfo, price: Decimal, limit: Decimal, *, buying: bool) -> None:
    """Refuse a limit that lies on the wrong side of the price that triggers it."""
    room = exact(info.point) * info.trade_stops_level
    gap = price - limit if buying else limit - price
    if gap <= 0 or gap < room:
        side = "below" if buying else "above"
        apart = f", by {info.trade_stops_level} points at least" if room else ""
        raise InvalidPrice(
            f"stoplimit must lie {side} the order's price {price}{apart}; {limit} does not",
            **price_grid(info),
            field="stoplimit",
            value=float(limit),
            bid=info.bid,
            ask=info.ask,
            rule=f"{side}_price",
            limit=float(price - room if buying else price + room),
            stops_level_points=info.trade_stops_level,
        )


def is_reached(order: Order, bid: float, ask: float) -> bool:
    """Whether the market is at the price that triggers it."""
    if order.type == OrderType.BUY_STOP_LIMIT:
        return ask >= order.price_open
    return bid <= order.price_open


def takes_limit(order: Order, bid: float, ask: float) -> bool:
    """Whether the market is on the side from which a broker takes the limit order."""
    if order.type == OrderType.BUY_STOP_LIMIT:
        return ask > order.price_stoplimit
    return bid < order.price_stoplimit
