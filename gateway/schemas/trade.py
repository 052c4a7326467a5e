"""Orders, positions and deals as clients see them, and what hangs on them: stops and links.

Ids are MetaTrader's integers. Volumes in lots, money in the account's currency. Times are UTC
milliseconds; each ``broker_time...`` is its twin on the broker's wall clock. Prices that are not
set (``sl``, ``tp``) are null. Tickets of paper trading lie between 2251799813685248 and
4503599627370495, where no broker's do.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypeAliasType, TypedDict

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

HistoryKind = TypeAliasType("HistoryKind", Literal["orders", "positions", "deals", "orders_deals"])
OcoEnd = TypeAliasType("OcoEnd", Literal["filled", "canceled", "expired", "rejected", "gone"])
OcoState = TypeAliasType("OcoState", Literal["active", "cancelling", "done", "unlinked"])
RunsInTerminal = TypeAliasType("RunsInTerminal", Literal["terminal"])
RunsInGateway = TypeAliasType("RunsInGateway", Literal["gateway"])


@shape
class TrailingStop(TypedDict):
    """Trailing stop of a position: its stop loss follows the market. Distances in points."""

    ticket: int
    """Of the position. What is left of a MetaTrader 4 trade after a partial close has another
    ticket: then this one changes with it."""
    symbol: str
    distance: int
    """Between the price at which the position would be closed and the stop; 0: it does not
    trail."""
    step: int
    """Least move of the stop while it trails."""
    activation: int
    """Profit from which on it trails; 0: at once."""
    break_even: int
    """Profit at which the stop goes to the opening price; 0: never."""
    break_even_offset: int
    """How far beyond the opening price it goes then."""
    sl: float | None
    """The stop loss that it set last; null if it has set none yet."""
    moves: int
    """How often it has moved the stop loss."""
    retcode: int | None
    """Why its last try was refused, if it was: it tries again every second."""
    retcode_name: str | None
    runs_in: RunsInTerminal
    """The EA moves it on every tick, also while the gateway is down."""


@shape
class TrailingStopRemoved(TypedDict):
    """Trailing stop that was removed; the stop loss stays where it is."""

    removed: bool
    """False: there was none."""
    trailing_stop: TrailingStop | None


@shape
class OcoOrder(TypedDict):
    """One of the orders that are linked."""

    ticket: int
    end: OcoEnd | None
    """How it ended: ``gone`` if nobody knows; null while it waits."""


@shape
class OcoLink(TypedDict):
    """Orders of which the first that is filled, even in part, or ends otherwise, cancels the
    others."""

    id: str
    state: OcoState
    """``cancelling``: one has ended, and the others are being cancelled, for as long as it takes;
    ``done``: none of them waits any more."""
    orders: list[OcoOrder]
    problem: str | None
    """Name of the error that the last cancel met; null for none."""
    created: int
    """UTC milliseconds."""
    ended: int | None
    paper: bool
    """True: orders of paper trading."""
    runs_in: RunsInGateway
    """The gateway cancels, while it runs and the terminal is linked; what happened meanwhile is
    looked up when both are back. In a fast market more than one may be filled."""


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

    kind: HistoryKind
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
