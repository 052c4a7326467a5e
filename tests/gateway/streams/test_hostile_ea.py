"""A terminal that lies or floods costs neither the streams nor their memory."""

from __future__ import annotations

import gc
import tracemalloc

import orjson
import pytest
from pydantic import TypeAdapter
from stage import T0, Ear, Stage, turns

from ea_bridge import model
from ea_bridge.protocol import messages as m
from gateway import schemas as shapes
from gateway.streams import hub
from gateway.streams.feed import TerminalFeed


def row(sym: int, msc: int, bid: str = "1.08542") -> tuple[int, int, str, str, float, int, int]:
    return (sym, T0 + msc, bid, "1.08554", 0.0, 0, 6)


async def test_what_was_not_asked_for_is_dropped(live: Stage, ear: Ear) -> None:
    """Unknown symbols, a book and bars of a symbol watched for ticks: nothing is published."""
    await live.subscribe(ear, "tick:EURUSD")
    live.terminal.say(m.Ticks(d=[row(99, 1), row(0, 2), row(2**30, 3)]))
    live.terminal.say(m.Book(sym=0, time_msc=5, d=[model.BookEntry(1, 1.0, 1.0)]))
    live.terminal.say(m.Book(sym=77, time_msc=5, d=[]))
    live.terminal.say(m.BarEvent(sym=0, timeframe=1, d=model.Bar(60, 1, 1, 1, 1, 1)))
    live.terminal.say(m.BarEvent(sym=0, timeframe=12345, d=model.Bar(60, 1, 1, 1, 1, 1)))
    await turns()
    assert [event["channel"] for event in ear.events] == ["tick:EURUSD"]
    assert live.terminal.session is not None
    assert live.terminal.session.counters.unknown_symbol == 3


async def test_a_symbol_that_nobody_watches_any_more_is_dropped(live: Stage, ear: Ear) -> None:
    """The terminal goes on pushing what it was told to stop."""
    await live.subscribe(ear, "tick:EURUSD")
    live.streams.unsubscribe(live.caller, ear, None)
    await turns()
    live.terminal.say(m.Ticks(d=[row(0, 1)]), m.Book(sym=0, time_msc=5, d=[]))
    await turns()
    assert ear.log == ["answer"]


async def test_an_event_that_comes_twice_is_told_once(live: Stage, ear: Ear) -> None:
    """A repeated number is a replay of what was taken."""
    await live.subscribe(ear, "orders")
    event = live.terminal.order("add", 1)
    live.terminal.say(event, event)
    live.terminal.say(event)
    await turns()
    assert [e["seq"] for e in ear.of("orders", "update")] == [1]


@pytest.mark.parametrize("bid", ['1,"bid":2', "NaN", "1e5", "01", "", "1.", "-", "1 "])
async def test_a_price_that_is_no_number_never_reaches_a_frame(
    live: Stage, ear: Ear, bid: str
) -> None:
    """Prices are spliced in unparsed; what is not a plain JSON number stops at the bridge."""
    await live.subscribe(ear, "tick.all:EURUSD")
    live.terminal.say(m.Ticks(d=[row(0, 1, bid)]))
    live.terminal.say(m.Ticks(d=[row(0, 2)]))
    await turns()
    assert [event["data"]["bid"] for event in ear.events] == [1.08542]


@pytest.mark.parametrize(
    ("bid", "last", "volume"),
    [
        ("1.08542", 0.0, 0), ("0.00000", 0.0, 0), ("0", 0.0, 5), ("-37.63", 0.0, 0),
        ("0.65432", 1.5, 3), ("95123.10", 95_000.0, 12), ("-0.00", 1e-7, 1),
    ],
)  # fmt: skip
async def test_every_tick_has_the_documented_shape(
    live: Stage, ear: Ear, bid: str, last: float, volume: int
) -> None:
    """Whatever the prices, the hand-made JSON is what the shape says; zero means none."""
    await live.subscribe(ear, "tick.all:EURUSD")
    live.terminal.say(m.Ticks(d=[(0, T0 + 1, bid, "1.5", last, volume, 6)]))
    await turns()
    data = TypeAdapter(shapes.Tick).validate_json(orjson.dumps(ear.events[-1]["data"]))
    assert data["bid"] == (float(bid) or None)
    assert (data["last"], data["volume"]) == ((last, volume) if last else (None, None))


