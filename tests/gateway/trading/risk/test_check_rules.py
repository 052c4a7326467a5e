"""Every check, at its boundary and one step beyond."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from checked_orders import BROKER_MS, BUY, LIMIT, account, lots, place, refused
from msgspec.structs import replace as with_
from scripted_answers import DEAL, EURUSD, ORDER, POSITION
from scripted_terminal import Scene

from ea_bridge import commands, model
from gateway.errors import GatewayError, InsufficientMargin, InvalidStops, RiskLimit, TradeDisabled
from gateway.trading.limits import TradingLimits
from gateway.trading.risk.rules import names


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A rule, an order that just passes it, and the next one that does not."""

    rule: str
    limits: TradingLimits = field(default_factory=TradingLimits)
    good: dict[str, Any] = field(default_factory=lambda: BUY)
    bad: dict[str, Any] = field(default_factory=lambda: BUY)
    good_answers: dict[str, Any] = field(default_factory=dict)
    bad_answers: dict[str, Any] = field(default_factory=dict)
    error: type[GatewayError] = RiskLimit
    limit: Any = None
    value: Any = None


def tick(age_ms: int) -> dict[str, Any]:
    return {"tick_get": model.Tick(BROKER_MS - age_ms, 1.08542, 1.08554)}


def brought(**sums: float) -> dict[str, Any]:
    """One deal of today beside the account's floating profit of 12.40."""
    return {"history_deals_get": [with_(DEAL, commission=0.0, **sums)]}


def symbol(**changes: Any) -> dict[str, Any]:
    return {"symbol_get": with_(EURUSD, **changes)}


def sells(ticket: int) -> model.Position:
    return with_(POSITION, ticket=ticket, identifier=ticket, type=1)


