"""What a subscriber is promised: answer, snapshot, updates, in this order and without a hole."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from stage import T0, Ear, Stage, turns, until

from ea_bridge import model
from ea_bridge.protocol import messages as m
from gateway.errors import SubscribeFailed
from gateway.streams.channels import ChannelRequest, Since, VendorRequest


def seqs(events: list[dict[str, object]]) -> list[object]:
    return [event["seq"] for event in events]


async def test_the_answer_comes_first_then_the_snapshot_then_updates(
    live: Stage, ear: Ear
) -> None:
    """The answer is queued before the first event; the first event is the snapshot."""
    live.terminal.tick("EURUSD", 1000)
    result = await live.subscribe(ear, "tick:EURUSD")
    live.terminal.tick("EURUSD", 1001)
    live.terminal.pump()
    await turns()
    assert ear.log[0] == "answer"
    kinds = [event["type"] for event in ear.events]
    assert kinds == ["snapshot", "update"]
    assert ear.events[0]["seq"] == result["subscribed"][0]["seq"]
    assert ear.events[1]["seq"] == result["subscribed"][0]["seq"] + 1
    assert ear.events[0]["data"]["broker_time"] == T0 + 1000


async def test_events_before_the_answer_is_queued_are_held_back_in_order(
    live: Stage, ear: Ear
) -> None:
    """What happens between making a subscription and queueing its answer follows the answer."""
    result, begin = await live.subscribe(ear, "tick.all:EURUSD", hold=True)
    live.terminal.tick("EURUSD", 1, 2, 3)
    live.terminal.pump()
    await turns()
    assert ear.log == []
    begin()
    live.terminal.tick("EURUSD", 4)
    live.terminal.pump()
    await turns()
    start = result["subscribed"][0]["seq"]
    assert seqs(ear.events) == [start + 1, start + 2, start + 3, start + 4]


async def test_a_beginning_that_held_too_much_closes_the_connection(live: Stage, ear: Ear) -> None:
    """An answer that is not queued for so long that events were lost is told: 4004."""
    _, begin = await live.subscribe(ear, "tick.all:EURUSD", hold=True)
    live.terminal.tick("EURUSD", *range(1, 5000))
    live.terminal.pump()
    await turns()
    begin()
    assert ear.ended == (4004, "insufficient_state")


async def test_an_update_has_the_documented_envelope(live: Stage, ear: Ear) -> None:
    """Envelope and data of a tick are those of the protocol's description."""
    await live.subscribe(ear, "tick:EURUSD")
    live.terminal.say(m.Ticks(d=[(0, 1_764_007_200_123, "1.08540", "1.08554", 0.0, 0, 6)]))
    await turns()
    assert b'"bid":1.08540,"ask":1.08554' in ear.frames[-1]
    assert ear.events[-1] == {
        "channel": "tick:EURUSD",
        "terminal": "mt5-a",
        "epoch": ear.events[-1]["epoch"],
        "seq": 1,
        "type": "update",
        "ts": 1_764_000_000_000,
        "data": {
            "symbol": "EURUSD",
            "bid": 1.0854,
            "ask": 1.08554,
            "last": None,
            "volume": None,
            "flags": 6,
            "time": live.clock.to_utc_ms(1_764_007_200_123),
            "broker_time": 1_764_007_200_123,
        },
    }


async def test_partial_success_is_explicit(live: Stage, ear: Ear) -> None:
    """Each channel succeeds or fails by itself, with its error and what comes close."""
    result = await live.subscribe(ear, "tick:EURUSD", "tick:EURUSDD", "tock:EURUSD", "orders")
    assert [entry["channel"] for entry in result["subscribed"]] == ["tick:EURUSD", "orders"]
    unknown, nosuch = result["failed"]
    assert (unknown["channel"], unknown["code"], unknown["did_you_mean"]) == (
        "tock:EURUSD", -32602, ["tick", "book"],
    ) or unknown["did_you_mean"][0] == "tick"  # fmt: skip
    assert nosuch["channel"] == "tick:EURUSDD"
    assert (nosuch["code"], nosuch["name"]) == (3001, "symbol_not_found")
    assert "EURUSD" in nosuch["did_you_mean"]


async def test_when_nothing_works_the_call_fails(live: Stage, ear: Ear) -> None:
    """None of the channels: error 4001 with the failures, and nothing is left behind."""
    with pytest.raises(SubscribeFailed) as caught:
        await live.subscribe(ear, "tick:NOPE", "book:GBPUSD")
    names = {entry["channel"]: entry["name"] for entry in caught.value.data["failed"]}
    assert names == {"tick:NOPE": "symbol_not_found", "book:GBPUSD": "no_market_depth"}
    assert live.streams.subscriptions(live.caller, ear) == {"subscriptions": []}


