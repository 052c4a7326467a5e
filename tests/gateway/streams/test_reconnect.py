"""What becomes of streams when the terminal goes away and comes back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage import MT5_CAPS, T0, Ear, Stage, turns, until

from ea_bridge import model
from ea_bridge.protocol import messages as m


def stamps(ear: Ear, channel: str) -> list[int]:
    return [event["data"]["broker_time"] for event in ear.of(channel, "update")]


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["tick", "pump", "cut", "connect"])),
        max_size=40,
    )
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_ticks_are_exactly_once_across_disconnects(steps: list[tuple[int, str]]) -> None:
    """Whatever happens to the link, every tick arrives once, in order, numbered without a hole.

    Stamps repeat and the link is cut with ticks pumped and not pumped: the cursor decides.
    """

    async def play() -> None:
        stage = Stage()
        terminal, now = stage.terminal, 1
        terminal.connect()
        ear = stage.ear()
        await stage.subscribe(ear, "tick.all:EURUSD")
        terminal.tick("EURUSD", now)
        terminal.pump()
        for advance, step in steps:
            now += advance
            if step == "tick":
                terminal.tick("EURUSD", now)
            elif step == "pump":
                terminal.pump()
            elif step == "cut":
                terminal.disconnect()
            else:
                terminal.connect()
            await turns(12)
        terminal.disconnect()
        terminal.connect()
        await turns()
        terminal.pump()
        await turns()
        assert stamps(ear, "tick.all:EURUSD") == [t[0] for t in terminal.symbols["EURUSD"].ticks]
        events = ear.of("tick.all:EURUSD")
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert len({event["epoch"] for event in events}) == 1
        stage.streams.close()

    asyncio.run(play())


async def test_the_first_ticks_of_a_link_may_come_with_the_watchs_answer(
    live: Stage, ear: Ear
) -> None:
    """Ticks in the same piece of data as the answer to ``watch`` are not lost."""
    terminal = live.terminal
    await live.subscribe(ear, "tick.all:EURUSD")
    terminal.tick("EURUSD", 1)
    terminal.pump()
    terminal.disconnect()
    terminal.tick("EURUSD", 1, 2)
    terminal.hold = True
    terminal.connect()
    await until(lambda: terminal.held)
    assert [cmd.op for cmd in terminal.held] == ["tick_get"]  # which ticks it has missed
    terminal.release()
    await until(lambda: terminal.held)
    row = (0, 1_764_007_200_001, "1.08001", "1.08011", 0.0, 0, 6)
    later = (0, 1_764_007_200_002, "1.08002", "1.08012", 0.0, 0, 6)
    terminal.release(m.Ticks(d=[row, later]))
    await turns()
    assert terminal.watches[-1].last_msc == 1_764_007_200_001
    assert terminal.watches[-1].n_same_msc == 1
    assert [e["seq"] for e in ear.of("tick.all:EURUSD")] == [1, 2, 3]


def marks(ear: Ear, channel: str) -> list[tuple[int, bool]]:
    """Stamps of ticks since the beginning, and whether each is told from the history."""
    ticks = [event["data"] for event in ear.of(channel, "update")]
    assert all(tick.get("backfilled", True) is True for tick in ticks)
    return [(tick["broker_time"] - T0, "backfilled" in tick) for tick in ticks]


async def test_ticks_of_an_outage_are_marked(live: Stage, ear: Ear) -> None:
    """Those alone: what came before it and what comes after it is news."""
    terminal = live.terminal
    await live.subscribe(ear, "tick.all:EURUSD", "tick:EURUSD")
    terminal.tick("EURUSD", 1, 2)
    terminal.pump()
    terminal.disconnect()
    terminal.tick("EURUSD", 2, 3, 4)
    terminal.connect()
    await turns()
    terminal.pump()
    terminal.tick("EURUSD", 5)
    terminal.pump()
    await turns()
    told = [(1, False), (2, False), (2, True), (3, True), (4, True), (5, False)]
    assert marks(ear, "tick.all:EURUSD") == marks(ear, "tick:EURUSD") == told
    terminal.disconnect()
    terminal.connect()  # and nothing has happened
    await turns()
    terminal.tick("EURUSD", 6)
    terminal.pump()
    await turns()
    assert marks(ear, "tick.all:EURUSD")[6:] == [(6, False)]


async def test_the_present_price_bears_no_mark(live: Stage, ear: Ear) -> None:
    """The last tick of an outage is that: who comes now, or hears one an interval, is told it."""
    terminal = live.terminal
    await live.subscribe(ear, "tick.all:EURUSD", "tick.100ms:EURUSD")
    terminal.tick("EURUSD", 1)
    terminal.pump()
    terminal.disconnect()
    terminal.tick("EURUSD", 2, 3)
    terminal.connect()
    await turns()
    terminal.pump()
    await until(lambda: (3, False) in marks(ear, "tick.100ms:EURUSD"))
    assert marks(ear, "tick.all:EURUSD")[-1] == (3, True)
    later = live.ear()
    await live.subscribe(later, "tick:EURUSD")
    (snapshot,) = later.of("tick:EURUSD", "snapshot")
    assert (snapshot["data"]["broker_time"] - T0, "backfilled" in snapshot["data"]) == (3, False)


async def test_ticks_of_another_account_are_news(live: Stage, ear: Ear) -> None:
    """Also where its broker's clock is behind that of the one before."""
    terminal = live.terminal
    await live.subscribe(ear, "tick.all:EURUSD")
    terminal.tick("EURUSD", 1)
    terminal.pump()
    terminal.disconnect()
    terminal.tick("EURUSD", 2, 9)
    terminal.connect()
    await turns()
    terminal.disconnect()
    terminal.connect(login=2)
    await turns()
    ear.events.clear()
    terminal.tick("EURUSD", 4, 5)
    terminal.pump()
    await turns()
    told = marks(ear, "tick.all:EURUSD")
    assert told[-2:] == [(4, False), (5, False)]
    assert not any(is_marked for _, is_marked in told)


