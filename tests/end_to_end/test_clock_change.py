"""The broker's clock is put on in spring, and back in autumn, while ticks come: what is told then
and what the history says of it later are the same, each at its own moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from product import HttpClient, Json, Product, WsClient, daemon, sawtooth, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.simulation.clock import BrokerZone

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-clock")]

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
SPRING_MS = int(datetime(2027, 3, 14, 7, tzinfo=UTC).timestamp()) * 1000
AUTUMN_MS = int(datetime(2027, 11, 7, 6, tzinfo=UTC).timestamp()) * 1000
TICKS, BARS = "tick.all:EURUSD", "bar.M1:EURUSD"
BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


@dataclass
class Hands:
    """A clock that shows what it is set to."""

    utc_ms: int


@dataclass
class Change:
    """A product whose market stands some minutes before a change of the broker's clock."""

    running: Product
    hands: Hands
    at_ms: int
    resumes_ms: int
    """When ticks come again: a clock that was put back shows an hour that it has shown before."""
    old_ms: int
    new_ms: int

    async def seen(self, utc_ms: int) -> None:
        """Set the clock; wait until the gateway has seen it."""
        self.hands.utc_ms = utc_ms
        clock = self.running.gateway.trading.clocks.of("main")
        await until(lambda: clock._now_s == utc_ms // SECOND)


@pytest_asyncio.fixture(loop_scope="module", params=["spring", "autumn"])
async def change(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Change]:
    """Each of the two of 2027."""
    is_spring = request.param == "spring"
    at_ms = SPRING_MS if is_spring else AUTUMN_MS
    hands = Hands(at_ms - 3 * MINUTE)
    made = build_terminal(start_ms=hands.utc_ms, tick_files=sawtooth(tmp_path))
    machine = EmulatedTerminal(
        made._market,
        made._broker,
        made.platform,
        now_msc=lambda: BrokerZone().to_broker_ms(hands.utc_ms),
        utc_s=lambda: hands.utc_ms // SECOND,
    )
    async with daemon(tmp_path) as running:
        await running.link("main", machine)
        offsets = (2 * HOUR, 3 * HOUR) if is_spring else (3 * HOUR, 2 * HOUR)
        yield Change(running, hands, at_ms, at_ms if is_spring else at_ms + HOUR, *offsets)


def is_update(event: Json) -> bool:
    """Whether it is news."""
    return bool(event["type"] == "update")


async def told_until(
    client: WsClient, channel: str, is_last: Callable[[Json], bool]
) -> list[Json]:
    """Take the news of a channel, as far as one that is the last."""
    told: list[Json] = []
    while not told or not is_last(told[-1]):
        told.append((await client.event(channel, is_update))["data"])
    return told


async def test_nothing_is_lost_or_told_twice(change: Change) -> None:
    """Ticks and bars of both sides are those of the history, at the moments at which they came,
    in whatever span they are asked for; the change is told when it comes, with no quote."""
    listener, client = await change.running.ws(), await change.running.http()
    await listener.call("subscribe", channels=[TICKS, BARS, "terminal"])
    await listener.event("terminal", lambda one: one["type"] == "snapshot")
    await change.seen(change.at_ms - SECOND // 2)
    await change.seen(change.at_ms)
    event = await listener.event("terminal", lambda one: one["data"]["event"] == "clock")
    assert event["data"]["broker_utc_offset_s"] * SECOND == change.new_ms
    end_ms = change.resumes_ms + 2 * MINUTE
    await change.seen(end_ms)
    ticks = await told_until(listener, TICKS, lambda one: one["time"] >= end_ms - SECOND // 2)
    assert [one["time"] for one in ticks] == sorted({one["time"] for one in ticks})
    before = [one for one in ticks if one["time"] < change.at_ms]
    after = [one for one in ticks if one["time"] >= change.at_ms]
    assert {one["broker_time"] - one["time"] for one in before} == {change.old_ms}
    assert {one["broker_time"] - one["time"] for one in after} == {change.new_ms}
    assert after[0]["time"] - change.resumes_ms < SECOND
    await same_ticks(client, ticks)
    await same_ticks(client, before)
    await same_ticks(client, after)
    await same_bars(client, listener, change)


async def same_ticks(client: HttpClient, told: list[Json]) -> None:
    """The history has exactly these between first and last, on pages too."""
    span = {"symbol": "EURUSD", "from_": told[0]["time"], "to": told[-1]["time"]}
    whole = await client.call("get_history_ticks", **span, limit=20_000)
    names = ("time", "broker_time", "bid", "ask")
    rows = [[one[name] for name in names] for one in told]
    assert [[one[name] for name in names] for one in whole["ticks"]] == rows
    found: list[Json] = []
    cursor = None
    while not found or cursor is not None:
        page = await client.call("get_history_ticks", **span, limit=150, cursor=cursor)
        found += page["ticks"]
        cursor = page["next_cursor"]
    assert found == whole["ticks"]


async def same_bars(client: HttpClient, listener: WsClient, change: Change) -> None:
    """Each closed bar was told once, at its moment, as the history has it."""
    last_ms = change.resumes_ms + MINUTE
    told = await told_until(listener, BARS, lambda one: one["closed"] and one["time"] >= last_ms)
    closed = [one for one in told if one["closed"]]
    times = [one["time"] for one in closed]
    around = [change.at_ms - MINUTE, change.resumes_ms, change.resumes_ms + MINUTE]
    assert times[-3:] == around
    history = await client.call(
        "get_history_prices", symbol="EURUSD", from_=times[0], to=times[-1], timeframe="M1"
    )
    names = ("time", "open", "high", "low", "close", "tick_volume")
    assert [[one[name] for name in names] for one in history["bars"]] == [
        [one[name] for name in names] for one in closed
    ]


async def test_trades_of_both_sides_have_their_own_moments(change: Change) -> None:
    """Deals and orders as they are done, and in the history afterwards; an order that shall
    expire after the change expires then."""
    client = await change.running.http()
    before_ms, after_ms = change.at_ms - SECOND, change.resumes_ms + MINUTE
    expiration = change.resumes_ms + 2 * HOUR
    await change.seen(before_ms)
    pending = await client.call(
        "place_order", **BUY, type="limit", price=1.05, expiration=expiration
    )
    first = (await client.call("place_order", **BUY))["order"]
    await change.seen(change.at_ms)
    await change.seen(after_ms)
    second = (await client.call("place_order", **BUY))["order"]
    [waiting] = await client.call("get_orders", ticket=pending["order"]["order"])
    assert waiting["time_setup"] == before_ms
    assert waiting["time_expiration"] == expiration
    assert waiting["broker_time_expiration"] == expiration + change.new_ms
    span = {"from_": before_ms, "to": after_ms}
    deals = (await client.call("get_history_orders", kind="deals", **span))["deals"]
    assert [(one["ticket"], one["time"]) for one in deals] == [
        (first["deal"], before_ms),
        (second["deal"], after_ms),
    ]
    positions = await client.call("get_positions")
    times = {one["ticket"]: one["time"] for one in positions}
    assert times == {first["position"]: before_ms, second["position"]: after_ms}
