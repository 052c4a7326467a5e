"""What is promised to those who come back after the gateway was started anew: all that they have
missed, or that they are told that something is missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage import NAME, Ear, Stage, turns

from ea_bridge import model
from ea_bridge.protocol import messages as m
from gateway.storage.ledger import Ledger, Work
from gateway.storage.reserve import Reserve
from gateway.storage.store import StoreError
from gateway.streams import kept as kept_module
from gateway.streams.channels import ChannelRequest, Since
from gateway.streams.hub import MAX_EARLIER
from gateway.streams.kept import KEPT_FOR_MS, EventRun, KeptStreams, StreamBook

Place = tuple[str, int]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """With the table alone."""
    made = Ledger(tmp_path, [kept_module.TABLE])
    yield made
    made.close()


def place(ear: Ear, channel: str = "orders") -> Place:
    """Where a connection is in a channel."""
    last = ear.of(channel)[-1]
    return last["epoch"], last["seq"]


def told(ear: Ear, channel: str = "orders") -> list[tuple[str, int, Any]]:
    """Types, numbers and tickets of what came."""
    return [
        (e["type"], e["seq"], e["data"].get("order", {}).get("ticket")) for e in ear.of(channel)
    ]


def next_gateway(before: Stage, boot: str = "n3Xt", *, as_kept: Any = None) -> Stage:
    """End a gateway in order and start another one; the terminal goes on meanwhile."""
    before.streams.close()
    left = before.streams.kept() if as_kept is None else as_kept
    kept = {name: msgspec.json.encode(one) for name, one in left.items()}
    after = Stage(boot=boot)
    script, old = after.terminal, before.terminal
    script.q, script.orders, script._replay = old.q, old.orders, old._replay
    streams = {n: msgspec.json.decode(one, type=KeptStreams) for n, one in kept.items()}
    for name, one in streams.items():
        after.registry.go_on_from(name, one.run.boot, one.run.q)
    after.streams.go_on_from(streams)
    return after


async def change(live: Stage, *tickets: int) -> None:
    """Orders are placed."""
    for ticket in tickets:
        live.terminal.say(live.terminal.order("add", ticket))
    await turns()


async def come_back(stage: Stage, since: Place, channel: str = "orders") -> tuple[Ear, Any]:
    ear = stage.ear(by_header=False)
    at = Since(epoch=since[0], seq=since[1])
    result = await stage.subscribe(ear, ChannelRequest(channel=channel, since=at))
    await turns()
    return ear, result["subscribed"][0]


async def listening(live: Stage, *tickets: int) -> Place:
    """Somebody hears of orders, and goes; return where it was."""
    ear = live.ear(by_header=False)
    await live.subscribe(ear, "orders")
    await change(live, *tickets)
    live.streams.detach(ear)
    return place(ear)


async def test_all_that_was_missed_is_told_after_a_restart(live: Stage) -> None:
    """What came while the gateway ran, while it was down, and from then on: each once."""
    at = await listening(live, 1)
    await change(live, 2)  # it is away
    live.terminal.disconnect()
    after = next_gateway(live)
    after.terminal.order("add", 3)  # nobody is there to be told
    back, entry = await come_back(after, at)
    assert (entry["recovered"], entry["reason"], entry["replayed"]) == (True, None, 1)
    assert entry["epoch"].startswith("n3Xt.")
    assert told(back) == [("update", at[1] + 1, 2)]
    after.terminal.connect()
    await turns()
    await change(after, 4)
    numbers = [(ticket, at[1] + ticket - 1) for ticket in (2, 3, 4)]
    assert [(e[2], e[1]) for e in told(back) if e[0] == "update"] == numbers
    assert {event["epoch"] for event in back.of("orders")} == {entry["epoch"]}
    assert back.of("orders", "gap") == []


async def test_who_comes_later_is_told_the_same(live: Stage) -> None:
    """The terminal was back before it: what was told meanwhile is kept, too."""
    at = await listening(live, 1)
    live.terminal.disconnect()
    after = next_gateway(live)
    after.terminal.order("add", 2)
    after.terminal.connect()
    await turns()
    back, entry = await come_back(after, at)
    assert (entry["recovered"], entry["replayed"]) == (True, 1)
    assert [e[:2] for e in told(back)] == [("update", at[1] + 1), ("snapshot", at[1] + 1)]
    _, entry = await come_back(after, place(back))
    assert (entry["recovered"], entry["replayed"]) == (True, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boot": "b2"}, "ea_restarted"),
        ({"login": 2}, "account_changed"),
        ({"q": 0}, "ea_restarted"),  # it cannot have told what we have
    ],
)
async def test_another_run_of_the_ea_is_a_gap(
    live: Stage, changes: dict[str, Any], reason: str
) -> None:
    """What it has not counted nobody can tell; who comes later begins anew."""
    at = await listening(live, 1)
    live.terminal.disconnect()
    after = next_gateway(live)
    back, entry = await come_back(after, at)
    assert entry["recovered"]
    after.terminal.connect(**changes)
    await turns()
    [gap, *_] = back.of("orders")
    assert (gap["type"], gap["data"]["reason"]) == ("gap", reason)
    _, entry = await come_back(after, at)
    assert (entry["recovered"], entry["reason"]) == (False, "epoch_changed")


async def test_what_the_ea_has_lost_is_a_gap(live: Stage) -> None:
    """It keeps so many events; of those before it says that they are gone."""
    at = await listening(live, 1)
    live.terminal.disconnect()
    after = next_gateway(live)
    after.terminal.order("add", 2)
    after.terminal._replay = [m.Lost(start=2)]
    back, _ = await come_back(after, at)
    after.terminal.connect()
    after.terminal.say(m.Lost(start=2))
    await turns()
    [gap, *_] = back.of("orders")
    assert (gap["type"], gap["data"]["reason"]) == ("gap", "events_lost")


async def test_a_position_that_the_last_gateway_had_not_told_is_of_another_life(
    live: Stage,
) -> None:
    """A copy of the home was put back: what came after it was of a gateway that never was."""
    at = await listening(live, 1)
    live.terminal.disconnect()
    copy = live.streams.kept()
    second = next_gateway(live)
    second.terminal.connect()
    await turns()
    later = await listening(second, 2, 3)
    second.terminal.disconnect()
    third = next_gateway(second, "th1r", as_kept=copy)
    third.terminal.connect()
    await turns()
    _, entry = await come_back(third, at)
    assert (entry["recovered"], entry["replayed"]) == (True, 2)
    for since in (later, (at[0], at[1] + 1)):
        _, entry = await come_back(third, since)
        assert (entry["recovered"], entry["reason"]) == (False, "epoch_changed")


async def test_restarts_follow_each_other(live: Stage) -> None:
    """Who was away for some of them misses nothing; of very many the first is forgotten."""
    places = [await listening(live, 1)]
    stage = live
    for life in range(MAX_EARLIER + 1):
        stage.terminal.disconnect()
        stage = next_gateway(stage, f"life{life}")
        stage.terminal.connect()
        await turns()
        places.append(await listening(stage, life + 2))
    _, entry = await come_back(stage, places[1])
    assert (entry["recovered"], entry["replayed"]) == (True, MAX_EARLIER)
    _, entry = await come_back(stage, places[0])
    assert (entry["recovered"], entry["reason"]) == (False, "epoch_changed")


async def test_a_terminal_that_stays_away_is_kept_for_the_gateway_after(live: Stage) -> None:
    """Nobody has asked for it in the whole life of one, or somebody has."""
    at = await listening(live, 1)
    live.terminal.disconnect()
    second = next_gateway(live, "life2")
    third = next_gateway(second, "life3")
    back, entry = await come_back(third, at)
    assert entry["recovered"]
    third.streams.settled(NAME, {"op": "settled"})  # type: ignore[typeddict-item]
    await turns()
    fourth = next_gateway(third, "life4")
    _, entry = await come_back(fourth, place(back))
    assert (entry["recovered"], entry["replayed"]) == (True, 0)
    _, entry = await come_back(fourth, at)
    assert (entry["recovered"], entry["replayed"]) == (True, 1)


async def test_every_event_comes_out_as_it_went_in(live: Stage) -> None:
    """But for its epoch: type, time and data are the same."""
    at = await listening(live)
    order = model.Order(ticket=7, type=2, symbol='EUR"USD \N{EURO SIGN}', price_open=1.1)
    live.terminal.say(live.terminal.count(m.Trade(op="add", q=0, order=order)))
    await turns()
    before, _ = await come_back(live, at)
    live.terminal.disconnect()
    after, _ = await come_back(next_gateway(live), at)
    [first], [second] = (
        [e | {"epoch": ""} for e in ear.of("orders", "update")] for ear in (before, after)
    )
    assert first == second


@pytest.mark.parametrize("why", ["paper", "untold", "never linked"])
async def test_nothing_is_kept_where_something_may_be_missing(stage: Stage, why: str) -> None:
    """The next gateway then says that it cannot tell."""
    if why != "never linked":
        stage.terminal.connect()
        await turns()
    ear = stage.ear()
    await stage.subscribe(ear, "orders", "terminal")
    if why == "paper":
        stage.streams.set_paper(NAME, True)
    elif why == "untold":
        stage.streams.keep_nothing(NAME)
    assert stage.streams.kept() == {}


async def test_what_the_market_did_while_it_was_not_told_is_not_told_later(live: Stage) -> None:
    """On paper events of the market are nobody's; the next one after it counts again."""
    ear = live.ear()
    await live.subscribe(ear, "orders")
    await change(live, 1)
    live.streams.set_paper(NAME, True)
    live.terminal.order("add", 2)  # which the paper's part of the gateway takes out of the way
    live.streams.set_paper(NAME, False)
    await turns()
    assert live.streams.kept() == {}
    live.terminal.disconnect()
    live.terminal._replay.clear()
    live.terminal.connect()  # the same run: what it has counted is on its way still
    await turns()
    assert live.streams.kept() == {}
    live.terminal.say(m.Lost(start=2, until=3))
    await change(live, 3)
    assert live.streams.kept()[NAME].run == EventRun("b1", 1, "Demo", 3)