async def test_no_tick_of_an_outage_comes_unmarked(live: Stage, ear: Ear) -> None:
    """While the terminal does not say which they are, it is not asked for them."""
    terminal = live.terminal
    await live.subscribe(ear, "tick.all:EURUSD")
    terminal.tick("EURUSD", 1)
    terminal.pump()
    terminal.disconnect()
    terminal.tick("EURUSD", 2)
    terminal.fail["tick_get"] = 4000
    watched = len(terminal.watches)
    terminal.connect()
    await turns()
    assert len(terminal.watches) == watched
    terminal.fail.clear()
    await until(lambda: len(terminal.watches) > watched)  # it is tried again after a moment
    await turns()
    terminal.pump()
    await turns()
    assert marks(ear, "tick.all:EURUSD") == [(1, False), (2, True)]


async def test_who_begins_with_a_terminal_has_missed_nothing(live: Stage, ear: Ear) -> None:
    """What was before nobody was told, and what the next one is told is news to it."""
    live.terminal.tick("EURUSD", 1)
    await live.subscribe(ear, "tick.all:EURUSD")
    live.terminal.disconnect()
    live.terminal.tick("EURUSD", 2)
    live.terminal.connect()
    await turns()
    live.terminal.tick("EURUSD", 3)
    live.terminal.pump()
    await turns()
    assert marks(ear, "tick.all:EURUSD") == [(3, False)]


async def test_more_parts_of_a_symbol_leave_the_pump_where_it_stands(
    live: Stage, ear: Ear
) -> None:
    """Adding a book to running ticks sends no cursor: the terminal must not go back."""
    await live.subscribe(ear, "tick.all:EURUSD")
    live.terminal.tick("EURUSD", 1)
    live.terminal.pump()
    await live.subscribe(ear, "book:EURUSD", "bar.M1:EURUSD")
    last = live.terminal.watches[-1]
    assert (last.ticks, last.book, last.bars) == (True, True, "1")
    assert (last.last_msc, last.n_same_msc) == (0, 0)


async def test_a_terminal_without_tick_history_announces_the_gap(ear: Ear, live: Stage) -> None:
    """MetaTrader 4 cannot tell old ticks: a gap with the next number, in a new epoch."""
    live.terminal.disconnect()
    live.terminal.connect(platform="mt4", caps="", boot="b1")
    await turns()
    await live.subscribe(ear, "tick.all:EURUSD", "tick:EURUSD")
    live.terminal.tick("EURUSD", 1)
    live.terminal.pump()
    await turns()
    live.terminal.disconnect()
    live.terminal.tick("EURUSD", 2)
    live.terminal.connect(platform="mt4", caps="")
    await turns()
    live.terminal.tick("EURUSD", 3)
    live.terminal.pump()
    await turns()
    first, gap, after = ear.of("tick.all:EURUSD")
    assert gap["type"] == "gap"
    assert gap["data"] == {"from": 2, "to": None, "reason": "ticks_lost"}
    assert (first["epoch"] != gap["epoch"], gap["epoch"]) == (True, after["epoch"])
    assert [gap["seq"], after["seq"]] == [2, 3]
    kinds = [(e["type"], e["epoch"] == first["epoch"]) for e in ear.of("tick:EURUSD")]
    assert kinds[-2:] == [("snapshot", False), ("update", False)]


