"""Rules of long pages: between two chunks of one whoever else waits has a turn of the loop."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import BROKER_NOW_S, DEAL, NOW_MS, ORDER, POSITION
from scripted_terminal import Scene
from turns import turns

from ea_bridge.model import Bar, History, Tick
from gateway.chunks import CHUNK

PAGE = 4 * CHUNK + 10
TIMES_EACH = 3
"""Times of one record that are converted, at most."""


def answers() -> dict[str, Any]:
    """What a terminal with much to tell answers."""
    at_ms = BROKER_NOW_S * 1000
    return {
        "rates_get": History(rows=[Bar(BROKER_NOW_S - n, 1, 1, 1, 1, 1) for n in range(PAGE)]),
        "ticks_get": History(rows=[Tick(at_ms + n, 1.0, 1.0) for n in range(PAGE)]),
        "orders_get": [replace(ORDER, ticket=n + 1) for n in range(PAGE)],
        "positions_get": [replace(POSITION, ticket=n + 1) for n in range(PAGE)],
        "history_orders_get": [
            replace(ORDER, ticket=n + 1, time_done=BROKER_NOW_S - n, time_done_msc=0)
            for n in range(PAGE)
        ],
        "history_deals_get": [
            replace(DEAL, ticket=n + 1, time=BROKER_NOW_S - n, time_msc=0) for n in range(PAGE)
        ],
    }


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("get_ohlc", {"symbol": "EURUSD", "count": PAGE}),
        ("get_history_prices", {"symbol": "EURUSD", "from_": NOW_MS - 9**9, "limit": PAGE}),
        ("get_history_ticks", {"symbol": "EURUSD", "limit": PAGE}),
        ("get_orders", {}),
        ("get_positions", {}),
        ("get_history_orders", {"limit": PAGE}),
        ("get_history_orders", {"kind": "deals", "limit": PAGE}),
        ("get_history_orders", {"kind": "orders_deals", "limit": PAGE}),
    ],
)
async def test_no_more_than_a_chunk_is_converted_in_one_turn(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, method: str, params: dict[str, Any]
) -> None:
    """Of whatever a page is made."""
    scene.script.answers |= answers()
    async with turns() as seen:
        monkeypatch.setattr(scene.clock, "to_utc_ms", seen.watched(scene.clock.to_utc_ms))
        told = await scene.ask(method, **params)
    lists = [told] if isinstance(told, list) else [v for v in told.values() if type(v) is list]
    assert sum(map(len, lists)) >= PAGE
    assert seen.most <= TIMES_EACH * CHUNK