async def test_a_symbol_without_depth_does_not_cost_its_ticks(live: Stage, ear: Ear) -> None:
    """Where one command asks for ticks and book, the refusal of the book leaves the ticks."""
    result = await live.subscribe(ear, "tick:GBPUSD", "book:GBPUSD")
    assert [entry["channel"] for entry in result["subscribed"]] == ["tick:GBPUSD"]
    live.terminal.tick("GBPUSD", 5)
    live.terminal.pump()
    await turns()
    assert len(ear.of("tick:GBPUSD", "update")) == 1


async def test_symbols_are_verbatim(live: Stage, ear: Ear) -> None:
    """Dots, spaces, # and colons in symbols survive to the event."""
    name = "tick:#US30.cash: a b"
    await live.subscribe(ear, name)
    live.terminal.tick("#US30.cash: a b", 7)
    live.terminal.pump()
    await turns()
    assert ear.events[-1]["channel"] == name
    assert ear.events[-1]["data"]["symbol"] == "#US30.cash: a b"


async def test_subscribing_again_changes_nothing(live: Stage, ear: Ear) -> None:
    """A repeated subscription says so, sends no second snapshot and asks the terminal nothing."""
    live.terminal.tick("EURUSD", 1)
    await live.subscribe(ear, "tick:EURUSD")
    asked = len(live.terminal.asked)
    result = await live.subscribe(ear, "tick:EURUSD", "tick:EURUSD")
    assert [entry["already"] for entry in result["subscribed"]] == [True, True]
    assert len(ear.of("tick:EURUSD", "snapshot")) == 1
    assert len(live.terminal.asked) == asked


async def test_two_calls_for_one_channel_make_one_subscription(live: Stage, ear: Ear) -> None:
    """Concurrent subscriptions of the same channel share it, and both are answered."""
    first, second = await asyncio.gather(
        live.subscribe(ear, "tick:EURUSD"), live.subscribe(ear, "tick:EURUSD")
    )
    assert [r["subscribed"][0]["already"] for r in (first, second)] == [False, True]
    live.terminal.tick("EURUSD", 1)
    live.terminal.pump()
    await turns()
    assert seqs(ear.of("tick:EURUSD", "update")) == [1]
    live.streams.unsubscribe(live.caller, ear, ["tick:EURUSD"])
    await turns()
    assert live.terminal.watches[-1].ticks is False


async def test_after_unsubscribing_no_event_comes(live: Stage, ear: Ear) -> None:
    """Events that were published before are delivered before, and none after."""
    await live.subscribe(ear, "tick:EURUSD", "tick:GBPUSD")
    live.terminal.tick("EURUSD", 1)
    live.terminal.pump()
    result = live.streams.unsubscribe(live.caller, ear, ["tick:EURUSD", "book:EURUSD", "nonsense"])
    assert result["unsubscribed"] == ["tick:EURUSD"]
    assert result["not_subscribed"] == ["book:EURUSD"]
    assert result["failed"][0]["channel"] == "nonsense"
    assert len(ear.of("tick:EURUSD", "update")) == 1
    ear.clear()
    live.terminal.tick("EURUSD", 2)
    live.terminal.tick("GBPUSD", 2)
    live.terminal.pump()
    await turns()
    assert [event["channel"] for event in ear.events] == ["tick:GBPUSD"]


async def test_unsubscribing_drops_what_waits_in_the_outbox(live: Stage, ear: Ear) -> None:
    """A slow connection's queued events of the channel don't come after the answer either."""
    await live.subscribe(ear, "tick.all:EURUSD", "tick.all:GBPUSD")
    ear.congested = True
    live.terminal.tick("EURUSD", 1, 2)
    live.terminal.tick("GBPUSD", 1)
    live.terminal.pump()
    await turns()
    entries = live.streams.subscriptions(live.caller, ear)["subscriptions"]
    assert {entry["channel"]: entry["queued"] for entry in entries} == {
        "tick.all:EURUSD": 2, "tick.all:GBPUSD": 1,
    }  # fmt: skip
    live.streams.unsubscribe(live.caller, ear, ["tick.all:EURUSD"])
    assert ear.outbox.messages == 1