async def test_subscriptions_to_an_offline_terminal_begin_when_it_comes(stage: Stage) -> None:
    """They are kept, said not to be live, and begin with a snapshot; ``terminal`` tells when."""
    ear = stage.ear()
    channels = ("tick:EURUSD", "orders", "book:EURUSD", "bar.M1:EURUSD", "account", "terminal")
    result = await stage.subscribe(ear, *channels)
    live = {entry["channel"]: entry["live"] for entry in result["subscribed"]}
    assert [name for name, is_live in live.items() if is_live] == ["terminal"]
    assert [event["channel"] for event in ear.events] == ["terminal"]
    assert ear.events[0]["data"]["state"] == "disconnected"
    stage.terminal.tick("EURUSD", 1)
    stage.terminal.symbols["EURUSD"].bars[1] = [model.Bar(60, 1, 2, 1, 2, 5)]
    stage.terminal.connect()
    await until(lambda: len(ear.events) >= 7)
    snapshots = {e["channel"] for e in ear.events[1:] if e["type"] == "snapshot"}
    assert snapshots == set(channels) - {"terminal"}
    assert ear.of("terminal", "update")[0]["data"]["state"] == "ready"
    entries = stage.streams.subscriptions(stage.caller, ear)["subscriptions"]
    assert all(entry["live"] for entry in entries)


async def test_an_unknown_symbol_ends_when_the_terminal_comes(stage: Stage) -> None:
    """What could not be checked while offline ends with an ``end`` event that says why."""
    ear = stage.ear()
    await stage.subscribe(ear, "tick:NOPE", "book:GBPUSD", "tick:GBPUSD")
    stage.terminal.connect()
    await until(lambda: len(ear.events) >= 2)
    ends = {e["channel"]: (e["type"], e["data"]["name"]) for e in ear.events}
    assert ends == {
        "tick:NOPE": ("end", "symbol_not_found"), "book:GBPUSD": ("end", "no_market_depth"),
    }  # fmt: skip
    kept = stage.streams.subscriptions(stage.caller, ear)["subscriptions"]
    assert [entry["channel"] for entry in kept] == ["tick:GBPUSD"]


async def test_mt4_has_no_depth_no_deals_and_nine_timeframes(stage: Stage) -> None:
    """What the platform cannot do fails by name, at once or when an offline terminal comes."""
    ear = stage.ear()
    await stage.subscribe(ear, "book:EURUSD", "bar.M2:EURUSD", "bar.M5:EURUSD", "deals")
    stage.terminal.connect(platform="mt4", caps="")
    await until(lambda: len([e for e in ear.events if e["type"] == "end"]) == 3)
    assert {e["data"]["name"] for e in ear.events if e["type"] == "end"} == {
        "method_not_supported"
    }
    await turns()
    result = await stage.subscribe(ear, "bar.M10:EURUSD", "bar.H4:EURUSD", "deals")
    assert [e["channel"] for e in result["subscribed"]] == ["bar.H4:EURUSD"]
    assert {e["name"] for e in result["failed"]} == {"method_not_supported"}
    assert stage.terminal.watches[-1].bars == "5,16388"


async def test_trade_events_continue_after_a_reconnect_of_the_same_ea(
    live: Stage, ear: Ear
) -> None:
    """What happened meanwhile is replayed in the same epoch; a fresh snapshot follows."""
    await live.subscribe(ear, "orders")
    live.terminal.say(live.terminal.order("add", 1))
    live.terminal.disconnect()
    live.terminal.order("add", 2)
    live.terminal.order("remove", 1)
    live.terminal.connect()
    await until(lambda: len(ear.of("orders", "snapshot")) == 2)
    updates = ear.of("orders", "update")
    assert [(e["data"]["op"], e["data"]["order"]["ticket"]) for e in updates] == [
        ("add", 1), ("add", 2), ("remove", 1),
    ]  # fmt: skip
    assert [e["seq"] for e in updates] == [1, 2, 3]
    fresh = ear.of("orders", "snapshot")[1]
    assert [order["ticket"] for order in fresh["data"]["orders"]] == [2]
    assert fresh["seq"] == 3
    assert len({e["epoch"] for e in ear.of("orders")}) == 1


