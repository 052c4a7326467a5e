"""Orders, positions and deals, the requests that make them, and what the EA does by itself.

``time`` fields are seconds and ``*_msc`` milliseconds of the broker's wall clock; 0 means none.
Prices of 0 mean none as well (``sl``, ``tp``, ``price_stoplimit``), as in MetaTrader.

The EA carries out two rules by itself: the lease of the daemon, and stops that follow the market.
When the daemon falls silent for longer than its lease, the EA cancels and closes. Trails are run
on every tick, with a daemon or without; they only ever bring a stop loss closer to the market.
Their distances are in points of the symbol.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from .struct import Integer, Milliseconds, Name, Seconds, Struct, Text


class TradeRequest(Struct, frozen=True, kw_only=True):
    """``MqlTradeRequest``: what a terminal is asked to do to the market.

    ``action`` is a :class:`~.enums.TradeAction`; ``deviation`` in points; ``order`` names the
    pending order to change, ``position`` the position to close or to change.

    A deal that names a position closes it and never opens one. Hedging servers see to that;
    netting servers take the deal for what it is, and may have closed the position a moment
    before. So there the EA compares it with the position right before ``OrderSend`` and answers
    10036 if it is gone, 10013 if the deal would enlarge it, 10038 if there is less to close.
    """

    action: Integer
    magic: Integer = 0
    order: Integer = 0
    symbol: Name = ""
    volume: float = 0.0
    price: float = 0.0
    stoplimit: float = 0.0
    sl: float = 0.0
    tp: float = 0.0
    deviation: Integer = 0
    type: Integer = 0
    type_filling: Integer = 0
    type_time: Integer = 0
    expiration: Seconds = 0
    comment: Text = ""
    position: Integer = 0
    position_by: Integer = 0


class TradeResult(Struct, frozen=True, kw_only=True):
    """``MqlTradeResult``; ``retcode`` is a :class:`~.enums.TradeRetcode`.

    ``position`` is our addition: the position that the deal opened or changed, 0 if unknown.
    """

    retcode: Integer
    deal: Integer = 0
    order: Integer = 0
    volume: float = 0.0
    price: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    comment: Text = ""
    request_id: Integer = 0
    retcode_external: Integer = 0
    position: Integer = 0


class CheckResult(Struct, frozen=True, kw_only=True):
    """``MqlTradeCheckResult``: the account as it would be. ``retcode`` 0 means it would pass."""

    retcode: Integer
    balance: float = 0.0
    equity: float = 0.0
    profit: float = 0.0
    margin: float = 0.0
    margin_free: float = 0.0
    margin_level: float = 0.0
    comment: Text = ""


class Order(Struct, frozen=True, kw_only=True):
    """A pending or a past order. Volumes in lots.

    MetaTrader 4's closed trades are orders too, and have no deals: there alone ``profit``,
    ``swap`` and ``commission`` are set.

    ``emulated`` and ``became`` are our additions, and never cross the wire: the gateway keeps the
    order itself, and the ticket of the order that took its place, 0 for none. So is ``paper``, of
    positions and deals as well: it is the gateway's own, and no market has seen it.
    """

    ticket: Integer
    time_setup: Seconds = 0
    time_setup_msc: Milliseconds = 0
    time_done: Seconds = 0
    time_done_msc: Milliseconds = 0
    time_expiration: Seconds = 0
    type: Integer
    type_time: Integer = 0
    type_filling: Integer = 0
    state: Integer = 0
    magic: Integer = 0
    position_id: Integer = 0
    position_by_id: Integer = 0
    reason: Integer = 0
    volume_initial: float = 0.0
    volume_current: float = 0.0
    price_open: float = 0.0
    sl: float = 0.0
    tp: float = 0.0
    price_current: float = 0.0
    price_stoplimit: float = 0.0
    profit: float | None = None
    swap: float | None = None
    commission: float | None = None
    symbol: Name
    comment: Text = ""
    external_id: Text = ""
    emulated: bool = False
    became: Integer = 0
    paper: bool = False


class Position(Struct, frozen=True, kw_only=True):
    """An open position. ``profit`` and ``swap`` in the account's currency."""

    ticket: Integer
    time: Seconds = 0
    time_msc: Milliseconds = 0
    time_update: Seconds = 0
    time_update_msc: Milliseconds = 0
    type: Integer
    magic: Integer = 0
    identifier: Integer = 0
    reason: Integer = 0
    volume: float
    price_open: float
    sl: float = 0.0
    tp: float = 0.0
    price_current: float = 0.0
    swap: float = 0.0
    profit: float = 0.0
    symbol: Name
    comment: Text = ""
    external_id: Text = ""
    paper: bool = False