async def test_orders_that_the_gateway_holds_are_not_the_eas(live: Stage) -> None:
    """They have no number: the EA is asked for what it has counted."""
    await listening(live, 1)
    held = model.Order(ticket=2**52 + 1, type=2, symbol="EURUSD")
    live.terminal.say(m.Trade(op="add", q=0, order=held))
    live.terminal.q += 1
    live.terminal.say(m.StateEvent(q=live.terminal.q, autotrading=True))
    await turns()
    assert live.streams.kept()[NAME].run.q == 2


async def test_a_channel_that_the_terminal_does_not_have_is_not_kept(stage: Stage) -> None:
    """It has ended: who comes back is not told of that again, beside a subscription that lives.

    Found in the simulation: the next gateway does not know the terminal's platform at first.
    """
    ear = stage.ear()
    await stage.subscribe(ear, "deals", "orders")
    stage.terminal.connect(platform="mt4", caps="")
    await turns()
    assert [event["type"] for event in ear.of("deals")] == ["end"]
    after = next_gateway(stage)
    late, answer = await come_back(after, (place(ear, "deals")[0], 0), "deals")
    assert answer["recovered"] is False
    assert late.of("deals") == []


async def test_a_channel_that_nobody_has_heard_is_not_kept(live: Stage) -> None:
    """No one can ask for it."""
    await listening(live, 1)
    assert list(live.streams.kept()[NAME].topics) == ["orders"]