async def test_a_restarted_ea_begins_a_new_epoch_with_a_gap_and_a_snapshot(
    live: Stage, ear: Ear
) -> None:
    """Its memory is gone: gap first, snapshot after it, both in the new epoch."""
    await live.subscribe(ear, "orders", "deals", "positions")
    live.terminal.say(live.terminal.order("add", 1))
    live.terminal.disconnect()
    live.terminal.order("add", 2)
    live.terminal.connect(boot="b2")
    await until(lambda: len(ear.of("orders", "snapshot")) == 2)
    assert [e["type"] for e in ear.of("orders")] == ["snapshot", "update", "gap", "snapshot"]
    gap, fresh = ear.of("orders")[2:]
    assert gap["data"] == {"from": 2, "to": None, "reason": "ea_restarted"}
    assert gap["epoch"] == fresh["epoch"] != ear.of("orders")[0]["epoch"]
    assert [order["ticket"] for order in fresh["data"]["orders"]] == [1, 2]
    assert [e["type"] for e in ear.of("deals")] == ["gap"]


async def test_lost_events_are_told_with_numbers(live: Stage, ear: Ear) -> None:
    """A hole in the EA's numbers: a gap that says how many at most, then a snapshot."""
    await live.subscribe(ear, "orders")
    live.terminal.say(live.terminal.order("add", 1))
    lost = [live.terminal.order("add", ticket) for ticket in (2, 3)]
    live.terminal.say(live.terminal.order("add", 4))
    await until(lambda: len(ear.of("orders", "snapshot")) == 2)
    kinds = [(e["type"], e["seq"]) for e in ear.of("orders")]
    assert kinds == [
        ("snapshot", 0), ("update", 1), ("gap", 3 + len(lost) - 1), ("update", 5), ("snapshot", 5),
    ]  # fmt: skip
    assert ear.of("orders", "gap")[0]["data"] == {"from": 2, "to": 3, "reason": "events_lost"}
    tickets = [o["ticket"] for o in ear.of("orders", "snapshot")[1]["data"]["orders"]]
    assert tickets == [1, 2, 3, 4]


async def test_another_account_continues_nothing(live: Stage, ear: Ear) -> None:
    """A terminal that comes back logged in elsewhere begins every stream anew."""
    live.terminal.symbols["EURUSD"].bars[1] = [model.Bar(60, 1, 2, 1, 2, 5)]
    await live.subscribe(ear, "tick.all:EURUSD", "orders", "bar.M1:EURUSD", "account")
    live.terminal.tick("EURUSD", 1)
    live.terminal.pump()
    await turns()
    before = {e["channel"]: e["epoch"] for e in ear.events}
    live.terminal.disconnect()
    ear.clear()
    live.terminal.tick("EURUSD", 2)
    live.terminal.connect(login=1, server="Real")
    await until(lambda: len(ear.of("orders", "snapshot")) == 1)
    await turns()
    assert {e["data"]["reason"] for e in ear.events if e["type"] == "gap"} == {"account_changed"}
    assert all(e["epoch"] != before[e["channel"]] for e in ear.events)
    assert live.terminal.watches[-1].last_msc == 0


