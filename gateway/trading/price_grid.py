"""Prices and volumes that a symbol can have, and the side of the market for pending orders.

Everything is compared as :class:`~decimal.Decimal`: 0.1 + 0.2 of binary fractions lies on no grid.
A value off the grid is refused with the grid in the error's data, or moved to the nearest point of
it where the caller said ``normalize``; it is never rounded silently.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any, Literal, NamedTuple

from ea_bridge.model import OrderType, SymbolInfo, TradeAction, TradeRequest
from gateway.errors import InvalidPrice, InvalidVolume
from gateway.schemas.convert import enums

Name = Literal["volume", "price", "sl", "tp", "stoplimit"]


def exact(number: float) -> Decimal:
    """Return a terminal's number as it was meant: at the 15 digits that a double keeps."""
    return Decimal(format(number, ".15g"))


def tick_size(info: SymbolInfo) -> Decimal:
    """The grid of prices: the tick size, or the point of a symbol that tells none."""
    return exact(info.trade_tick_size) if info.trade_tick_size > 0 else exact(info.point)


def is_on(value: Decimal, step: Decimal) -> bool:
    """Whether a value is a whole number of steps; without a step every value is."""
    return step <= 0 or value % step == 0


def nearest(value: Decimal, step: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Return the grid's point that is nearest, or the one below."""
    return value if step <= 0 else (value / step).to_integral_value(rounding) * step


@dataclass
class PriceGrid:
    """The grid of one symbol, for the numbers of one request.

    With ``normalize``, :attr:`moved` collects the names of what was moved.
    """

    info: SymbolInfo
    normalize: bool = False
    moved: list[Name] = field(default_factory=list)

    def volume(self, given: Decimal, *, at_most: Decimal | None = None) -> Decimal:
        """Return the volume, checked; ``at_most`` is what can be closed.

        Normalizing goes down to the step: never more than was asked for.

        Raises:
            InvalidVolume: off the step, below the minimum or above the maximum.

        """
        info = self.info
        step, least = exact(info.volume_step), exact(info.volume_min)
        most = exact(info.volume_max)
        if at_most is not None and given == at_most:
            return given  # all of a position, whatever the grid has become since it was opened
        volume = given
        if self.normalize:
            volume = min(nearest(given, step, ROUND_FLOOR), most or given)
        too_much = at_most is not None and volume > at_most
        # a maximum of 0 is none: some brokers tell no limit
        if volume < least or (most and volume > most) or not is_on(volume, step) or too_much:
            numbers = {**volume_grid(info), **_closable(at_most), "volume": float(given)}
            raise InvalidVolume(**numbers)
        return self._note("volume", given, volume)

    def price(self, name: Name, given: Decimal) -> Decimal:
        """Return the price, checked; normalizing goes to the nearest one.

        Raises:
            InvalidPrice: not a whole number of ticks; or nearest to 0, which means no price.

        """
        size = tick_size(self.info)
        # to the nearest: for a stop loss no direction is right for all, and half a tick is little
        price = nearest(given, size) if self.normalize else given
        if not is_on(price, size) or (given and not price):
            raise InvalidPrice(
                f"{name} does not lie on the symbol's grid of prices",
                **price_grid(self.info),
                field=name,
            )
        return self._note(name, given, price)

    def _note(self, name: Name, given: Decimal, taken: Decimal) -> Decimal:
        if taken != given:
            self.moved.append(name)
        return taken


def volume_grid(info: SymbolInfo) -> dict[str, Any]:
    """Return the numbers that a volume must fit."""
    return {"min": info.volume_min, "max": info.volume_max, "step": info.volume_step}


def price_grid(info: SymbolInfo) -> dict[str, Any]:
    """Return the numbers that a price must fit."""
    return {"digits": info.digits, "tick_size": float(tick_size(info))}


def _closable(at_most: Decimal | None) -> dict[str, Any]:
    return {} if at_most is None else {"open": float(at_most)}


class Misplaced(NamedTuple):
    """A pending order whose price lies where it cannot wait."""

    message: str
    data: dict[str, Any]


class _Way(NamedTuple):
    """The side of the market on which a kind of order waits."""

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
    # without a quote nobody can tell, and the broker decides
    if way is None or request.action not in _WAITING or not (info.bid > 0 and info.ask > 0):
        return None
    price = exact(request.price)
    market = exact(info.ask if way.quote == "ask" else info.bid)
    gap = market - price if way.below else price - market
    least = exact(info.point) * info.trade_stops_level
    if gap > 0 and gap >= least:
        return None
    kind, fits = enums.ORDER_TYPE[request.type], enums.ORDER_TYPE[way.fits]
    side = "below" if way.below else "above"
    apart = f" by {info.trade_stops_level} points at least" if least else ""
    # the usual mistake is the wrong kind of order: the message names the right one
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
