"""Every check, at its boundary and one step beyond; what it needs and cannot get refuses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace as with_
from scripted_answers import ACCOUNT, BROKER_NOW_S, DEAL, EURUSD, NOW_MS, ORDER, POSITION
from scripted_terminal import CATALOGUE, Scene

from ea_bridge import commands, model
from ea_bridge.errors import CommandFailed, CommandTimeout, OutcomeUnknown, TerminalBusy
from gateway.errors import (
    AutotradingDisabled,
    DeadlineExceeded,
    GatewayError,
    InsufficientMargin,
    InvalidStops,
    LimitExceeded,
    MarketClosed,
    RiskLimit,
    TradeDisabled,
)
from gateway.trading.checks.limits import Limits
from gateway.trading.checks.rules import names

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
LIMIT = {"symbol": "EURUSD", "type": "buy_limit", "volume": 0.1, "price": 1.08}
BROKER_MS = BROKER_NOW_S * 1000


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A rule, an order that just passes it, and the next one that does not."""

    rule: str
    limits: Limits = field(default_factory=Limits)
    good: dict[str, Any] = field(default_factory=lambda: BUY)
    bad: dict[str, Any] = field(default_factory=lambda: BUY)
    good_answers: dict[str, Any] = field(default_factory=dict)
    bad_answers: dict[str, Any] = field(default_factory=dict)
    error: type[GatewayError] = RiskLimit
    limit: Any = None
    value: Any = None


def lots(text: str) -> Decimal:
    return Decimal(text)


