"""Checks of what the caller may do, and how fast."""

from __future__ import annotations

import math

from gateway.errors import LimitExceeded, RiskLimit

from .case import Case
from .pace import MAX_COUNTED, MAX_OF_SYMBOL, MINUTE_S
from .refusing import over

ALIKE_S = 10.0
PLAY_MONEY = frozenset({"demo", "contest"})


def age(case: Case) -> None:
    """The request is still worth sending."""
    case.trade.options.deadline.remaining_ms()


def auto_trade_enabled(case: Case) -> None:
    """Programs may trade the account."""
    raise RiskLimit(
        "The account is registered as one that programs do not trade: auto_trade_enabled is false",
        limit=True,
        value=False,
    )


def allowed_symbols(case: Case) -> None:
    """The symbol may be traded: the broker's, whatever name the caller has for it."""
    allowed, name = case.limits.allowed_symbols, case.request.symbol
    if allowed is None or name in case.facts.allowed:
        return
    raise RiskLimit(
        f"{name} is not among the symbols that may be traded", limit=sorted(allowed), value=name
    )


def orders_per_second(case: Case) -> None:
    """The account is not sent more commands than it is to take."""
    rate, burst = case.limits.orders_per_second, case.limits.order_burst or 1
    if rate is None:
        return
    if not rate:
        raise RiskLimit("orders_per_second is 0, which allows no order", limit=0, value=1)
    level = case.pace.level(float(rate))
    if level + 1 > burst + 1e-9:
        wait_ms = math.ceil((level + 1 - burst) / float(rate) * 1000)
        raise LimitExceeded(
            "Too many orders for this account; wait retry_after_ms",
            bucket="orders",
            limit=float(rate),
            burst=burst,
            value=round(level + 1, 3),
            remaining=0,
            reset_ms=math.ceil(level / float(rate) * 1000),
            retry_after_ms=wait_ms,
        )


def orders_per_minute(case: Case) -> None:
    """New orders in any 60 seconds."""
    most = case.limits.max_orders_per_minute
    if most is None:
        return
    value = case.pace.within(MINUTE_S) + 1
    if value > min(most, MAX_COUNTED - 1):
        raise over("max_orders_per_minute", "New orders in a minute", limit=most, value=value)


def orders_per_day(case: Case) -> None:
    """New orders since the broker's midnight."""
    most = case.limits.max_orders_per_day
    if most is None:
        return
    value = case.pace.today(case.broker_day) + 1
    if value > most:
        raise over("max_orders_per_day", "New orders of the day", limit=most, value=value)


def symbol_orders(case: Case) -> None:
    """New orders of one symbol in some hours."""
    most, window_s = case.limits.max_symbol_orders, case.limits.symbol_window_s
    if most is None or window_s is None:
        return
    since_ms = case.terminal.now_ms() - round(window_s * 1000)
    value = case.pace.of_symbol(case.request.symbol, since_ms) + 1
    if value > min(most, MAX_OF_SYMBOL):
        raise over(
            "max_symbol_orders",
            f"New orders for {case.request.symbol} in {window_s / 3600:g} h",
            limit=most,
            value=value,
            window_s=window_s,
        )


def identical_orders(case: Case) -> None:
    """Orders that are alike, in any 10 seconds."""
    most = case.limits.max_identical_orders
    if most is None:
        return
    value = case.pace.alike(case.likeness, ALIKE_S) + 1
    if value > most:
        raise over("max_identical_orders", "Orders alike in 10 s", limit=most, value=value)


def live_account(case: Case) -> None:
    """Real money may be traded, or this is none; a terminal that does not say holds real money."""
    hello = case.terminal.hello
    trade = "" if hello is None else hello.trade
    if trade not in PLAY_MONEY:
        raise RiskLimit(
            "The account is no demo account, and nothing but demo accounts may be traded: see "
            "allow_live in the configuration, and is_live of the registered account",
            limit="demo",
            value=trade or None,
        )


def unresolved(case: Case) -> None:
    """No order of the symbol has an outcome that is not known."""
    waiting = case.unresolved
    if waiting:
        raise RiskLimit(
            "The fate of another order for this symbol is not known yet: see get_order",
            limit=0,
            value=len(waiting),
            client_order_ids=waiting[:10],
        )
