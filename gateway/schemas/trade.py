"""Orders, positions and deals as clients see them.

Ids are MetaTrader's integers. Volumes in lots, money in the account's currency. Times are UTC
milliseconds; each ``broker_time...`` is its twin on the broker's wall clock. Prices that are not
set (``sl``, ``tp``) are null. Tickets of paper trading lie between 2251799813685248 and
4503599627370495, where no broker's do.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from .enums import (
    DealEntry,
    DealReason,
    DealType,
    OrderFilling,
    OrderReason,
    OrderState,
    OrderTime,
    OrderType,
    PositionReason,
    PositionType,
    shape,
)

Kind = Literal["orders", "positions", "deals", "orders_deals"]


@shape
class Position(TypedDict):
    """An open position."""

    ticket: int
    time: int | None
    """When it was opened."""
    broker_time: int | None
    time_update: int | None
    broker_time_update: int | None
    type: PositionType
    magic: int
    """The mark of the program that opened it; 0 for none."""
    identifier: int
    """``position_id`` of its orders and deals; unlike ``ticket`` it never changes."""
    reason: PositionReason
    volume: float
    price_open: float
    sl: float | None
    tp: float | None
    price_current: float | None
    swap: float
    profit: float
    symbol: str
    comment: str
    external_id: str
    paper: bool
    """True: of paper trading; no market has seen it."""


@shape
class Order(TypedDict):
    """A pending or a past order."""

    ticket: int
    time_setup: int | None
    broker_time_setup: int | None
    time_done: int | None
    """When it was filled, cancelled or expired; null while it is open."""
    broker_time_done: int | None
    time_expiration: int | None
    broker_time_expiration: int | None
    type: OrderType
    type_time: OrderTime
    type_filling: OrderFilling
    state: OrderState
    magic: int
    position_id: int | None
    """The position that it opened, changed or closed; null until it did."""
    position_by_id: int | None
    """The opposite position, of a ``close_by``."""
    reason: OrderReason
    volume_initial: float
    volume_current: float
    """What has not been filled yet."""
    price_open: float | None
    sl: float | None
    tp: float | None
    price_current: float | None
    """The market; of a past trade on MetaTrader 4 its closing price."""
    price_stoplimit: float | None
    symbol: str
    comment: str
    external_id: str
    emulated: bool
    """True: the gateway keeps it, since the platform has no such orders; the terminal does not
    know it. Its ticket, 4503599627370497 or more, is the gateway's."""
    became: int | None
    """Of an emulated order that was triggered: ticket of the limit order that took its place."""
    paper: bool
    """True: of paper trading; no market has seen it."""


@shape
class Deal(TypedDict):
    """An execution, or a balance operation (then ``symbol``, ``order`` and ``entry`` are null)."""

    ticket: int
    order: int | None
    time: int | None
    broker_time: int | None
    type: DealType
    entry: DealEntry | None
    magic: int
    position_id: int | None
    reason: DealReason
    volume: float
    price: float | None
    commission: float
    swap: float
    profit: float
    fee: float
    symbol: str | None
    comment: str
    external_id: str
    paper: bool
    """True: of paper trading; no market has seen it."""


@shape
class HistoryPosition(TypedDict):
    """A position that is closed, put together from its deals.

    A netting position that was reversed counts as two: the reversal closes one, opens the next.
    """

    position_id: int
    symbol: str
    type: PositionType
    volume: float
    """Opened in all, which is what was closed in all."""
    price_open: float
    """Average of its entries, weighted by volume."""
    price_close: float
    """Average of its exits."""
    time: int | None
    """When it was opened."""
    broker_time: int | None
    time_close: int | None
    broker_time_close: int | None
    profit: float | None
    """Without commission, swap and fee."""
    commission: float | None
    swap: float | None
    fee: float | None
    magic: int
    comment: str
    """Of the deal that opened it."""
    reason: DealReason | None
    """What closed it; null on MetaTrader 4."""
    deals: list[int]
    """Tickets of its deals, oldest first; empty on MetaTrader 4."""
    paper: bool
    """True: of paper trading; no market has seen it."""


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
