"""Orders, positions and deals, and the requests that make them.

``time`` fields are seconds and ``*_msc`` milliseconds of the broker's wall clock; 0 means none.
Prices of 0 mean none as well (``sl``, ``tp``, ``price_stoplimit``), as in MetaTrader.
"""

from __future__ import annotations

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