class Deal(Struct, frozen=True, kw_only=True):
    """An execution or a balance operation. Money in the account's currency."""

    ticket: Integer
    order: Integer = 0
    time: Seconds = 0
    time_msc: Milliseconds = 0
    type: Integer
    entry: Integer = 0
    magic: Integer = 0
    position_id: Integer = 0
    reason: Integer = 0
    volume: float = 0.0
    price: float = 0.0
    commission: float = 0.0
    swap: float = 0.0
    profit: float = 0.0
    fee: float = 0.0
    symbol: Name = ""
    comment: Text = ""
    external_id: Text = ""
    paper: bool = False


MIN_LEASE_MS = 2_000
"""Two heartbeats of the daemon's."""
MAX_LEASE_MS = 600_000
LEASE_COMMENT = "lease"
"""Of the orders by which the EA closes positions: no command has made them."""

LeaseMs = Annotated[int, Meta(ge=0, le=MAX_LEASE_MS)]
LeaseAction = Literal["cancel_orders", "cancel_and_close"]


class LeaseTerms(Struct, frozen=True, kw_only=True):
    """Acts to be done once nothing has renewed the lease for ``lease_ms``; 0: none.

    Each ``hb`` of the daemon with a ``lease_ms`` above 0 renews it for so long, from the moment
    at which it is read; nothing else does. A lost link does not end it: that is what it is for.
    A login to another account does, since it is about the orders of the one before: the EA forgets
    it there, with the tickets that it has sent.
    """

    lease_ms: LeaseMs
    action: LeaseAction = "cancel_orders"
    own: bool = False
    """Only orders and positions that came through the gateway: their comment begins with its tag
    (``g`` and nine characters), or the EA has sent them itself."""


class AutomationLease(Struct, frozen=True, kw_only=True):
    """Lease as it is, and its acts since they were last told.

    Once it has run out it is off until it is set again.
    """

    lease_ms: LeaseMs
    action: LeaseAction = "cancel_orders"
    own: bool = False
    fired_msc: Milliseconds = 0
    """Time at which it ran out, by the broker's clock; 0: it did not."""
    cancelled: list[Integer] = field(default_factory=list)
    """Tickets of orders."""
    closed: list[Integer] = field(default_factory=list)
    """Tickets of positions."""
    failed: list[Integer] = field(default_factory=list)
    """Tickets of what is still there: its Experts log says why."""


Points = Annotated[int, Meta(ge=0, le=100_000_000)]


class TrailTerms(Struct, frozen=True, kw_only=True):
    """Terms by which the stop loss of a position follows; without distance and break-even: none.

    The *profit* of a position is how far its closing price (bid of a long one, ask of a short
    one) has moved in its favour since it was opened.
    """

    ticket: Integer
    """Of the position."""
    distance: Points = 0
    """Between the closing price and the stop; 0: it does not trail."""
    step: Points = 0
    """Least move of a stop that is trailed; 0 is the least that the symbol's grid has."""
    activation: Points = 0
    """Profit from which on it trails; 0: at once."""
    break_even: Points = 0
    """Profit at which the stop goes to the opening price, once; 0: never."""
    break_even_offset: Points = 0
    """Distance beyond the opening price to which it goes then, on the side of profit."""


class Trail(Struct, frozen=True, kw_only=True):
    """Trail of one position at the EA, and its state.

    It ends with the position. After a refusal it tries again at a later tick.
    """

    ticket: Integer
    symbol: Name
    distance: Points = 0
    step: Points = 0
    activation: Points = 0
    break_even: Points = 0
    break_even_offset: Points = 0
    sl: float = 0.0
    """The stop loss that it set last; 0 if it has set none yet."""
    moves: Integer = 0
    """Number of times that it has moved the stop loss."""
    retcode: Integer = 0
    """Of the last refusal, until a move succeeds; 0 for none."""
