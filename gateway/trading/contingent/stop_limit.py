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
from gateway.trading.guard import GuardedTerminal
from gateway.trading.handling import Handling
from gateway.trading.placing import Wish, check_wish, prepare
from gateway.trading.receipts import Trade

STOPS = {
    OrderType.BUY_STOP_LIMIT: OrderType.BUY_STOP,
    OrderType.SELL_STOP_LIMIT: OrderType.SELL_STOP,
}
LIMITS = {
    OrderType.BUY_STOP_LIMIT: OrderType.BUY_LIMIT,
    OrderType.SELL_STOP_LIMIT: OrderType.SELL_LIMIT,
}


async def prepared(
    terminal: GuardedTerminal, wish: Wish, handling: Handling, held: Order | None = None
) -> Trade:
    """Return the trade that a stop-limit order would be, or the change of one that is held.

    Raises:
        InvalidParams, InvalidVolume, InvalidPrice: as of any order; and where the limit or the
            market lies on the wrong side of the price.

    """
    check_wish(wish)
    as_stop = replace(wish, type=STOPS[wish.type], stoplimit=None)
    trade, _ = await prepare(terminal, as_stop, handling)
    info = trade.symbol or await terminal.symbol(trade.request.symbol)
    grid = Grid(info, handling.normalize)
    limit = grid.price("stoplimit", wish.stoplimit or Decimal())
    request = with_(trade.request, type=int(wish.type), stoplimit=float(limit))
    _check_sides(info, exact(request.price), limit, buying=wish.type == OrderType.BUY_STOP_LIMIT)
    if held is not None:
        request = with_(request, action=int(TradeAction.MODIFY), order=held.ticket)
    return replace(trade, request=request, held=held, moved=[*trade.moved, *grid.moved])


def _check_sides(info: SymbolInfo, price: Decimal, limit: Decimal, *, buying: bool) -> None:
    room = exact(info.point) * info.trade_stops_level
    market = exact(info.ask if buying else info.bid)
    gaps = {"price": price - market, "stoplimit": price - limit}
    for field, gap in gaps.items():
        beyond = gap if buying else -gap
        if beyond <= 0 or beyond < room:
            raise InvalidPrice(
                f"{field} lies on the wrong side, or too near",
                **price_grid(info),
                field=field,
                market=float(market),
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
