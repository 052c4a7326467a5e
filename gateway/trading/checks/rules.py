"""Every check, in the order in which they are made.

The kill switch, the caller's rights and the id of the order come before all of these: see
:class:`~gateway.trading.guard.GuardedTerminal` and :meth:`gateway.catalogue.Method.answer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import GatewayError

from . import caller_rules, market_rules, money_rules, size_rules
from .case import Case, Kind
from .facts import Need
from .limits import Limits

if TYPE_CHECKING:
    from gateway.trading.receipts import Trade

OPENING = frozenset({Kind.OPEN})
RISKING = frozenset({Kind.OPEN, Kind.CHANGE})
ALL = frozenset(Kind)


def _never(_: Limits) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Rule:
    """One check.

    ``judge`` raises the error that a caller shall see, or
    :class:`~.case.LookAgain`.
    """

    name: str
    kinds: frozenset[Kind]
    """The trades that it is for."""
    judge: Callable[[Case], None]
    needs: tuple[Need, ...] = ()
    """The facts that it looks at."""
    if_: Callable[[Limits], bool] = _never
    """Whether it needs them under these limits."""


RULES = (
    Rule("age", ALL, caller_rules.age),
    Rule("auto_trade_enabled", RISKING, caller_rules.auto_trade_enabled),
    Rule("allowed_symbols", RISKING, caller_rules.allowed_symbols),
    Rule("tradable", ALL, market_rules.tradable),
    Rule("market_open", ALL, market_rules.market_open),
    Rule("max_lot", OPENING, size_rules.max_lot),
    Rule(
        "max_open_lots",
        OPENING,
        size_rules.max_open_lots,
        ("positions", "orders"),
        lambda limits: limits.max_open_lots is not None,
    ),
    Rule(
        "max_notional",
        OPENING,
        size_rules.max_notional,
        ("positions", "orders", "worth"),
        lambda limits: limits.max_notional is not None,
    ),
    Rule("price_collar", RISKING, market_rules.price_collar),
    Rule(
        "tick_age",
        OPENING,
        market_rules.tick_age,
        ("tick",),
        lambda limits: limits.max_tick_age_ms is not None,
    ),
    Rule("stop_loss", RISKING, market_rules.stop_loss_set),
    Rule("stops", ALL, market_rules.stops),
    Rule(
        "risk_pct",
        RISKING,
        money_rules.risk_pct,
        ("account", "risk"),
        lambda limits: limits.risk_pct is not None,
    ),
    Rule(
        "free_margin",
        OPENING,
        money_rules.free_margin,
        ("account", "margin", "positions", "orders"),
        lambda limits: limits.check_margin,
    ),
    Rule("orders_per_second", RISKING, caller_rules.orders_per_second),
    Rule("max_orders_per_minute", OPENING, caller_rules.orders_per_minute),
    Rule("max_orders_per_day", OPENING, caller_rules.orders_per_day),
    Rule("max_symbol_orders", OPENING, caller_rules.symbol_orders),
    Rule("max_identical_orders", OPENING, caller_rules.identical_orders),
    Rule(
        "max_positions",
        OPENING,
        size_rules.max_positions,
        ("positions", "orders"),
        lambda limits: limits.max_positions is not None,
    ),
    Rule(
        "max_pending_orders",
        OPENING,
        size_rules.max_pending_orders,
        ("positions", "orders"),
        lambda limits: limits.max_pending_orders is not None,
    ),
    Rule(
        "hedging",
        OPENING,
        size_rules.hedging,
        ("positions", "orders"),
        lambda limits: not limits.hedging,
    ),
    Rule(
        "max_daily_loss",
        OPENING,
        money_rules.max_daily_loss,
        ("account", "brought"),
        lambda limits: limits.max_daily_loss is not None,
    ),
    Rule(
        "max_drawdown_pct",
        OPENING,
        money_rules.max_drawdown,
        ("account",),
        lambda limits: limits.max_drawdown_pct is not None,
    ),
    Rule("live_account", RISKING, caller_rules.live_account),
    Rule("unresolved", OPENING, caller_rules.unresolved),
)


def needed(trade: Trade, limits: Limits) -> frozenset[Need]:
    """Return the facts that the checks of a trade look at."""
    kind = Kind.of(trade)
    found = {
        need for rule in RULES if kind in rule.kinds and rule.if_(limits) for need in rule.needs
    }
    if "risk" in found and not trade.request.sl:
        found.discard("risk")
    return frozenset(found)


def judge(case: Case) -> None:
    """Make every check.

    Raises:
        GatewayError: that of the first check that fails; ``data.rule`` names it.
        LookAgain: the facts do not settle it.

    """
    kind = case.kind
    for rule in RULES:
        if kind not in rule.kinds:
            continue
        try:
            rule.judge(case)
        except GatewayError as error:
            error.data.setdefault("rule", rule.name)
            raise


def names() -> Iterator[str]:
    """Return the names of all checks."""
    return (rule.name for rule in RULES)
