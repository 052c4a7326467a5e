"""What a terminal's word on a trade can be, and what it cannot.

The EA's answer is the only word there is until the account is looked at. One that cannot be true
(more filled than was asked for, a price beyond all markets, a negative ticket) may come from a
broken plugin of the broker's or a faulty EA: it tells that something was answered, and not what.
Such an outcome is unknown, and the account tells it.
"""

from __future__ import annotations

import math

from ea_bridge.model import TradeAction, TradeRequest, TradeResult, TradeRetcode

MAX_PRICE = 1e12
"""Beyond the price of anything that is traded."""
MAX_FACTOR = 10.0
"""How far from the price that was asked for a fill can be: no gap is so wide."""
_SAME_VOLUME = 1e-8
"""Lots are decimal fractions: two doubles may differ by less and mean the same."""
_OF_VOLUME = frozenset({TradeAction.DEAL, TradeAction.PENDING})
_OF_VALUES = frozenset({TradeAction.SLTP, TradeAction.MODIFY})
"""What sets values, which may be there already: anything else changes something, or failed."""


def is_plausible(request: TradeRequest, result: TradeResult) -> bool:
    """Whether a result can be one of a request."""
    return (
        (result.retcode != TradeRetcode.NO_CHANGES or request.action in _OF_VALUES)
        and min(result.order, result.deal, result.position) >= 0
        and _is_volume(request, result.volume)
        and _is_price(request, result.price)
    )


def _is_volume(request: TradeRequest, volume: float) -> bool:
    if not math.isfinite(volume) or volume < 0:
        return False
    return request.action not in _OF_VOLUME or volume <= request.volume + _SAME_VOLUME


def _is_price(request: TradeRequest, price: float) -> bool:
    if not 0 <= price < MAX_PRICE:
        return False
    if request.action != TradeAction.DEAL or not price or request.price <= 0:
        return True
    return request.price / MAX_FACTOR < price < request.price * MAX_FACTOR