class Client:
    """A client by the book: its copy is what it was told, from the last place that it has."""

    def __init__(self) -> None:
        self.since: Place | None = None
        self.tickets: list[int] = []
        self.is_sure = True
        self.ear: Ear | None = None

    async def come(self, stage: Stage) -> None:
        self.ear = stage.ear(by_header=False)
        if self.since is None:
            await stage.subscribe(self.ear, "orders")
        else:
            at = Since(epoch=self.since[0], seq=self.since[1])
            request = ChannelRequest(channel="orders", since=at)
            [entry] = (await stage.subscribe(self.ear, request))["subscribed"]
            self.is_sure &= entry["recovered"]
            self.since = (entry["epoch"], self.since[1])
        await turns()

    def leave(self, stage: Stage) -> None:
        if self.ear is None:
            return
        stage.streams.detach(self.ear)
        for event in self.ear.of("orders"):
            if event["type"] == "gap":
                self.is_sure = False
            if event["type"] == "update":
                self.tickets.append(event["data"]["order"]["ticket"])
            self.since = (event["epoch"], event["seq"])
        self.ear = None


ACTS = ("order", "order", "order", "come", "leave", "cut", "link", "restart", "new run")


@settings(max_examples=150, deadline=None)
@given(acts=st.lists(st.sampled_from(ACTS), max_size=24))
async def test_each_order_is_told_once_or_a_gap_is(acts: list[str]) -> None:
    """Whatever is cut, restarted or away, in whatever order."""
    stage, client, boot, lives, placed = Stage(), Client(), "b1", 0, 0
    stage.terminal.connect()
    await turns()
    await client.come(stage)
    await turns()
    is_linked, runs = True, 0
    for act in [*acts, "link", "leave", "come", "leave"]:
        match act:
            case "order":
                placed += 1
                event = stage.terminal.order("add", placed)
                if is_linked:
                    stage.terminal.say(event)
            case "come" if client.ear is None:
                await client.come(stage)
            case "leave":
                client.leave(stage)
            case "cut" | "new run" if is_linked:
                stage.terminal.disconnect()
                is_linked = False
                if act == "new run":
                    runs += 1
                    boot, stage.terminal.q, stage.terminal._replay = f"r{runs}", 0, []
            case "link" if not is_linked:
                stage.terminal.connect(boot=boot)
                is_linked = True
            case "restart":
                client.leave(stage)
                if is_linked:
                    stage.terminal.disconnect()
                lives += 1
                stage, is_linked = next_gateway(stage, f"life{lives}"), False
        await turns()
    stage.streams.close()
    if not runs:
        assert client.is_sure  # there was no reason for a gap
    if client.is_sure:
        assert client.tickets == list(range(1, placed + 1))
    assert len(set(client.tickets)) == len(client.tickets)