def account(**changes: Any) -> dict[str, Any]:
    return {"account_get": with_(ACCOUNT, **changes)}


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
        limits=Limits(allowed_symbols=frozenset({"EURUSD"})),
        bad={**BUY, "symbol": "GBPUSD"},
        bad_answers={"symbol_get": with_(EURUSD, name="GBPUSD")},
        limit=["EURUSD"],
        value="GBPUSD",
    ),
    Edge(
        rule="max_lot",
        limits=Limits(max_lot=lots("0.5")),
        good={**BUY, "volume": 0.5},
        bad={**BUY, "volume": 0.51},
        limit=0.5,
        value=0.51,
    ),
    Edge(  # 0.1 are open and 0.2 wait
        rule="max_open_lots",
        limits=Limits(max_open_lots=lots("0.7")),
        good={**BUY, "volume": 0.4},
        bad={**LIMIT, "volume": 0.41},
        limit=0.7,
        value=0.71,
    ),
    Edge(  # a lot is worth 50, says the terminal
        rule="max_notional",
        limits=Limits(max_notional=lots("35")),
        good={**BUY, "volume": 0.4},
        bad={**BUY, "volume": 0.41},
        limit=35.0,
        value=35.5,
    ),
    Edge(  # from the ask, 1.08554
        rule="price_collar",
        limits=Limits(collar_bps=20),
        good={**LIMIT, "price": 1.08337},
        bad={**LIMIT, "price": 1.08336},
        limit=20,
        value=20.0822,
    ),
    Edge(
        rule="price_collar",
        limits=Limits(collar_bps=20),
        bad_answers=symbol(bid=0.0, ask=0.0),
        limit=20,
        value=None,
    ),
    Edge(
        rule="tick_age",
        limits=Limits(max_tick_age_ms=5000),
        good_answers=tick(5000),
        bad_answers=tick(5001),
        limit=5000,
        value=5001,
    ),
    Edge(
        rule="tick_age",
        limits=Limits(max_tick_age_ms=5000),
        bad_answers={"tick_get": model.Tick(0, 0.0, 0.0)},
        limit=5000,
        value=None,
    ),
    Edge(
        rule="stop_loss",
        limits=Limits(require_stop_loss=True),
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
        limits=Limits(risk_pct=lots("0.01")),
        good={**BUY, "sl": 1.08},
        bad={**BUY, "sl": 1.08},
        good_answers={"order_calc_profit": commands.Amount(value=-100.12)},
        bad_answers={"order_calc_profit": commands.Amount(value=-100.13)},
        limit=100.124,
        value=100.13,
    ),
    Edge(
        rule="free_margin",
        limits=Limits(check_margin=True),
        good_answers=account(margin_free=108.55),
        bad_answers=account(margin_free=108.54),
        error=InsufficientMargin,
        limit=108.54,
        value=108.55,
    ),
    Edge(  # a position and an order are there
        rule="max_positions",
        limits=Limits(max_positions=3),
        bad_answers={"positions_get": [POSITION, sells(5)]},
        limit=3,
        value=4,
    ),
    Edge(
        rule="max_pending_orders",
        limits=Limits(max_pending_orders=2),
        good=LIMIT,
        bad=LIMIT,
        bad_answers={"orders_get": [ORDER, with_(ORDER, ticket=5)]},
        limit=2,
        value=3,
    ),
    Edge(
        rule="hedging",
        limits=Limits(hedging=False),
        bad={**BUY, "side": "sell"},
        limit=0,
        value=2,
    ),
    Edge(  # it stops at the limit, not beyond
        rule="max_daily_loss",
        limits=Limits(max_daily_loss=lots("100")),
        good_answers=brought(profit=-112.39),
        bad_answers=brought(profit=-110.0, swap=-2.0, fee=-0.4),
        limit=100.0,
        value=100.0,
    ),
    Edge(
        rule="max_drawdown_pct",
        limits=Limits(max_drawdown_pct=lots("10")),
        good_answers=account(equity=9000.01),
        bad_answers=account(equity=9000.0),
        limit=10.0,
        value=10.0,
    ),
    Edge(
        rule="max_drawdown_pct",
        limits=Limits(max_drawdown_pct=lots("10")),
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


async def place(scene: Scene, **params: Any) -> Any:
    """Place an order, without the check of the receipt's shape."""
    return await CATALOGUE["place_order"].answer(scene.call(), params)


async def refused(scene: Scene, **params: Any) -> GatewayError:
    """Place an order that must be refused before anything is sent."""
    before = len(scene.script.sent)
    with pytest.raises(GatewayError) as caught:
        await place(scene, **params)
    assert len(scene.script.sent) == before
    assert caught.value.data["outcome"] == "not_sent"
    assert caught.value.data["client_order_id"]
    return caught.value


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


async def test_the_account_that_may_not_trade(scene: Scene) -> None:
    """The broker's switch is named, whether it was told or asked for."""
    scene.script.trade_allowed = False
    error = await refused(scene, **BUY)
    assert (type(error), error.data["where"]) == (AutotradingDisabled, "account")
    scene.script.trade_allowed = True
    scene.limits = Limits(max_drawdown_pct=lots("99"))
    for name, where in (("trade_allowed", "account"), ("trade_expert", "server")):
        scene.script.answers |= account(**{name: False})
        error = await refused(scene, **BUY)
        assert (error.data["rule"], error.data["where"]) == ("tradable", where)


async def test_auto_trade_enabled(scene: Scene) -> None:
    """Off: nothing is opened or changed; what is open can be closed."""
    scene.limits = Limits(auto_trade=False)
    error = await refused(scene, **BUY)
    assert error.data["rule"] == "auto_trade_enabled"
    with pytest.raises(RiskLimit):
        await scene.ask("modify_order", ticket=ORDER.ticket, price=1.081)
    await scene.ask("close_position", ticket=POSITION.ticket)
    await scene.ask("cancel_order", ticket=ORDER.ticket)
    assert len(scene.script.sent) == 2


@pytest.mark.parametrize(
    ("trade", "may"), [("demo", True), ("contest", True), ("real", False), ("", False)]
)
async def test_real_money(trade: str, may: bool, scene: Scene) -> None:
    """Where real money may not be traded, a terminal that does not say holds real money."""
    scene.limits = Limits(live=False)
    scene.hello = with_(scene.hello, trade=trade)
    if may:
        await place(scene, **BUY)
        return
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["value"]) == ("live_account", trade or None)


async def test_a_symbol_may_be_allowed_by_its_plain_name(scene: Scene) -> None:
    """Who allows EURUSD allows what the broker calls it."""
    scene.limits = Limits(allowed_symbols=frozenset({"eurusd"}))
    await place(scene, **{**BUY, "symbol": "eurusd"})
    error = await refused(scene, **BUY)
    assert error.data["rule"] == "allowed_symbols"