async def test_bars_that_closed_meanwhile_are_told(live: Stage, ear: Ear) -> None:
    """After a disconnect each closed bar comes once, then the forming one as a snapshot."""
    bars = live.terminal.symbols["EURUSD"].bars[1] = [model.Bar(60, 1, 2, 1, 2, 5)]
    await live.subscribe(ear, "bar.M1:EURUSD")
    closed = model.Bar(60, 1, 3, 1, 3, 9)
    live.terminal.say(m.BarEvent(sym=0, timeframe=1, d=closed, closed=True))
    live.terminal.say(m.BarEvent(sym=0, timeframe=1, d=model.Bar(120, 3, 3, 3, 3, 1)))
    live.terminal.disconnect()
    bars[:] = [closed, *(model.Bar(t, 3, 4, 3, 4, 7) for t in (120, 180, 240))]
    live.terminal.connect()
    await until(lambda: len(ear.of("bar.M1:EURUSD", "snapshot")) == 2)
    live.terminal.say(m.BarEvent(sym=0, timeframe=1, d=bars[2], closed=True))
    await turns()
    told = [
        (e["type"], e["data"]["closed"], e["data"]["broker_time"] // 1000, e["seq"])
        for e in ear.of("bar.M1:EURUSD")
    ]
    assert told == [
        ("snapshot", False, 60, 0),
        ("update", True, 60, 1),
        ("update", False, 120, 2),
        ("update", True, 120, 3),
        ("update", True, 180, 4),
        ("snapshot", False, 240, 4),
    ]


@pytest.mark.parametrize("missing", ["loading", "max_bars"])
async def test_bars_that_the_terminal_does_not_have_are_no_bars_that_were_not(
    live: Stage, ear: Ear, missing: model.Missing
) -> None:
    """One that is loading is asked until it has them; one that never will is a gap."""
    bars = live.terminal.symbols["EURUSD"].bars[1] = [model.Bar(0, 1, 2, 1, 2, 5)]
    await live.subscribe(ear, "bar.M1:EURUSD")
    live.terminal.disconnect()
    live.terminal.missing = missing
    bars += [model.Bar(240, 1, 2, 1, 2, 5)]
    live.terminal.asked.clear()
    live.terminal.connect()
    await until(lambda: "rates_get" in live.terminal.asked)
    if missing == "loading":
        live.terminal.missing = ""
        bars[1:] = [model.Bar(60 * n, 1, 2, 1, 2, 5) for n in range(1, 5)]
    await until(lambda: len(ear.of("bar.M1:EURUSD", "snapshot")) == 2)
    closed = [e["data"]["broker_time"] // 1000 for e in ear.of("bar.M1:EURUSD", "update")]
    gaps = [e["data"]["reason"] for e in ear.of("bar.M1:EURUSD", "gap")]
    told = {"loading": ([0, 60, 120, 180], []), "max_bars": ([], ["history_too_long"])}
    assert (closed, gaps) == told[missing]


async def test_too_many_missed_bars_are_a_gap(live: Stage, ear: Ear) -> None:
    """More than a thousand bars missed: their number in a gap, then the forming bar."""
    bars = live.terminal.symbols["EURUSD"].bars[1] = [model.Bar(0, 1, 2, 1, 2, 5)]
    await live.subscribe(ear, "bar.M1:EURUSD")
    live.terminal.disconnect()
    bars += [model.Bar(60 * n, 1, 2, 1, 2, 5) for n in range(1, 1201)]
    live.terminal.connect()
    await until(lambda: len(ear.of("bar.M1:EURUSD", "snapshot")) == 2)
    _, gap, fresh = ear.of("bar.M1:EURUSD")
    assert gap["data"] == {"from": 1, "to": 1200, "reason": "history_too_long"}
    assert (gap["seq"], fresh["seq"], fresh["data"]["broker_time"]) == (1201, 1201, 72_000_000)


async def test_recovery_goes_on_until_it_succeeds(
    live: Stage, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal that refuses at first is asked again until every stream is back."""
    monkeypatch.setattr("gateway.streams.feed.FIRST_RETRY_S", 0.001)
    await live.subscribe(ear, "orders", "tick:EURUSD")
    live.terminal.disconnect()
    live.terminal.fail = {"orders_get": 4024, "watch": 4024}
    live.terminal.connect()
    await until(lambda: live.terminal.asked.count("orders_get") > 3)
    live.terminal.fail = {}
    await until(lambda: len(ear.of("orders", "snapshot")) == 2)


async def test_a_disconnect_while_priming_keeps_the_subscription(live: Stage, ear: Ear) -> None:
    """The link is cut before the answer: the subscription is made, not live, and recovers."""
    live.terminal.hold = True
    call = asyncio.ensure_future(live.subscribe(ear, "orders", "tick:EURUSD"))
    await until(lambda: len(live.terminal.held) == 2)
    live.terminal.disconnect()
    result: Any = await call
    assert [entry["live"] for entry in result["subscribed"]] == [False, False]
    live.terminal.hold = False
    live.terminal.tick("EURUSD", 1)
    live.terminal.connect()
    await until(lambda: ear.of("orders", "snapshot") and ear.of("tick:EURUSD", "snapshot"))


async def test_a_link_that_replaces_another_does_not_wait_for_its_end(
    live: Stage, ear: Ear
) -> None:
    """The newest link wins: streams go on there at once, from the cursor."""
    await live.subscribe(ear, "tick.all:EURUSD", "terminal")
    live.terminal.tick("EURUSD", 1)
    live.terminal.pump()
    live.terminal.tick("EURUSD", 2)
    live.terminal.connect(caps=MT5_CAPS)
    await turns()
    live.terminal.pump()
    await turns()
    assert [e["seq"] for e in ear.of("tick.all:EURUSD")] == [1, 2]
    assert ear.of("terminal")[-1]["data"]["state"] == "ready"
