"""The ``data`` of events, by channel. ``tick``, ``book`` and ``bar`` are in :mod:`.market`."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from .account import AccountInfo
from .enums import Change, LinkState, Platform, shape
from .order_record import OrderError, OrderSettlement
from .trade import Deal, Order, Position


@shape
class OrdersSnapshot(TypedDict):
    """``orders``: all open orders, when the stream starts."""

    orders: list[Order]


@shape
class OrderEvent(TypedDict):
    """``orders``: one order was placed, changed, or left the book with its final state."""

    op: Change
    order: Order


@shape
class OrderSettled(TypedDict):
    """``orders``: the outcome of a request that was unknown (2102) has been found out."""

    op: Literal["settled"]
    client_order_id: str
    outcome: Literal["done", "rejected", "not_sent"]
    result: dict[str, Any] | None
    """As ``get_order`` tells it: what the request would have been answered with."""
    error: OrderError | None
    settlement: OrderSettlement | None
    """A person has said so, or, with ``time_contradicted``, has said otherwise before; null: the
    gateway found it out by itself."""
    paper: bool
    """True: a request of paper trading."""


@shape
class PositionsSnapshot(TypedDict):
    """``positions``: all open positions, when the stream starts."""

    positions: list[Position]


@shape
class PositionEvent(TypedDict):
    """``positions``: one was opened, changed or closed. Floating profit is on ``pnl``."""

    op: Change
    position: Position


@shape
class DealEvent(TypedDict):
    """``deals``: an execution or a balance operation."""

    op: Literal["add"]
    deal: Deal


@shape
class PositionPnl(TypedDict):
    """The floating result of one position, in the account's currency."""

    ticket: int
    price_current: float
    swap: float
    profit: float


@shape
class PnlEvent(TypedDict):
    """``pnl``: the floating result of every open position."""

    positions: list[PositionPnl]
    paper: bool
    """True: the positions are those of paper trading."""


AccountEvent = AccountInfo
"""``account``: the whole account, as ``get_account_info`` gives it."""


@shape
class TerminalEvent(TypedDict):
    """``terminal``: the link, the broker or a switch changed; the whole state each time."""

    event: Literal["snapshot", "link", "broker", "autotrading", "clock", "paper"]
    """What changed."""
    state: LinkState
    platform: Platform | None
    login: int | None
    server: str | None
    broker_connected: bool | None
    autotrading: bool | None
    trade_allowed: bool | None
    """The account may trade; null until the terminal has said."""
    broker_utc_offset_s: int
    paper: bool
    """The account trades on paper: no order reaches the market."""
    time: int
    """UTC milliseconds."""


@shape
class HeartbeatEvent(TypedDict):
    """``heartbeat``: the gateway is alive."""

    time: int
    """The gateway's clock, UTC milliseconds."""
