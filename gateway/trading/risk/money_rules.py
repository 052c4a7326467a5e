"""Checks of money: the order's risk, its margin, what the day has lost."""

from __future__ import annotations

from decimal import Decimal

from gateway.errors import InsufficientMargin, RiskLimit
from gateway.trading.grid import exact

from .case import Case, LookAgain
from .refusing import over
from .traded import WITH_STOPS

HUNDRED = Decimal(100)
CENT = Decimal("0.01")


def risk_pct(case: Case) -> None:
    """What the order would lose at its stop loss, beside the equity; so it needs one."""
    share = case.limits.risk_pct
    if share is None:
        return
    if not case.request.sl:
        _check_no_stop_loss(case, share)
        return
    equity = exact(case.facts.account.equity)
    loss = max(-exact(case.facts.number("risk")), Decimal())
    most = max(equity * share, Decimal())
    if loss > most:
        raise over(
            "risk_pct",
            "The loss at the stop loss",
            limit=most,
            value=loss,
            equity=float(equity),
            share=float(share),
        )


def _check_no_stop_loss(case: Case, share: Decimal) -> None:
    if case.limits.no_stop_loss or case.request.action not in WITH_STOPS:
        return
    held = case.trade.changes
    if held is not None and not held.sl:
        return  # nothing is taken off
    raise RiskLimit(
        "risk_pct bounds what an order may lose at its stop loss, so it must have one and keep it",
        limit=float(share),
        value=None,
        field="sl",
    )


def free_margin(case: Case) -> None:
    """The free margin suffices, for the orders on their way as well."""
    required = case.margin
    free = exact(case.facts.account.margin_free)
    surely = sum((one.margin for one in case.surely), Decimal())
    reserved = surely + sum((one.margin for one in case.doubtful), Decimal())
    if required + reserved <= free:
        return
    if case.doubtful and required + surely <= free:
        raise LookAgain
    raise InsufficientMargin(
        required=float(required),
        free=float(free),
        reserved=float(reserved),
        limit=float(free),
        value=float(required + reserved),
    )


def max_daily_loss(case: Case) -> None:
    """The day's deals and the open positions together have not lost as much as stops trading."""
    most = case.limits.max_daily_loss
    if most is None:
        return
    brought = exact(case.facts.number("brought")) + exact(case.facts.account.profit)
    loss = (-brought).quantize(CENT)
    if loss >= most:
        raise over("max_daily_loss", "The loss of the day", limit=most, value=loss)


def max_drawdown(case: Case) -> None:
    """The equity has not fallen as far below the balance as stops trading."""
    most = case.limits.max_drawdown_pct
    if most is None:
        return
    account = case.facts.account
    balance = exact(account.balance)
    if balance <= 0:
        raise over("max_drawdown_pct", "The drawdown", limit=most, value=None, unit=" %")
    drawdown = (balance - exact(account.equity)) / balance * HUNDRED
    if drawdown >= most:
        raise over(
            "max_drawdown_pct", "The drawdown", limit=most, value=round(drawdown, 4), unit=" %"
        )
