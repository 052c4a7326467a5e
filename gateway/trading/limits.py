"""Limits of one caller: bounds from several hands, of which the strictest counts.

Three say what the bounds are: whoever runs the daemon (``[trading]`` of ``config.toml``,
:class:`gateway.config.Trading`), the issuer of the token
(:class:`gateway.credentials.record.TradeLimits`) and whoever registered the account
(:class:`gateway.accounts.book.AccountLimits`). Of each :class:`TradingLimits` is made, and
:func:`strictest` puts them together; :class:`gateway.accounts.caller_limits.LimitsBook` does that
for a caller.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from gateway.config import Trading
from gateway.credentials.record import TradeLimits
from gateway.trading.price_grid import exact

_PERMISSIONS = frozenset({"auto_trade", "hedging", "live", "no_stop_loss"})
"""What everybody must allow; of everything else that is true or false one demand suffices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingLimits:
    """Trading limits of one source, or of all sources combined; by default there are none.

    Money is in the account's currency, lots are the broker's.
    """

    auto_trade: bool = True
    """Programs may open positions and place orders."""
    hedging: bool = True
    """A position may be opened against one of the same symbol."""
    live: bool = True
    """Accounts with real money may be traded."""
    no_stop_loss: bool = True
    """Orders without a stop loss may be sent where ``risk_pct`` is set."""
    allowed_symbols: frozenset[str] | None = None
    """The only symbols that may be traded, as the broker or a caller names them."""
    max_lot: Decimal | None = None
    """Lots of one order."""
    max_open_lots: Decimal | None = None
    """Lots of all positions and pending orders together."""
    max_notional: Decimal | None = None
    """Worth of all positions and pending orders together."""
    max_positions: int | None = None
    """Positions, and the pending orders that may become some."""
    max_pending_orders: int | None = None
    """Pending orders."""
    collar_bps: int | None = None
    """Distance of prices from the last tick, in hundredths of a percent."""
    max_tick_age_ms: int | None = None
    """Age of that tick."""
    require_stop_loss: bool = False
    """No order and no position without a stop loss."""
    risk_pct: Decimal | None = None
    """Loss of an order at its stop loss, as a share of the equity: 0.01 is one percent."""
    check_margin: bool = False
    """The free margin must suffice."""
    orders_per_second: Decimal | None = None
    """In the long run."""
    order_burst: int | None = None
    """At once, after a pause; with ``orders_per_second`` alone."""
    max_orders_per_minute: int | None = None
    """New orders in any 60 seconds."""
    max_orders_per_day: int | None = None
    """New orders in a day of the broker's clock."""
    max_symbol_orders: int | None = None
    """New orders of one symbol within ``symbol_window_s``."""
    symbol_window_s: float | None = None
    """Seconds, a week at most."""
    max_identical_orders: int | None = None
    """New orders that are alike, in any 10 seconds."""
    max_daily_loss: Decimal | None = None
    """Loss of the day at which new orders stop."""
    max_drawdown_pct: Decimal | None = None
    """Percent that the equity lies below the balance when new orders stop."""
    block_unresolved: bool = False
    """While the fate of an order is not known, no new one for the same symbol."""

    @property
    def counts_the_past(self) -> bool:
        """Whether orders count that went before the daemon was started."""
        counts = (
            self.max_orders_per_minute,
            self.max_orders_per_day,
            self.max_symbol_orders,
            self.max_identical_orders,
        )
        return any(count is not None for count in counts)

    @property
    def judges_prices(self) -> bool:
        """Whether an order is measured by the market's price: the last one has to be known."""
        return (
            self.check_margin
            or self.collar_bps is not None
            or self.max_notional is not None
            or self.risk_pct is not None
        )


_NAMES = tuple(field.name for field in fields(TradingLimits))


def strictest(*limits: TradingLimits) -> TradingLimits:
    """Return the limits that are within all of these."""
    combined: dict[str, Any] = {}
    for name in _NAMES:
        given = [value for bounds in limits if (value := getattr(bounds, name)) is not None]
        if given:
            combined[name] = _strictest(name, given)
    return TradingLimits(**combined)


def _strictest(name: str, given: list[Any]) -> Any:
    first = given[0]
    if isinstance(first, bool):
        # a permission needs all hands, a demand only one
        return all(given) if name in _PERMISSIONS else any(given)
    if isinstance(first, frozenset):
        return first.intersection(*given)
    # the longer window counts more orders, so it is the stricter one
    return max(given) if name == "symbol_window_s" else min(given)


def of_config(trading: Trading) -> TradingLimits:
    """Return what ``config.toml`` allows; an empty list stands for all symbols there."""
    return TradingLimits(
        live=trading.allow_live,
        no_stop_loss=trading.allow_no_stop_loss,
        allowed_symbols=frozenset(trading.allowed_symbols) or None,
        max_lot=_decimal(trading.max_lot),
        max_open_lots=_decimal(trading.max_open_lots),
        max_notional=_decimal(trading.max_notional),
        max_positions=trading.max_positions,
        max_pending_orders=trading.max_pending_orders,
        collar_bps=trading.price_collar_bps,
        max_tick_age_ms=trading.max_tick_age_ms,
        require_stop_loss=trading.require_stop_loss,
        risk_pct=_decimal(trading.risk_pct),
        check_margin=trading.check_margin,
        orders_per_second=_decimal(trading.orders_per_second),
        order_burst=trading.order_burst,
        max_orders_per_minute=trading.max_orders_per_minute,
        max_orders_per_day=trading.max_orders_per_day,
        max_identical_orders=trading.max_identical_orders,
        max_daily_loss=_decimal(trading.max_daily_loss),
        max_drawdown_pct=_decimal(trading.max_drawdown_pct),
        block_unresolved=trading.block_unresolved,
    )


def of_record(limits: TradeLimits) -> TradingLimits:
    """Return what a token's record allows."""
    symbols = limits.allowed_symbols
    return TradingLimits(
        allowed_symbols=None if symbols is None else frozenset(symbols),
        max_lot=_read(limits.max_lot),
        max_open_lots=_read(limits.max_open_lots),
        max_orders_per_minute=limits.max_orders_per_min,
        max_daily_loss=_read(limits.max_daily_loss),
        collar_bps=limits.collar_bps,
    )


def _decimal(number: float | None) -> Decimal | None:
    return None if number is None else exact(number)


def _read(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