EDGES = [
    Edge(
        rule="allowed_symbols",
        limits=TradingLimits(allowed_symbols=frozenset({"EURUSD"})),
        bad={**BUY, "symbol": "GBPUSD"},
        bad_answers={"symbol_get": lambda p: with_(EURUSD, name=p.symbol)},
        limit=["EURUSD"],
        value="GBPUSD",
    ),
    Edge(
        rule="max_lot",
        limits=TradingLimits(max_lot=lots("0.5")),
        good={**BUY, "volume": 0.5},
        bad={**BUY, "volume": 0.51},
        limit=0.5,
        value=0.51,
    ),
    Edge(  # 0.1 are open and 0.2 wait
        rule="max_open_lots",
        limits=TradingLimits(max_open_lots=lots("0.7")),
        good={**BUY, "volume": 0.4},
        bad={**LIMIT, "volume": 0.41},
        limit=0.7,
        value=0.71,
    ),
    Edge(  # a lot is worth 50, says the terminal
        rule="max_notional",
        limits=TradingLimits(max_notional=lots("35")),
        good={**BUY, "volume": 0.4},
        bad={**BUY, "volume": 0.41},
        limit=35.0,
        value=35.5,
    ),
    Edge(  # from the ask, 1.08554
        rule="price_collar",
        limits=TradingLimits(collar_bps=20),
        good={**LIMIT, "price": 1.08337},
        bad={**LIMIT, "price": 1.08336},
        limit=20,
        value=20.0822,
    ),
    Edge(
        rule="price_collar",
        limits=TradingLimits(collar_bps=20),
        bad_answers=symbol(bid=0.0, ask=0.0),
        limit=20,
        value=None,
    ),
    Edge(
        rule="tick_age",
        limits=TradingLimits(max_tick_age_ms=5000),
        good_answers=tick(5000),
        bad_answers=tick(5001),
        limit=5000,
        value=5001,
    ),
    Edge(
        rule="tick_age",
        limits=TradingLimits(max_tick_age_ms=5000),
        bad_answers={"tick_get": model.Tick(0, 0.0, 0.0)},
        limit=5000,
        value=None,
    ),
    Edge(
        rule="stop_loss",
        limits=TradingLimits(require_stop_loss=True),
        good={**BUY, "sl": 1.08},
    ),
    Edge(  # the stops level is 10 points, from the bid, 1.08542
        rule="stops",
        good={**BUY, "sl": 1.08532},
        bad={**BUY, "sl": 1.08533},
        error=InvalidStops,
        limit=1.08532,
        value=1.08533,
    ),
    Edge(
        rule="stops",
        good={**BUY, "tp": 1.08552},
        bad={**BUY, "tp": 1.08551},
        error=InvalidStops,
        limit=1.08552,
        value=1.08551,
    ),
    Edge(  # of a sell from the ask
        rule="stops",
        good={**BUY, "side": "sell", "sl": 1.08564},
        bad={**BUY, "side": "sell", "sl": 1.08563},
        error=InvalidStops,
        limit=1.08564,
        value=1.08563,
    ),
    Edge(  # of a pending order from its own price
        rule="stops",
        good={**LIMIT, "sl": 1.0799, "tp": 1.0801},
        bad={**LIMIT, "sl": 1.07991},
        error=InvalidStops,
        limit=1.0799,
        value=1.07991,
    ),
    Edge(  # without a stops level the right side suffices
        rule="stops",
        good={**BUY, "sl": 1.08541},
        bad={**BUY, "sl": 1.08542},
        good_answers=symbol(trade_stops_level=0),
        bad_answers=symbol(trade_stops_level=0),
        error=InvalidStops,
        limit=1.08542,
        value=1.08542,
    ),
    Edge(  # equity 10012.40: one percent is 100.124
        rule="risk_pct",
        limits=TradingLimits(risk_pct=lots("0.01")),
        good={**BUY, "sl": 1.08},
        bad={**BUY, "sl": 1.08},
        good_answers={"order_calc_profit": commands.CalculatedAmount(value=-100.12)},
        bad_answers={"order_calc_profit": commands.CalculatedAmount(value=-100.13)},
        limit=100.124,
        value=100.13,
    ),
    Edge(
        rule="free_margin",
        limits=TradingLimits(check_margin=True),
        good_answers=account(margin_free=108.55),
        bad_answers=account(margin_free=108.54),
        error=InsufficientMargin,
        limit=108.54,
        value=108.55,
    ),
    Edge(  # a position and an order are there
        rule="max_positions",
        limits=TradingLimits(max_positions=3),
        bad_answers={"positions_get": [POSITION, sells(5)]},
        limit=3,
        value=4,
    ),
    Edge(
        rule="max_pending_orders",
        limits=TradingLimits(max_pending_orders=2),
        good=LIMIT,
        bad=LIMIT,
        bad_answers={"orders_get": [ORDER, with_(ORDER, ticket=5)]},
        limit=2,
        value=3,
    ),
    Edge(
        rule="hedging",
        limits=TradingLimits(hedging=False),
        bad={**BUY, "side": "sell"},
        limit=0,
        value=2,
    ),
    Edge(  # it stops at the limit, not beyond
        rule="max_daily_loss",
        limits=TradingLimits(max_daily_loss=lots("100")),
        good_answers=brought(profit=-112.39),
        bad_answers=brought(profit=-110.0, swap=-2.0, fee=-0.4),
        limit=100.0,
        value=100.0,
    ),
    Edge(
        rule="max_drawdown_pct",
        limits=TradingLimits(max_drawdown_pct=lots("10")),
        good_answers=account(equity=9000.01),
        bad_answers=account(equity=9000.0),
        limit=10.0,
        value=10.0,
    ),
    Edge(
        rule="max_drawdown_pct",
        limits=TradingLimits(max_drawdown_pct=lots("10")),
        bad_answers=account(balance=0.0),
        limit=10.0,
        value=None,
    ),
    Edge(
        rule="tradable",
        bad_answers=symbol(trade_mode=3),
        error=TradeDisabled,
    ),
    Edge(
        rule="tradable",
        bad={**BUY, "side": "sell"},
        good_answers=symbol(trade_mode=1),
        bad_answers=symbol(trade_mode=1),
        error=TradeDisabled,
    ),
    Edge(
        rule="tradable",
        good={**BUY, "side": "sell"},
        good_answers=symbol(trade_mode=2),
        bad_answers=symbol(trade_mode=2),
        error=TradeDisabled,
    ),
]


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.rule)
async def test_the_edge_of_a_rule(edge: Edge, scene: Scene) -> None:
    """At the boundary an order goes; one step beyond it is refused with the rule and numbers."""
    scene.limits = edge.limits
    scene.script.answers |= edge.good_answers
    await place(scene, **edge.good)
    assert len(scene.script.sent) == 1

    other = Scene()
    other.limits = edge.limits
    other.script.answers |= edge.bad_answers
    error = await refused(other, **edge.bad)
    assert type(error) is edge.error
    assert error.data["rule"] == edge.rule
    if edge.error in (RiskLimit, InvalidStops, InsufficientMargin):
        assert error.data["limit"] == edge.limit
        assert error.data["value"] == edge.value


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.rule)
async def test_validating_says_the_same(edge: Edge, scene: Scene) -> None:
    """``validate_only`` runs every check, and takes nothing of any limit."""
    scene.limits = edge.limits
    scene.script.answers |= edge.bad_answers
    error = await refused(scene, validate_only=True, **edge.bad)
    assert (type(error), error.data["rule"]) == (edge.error, edge.rule)


async def test_every_rule_has_its_test() -> None:
    """Whoever adds a check adds its edge here."""
    by_hand = {
        "age",
        "auto_trade_enabled",
        "live_account",
        "market_open",
        "orders_per_second",
        "max_orders_per_minute",
        "max_orders_per_day",
        "max_symbol_orders",
        "max_identical_orders",
        "unresolved",
    }
    assert {edge.rule for edge in EDGES} | by_hand == set(names())
