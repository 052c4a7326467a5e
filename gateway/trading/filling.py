"""Filling modes: the one that an order gets.

``SYMBOL_FILLING_MODE`` is a bit mask and ``ORDER_FILLING_*`` an enumeration, and RETURN has no
bit: it is allowed for pending orders always, and at market in every execution mode but MARKET.
REQUEST and INSTANT execution take any mode. BOC is for limit and stop-limit orders.

What a broker says of its symbols is not always what it accepts. So the mode that it did accept is
remembered by symbol, and tried first from then on.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from ea_bridge.model import (
    FillingFlag,
    OrderFilling,
    OrderType,
    SymbolExecution,
    SymbolInfo,
)

AT_MARKET = frozenset({OrderType.BUY, OrderType.SELL})
_PASSIVE = frozenset(
    {
        OrderType.BUY_LIMIT,
        OrderType.SELL_LIMIT,
        OrderType.BUY_STOP_LIMIT,
        OrderType.SELL_STOP_LIMIT,
    }
)
_FLAGS = (
    (OrderFilling.FOK, FillingFlag.FOK),
    (OrderFilling.IOC, FillingFlag.IOC),
)


def allowed_fillings(info: SymbolInfo, order_type: int) -> list[OrderFilling]:
    """Return the modes that a symbol allows, the one to prefer first.

    At market: all or nothing, else what there is. Pending: the rest stays in the book.
    A platform without filling modes (MetaTrader 4) has none.
    """
    if info.filling_mode is None:
        return []
    mask = info.filling_mode
    named = [filling for filling, flag in _FLAGS if mask & flag]
    if order_type in AT_MARKET:
        if info.trade_exemode == SymbolExecution.MARKET:
            return named or [OrderFilling.FOK]
        return [*named, OrderFilling.RETURN]
    waiting = [OrderFilling.RETURN, *named]
    if order_type in _PASSIVE and mask & FillingFlag.BOC:
        waiting.append(OrderFilling.BOC)
    return waiting


MAX_REMEMBERED = 4096


@dataclass
class FillingMemory:
    """The filling modes that a broker has accepted."""

    _accepted: dict[Hashable, int] = field(default_factory=dict)

    def first(self, key: Hashable, allowed: list[OrderFilling]) -> list[OrderFilling]:
        """Return the modes to try, the one that was accepted last before the others."""
        accepted = self._accepted.get(key)
        return sorted(allowed, key=lambda filling: filling != accepted)

    def accepted(self, key: Hashable, filling: int) -> None:
        """Remember that the broker has taken a mode."""
        if len(self._accepted) >= MAX_REMEMBERED:
            self._accepted.clear()  # what is forgotten costs one refusal
        self._accepted[key] = filling
