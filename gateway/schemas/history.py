"""The answer of ``get_history_orders``."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from .enums import shape
from .trade import Deal, HistoryPosition, Order

Kind = Literal["orders", "positions", "deals", "orders_deals"]


@shape
class History(TypedDict):
    """A page of the account's past. Lists that were not asked for are empty."""

    kind: Kind
    orders: list[Order]
    """By the time they ended, oldest first."""
    deals: list[Deal]
    """By their time, oldest first."""
    positions: list[HistoryPosition]
    """By the time they were closed, oldest first."""
    next_cursor: str | None
    """Give it as ``cursor`` for the next page; null on the last."""
    unavailable: list[str]
    """What this platform does not keep: on MetaTrader 4 the fees and reasons of positions."""