async def test_the_broker_clock_may_jump(live: Stage, ear: Ear) -> None:
    """Ticks whose stamps go backwards are ticks all the same; none is dropped as old."""
    await live.subscribe(ear, "tick.all:EURUSD")
    live.terminal.say(m.Ticks(d=[row(0, 5_000_000), row(0, 1_000), row(0, 1_000), row(0, 2_000)]))
    await turns()
    assert [e["seq"] for e in ear.of("tick.all:EURUSD")] == [1, 2, 3, 4]


async def test_an_order_that_cannot_be_told_is_dropped_and_the_rest_goes_on(
    live: Stage, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    """Numbers that no terminal has stop at the bridge: no event, no error, the link lives on."""
    await live.subscribe(ear, "orders")
    lies = (
        model.Order(type=2, symbol="EURUSD", ticket=2**70),
        model.Order(type=2, symbol="EURUSD", ticket=5, time_setup=2**62),
        model.Order(type=2, symbol="EURUSD", ticket=5, magic=2**63),
    )
    for order in lies:
        live.terminal.say(m.Trade(op="add", q=0, order=order))
    live.terminal.say(live.terminal.order("add", 1))
    await turns()
    told = [e["data"]["order"]["ticket"] for e in ear.of("orders", "update")]
    assert told == [1]
    assert not [each for each in caplog.records if each.exc_info]


async def test_a_claim_of_endless_loss_is_not_counted(live: Stage, ear: Ear) -> None:
    """However much a terminal says was lost, sequence numbers stay numbers that JSON can carry."""
    await live.subscribe(ear, "orders")
    for _ in range(4):
        live.terminal.say(m.Lost(start=0, until=2**63 - 1))
        await turns()
    gaps = ear.of("orders", "gap")
    assert [gap["data"]["to"] for gap in gaps] == [None] * 4
    assert live.streams.subscriptions(live.caller, ear)["subscriptions"][0]["seq"] < 2**53


@pytest.mark.timeout(60)
@pytest.mark.parametrize("events", [80_000, pytest.param(175_000, marks=pytest.mark.long)])
async def test_memory_is_flat_over_many_events(
    live: Stage, events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept depends on what is subscribed to, never on how much has happened.

    If as little as an empty object were kept of each round of 25, it would be too much.
    """

    class Deaf(Ear):
        """Keeps nothing, heartbeats included: the longer it takes, the more of them there are."""

        def deliver(self, events: object, joined: bytes) -> None:
            pass

        def notify(self, text: bytes) -> None:
            pass

    monkeypatch.setattr(hub, "RING_BYTES", 8192)  # so that the rings are full before
    ear = Deaf()
    live.streams.attach(ear)
    await live.subscribe(
        ear, "tick:EURUSD", "tick.all:EURUSD", "tick.1000ms:EURUSD", "book:EURUSD",
        "bar.M1:EURUSD", "orders", "pnl", "account",
    )  # fmt: skip
    feed: TerminalFeed = live.streams._feeds["mt5-a"]
    session = live.terminal.session
    assert session is not None

    async def happen(start: int, count: int) -> None:
        for n in range(start, start + count, 25):
            feed.event(session, m.Ticks(d=[row(0, n + i, f"1.{n + i:06}") for i in range(20)]))
            feed.event(session, m.Book(sym=0, time_msc=n, d=[model.BookEntry(1, 1.0, n)]))
            bar = model.Bar(60 * n, 1, 2, 1, 2, n)
            feed.event(session, m.BarEvent(sym=0, timeframe=1, d=bar, closed=True))
            order = model.Order(ticket=n, type=2, symbol="EURUSD")
            feed.event(session, m.Trade(op="add", q=1, order=order))
            feed.event(session, m.Trade(op="remove", q=2, order=order))
            feed.event(session, m.Pnl(d=[(n, 1.0, 0.0, float(n))]))
            await turns(1)

    await happen(0, 20_000)
    gc.collect()
    tracemalloc.start()
    try:
        await happen(20_000, 5_000)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        await happen(25_000, events)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 64 * 1024
