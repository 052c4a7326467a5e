"""A pending order on the wrong side: the rule, the market, and the type that fits there."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from scripted_answers import EURUSD
from scripted_terminal import Scene

from ea_bridge.model import OrderType, SymbolInfo, TradeAction, TradeRequest, TradeResult
from gateway import errors
from gateway.trading.price_grid import misplaced

INFO: SymbolInfo = replace(EURUSD, bid=1.1, ask=1.1002, digits=5, point=1e-5, trade_stops_level=10)
T = OrderType
SIDES = [
    # kind, its rule, the nearest price it may have, a price within, and the type beyond
    (T.BUY_LIMIT, "below_ask", 1.1001, 1.1003, "buy_stop"),
    (T.BUY_STOP, "above_ask", 1.1003, 1.1001, "buy_limit"),
    (T.BUY_STOP_LIMIT, "above_ask", 1.1003, 1.1001, "buy_limit"),
    (T.SELL_LIMIT, "above_bid", 1.1001, 1.0999, "sell_stop"),
    (T.SELL_STOP, "below_bid", 1.0999, 1.1001, "sell_limit"),
    (T.SELL_STOP_LIMIT, "below_bid", 1.0999, 1.1001, "sell_limit"),
]


def order(kind: int, price: float, action: int = TradeAction.PENDING) -> TradeRequest:
    """A pending order."""
    return TradeRequest(action=action, symbol="EURUSD", type=kind, volume=0.1, price=price)


@pytest.mark.parametrize(("kind", "rule", "nearest", "beyond", "fits"), SIDES)
@pytest.mark.parametrize("action", [TradeAction.PENDING, TradeAction.MODIFY])
def test_each_kind_has_its_side(
    kind: int, rule: str, nearest: float, beyond: float, fits: str, action: int
) -> None:
    """At the nearest price it may wait; nearer its own type fits at that price, beyond another."""
    assert misplaced(order(kind, nearest, action), INFO) is None
    inside = nearest + (1e-5 if rule.startswith("below") else -1e-5)
    near = misplaced(order(kind, round(inside, 5), action), INFO)
    wrong = misplaced(order(kind, beyond, action), INFO)
    assert near is not None
    assert wrong is not None
    assert near.data["fitting_type"] == near.data["type"]
    assert (wrong.data["rule"], wrong.data["limit"]) == (rule, nearest)
    assert (wrong.data["bid"], wrong.data["ask"]) == (1.1, 1.1002)
    assert wrong.data["fitting_type"] == fits
    for said in (rule.replace("_", " the "), "bid 1.10000", "ask 1.10020", fits.replace("_", " ")):
        assert said in wrong.message


def test_what_is_no_pending_order_has_no_side() -> None:
    """Nor has anything a side where nobody quotes."""
    assert misplaced(order(T.BUY, 9.0, TradeAction.DEAL), INFO) is None
    assert misplaced(order(T.BUY_LIMIT, 9.0), replace(INFO, bid=0.0, ask=0.0)) is None


@pytest.mark.parametrize("retcode", [10015, 10016])
async def test_the_brokers_refusal_is_explained(scene: Scene, retcode: int) -> None:
    """MetaTrader 5 calls the price invalid and MetaTrader 4 the stops; it is the price either way,
    and the grid, which it does lie on, is not blamed."""
    scene.script.answers["order_send"] = TradeResult(retcode=retcode)
    scene.script.answers["symbol_get"] = INFO
    with pytest.raises(errors.InvalidPrice) as refused:
        await scene.ask(
            "place_order", symbol="EURUSD", side="buy", type="limit", price=1.2, volume=0.1
        )
    assert "below the ask" in refused.value.message
    known = {"outcome": "rejected", "retcode": retcode, "fitting_type": "buy_stop"}
    assert refused.value.data.items() >= known.items()