# --- the ledger ----------------------------------------------------------------------------------


async def test_the_book_gives_out_once_what_it_was_given(live: Stage, tmp_path: Path) -> None:
    """What was taken is gone from the disk, so that no gateway after a kill goes on from it."""
    await listening(live, 1)
    kept = live.streams.kept()
    now_ms = kept[NAME].at_ms
    for expected in (kept, {}):
        ledger = Ledger(tmp_path, [kept_module.TABLE])
        book = StreamBook(ledger)
        assert await book.take(now_ms) == ({} if expected is kept else kept)
        if expected:
            book.put({"other": kept[NAME]})
            book.put(expected)
        ledger.close()
    ledger = Ledger(tmp_path, [kept_module.TABLE])
    assert await StreamBook(ledger).take(now_ms) == {}
    ledger.close()
    StreamBook(ledger).put(kept)  # of no use, and no failure


async def test_what_cannot_be_read_is_not_gone_on_from(ledger: Ledger) -> None:
    """Another version has written it."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO kept_streams VALUES ('a', X'7b7d')")

    await ledger.write(work)
    assert await StreamBook(ledger).take(0) == {}


RUN = EventRun("b1", 1, "Demo", 3)


async def test_what_is_a_day_old_is_not_gone_on_from(ledger: Ledger) -> None:
    """A terminal that stays away is not kept for ever, and its neighbour is."""
    book = StreamBook(ledger)
    book.put({"old": KeptStreams(RUN, {}, 0), "young": KeptStreams(RUN, {}, 1)})
    await ledger.write(lambda _: None)  # behind it
    assert set(await book.take(KEPT_FOR_MS + 1)) == {"young"}


async def test_nobody_goes_on_from_what_cannot_be_deleted(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway after a kill would go on from it once more."""
    book = StreamBook(ledger)
    book.put({"a": KeptStreams(RUN, {}, 0)})
    await ledger.write(lambda _: None)

    async def fails(_: object) -> None:
        raise StoreError("locked")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "write", fails)
        broken.setattr(kept_module, "DELETE_WITHIN_S", 0.0)
        assert await book.take(0) == {}
    await ledger.write(lambda _: None)
    assert await book.take(0) == {}  # it was tried once more


