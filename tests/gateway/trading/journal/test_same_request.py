"""One request, however it is said: a repeat in other words gets the first answer."""

from __future__ import annotations

from typing import Any

import pytest
from journal_scene import Kept

from gateway import errors
from gateway.trading.journal.journal import normalized

MARKET: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
LIMIT: dict[str, Any] = {"symbol": "EURUSD", "type": "buy_limit", "volume": 0.1, "price": 1.08}


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (MARKET, {**MARKET, "sl": 0, "tp": "0.0"}),
        (MARKET, {**MARKET, "sl": None}),
        (MARKET, {**MARKET, "price": 0}),
        (MARKET, {**MARKET, "type": "market"}),
        (MARKET, {**MARKET, "type": "buy"}),
        (MARKET, {"symbol": "EURUSD", "type": "ORDER_TYPE_BUY", "volume": "0.10"}),
        (MARKET, {**MARKET, "deviation": 20}),
        (MARKET, {**MARKET, "max_deviation_points": 20}),
        ({**MARKET, "deviation": 7}, {**MARKET, "max_deviation_points": 7}),
        (MARKET, {**MARKET, "symbol": "eurusd"}),
        (MARKET, {**MARKET, "magic": 0, "comment": ""}),
        (LIMIT, {**LIMIT, "type_time": "gtc"}),
        (LIMIT, {**LIMIT, "type": "limit", "side": "buy"}),
        (
            {**LIMIT, "expiration": 1_790_000_000_000},
            {**LIMIT, "expiration": 1_790_000_000_000, "type_time": "specified"},
        ),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
async def test_the_same_in_other_words(
    kept: Kept, first: dict[str, Any], again: dict[str, Any], turned: bool
) -> None:
    """Whichever came first."""
    one, two = (again, first) if turned else (first, again)
    told = await kept.scene.ask("place_order", **one, client_order_id="a")
    repeated = await kept.scene.ask("place_order", **two, client_order_id="a")
    assert repeated == {**told, "duplicate": True}
    assert len(kept.scene.script.sent) == 1


async def test_the_broker_s_own_name_is_the_same(kept: Kept) -> None:
    """As the receipt has told it; another symbol is not."""
    symbol = kept.scene.script.answers["symbol_get"]
    told = await kept.buy("a")
    row = kept.log.find(kept.here(), "a")
    assert row is not None
    assert row.sends[0].request.symbol == told["order"]["symbol"] == "EURUSD"
    assert symbol is not None
    await kept.ledger.write(
        lambda connection: connection.execute(
            "UPDATE orders SET params = replace(params, 'EURUSD', 'EUR-USD')"
        )
    )
    assert (await kept.buy("a"))["duplicate"] is True
    with pytest.raises(errors.ClientOrderIdConflict):
        await kept.buy("a", symbol="GBPUSD")


@pytest.mark.parametrize(
    "other",
    [
        {**MARKET, "sl": 1.05},
        {**MARKET, "side": "sell"},
        {**MARKET, "deviation": 21},
        {**MARKET, "volume": 0.2},
        {**LIMIT, "type": "buy_stop"},
        {**MARKET, "symbol": "GBPUSD"},
    ],
)
async def test_another_request_is_another(kept: Kept, other: dict[str, Any]) -> None:
    """2101, and nothing is sent."""
    await kept.scene.ask("place_order", **MARKET, client_order_id="a")
    with pytest.raises(errors.ClientOrderIdConflict):
        await kept.scene.ask("place_order", **other, client_order_id="a")
    assert len(kept.scene.script.sent) == 1


def test_a_stop_that_is_taken_off_is_not_one_that_stays() -> None:
    """``modify_order`` tells the two apart: 0 and null end it, absence keeps it."""
    assert normalized("modify_order", {"ticket": 1, "sl": "0"}) == {"ticket": 1, "sl": None}
    assert normalized("modify_order", {"ticket": 1, "sl": None}) == {"ticket": 1, "sl": None}
    assert normalized("modify_order", {"ticket": 1}) == {"ticket": 1}
    assert normalized("modify_order", {"ticket": 1, "price": "0"}) == {"ticket": 1}
    assert normalized("modify_order", {"ticket": 1, "type_time": "gtc"}) != {"ticket": 1}
