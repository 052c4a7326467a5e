"""Records of requests, by their ``client_order_id``."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from .enums import OrderType, shape
from .trade import Order, Position

OrderStage = Literal[
    "received", "journaled", "sent", "acked", "done", "rejected", "unknown", "not_sent"
]
"""``received``: nothing is on the disk yet; ``journaled``: it is, and may be sent now; ``sent``:
the command was written to the terminal; ``acked``: the terminal has taken it."""


@shape
class SentCommand(TypedDict):
    """One command that was sent to the terminal for the request. Times are null if not known."""

    command_id: int
    state: OrderStage
    symbol: str
    type: OrderType | None
    """Null when a position's stops were changed."""
    volume: float | None
    comment: str
    """As sent, with the gateway's tag."""
    time_created: int
    time_written: int | None
    time_ended: int | None
    retcode: int | None
    retcode_name: str | None
    order: int | None
    """Ticket, once it is known."""
    deal: int | None
    position: int | None


@shape
class OrderError(TypedDict):
    """The error that the request was answered with."""

    code: int
    message: str
    data: dict[str, Any]


@shape
class OrderSettlement(TypedDict):
    """Outcome that a person has given to a request whose outcome was unknown."""

    by: str
    """``token`` and its public id."""
    outcome: Literal["done", "rejected"]
    ticket: int | None
    """Of the order that is said to be this one's."""
    checked: bool
    """The terminal has shown that order, and it is of the kind that was asked for."""
    note: str
    """For people: what was looked at, and what was not."""
    time: int
    time_contradicted: int | None
    """When the terminal has said otherwise since, and that counts; null: it has not."""


@shape
class OrderNow(TypedDict):
    """Present state, at the terminal, of what the request made or touched."""

    orders: list[Order]
    """Pending."""
    positions: list[Position]
    past_orders: list[Order]


@shape
class OrderRecord(TypedDict):
    """One request that could change the account, and what became of it."""

    client_order_id: str
    terminal: str
    paper: bool
    """True: its commands went to the paper broker, and no market has seen them."""
    method: str | None
    """Null for what the gateway did by itself."""
    params: dict[str, Any]
    """Those that differ from their defaults."""
    state: OrderStage
    outcome: Literal["pending", "done", "rejected", "not_sent", "unknown"]
    """``pending``: being carried out right now. ``not_sent``: nothing happened, and the id is
    free. ``unknown``: it may have been executed; the gateway goes on looking."""
    reconciled: bool
    """Its end was not answered by the terminal in time but found there later."""
    time_created: int
    time_updated: int
    sends: list[SentCommand]
    result: dict[str, Any] | None
    """What the request was answered with: an ``OrderReceipt`` for orders."""
    error: OrderError | None
    settlement: OrderSettlement | None
    """Null: nobody has settled it by hand."""
    now: OrderNow | None
    """Null while the terminal is offline, where no ticket is known, and while paper trading is
    switched otherwise than it was for the request."""