async def test_nothing_is_told_before_a_failing_disk_has_deleted_what_was_kept(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found in the simulation: killed meanwhile, two gateways had gone on from the same place."""
    book = StreamBook(ledger)
    book.put({"a": KeptStreams(RUN, {}, 0)})
    await ledger.write(lambda _: None)
    fails, write, rows_left = 3, ledger.write, []

    async def failing(work: Work[Any]) -> None:
        nonlocal fails
        rows_left.append(len(ledger.reader.all("SELECT * FROM kept_streams")))
        if fails:
            fails -= 1
            raise StoreError("the disk reports errors")
        await write(work)

    monkeypatch.setattr(kept_module, "RETRY_S", 0.0)
    monkeypatch.setattr(ledger, "write", failing)
    assert set(await book.take(0)) == {"a"}
    assert rows_left == [1, 1, 1, 1]
    assert ledger.reader.all("SELECT * FROM kept_streams") == []


@pytest.mark.parametrize(("more", "is_kept"), [(0, True), (-1, False)])
async def test_streams_are_kept_beside_the_reserve_alone(
    tmp_path: Path, more: int, is_kept: bool
) -> None:
    """They are no reason to give it up, so that nothing is risked until there is room again."""
    one = {"a": KeptStreams(RUN, {}, 0)}
    needed = 2 * len(msgspec.json.encode(one["a"]))
    free = [4096 * 4]
    reserve = Reserve(tmp_path, 4096, lambda _: free[0])
    assert reserve.keep()
    ledger = Ledger(tmp_path, [kept_module.TABLE], reserve=reserve)
    book = StreamBook(ledger)
    free[0] = 4096 + needed + more
    book.put(one)
    await ledger.write(lambda _: None)
    assert await book.take(0) == (one if is_kept else {})
    assert reserve.is_whole
    ledger.close()


async def test_there_is_a_bound_for_all_terminals_together(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is beyond it begins anew."""
    one = KeptStreams(RUN, {}, 0)
    monkeypatch.setattr(kept_module, "MAX_KEPT_BYTES", 2 * len(msgspec.json.encode(one)))
    book = StreamBook(ledger)
    book.put(dict.fromkeys(("a", "b", "c"), one))
    await ledger.write(lambda _: None)
    assert set(await book.take(0)) == {"a", "b"}


async def test_halts_of_the_time_without_a_gateway_are_not_passed_over(live: Stage) -> None:
    """Nobody tells of them afterwards: the channel that would have begins anew."""
    ear = live.ear()
    await live.subscribe(ear, "orders", "terminal")
    await change(live, 1)
    assert "terminal" not in live.streams.kept()[NAME].topics
    since = place(ear, "terminal")
    live.terminal.disconnect()
    after = next_gateway(live)
    _, answer = await come_back(after, since, "terminal")
    assert (answer["recovered"], answer["reason"]) == (False, "epoch_changed")


async def test_events_older_than_a_day_are_not_told_again(live: Stage) -> None:
    """As within one gateway."""
    start = await listening(live, 1, 2)
    live.terminal.disconnect()
    old = live.streams.kept()[NAME]
    orders = old.topics["orders"]
    aged = [msgspec.structs.replace(one, ts=one.ts - KEPT_FOR_MS - 1) for one in orders.events[:1]]
    topics = {"orders": msgspec.structs.replace(orders, events=[*aged, *orders.events[1:]])}
    after = next_gateway(live, as_kept={NAME: msgspec.structs.replace(old, topics=topics)})
    ear, answer = await come_back(after, (start[0], orders.seq - 1))
    assert answer["recovered"]
    assert [seq for _, seq, _ in told(ear)] == [orders.seq]
    _, answer = await come_back(after, (start[0], orders.seq - 2))
    assert (answer["recovered"], answer["reason"]) == (False, "evicted")
