"""Which requests the trade server refuses, and in which order it looks.

A check returns the retcode of its refusal or ``None``. :data:`CHECKS` lists them by action: what
the terminal can tell by itself comes first (switches, order type, volume, filling, expiration),
then prices, the session, limits, and money last, so that a request with two faults earns the
answer that MetaTrader gives.
"""

from __future__ import annotations

from collections.abc import Callable

from ea_bridge.model import TradeAction, TradeRetcode

from .inquiry import Bench, Inquiry
from .kind_checks import (
    expiration_valid,
    filling_valid,
    order_type_allowed,
    symbol_open_for_change,
    symbol_tradable,
    volume_valid,
)
from .limit_checks import (
    close_order_free,
    close_volume_valid,
    fifo_kept,
    hedging_allowed,
    money_suffices,
    orders_below_limit,
    pending_margin_suffices,
    positions_below_limit,
    volume_below_limit,
)
from .price_checks import (
    deal_price_valid,
    order_not_frozen,
    order_really_changes,
    pending_price_valid,
    position_not_frozen,
    quoted,
    session_runs,
    stops_really_change,
    stops_valid,
)

Check = Callable[[Bench, Inquiry], TradeRetcode | None]


def terminal_refusal(bench: Bench) -> TradeRetcode | None:
    """Return what the terminal answers before it looks at the request."""
    if not bench.switches.autotrading:
        return TradeRetcode.CLIENT_DISABLES_AT
    if not bench.switches.connected:
        return TradeRetcode.CONNECTION
    return None


def program_trading_allowed(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """10026: the broker lets no programs trade. 10017: nobody may trade this account."""
    if not bench.switches.server_autotrading:
        return TradeRetcode.SERVER_DISABLES_AT
    return None if bench.switches.trade_allowed else TradeRetcode.TRADE_DISABLED


CHECKS: dict[int, tuple[Check, ...]] = {
    TradeAction.DEAL: (
        program_trading_allowed,
        order_type_allowed,
        symbol_tradable,
        volume_valid,
        close_volume_valid,
        filling_valid,
        quoted,
        deal_price_valid,
        stops_valid,
        position_not_frozen,
        session_runs,
        close_order_free,
        fifo_kept,
        hedging_allowed,
        positions_below_limit,
        volume_below_limit,
        money_suffices,
    ),
    TradeAction.PENDING: (
        program_trading_allowed,
        order_type_allowed,
        symbol_tradable,
        volume_valid,
        filling_valid,
        expiration_valid,
        quoted,
        pending_price_valid,
        stops_valid,
        session_runs,
        orders_below_limit,
        volume_below_limit,
        pending_margin_suffices,
    ),
    TradeAction.SLTP: (
        program_trading_allowed,
        symbol_open_for_change,
        stops_really_change,
        quoted,
        position_not_frozen,
        stops_valid,
        session_runs,
    ),
    TradeAction.MODIFY: (
        program_trading_allowed,
        symbol_open_for_change,
        expiration_valid,
        order_really_changes,
        quoted,
        order_not_frozen,
        pending_price_valid,
        stops_valid,
        session_runs,
    ),
    TradeAction.REMOVE: (
        program_trading_allowed,
        symbol_open_for_change,
        order_not_frozen,
        session_runs,
    ),
    TradeAction.CLOSE_BY: (
        program_trading_allowed,
        order_type_allowed,
        symbol_open_for_change,
        quoted,
        session_runs,
        close_order_free,
    ),
}


def refusal(bench: Bench, inquiry: Inquiry) -> TradeRetcode | None:
    """Return the first refusal that a request earns, ``None`` if it passes."""
    for check in CHECKS[inquiry.request.action]:
        retcode = check(bench, inquiry)
        if retcode is not None:
            return retcode
    return None
