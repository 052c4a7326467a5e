"""Table of the rules of risk, in the order in which they are checked.

The kill switch, the caller's rights and the id of the order come before all of these: see
:class:`~gateway.trading.terminal.GuardedTerminal` and :meth:`gateway.rpc.catalogue.Method.answer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.trading.requests import PreparedOrder

from ..limits import TradingLimits
from . import rule_checks
from .context import OrderEffect, RiskContext
from .facts import Need

OPENING = frozenset({OrderEffect.OPEN})
RISKING = frozenset({OrderEffect.OPEN, OrderEffect.CHANGE})
ALL = frozenset(OrderEffect)
MAX_PLANS = 256


def _always(_: TradingLimits) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    ``check`` raises the error that a caller shall see, or :class:`~.context.StaleFacts`.
    """

    name: str
    kinds: frozenset[OrderEffect]
    """The orders that it is for."""
    check: Callable[[RiskContext], None]
    if_: Callable[[TradingLimits], bool] = _always
    """Whether it can refuse anything under these limits."""
    needs: tuple[Need, ...] = ()
    """The facts that it looks at."""


RULES = (
    Rule("age", ALL, rule_checks.age),
    Rule(
        "auto_trade_enabled",
        RISKING,
        rule_checks.auto_trade_enabled,
        lambda limits: not limits.auto_trade,
    ),
    Rule(
        "allowed_symbols",
        RISKING,
        rule_checks.allowed_symbols,
        lambda limits: limits.allowed_symbols is not None,
        ("allowed",),
    ),
    Rule("tradable", ALL, rule_checks.tradable),
    Rule("market_open", OPENING, rule_checks.market_open),
    Rule("max_lot", RISKING, rule_checks.max_lot, lambda limits: limits.max_lot is not None),
    Rule(
        "max_open_lots",
        OPENING,
        rule_checks.max_open_lots,
        lambda limits: limits.max_open_lots is not None,
        ("positions", "orders"),
    ),
    Rule(
        "max_notional",
        OPENING,
        rule_checks.max_notional,
        lambda limits: limits.max_notional is not None,
        ("positions", "orders", "worth"),
    ),
    Rule(
        "price_collar",
        RISKING,
        rule_checks.price_collar,
        lambda limits: limits.collar_bps is not None,
    ),
    Rule(
        "tick_age",
        OPENING,
        rule_checks.tick_age,
        lambda limits: limits.max_tick_age_ms is not None,
        ("tick",),
    ),
    Rule(
        "stop_loss",
        RISKING,
        rule_checks.stop_loss_set,
        lambda limits: limits.require_stop_loss,
    ),
    Rule("stops", ALL, rule_checks.stops),
    Rule(
        "risk_pct",
        RISKING,
        rule_checks.risk_pct,
        lambda limits: limits.risk_pct is not None,
        ("account", "risk"),
    ),
    Rule(
        "free_margin",
        OPENING,
        rule_checks.free_margin,
        lambda limits: limits.check_margin,
        ("account", "margin", "positions", "orders"),
    ),
    Rule(
        "orders_per_second",
        RISKING,
        rule_checks.orders_per_second,
        lambda limits: limits.orders_per_second is not None,
    ),
    Rule(
        "max_orders_per_minute",
        OPENING,
        rule_checks.orders_per_minute,
        lambda limits: limits.max_orders_per_minute is not None,
    ),
    Rule(
        "max_orders_per_day",
        OPENING,
        rule_checks.orders_per_day,
        lambda limits: limits.max_orders_per_day is not None,
    ),
    Rule(
        "max_symbol_orders",
        OPENING,
        rule_checks.symbol_orders,
        lambda limits: limits.max_symbol_orders is not None,
    ),
    Rule(
        "max_identical_orders",
        OPENING,
        rule_checks.identical_orders,
        lambda limits: limits.max_identical_orders is not None,
    ),
    Rule(
        "max_positions",
        OPENING,
        rule_checks.max_positions,
        lambda limits: limits.max_positions is not None,
        ("positions", "orders"),
    ),
    Rule(
        "max_pending_orders",
        OPENING,
        rule_checks.max_pending_orders,
        lambda limits: limits.max_pending_orders is not None,
        ("positions", "orders"),
    ),
    Rule(
        "hedging",
        OPENING,
        rule_checks.hedging,
        lambda limits: not limits.hedging,
        ("positions", "orders"),
    ),
    Rule(
        "max_daily_loss",
        OPENING,
        rule_checks.max_daily_loss,
        lambda limits: limits.max_daily_loss is not None,
        ("account", "brought"),
    ),
    Rule(
        "max_drawdown_pct",
        OPENING,
        rule_checks.max_drawdown,
        lambda limits: limits.max_drawdown_pct is not None,
        ("account",),
    ),
    Rule("live_account", RISKING, rule_checks.live_account, lambda limits: not limits.live),
    Rule(
        "unresolved",
        OPENING,
        rule_checks.unresolved,
        lambda limits: limits.block_unresolved,
    ),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules for one kind of order under some limits."""

    limits: TradingLimits
    rules: tuple[Rule, ...]
    _needs: frozenset[Need]

    def needs(self, order: PreparedOrder) -> frozenset[Need]:
        """Return the facts that they look at."""
        if order.request.sl or "risk" not in self._needs:
            return self._needs
        return self._needs - {"risk"}

    def check(self, context: RiskContext) -> None:
        """Make every check.

        Raises:
            GatewayError: that of the first check that fails; ``data.rule`` names it.
            StaleFacts: the facts do not settle it.

        """
        for rule in self.rules:
            try:
                rule.check(context)
            except GatewayError as error:
                error.data.setdefault("rule", rule.name)
                raise


class Plans:
    """Cache of plans: limits are asked for with each order and hardly ever change."""

    def __init__(self) -> None:
        self._plans: dict[tuple[OrderEffect, int], Plan] = {}

    def plan(self, kind: OrderEffect, limits: TradingLimits) -> Plan:
        """Return the checks to make."""
        key = (kind, id(limits))
        plan = self._plans.get(key)
        if plan is None or plan.limits is not limits:
            rules = tuple(rule for rule in RULES if kind in rule.kinds and rule.if_(limits))
            needs = frozenset(need for rule in rules for need in rule.needs)
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            plan = self._plans[key] = Plan(limits, rules, needs)
        return plan


def names() -> Iterator[str]:
    """Return the names of all checks."""
    return (rule.name for rule in RULES)
