"""What the terminal has just said of a symbol: one order after the other costs one round trip."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import EURUSD
from scripted_terminal import Scene

from ea_bridge.errors import CommandTimeout
from ea_bridge.model import SymbolExecution, SymbolTradeMode, TradeResult
from ea_bridge.session import SessionState
from gateway.errors import GatewayError, InvalidVolume
from gateway.trading.limits import TradingLimits
from gateway.trading.symbols import ALIVE_S, CONTRACT_S

BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


async def order(scene: Scene, **more: Any) -> list[str]:
    """Place an order; return what the terminal was asked for it."""
    scene.script.asked.clear()
    await scene.ask("place_order", **BUY | more)
    return scene.script.ops()


async def test_the_second_order_asks_nothing(scene: Scene) -> None:
    """The first asks for the symbol and for its sessions."""
    assert "symbol_get" in await order(scene)
    assert await order(scene) == ["order_send"]
    assert await order(scene, side="sell", volume=0.2) == ["order_send"]
    assert [request.volume for request in scene.script.sent] == [0.2]


def older(scene: Scene) -> None:
    """As much time passes as a contract is believed for."""
    names = scene.state.symbols
    now_s = names.monotonic_s()
    names.monotonic_s = lambda: now_s + CONTRACT_S


def linked_anew(scene: Scene) -> None:
    """Another link, also one of the same EA."""
    scene.script.id = "s-2"


def silent(scene: Scene) -> None:
    """The terminal has said nothing for a while."""
    scene.script.silence_s = ALIVE_S + 0.01


def stale(scene: Scene) -> None:
    """The terminal does not answer heartbeats."""
    scene.script.state = SessionState.STALE


def logged_in_elsewhere(scene: Scene) -> None:
    """The same link, and yet another account."""
    scene.hello = scene.script.hello = replace(scene.hello, login=999)


def on_paper(scene: Scene) -> None:
    """The paper broker looks at everything by itself."""
    scene.guarded.is_paper = True


def limited(**limits: Any) -> Callable[[Scene], None]:
    """A limit by the market's price."""

    def limit(scene: Scene) -> None:
        scene.limits = TradingLimits(**limits)

    return limit


@pytest.mark.parametrize(
    "happens",
    [
        older,
        linked_anew,
        silent,
        stale,
        logged_in_elsewhere,
        on_paper,
        limited(check_margin=True),
        limited(collar_bps=100),
        limited(max_notional=Decimal(10**9)),
        limited(risk_pct=Decimal("0.5"), no_stop_loss=True),
    ],
)
async def test_what_makes_an_order_ask(scene: Scene, happens: Callable[[Scene], None]) -> None:
    """What is kept has ended, or a limit has to know the price."""
    await order(scene)
    happens(scene)
    assert await order(scene, volume=0.11) != ["order_send"]
    assert "symbol_get" in scene.script.ops()


@pytest.mark.parametrize(
    "more",
    [
        {"sl": 1.08},
        {"tp": 1.09},
        {"type": "limit", "price": 1.08},
        {"normalize": True},
        {"validate_only": True},
    ],
)
async def test_an_order_whose_prices_count_asks(scene: Scene, more: dict[str, Any]) -> None:
    """Stops and prices are compared with the market, and a check tells how it is now."""
    await order(scene)
    assert "symbol_get" in await order(scene, **more)


@pytest.mark.parametrize(
    "symbol",
    [
        replace(EURUSD, trade_exemode=int(SymbolExecution.INSTANT)),
        replace(EURUSD, trade_exemode=int(SymbolExecution.REQUEST)),
        replace(EURUSD, trade_mode=int(SymbolTradeMode.LONGONLY)),
    ],
)
async def test_a_symbol_that_is_looked_at_with_each_order(scene: Scene, symbol: Any) -> None:
    """One at whose price the request is filled, and one that is not open to all."""
    scene.script.answers["symbol_get"] = symbol
    await order(scene)
    assert "symbol_get" in await order(scene)


async def test_metatrader_4_is_asked_for_the_price(mt4: Scene) -> None:
    """It wants one in each request."""
    await order(mt4)
    assert "symbol_get" in await order(mt4)


async def test_a_refusal_ends_it(scene: Scene) -> None:
    """The broker may have closed the symbol since: what it says counts; the next order asks."""
    await order(scene)
    done = scene.script.answers["order_send"]
    scene.script.answers["order_send"] = TradeResult(retcode=10044)
    with pytest.raises(GatewayError) as refused:
        await order(scene)
    assert refused.value.data["outcome"] == "rejected"
    scene.script.answers["order_send"] = done
    assert "symbol_get" in await order(scene)


async def test_leaving_market_watch_ends_it(scene: Scene) -> None:
    """The terminal puts it there again with the next question."""
    await order(scene)
    await scene.ask("symbol_select", symbol="EURUSD", enable=False)
    assert "symbol_get" in await order(scene)


async def test_a_volume_that_would_be_refused_is_judged_by_a_new_answer(scene: Scene) -> None:
    """Nobody is told that a volume is off a grid that is an old one."""
    await order(scene)
    scene.script.answers["symbol_get"] = replace(EURUSD, volume_step=0.001)
    assert "symbol_get" in await order(scene, volume=0.011)
    scene.script.answers["symbol_get"] = EURUSD
    with pytest.raises(InvalidVolume):
        await order(scene, volume=0.0111)


async def test_a_question_without_an_answer_keeps_nothing(scene: Scene) -> None:
    """The terminal does not answer any more: the next order asks first, too."""
    await order(scene)
    answer = scene.script.answers["symbol_get"]
    scene.script.answers["symbol_get"] = CommandTimeout("symbol_get", 10.0)
    with pytest.raises(GatewayError):
        await scene.ask("get_symbol_info", symbol="EURUSD")
    scene.script.answers["symbol_get"] = answer
    assert "symbol_get" in await order(scene)


async def test_limits_and_rights_are_looked_at_all_the_same(scene: Scene) -> None:
    """Without a question, nothing that may stop an order is passed."""
    await order(scene)
    scene.limits = TradingLimits(max_lot=Decimal("0.05"))
    with pytest.raises(GatewayError) as refused:
        await order(scene)
    assert refused.value.data["rule"] == "max_lot"
    assert scene.script.sent == []