async def test_a_closed_market(scene: Scene) -> None:
    """An order for a closed market is not sent, and says when it opens. A close is sent: the
    broker decides, and what it refuses says the same.
    """
    minute_s = BROKER_NOW_S % 86_400 // 60 * 60
    table = [model.TradeSession(day=4, from_s=0, to_s=minute_s + 60)]
    scene.script.answers["sessions_get"] = table
    await place(scene, **BUY)
    scene.now_ms += 60_000
    error = await refused(scene, **BUY)
    week_ms = 7 * 86_400_000
    midnight_ms = BROKER_MS // 86_400_000 * 86_400_000
    assert type(error) is MarketClosed
    assert error.data["rule"] == "market_open"
    assert error.data["opens_at"] == scene.clock.to_utc_ms(midnight_ms + week_ms)
    await scene.ask("close_position", ticket=POSITION.ticket)
    scene.script.answers["order_send"] = CommandFailed("order_send", 4756, 10018)
    with pytest.raises(MarketClosed) as closed:
        await scene.ask("close_position", ticket=POSITION.ticket)
    assert closed.value.data["outcome"] == "rejected"
    assert closed.value.data["opens_at"] == error.data["opens_at"]
    assert len(scene.script.asked_for("sessions_get")) == 1, "the table is kept"


async def test_an_order_that_is_too_old(scene: Scene) -> None:
    """What was worth sending is not any more."""
    await place(scene, **BUY, deadline_ms=NOW_MS + 5000)
    with pytest.raises(DeadlineExceeded) as late:
        await place(scene, **BUY, deadline_ms=NOW_MS)
    assert late.value.data["outcome"] == "not_sent"


async def test_an_unresolved_order_blocks_its_symbol(scene: Scene) -> None:
    """As long as nobody knows what became of one, there is no other one for the symbol."""
    scene.limits = Limits(block_unresolved=True)
    scene.script.answers["order_send"] = OutcomeUnknown("order_send", 7, acked=True, reason="cut")
    with pytest.raises(GatewayError) as lost:
        await place(scene, **BUY, client_order_id="lost-1")
    assert lost.value.data["outcome"] == "unknown"
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["client_order_ids"]) == ("unresolved", ["lost-1"])
    scene.limits = Limits()
    with pytest.raises(GatewayError) as second:
        await place(scene, **BUY)
    assert second.value.data["outcome"] == "unknown", "switched off it goes"


# --- pace ---------------------------------------------------------------------------------------


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def hands(scene: Scene) -> Hands:
    """The clock by which the scene counts orders."""
    hands = Hands()
    pace = scene.desk.checks.tally(scene.guarded).pace
    pace._monotonic_s = hands
    pace._level_s = hands.s
    return hands


async def test_orders_per_second(scene: Scene, hands: Hands) -> None:
    """A burst, then the rate; the refusal says how long to wait, and to the millisecond."""
    scene.limits = Limits(orders_per_second=lots("20"), order_burst=3)
    for _ in range(3):
        await place(scene, **BUY)
    error = await refused(scene, **BUY)
    assert type(error) is LimitExceeded
    assert error.data["rule"] == "orders_per_second"
    assert (error.data["limit"], error.data["burst"]) == (20.0, 3)
    assert error.data["retry_after_ms"] == 50
    hands.s += 0.049
    await refused(scene, **BUY)
    hands.s += 0.0011
    await place(scene, **BUY)
    await scene.ask("close_position", ticket=POSITION.ticket)
    await scene.ask("cancel_order", ticket=ORDER.ticket)
    assert len(scene.script.sent) == 6, "what reduces goes on"


async def test_orders_per_minute(scene: Scene, hands: Hands) -> None:
    """Any 60 seconds, not those of a clock's minute."""
    scene.limits = Limits(max_orders_per_minute=2)
    await place(scene, **BUY)
    hands.s += 30
    await place(scene, **BUY)
    hands.s += 29.9
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["limit"], error.data["value"]) == (
        "max_orders_per_minute",
        2,
        3,
    )
    hands.s += 0.1
    await place(scene, **BUY)


