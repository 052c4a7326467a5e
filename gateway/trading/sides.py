"""On which side of the market a pending order may wait, told to who asked for the other one."""

from __future__ import annotations

from typing import Any, NamedTuple

from ea_bridge.model import OrderType, SymbolInfo, TradeAction, TradeRequest
from gateway.schemas.convert import enums, word

from .grid import exact


class Misplaced(NamedTuple):
    """A pending order whose price lies where it cannot wait."""

    message: str
    data: dict[str, Any]


class _Way(NamedTuple):
    """Where a kind of order waits."""

    quote: str
    below: bool
    fits: OrderType
    """The kind that waits on the other side."""


_WAYS: dict[int, _Way] = {
    OrderType.BUY_LIMIT: _Way("ask", True, OrderType.BUY_STOP),
    OrderType.BUY_STOP: _Way("ask", False, OrderType.BUY_LIMIT),
    OrderType.BUY_STOP_LIMIT: _Way("ask", False, OrderType.BUY_LIMIT),
    OrderType.SELL_LIMIT: _Way("bid", False, OrderType.SELL_STOP),
    OrderType.SELL_STOP: _Way("bid", True, OrderType.SELL_LIMIT),
    OrderType.SELL_STOP_LIMIT: _Way("bid", True, OrderType.SELL_LIMIT),
}
_WAITING = frozenset({TradeAction.PENDING, TradeAction.MODIFY})


def misplaced(request: TradeRequest, info: SymbolInfo) -> Misplaced | None:
    """Return what is wrong with the price of a pending order; ``None`` if its side is right.

    MetaTrader's own refusal names neither side nor market.
    """
    way = _WAYS.get(request.type)
    if way is None or request.action not in _WAITING or not (info.bid > 0 and info.ask > 0):
        return None
    price = exact(request.price)
    market = exact(info.ask if way.quote == "ask" else info.bid)
    gap = market - price if way.below else price - market
    least = exact(info.point) * info.trade_stops_level
    if gap > 0 and gap >= least:
        return None
    kind, fits = word(enums.ORDER_TYPE, request.type), word(enums.ORDER_TYPE, way.fits)
    side = "below" if way.below else "above"
    apart = f" by {info.trade_stops_level} points at least" if least else ""
    other = f"; there a {_said(fits)} waits" if gap < 0 else ""
    shown = {name: f"{getattr(info, name):.{info.digits}f}" for name in ("bid", "ask")}
    return Misplaced(
        f"A {_said(kind)} waits {side} the {way.quote}{apart}, and {price} does not"
        f" (bid {shown['bid']}, ask {shown['ask']}){other}",
        {
            "field": "price",
            "value": float(price),
            "bid": info.bid,
            "ask": info.ask,
            "rule": f"{side}_{way.quote}",
            "limit": float(market - least if way.below else market + least),
            "stops_level_points": info.trade_stops_level,
            "point": info.point,
            "type": kind,
            "fitting_type": fits if gap < 0 else kind,
        },
    )


def _said(kind: str | None) -> str:
    return (kind or "").replace("_", " ")
