"""``[trading]``: bounds of what may be sent to the market."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .limit import Amount, Count
from .section import Section

Symbols = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]


class Trading(Section):
    """What may be sent to the market. A limit of 0 allows nothing; "none" lifts it.

    So does leaving it out, but for the pace. An empty list of symbols allows all. A token and a
    registered account can carry limits of their own: of all the strictest counts. Positions can be
    closed and orders cancelled whatever these limits say. Sums of money are in the account's
    currency.
    """

    allow_live: bool = True
    """False: nothing but demo accounts may be traded."""
    allowed_symbols: Symbols = ()
    """The symbols that may be traded, as the broker or a caller names them."""
    max_lot: Amount = Field(default=None, ge=0)
    """Lots of one order."""
    max_open_lots: Amount = Field(default=None, ge=0)
    """Lots of all positions and pending orders together."""
    max_notional: Amount = Field(default=None, ge=0)
    """What all positions and pending orders together are worth."""
    max_positions: Count = Field(default=None, ge=0, le=1_000_000)
    """Positions, and the pending orders that may become some."""
    max_pending_orders: Count = Field(default=None, ge=0, le=1_000_000)
    """Pending orders."""
    price_collar_bps: Count = Field(default=None, ge=0, le=10_000)
    """How far an order's prices may lie from the last tick, in hundredths of a percent."""
    max_tick_age_ms: Count = Field(default=None, ge=0)
    """How old the last tick of the symbol may be."""
    require_stop_loss: bool = False
    """True: no order and no position without a stop loss."""
    risk_pct: Amount = Field(default=None, ge=0, le=1)
    """What an order may lose at its stop loss, as a share of the equity: 0.01 is one percent."""
    allow_no_stop_loss: bool = False
    """True: where ``risk_pct`` is set, orders without a stop loss are sent all the same, and a
    stop loss may be taken off; nothing bounds what they lose."""
    check_margin: bool = False
    """True: an order for which the free margin does not suffice is not sent. The broker refuses it
    in any case, and knows better where positions are hedged."""
    orders_per_second: Amount = Field(default=20.0, ge=0, le=10_000)
    """How many orders a second an account is sent, in the long run."""
    order_burst: int = Field(default=40, ge=1, le=10_000)
    """How many at once, after a pause."""
    max_orders_per_minute: Count = Field(default=None, ge=0, le=10_000)
    """New orders in any 60 seconds."""
    max_orders_per_day: Count = Field(default=None, ge=0, le=1_000_000)
    """New orders in a day of the broker's clock."""
    max_identical_orders: Count = Field(default=None, ge=0, le=10_000)
    """New orders that are alike, in any 10 seconds."""
    max_daily_loss: Amount = Field(default=None, ge=0)
    """What the day's deals and the open positions together have lost when new orders stop."""
    max_drawdown_pct: Amount = Field(default=None, ge=0, le=100)
    """How many percent the equity lies below the balance when new orders stop."""
    block_unresolved: bool = True
    """While the fate of an order is not known, no new one is sent for the same symbol."""
