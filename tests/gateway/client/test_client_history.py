"""Past prices of any span: iterators, tables, and what is missing."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from demo_process import Demo
from scripted_gateway import TOKEN, Hangup, ScriptedGateway

from gateway.client import GatewayClient, SyncGatewayClient
from gateway.errors import HistoryLoading

T0 = 1_735_689_600_000  # 2025-01-01T00:00Z


def bar(minute: int) -> dict[str, Any]:
    time = T0 + minute * 60_000
    prices = {name: 1.1 + minute / 1e5 for name in ("open", "high", "low", "close")}
    counts = {"tick_volume": 7, "spread": 2, "real_volume": 0}
    return {"time": time, "broker_time": time + 7_200_000, **prices, **counts}


def page(*minutes: int, next: str | None = None, reason: str | None = None) -> dict[str, Any]:
    return {
        "symbol": "EURUSD.r",
        "timeframe": "M1",
        "bars": [bar(minute) for minute in minutes],
        "next_cursor": next,
        "complete": reason is None,
        "reason": reason,
    }


async def test_pages_are_one_history(gateway: ScriptedGateway) -> None:
    """Asked for with one span and the cursors that came; a page in a gap is empty."""
    gateway.reply("get_history_prices", page(0, 1, next="a"), page(next="b"), page(9))
    async with GatewayClient(gateway.url, TOKEN) as client:
        history = client.history("EURUSD", T0)
        assert [one["time"] - T0 for one in [row async for row in history]] == [0, 60_000, 540_000]
        assert (history.symbol, history.complete, history.reason) == ("EURUSD.r", True, None)
    asked = [params for _, params in gateway.asked]
    assert [one["cursor"] for one in asked] == [None, "a", "b"]
    # an open end would move from page to page
    assert len({one["to"] for one in asked}) == 1
    assert asked[0]["to"] > T0


async def test_what_the_terminal_loads_is_waited_for(gateway: ScriptedGateway) -> None:
    """The same page again, whether it came in part or not at all."""
    loading = page(0, next="b", reason="loading")
    gateway.reply("get_history_prices", page(0, next="a"), HistoryLoading(), loading, page(1, 2))
    async with GatewayClient(gateway.url, TOKEN) as client:
        history = client.history("EURUSD", T0)
        assert len([row async for row in history]) == 3
        assert history.complete
    assert [params["cursor"] for _, params in gateway.asked] == [None, "a", "a", "a"]


@pytest.mark.parametrize("answer", [page(0, next="a", reason="loading"), HistoryLoading()])
async def test_a_hole_that_may_close_is_never_passed_over(
    gateway: ScriptedGateway, answer: Any
) -> None:
    """When the wait is over, an error ends the iteration: it can be tried again later."""
    gateway.reply("get_history_prices", answer)
    async with GatewayClient(gateway.url, TOKEN) as client:
        with pytest.raises(HistoryLoading) as caught:
            await anext(aiter(client.history("EURUSD", T0, loading_s=0)))
    assert caught.value.retryable


async def test_what_is_not_there_is_told(gateway: ScriptedGateway) -> None:
    """Of any page; and anew with each iteration."""
    lacking = page(0, next="a", reason="max_bars")
    gateway.reply("get_history_prices", lacking, page(1), page(0))
    async with GatewayClient(gateway.url, TOKEN) as client:
        history = client.history("EURUSD", T0)
        assert len([row async for row in history]) == 2
        assert (history.complete, history.reason) == (False, "max_bars")
        assert len([row async for row in history]) == 1
        assert (history.complete, history.reason) == (True, None)


async def test_a_table_has_moments(gateway: ScriptedGateway) -> None:
    """UTC with its zone, the broker's clock without one; an empty history has the columns."""
    ticks = {"symbol": "EURUSD", "next_cursor": None, "complete": True, "reason": None}
    one = {"time": T0, "broker_time": T0 + 7_200_000, "bid": 1.1, "ask": None, "flags": 2}
    one |= {"last": None, "volume": None}
    gateway.reply("get_history_ticks", ticks | {"ticks": [one]}, ticks | {"ticks": []})
    gateway.reply("get_history_prices", page(0, 1, next="a"), page(2))
    async with GatewayClient(gateway.url, TOKEN) as client:
        bars = await client.history("EURUSD", T0).to_pandas()
        assert bars["time"][2] == datetime(2025, 1, 1, 0, 2, tzinfo=UTC)
        assert bars["broker_time"][0].tzinfo is None
        assert bars["broker_time"][0].hour == 2
        assert bars["tick_volume"].sum() == 21
        table = await client.tick_history("EURUSD", T0, flags="info").to_arrow()
        assert table.to_pylist()[0]["ask"] is None
        empty = await client.tick_history("EURUSD", T0).to_pandas()
    assert set(empty.columns) == set(one)
    assert [params.get("flags") for _, params in gateway.asked[2:]] == ["info", "all"]


async def test_without_the_extra_it_is_named(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked: a table of years is not fetched in vain."""
    async with GatewayClient(gateway.url, TOKEN) as client:
        for package, make in (
            ("pyarrow", client.history("EURUSD", T0).to_arrow),
            ("pandas", client.history("EURUSD", T0).to_pandas),
            ("polars", client.history("EURUSD", T0).to_polars),
        ):
            monkeypatch.setitem(sys.modules, package, None)
            with pytest.raises(ImportError, match=rf"^{package} .*'mt-gateway\[data\]'"):
                await make()
    assert gateway.asked == []


async def test_the_same_history_without_async(gateway: ScriptedGateway) -> None:
    """Row by row and page by page."""
    gateway.reply("get_history_prices", page(0, next="a"), page(1), page(0, 1))

    def work() -> None:
        with SyncGatewayClient(gateway.url, TOKEN) as client:
            history = client.history("EURUSD", T0)
            assert [row["time"] - T0 for row in history] == [0, 60_000]
            assert (history.symbol, history.complete, history.reason) == ("EURUSD.r", True, None)
            assert [len(rows) for rows in history.pages()] == [2]

    await asyncio.to_thread(work)


async def test_a_lost_connection_is_asked_again(gateway: ScriptedGateway) -> None:
    """Reading twice changes nothing."""
    gateway.reply("get_history_prices", page(0, next="a"), Hangup(), page(1))
    async with GatewayClient(gateway.url, TOKEN) as client:
        assert len([row async for row in client.history("EURUSD", T0)]) == 2


def test_bars_and_ticks_of_a_real_gateway(demo: Demo) -> None:
    """More than one page of either, in order, none twice."""
    with SyncGatewayClient(demo.url, demo.auth_token) as client:
        bars = client.history("EURUSD", "2025-03-03T00:00:00Z", to="2025-03-13T00:00:00Z")
        times = [bar["time"] for bar in bars]
        ticks = client.tick_history("EURUSD", "2025-03-03T00:00:00Z", to="2025-03-03T01:00:00Z")
        ticked = [tick["time"] for tick in ticks]
    assert len(times) > 10_000
    assert times == sorted(set(times))
    assert bars.complete
    assert len(ticked) > 100
    assert ticked == sorted(ticked)
