"""RiskChecker of what is around an order: account, hours, age, doubts, and facts not to be had."""

from __future__ import annotations

from typing import Any

import pytest
from checked_orders import BROKER_MS, BUY, LIMIT, account, lots, place, refused
from msgspec.structs import replace as with_
from scripted_answers import BROKER_NOW_S, EURUSD, NOW_MS, ORDER, POSITION
from scripted_terminal import CATALOGUE, Scene

from ea_bridge import model
from ea_bridge.commands import SymbolParams
from ea_bridge.errors import CommandFailed, CommandTimeout, OutcomeUnknown
from gateway.errors import (
    AutotradingDisabled,
    DeadlineExceeded,
    GatewayError,
    MarketClosed,
    RiskLimit,
)
from gateway.trading.limits import TradingLimits, strictest


async def test_the_account_that_may_not_trade(scene: Scene) -> None:
    """The broker's switch is named, whether it was told or asked for."""
    scene.script.trade_allowed = False
    error = await refused(scene, **BUY)
    assert (type(error), error.data["where"]) == (AutotradingDisabled, "account")
    scene.script.trade_allowed = True
    scene.limits = TradingLimits(max_drawdown_pct=lots("99"))
    for name, where in (("trade_allowed", "account"), ("trade_expert", "server")):
        scene.script.answers |= account(**{name: False})
        error = await refused(scene, **BUY)
        assert (error.data["rule"], error.data["where"]) == ("tradable", where)


async def test_auto_trade_enabled(scene: Scene) -> None:
    """Off: nothing is opened or changed; what is open can be closed."""
    scene.limits = TradingLimits(auto_trade=False)
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
    scene.limits = TradingLimits(live=False)
    scene.hello = with_(scene.hello, trade=trade)
    if may:
        await place(scene, **BUY)
        return
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["value"]) == ("live_account", trade or None)


async def test_a_symbol_is_allowed_by_any_name_that_stands_for_it(scene: Scene) -> None:
    """Who allows eurusd allows what the broker calls it, whatever name the order has for it."""

    def listed(params: SymbolParams) -> Any:
        known = params.symbol in ("EURUSD.m", "GBPUSD.m")
        return with_(EURUSD, name=params.symbol) if known else CommandFailed("symbol_get", 4301)

    scene.script.answers["symbol_get"] = listed
    scene.script.answers["symbols_get"] = [
        model.SymbolName(name=name) for name in ("EURUSD.m", "GBPUSD.m")
    ]
    scene.limits = TradingLimits(allowed_symbols=frozenset({"eurusd"}))
    for name in ("eurusd", "EURUSD", "EURUSD.m"):
        await place(scene, **{**BUY, "symbol": name})
    error = await refused(scene, **{**BUY, "symbol": "GBPUSD"})
    assert (error.data["rule"], error.data["value"]) == ("allowed_symbols", "GBPUSD.m")


async def test_risk_pct_wants_a_stop_loss(scene: Scene) -> None:
    """An order without one could lose anything; the owner may allow it. A position keeps its
    stop loss, and one that never had any can get a take profit.
    """
    bound = TradingLimits(risk_pct=lots("1"), no_stop_loss=False)
    scene.limits = bound
    scene.script.answers["orders_get"] = []
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["field"]) == ("risk_pct", "sl")
    await place(scene, **BUY, sl=1.08)
    change = CATALOGUE["modify_order"].answer
    with pytest.raises(RiskLimit):
        await change(scene.call(), {"ticket": POSITION.ticket, "sl": None})
    scene.script.answers["positions_get"] = [with_(POSITION, sl=0.0)]
    await change(scene.call(), {"ticket": POSITION.ticket, "tp": 1.2})
    scene.limits = with_no_stop_loss = TradingLimits(risk_pct=lots("1"))
    assert strictest(bound, with_no_stop_loss) == bound
    await place(scene, **BUY)


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
    scene.limits = TradingLimits(block_unresolved=True)
    scene.script.answers["order_send"] = OutcomeUnknown("order_send", 7, acked=True, reason="cut")
    with pytest.raises(GatewayError) as lost:
        await place(scene, **BUY, client_order_id="lost-1")
    assert lost.value.data["outcome"] == "unknown"
    error = await refused(scene, **BUY)
    assert (error.data["rule"], error.data["client_order_ids"]) == ("unresolved", ["lost-1"])
    scene.limits = TradingLimits()
    with pytest.raises(GatewayError) as second:
        await place(scene, **BUY)
    assert second.value.data["outcome"] == "unknown", "switched off it goes"


NEEDS: list[tuple[str, TradingLimits, dict[str, Any], str]] = [
    ("max_open_lots", TradingLimits(max_open_lots=lots("9")), BUY, "positions_get"),
    ("max_open_lots", TradingLimits(max_open_lots=lots("9")), BUY, "orders_get"),
    ("max_notional", TradingLimits(max_notional=lots("9")), BUY, "order_calc_profit"),
    ("tick_age", TradingLimits(max_tick_age_ms=9000), BUY, "tick_get"),
    ("risk_pct", TradingLimits(risk_pct=lots("0.5")), {**BUY, "sl": 1.08}, "order_calc_profit"),
    ("risk_pct", TradingLimits(risk_pct=lots("0.5")), {**BUY, "sl": 1.08}, "account_get"),
    ("free_margin", TradingLimits(check_margin=True), BUY, "order_calc_margin"),
    ("max_positions", TradingLimits(max_positions=9), BUY, "positions_get"),
    ("max_pending_orders", TradingLimits(max_pending_orders=9), LIMIT, "orders_get"),
    ("hedging", TradingLimits(hedging=False), BUY, "positions_get"),
    ("max_daily_loss", TradingLimits(max_daily_loss=lots("9")), BUY, "history_deals_get"),
    ("max_drawdown_pct", TradingLimits(max_drawdown_pct=lots("9")), BUY, "account_get"),
]


@pytest.mark.parametrize(
    ("rule", "limits", "params", "question"), NEEDS, ids=lambda one: str(one)[:20]
)
async def test_a_fact_that_cannot_be_had(
    rule: str, limits: TradingLimits, params: dict[str, Any], question: str, scene: Scene
) -> None:
    """What cannot be checked is refused: with the error that the question met, and the rule."""
    scene.limits = limits
    scene.script.answers[question] = CommandTimeout(question, 10.0)
    error = await refused(scene, **params)
    assert error.name() == "timeout"
    first = "tradable" if question == "account_get" else rule
    assert error.data["rule"] == first