async def test_unsubscribing_before_the_answer_of_the_subscription(live: Stage, ear: Ear) -> None:
    """A subscription that was ended before it began never begins."""
    _, begin = await live.subscribe(ear, "tick:EURUSD", hold=True)
    live.streams.unsubscribe(live.caller, ear, None)
    begin()
    live.terminal.tick("EURUSD", 1)
    live.terminal.pump()
    await turns()
    assert ear.log == []


async def test_the_channels_of_a_connection_are_limited() -> None:
    """Over ``max_channels`` a channel fails with 4002; what was there stays."""
    stage = Stage(max_channels=2)
    stage.terminal.connect()
    ear = stage.ear()
    result = await stage.subscribe(ear, "orders", "positions", "deals")
    assert len(result["subscribed"]) == 2
    assert [(e["channel"], e["code"]) for e in result["failed"]] == [("deals", 4002)]
    stage.streams.unsubscribe(stage.caller, ear, ["orders"])
    assert (await stage.subscribe(ear, "deals"))["subscribed"][0]["already"] is False
    stage.streams.close()


async def test_the_vendors_forms(live: Stage, ear: Ear) -> None:
    """``tick``, ``mbook``, ``ohlc`` and ``order`` with symbol and timeframe; one or several."""
    result = await live.subscribe(
        ear,
        VendorRequest(type="tick", symbol=["EURUSD", "GBPUSD"]),
        VendorRequest(type="mbook", symbol="EURUSD"),
        VendorRequest(type="ohlc", symbol="EURUSD", timeframe="PERIOD_H1"),
        VendorRequest(type="ohlc", symbol="EURUSD", timeframe=16388),
        VendorRequest(type="order"),
    )
    assert [entry["channel"] for entry in result["subscribed"]] == [
        "tick:EURUSD", "tick:GBPUSD", "book:EURUSD", "bar.H1:EURUSD", "bar.H4:EURUSD", "orders",
    ]  # fmt: skip
    assert result["failed"] == []


async def test_since_is_answered_honestly(live: Stage, ear: Ear) -> None:
    """Nothing missed is recovered; anything else says why not and is followed by a snapshot."""
    live.terminal.say(live.terminal.order("add", 1))
    (entry,) = (await live.subscribe(None, "orders"))["subscribed"]
    epoch, seq = entry["epoch"], entry["seq"]
    for since, told in (
        (Since(epoch=epoch, seq=seq), (True, None, [])),
        (Since(epoch=epoch, seq=seq - 1), (False, "evicted", ["snapshot"])),
        (Since(epoch=epoch, seq=seq + 1), (False, "ahead", ["snapshot"])),
        (Since(epoch="old.1", seq=seq), (False, "epoch_changed", ["snapshot"])),
    ):
        one = live.ear(by_header=False)
        request = ChannelRequest(channel="orders", since=since, snapshot=False)
        (entry,) = (await live.subscribe(one, request))["subscribed"]
        kinds = [event["type"] for event in one.events]
        assert (entry["recovered"], entry["reason"], kinds) == told


async def test_who_comes_back_has_a_snapshot(live: Stage) -> None:
    """Though nothing was missed: it takes no number, so that nobody can tell whether the first
    one has reached a client whose connection was lost right after the answer."""
    live.terminal.say(live.terminal.order("add", 1))
    lost = live.ear(by_header=False)
    (entry,) = (await live.subscribe(lost, "orders"))["subscribed"]
    live.streams.detach(lost)

    since = Since(epoch=entry["epoch"], seq=entry["seq"])
    back = live.ear(by_header=False)
    (entry,) = (await live.subscribe(back, ChannelRequest(channel="orders", since=since)))[
        "subscribed"
    ]
    assert (entry["recovered"], [event["type"] for event in back.events]) == (True, ["snapshot"])


async def test_who_subscribed_offline_has_a_snapshot_when_it_comes_back(stage: Stage) -> None:
    """The terminal was linked in between: what is open is told, though nothing has changed."""
    early = stage.ear(by_header=False)
    (entry,) = (await stage.subscribe(early, "positions"))["subscribed"]
    assert (entry["live"], early.events) == (False, [])
    stage.streams.detach(early)
    stage.terminal.connect()
    await turns()

    since = Since(epoch=entry["epoch"], seq=entry["seq"])
    back = stage.ear(by_header=False)
    request = ChannelRequest(channel="positions", since=since)
    (entry,) = (await stage.subscribe(back, request))["subscribed"]
    assert (entry["recovered"], entry["live"]) == (True, True)
    assert [event["type"] for event in back.events] == ["snapshot"]