async def test_orders_per_day(scene: Scene) -> None:
    """A day of the broker's clock, which begins before that of UTC."""
    scene.limits = Limits(max_orders_per_day=2)
    for _ in range(2):
        await place(scene, **BUY)
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["limit"], error.data["value"]) == (
        "max_orders_per_day",
        2,
        3,
    )
    to_midnight_ms = 86_400_000 - BROKER_MS % 86_400_000
    scene.now_ms += to_midnight_ms - 1
    await refused(scene, **BUY)
    scene.now_ms += 1
    await place(scene, **BUY)


async def test_orders_of_a_symbol(scene: Scene) -> None:
    """So many of one symbol in so many hours; others are free."""
    scene.limits = Limits(max_symbol_orders=1, symbol_window_s=3600.0)
    scene.script.answers["symbol_get"] = lambda p: with_(EURUSD, name=p.symbol)
    await place(scene, **BUY)
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["value"]) == ("max_symbol_orders", 2)
    await place(scene, **{**BUY, "symbol": "GBPUSD"})
    scene.now_ms += 3_600_000
    await place(scene, **BUY)


async def test_identical_orders(scene: Scene, hands: Hands) -> None:
    """Ten seconds; another volume, magic or price makes another order."""
    scene.limits = Limits(max_identical_orders=2)
    for _ in range(2):
        await place(scene, **BUY)
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["limit"], error.data["value"]) == (
        "max_identical_orders",
        2,
        3,
    )
    await place(scene, **{**BUY, "volume": 0.11})
    await place(scene, **BUY, magic=8)
    hands.s += 10
    await place(scene, **BUY)


async def test_what_was_not_sent_does_not_count(scene: Scene) -> None:
    """An order that met a link that was down has taken nothing of the day."""
    scene.limits = Limits(max_orders_per_day=1, max_orders_per_minute=1, max_symbol_orders=1)
    scene.limits = replace(scene.limits, symbol_window_s=60.0)
    done = scene.script.answers["order_send"]
    scene.script.answers["order_send"] = TerminalBusy("64 commands are in flight")
    with pytest.raises(GatewayError) as unsent:
        await place(scene, **BUY)
    assert unsent.value.data["outcome"] == "not_sent"
    scene.script.answers["order_send"] = done
    await place(scene, **BUY)
    await refused(scene, **BUY)


# --- facts that cannot be had -------------------------------------------------------------------

NEEDS: list[tuple[str, Limits, dict[str, Any], str]] = [
    ("max_open_lots", Limits(max_open_lots=lots("9")), BUY, "positions_get"),
    ("max_open_lots", Limits(max_open_lots=lots("9")), BUY, "orders_get"),
    ("max_notional", Limits(max_notional=lots("9")), BUY, "order_calc_profit"),
    ("tick_age", Limits(max_tick_age_ms=9000), BUY, "tick_get"),
    ("risk_pct", Limits(risk_pct=lots("0.5")), {**BUY, "sl": 1.08}, "order_calc_profit"),
    ("risk_pct", Limits(risk_pct=lots("0.5")), {**BUY, "sl": 1.08}, "account_get"),
    ("free_margin", Limits(check_margin=True), BUY, "order_calc_margin"),
    ("max_positions", Limits(max_positions=9), BUY, "positions_get"),
    ("max_pending_orders", Limits(max_pending_orders=9), LIMIT, "orders_get"),
    ("hedging", Limits(hedging=False), BUY, "positions_get"),
    ("max_daily_loss", Limits(max_daily_loss=lots("9")), BUY, "history_deals_get"),
    ("max_drawdown_pct", Limits(max_drawdown_pct=lots("9")), BUY, "account_get"),
]


@pytest.mark.parametrize(
    ("rule", "limits", "params", "question"), NEEDS, ids=lambda one: str(one)[:20]
)
async def test_a_fact_that_cannot_be_had(
    rule: str, limits: Limits, params: dict[str, Any], question: str, scene: Scene
) -> None:
    """What cannot be checked is refused: with the error that the question met, and the rule."""
    scene.limits = limits
    scene.script.answers[question] = CommandTimeout(question, 10.0)
    error = await refused(scene, **params)
    assert error.name() == "timeout"
    first = "tradable" if question == "account_get" else rule
    assert error.data["rule"] == first


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