async def test_another_terminal_is_not_found(live: Stage, ear: Ear) -> None:
    """A token is for one terminal: naming another fails."""
    with pytest.raises(SubscribeFailed) as caught:
        await live.subscribe(ear, ChannelRequest(channel="orders", terminal="other"))
    assert caught.value.data["failed"][0]["name"] == "terminal_not_found"


async def held_call(live: Stage, ear: Ear, *channels: str) -> asyncio.Future[Any]:
    """Return a call of subscribe for which the terminal holds its answer back."""
    live.terminal.hold = True
    call = asyncio.ensure_future(live.subscribe(ear, *channels))
    await until(lambda: live.terminal.held)
    return call


async def test_a_connection_that_closes_while_subscribing_leaves_nothing(
    live: Stage, ear: Ear
) -> None:
    """The terminal answers after the connection is gone: the subscription is not made."""
    call = await held_call(live, ear, "tick:EURUSD")
    live.streams.detach(ear)
    live.terminal.hold = False
    live.terminal.release()
    with pytest.raises(SubscribeFailed):
        await call
    await until(lambda: not live.terminal.watches[-1].ticks)
    live.terminal.tick("EURUSD", 1)
    live.terminal.pump()
    await turns()
    assert ear.log == []


async def test_a_channel_that_ends_as_the_terminal_goes_fails_alone(live: Stage, ear: Ear) -> None:
    """What it waits for is cancelled with it; the call is not, nor its other channels."""
    call = await held_call(live, ear, "tick:EURUSD", "terminal")
    live.terminal.disconnect()
    live.streams.unsubscribe(live.caller, ear, ["tick:EURUSD"])
    result = await call
    assert [one["channel"] for one in result["subscribed"]] == ["terminal"]
    assert [one["name"] for one in result["failed"]] == ["cancelled"]


async def test_a_cancelled_subscription_is_undone(live: Stage, ear: Ear) -> None:
    """``cancel_request`` during the wait for the terminal leaves nothing subscribed."""
    call = await held_call(live, ear, "tick:EURUSD")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    live.terminal.hold = False
    live.terminal.release()
    await until(lambda: not live.terminal.watches[-1].ticks)
    assert live.streams.subscriptions(live.caller, ear) == {"subscriptions": []}


async def test_a_timeout_of_the_terminal_fails_the_channel() -> None:
    """A terminal that does not answer makes a retryable failure, not a dead subscription."""
    stage = Stage(timeout_s=0.01)
    stage.terminal.mute = {"watch"}
    stage.terminal.connect()
    ear = stage.ear()
    with pytest.raises(SubscribeFailed) as caught:
        await stage.subscribe(ear, "tick:EURUSD")
    assert caught.value.data["failed"][0]["name"] == "timeout"
    stage.terminal.mute = set()
    await stage.subscribe(ear, "tick:EURUSD")
    stage.terminal.tick("EURUSD", 1)
    stage.terminal.pump()
    await turns()
    assert len(ear.of("tick:EURUSD", "update")) == 1
    stage.streams.close()


async def test_books_and_their_depth(live: Stage, ear: Ear) -> None:
    """``book`` is always the whole book; ``book.N`` its N best levels on each side."""
    await live.subscribe(ear, "book:EURUSD", "book.1:EURUSD")
    whole = [model.BookEntry(1, 1.3, 1.0), model.BookEntry(1, 1.2, 1.0)]
    whole += [model.BookEntry(2, 1.1, 2.0), model.BookEntry(2, 1.0, 3.0)]
    live.terminal.say(m.Book(sym=0, time_msc=5, d=whole))
    await turns()
    prices = [e["price"] for e in ear.of("book:EURUSD", "update")[0]["data"]["levels"]]
    assert prices == [1.3, 1.2, 1.1, 1.0]
    best = [e["price"] for e in ear.of("book.1:EURUSD", "update")[0]["data"]["levels"]]
    assert best == [1.2, 1.1]
    assert len(ear.of("book:EURUSD", "snapshot")) == 1


async def test_a_symbol_that_is_refused_meanwhile_is_not_found(live: Stage, ear: Ear) -> None:
    """Others wait for the same unknown symbol while the terminal relinks, and it is refused to
    them in whatever moment of this call: no call fails for any other reason."""
    for moment in range(40):
        live.terminal.disconnect()
        await live.subscribe(ear, "tick:NOPE")
        live.terminal.connect()
        await turns(moment)
        with pytest.raises(SubscribeFailed) as caught:
            await live.subscribe(live.ear(tid=f"B{moment:011}"), "tick:NOPE")
        assert [one["name"] for one in caught.value.data["failed"]] == ["symbol_not_found"]
