"""The judge of streams: it finds nothing in the truth, and each lie is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import OrderType, TradeAction, TradeRequest
from ea_bridge.protocol.messages import Trade
from gateway.broker_time.clock import BrokerClock
from gateway.schemas import convert

from .stream_judge import ChannelCopy, StreamRecord
from .stream_truth import TerminalTruth

Event = dict[str, Any]
EPOCH = "run.1"
BUY = TradeRequest(
    action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, type=OrderType.BUY, magic=7, comment="a"
)


@dataclass
class Scene:
    """A terminal that has traded, and all that is to be told of its positions."""

    machine: EmulatedTerminal
    truth: TerminalTruth
    events: list[Event]
    record: StreamRecord = field(default_factory=StreamRecord)

    def copy(self) -> ChannelCopy:
        """Return a subscriber's copy of the channel, before it is subscribed to."""
        return ChannelCopy(self.record, "test", "positions", self.truth)

    def subscribed(self, copy: ChannelCopy, **told: Any) -> None:
        """Answer ``subscribe``."""
        entry = {"epoch": EPOCH, "seq": 0, "delivery": "lossless", "live": True}
        entry |= {"recovered": None, "reason": None, "replayed": 0}
        since = told.pop("since", None)
        copy.subscribed(entry | told, since=since, life=1, terminal="main")

    def tell(self, copy: ChannelCopy, events: list[Event]) -> None:
        """Tell events."""
        for event in events:
            copy.event(event, json.dumps(event).encode())


def snapshot(seq: int = 0, *positions: Any) -> Event:
    return {"type": "snapshot", "epoch": EPOCH, "seq": seq, "data": {"positions": [*positions]}}


def gap(seq: int, first: int, last: int | None = None, epoch: str = "run.2") -> Event:
    data = {"from": first, "to": last, "reason": "events_lost"}
    return {"type": "gap", "epoch": epoch, "seq": seq, "data": data}


@pytest.fixture(name="scene")
def a_terminal_that_has_traded() -> Scene:
    """Three positions are opened, and one is closed."""
    machine = build_terminal(seed=3, watch=["EURUSD"])
    for position in machine.handler.broker.positions():
        machine.handler.broker.books.holdings.pop(position.ticket)
    truth = TerminalTruth(machine)
    opened = [machine.handler.send(BUY) for _ in range(3)]
    closing = TradeRequest(
        action=TradeAction.DEAL,
        symbol="EURUSD",
        volume=0.1,
        type=OrderType.SELL,
        position=opened[0].order,
    )
    machine.handler.send(closing)
    events: list[Event] = []
    for said in machine.take_trade_events():
        if isinstance(said, Trade) and said.position:
            data = {"op": said.op, "position": convert.position(said.position, BrokerClock())}
            seq = len(events) + 1
            events.append({"type": "update", "epoch": EPOCH, "seq": seq, "data": data})
    assert [event["data"]["op"] for event in events] == ["add", "add", "add", "remove"]
    return Scene(machine, truth, events)


def test_the_truth_is_right(scene: Scene):
    """A subscriber who hears all of it knows the broker's book at its end."""
    copy = scene.copy()
    scene.subscribed(copy)
    scene.tell(copy, [snapshot(), *scene.events])
    copy.finish()

    assert copy.is_up_to_date
    assert scene.record.wrong == []
    assert (scene.record.events, scene.record.compared) == (5, 1)


def test_what_is_announced_is_right(scene: Scene):
    """Changes may be missing behind a gap that counts them; the snapshot has what they made."""
    copy = scene.copy()
    scene.subscribed(copy)
    first, last = scene.events[0], scene.events[-1]
    opened = [event["data"]["position"] for event in scene.events[:3]]
    last = last | {"epoch": "run.2", "seq": 5}
    after = snapshot(4, *opened) | {"epoch": "run.2"}
    scene.tell(copy, [snapshot(), first, gap(4, 2, 3), after, last])
    copy.finish()

    assert scene.record.wrong == []


@pytest.mark.parametrize("is_told", [True, False])
def test_what_a_terminal_forgot_is_told_as_a_gap(scene: Scene, is_told: bool):
    """It died before it had counted the change; until the gap comes nothing is amiss."""
    copy = scene.copy()
    scene.subscribed(copy)
    scene.tell(copy, [snapshot(), *scene.events])
    scene.machine.handler.send(BUY)
    scene.machine.restart()
    assert not copy.is_up_to_date
    copy.compare()
    assert scene.record.wrong == []
    if is_told:
        held = [
            convert.position(one, BrokerClock())
            for one in scene.machine.handler.broker.positions()
        ]
        after = snapshot(5, *held) | {"epoch": "run.2"}
        scene.tell(copy, [gap(5, 5), after])
    copy.finish()
    assert ("never told" in "".join(scene.record.wrong)) is not is_told


def test_going_on_where_it_was_left_is_right(scene: Scene):
    """The same epoch and number mean that nothing is missing."""
    copy = scene.copy()
    scene.subscribed(copy)
    scene.tell(copy, [snapshot(), *scene.events[:2]])
    scene.subscribed(copy, since=copy.since, seq=2, recovered=True)
    opened = [event["data"]["position"] for event in scene.events[:2]]
    scene.tell(copy, [snapshot(2, *opened), *scene.events[2:]])
    copy.finish()

    assert scene.record.wrong == []


def test_what_is_told_again_follows_what_was_heard(scene: Scene):
    """Number by number, and the snapshot comes behind it."""
    copy = scene.copy()
    scene.subscribed(copy)
    scene.tell(copy, [snapshot(), scene.events[0]])
    scene.subscribed(copy, since=copy.since, seq=2, recovered=True, replayed=1)
    opened = [event["data"]["position"] for event in scene.events[:2]]
    scene.tell(copy, [scene.events[1], snapshot(2, *opened), *scene.events[2:]])
    copy.finish()

    assert scene.record.wrong == []


def test_a_hole_in_what_is_told_again_is_noticed(scene: Scene):
    """All that was missed, or none of it."""
    copy = scene.copy()
    scene.subscribed(copy)
    scene.tell(copy, [snapshot()])
    scene.subscribed(copy, since=copy.since, seq=2, recovered=True, replayed=2)
    scene.tell(copy, [scene.events[1]])

    assert scene.record.wrong != []


Lie = Callable[[list[Event]], list[Event]]
LIES: dict[str, Lie] = {
    "lost": lambda told: [*told[:2], *told[3:]],
    "lost, and numbered anew": lambda told: _numbered([*told[:2], *told[3:]]),
    "the last is lost": lambda told: told[:-1],
    "told twice": lambda told: [*told[:2], *told[1:]],
    "told twice, and numbered anew": lambda told: _numbered([*told[:2], *told[1:]]),
    "in another order": lambda told: _numbered([told[1], told[0], *told[2:]]),
    "another volume": lambda told: [_altered(told[0], volume=0.2), *told[1:]],
    "another one": lambda told: [_altered(told[0], ticket=1), *told[1:]],
    "another epoch without a word": lambda told: [
        *told[:2],
        *(event | {"epoch": "run.2"} for event in told[2:]),
    ],
    "a gap that counts too few": lambda told: [told[0], gap(2, 2, 3), *told[3:]],
    "a gap of the same epoch": lambda told: [told[0], gap(4, 2, 3, EPOCH), *told[3:]],
    "no snapshot after a gap": lambda told: [*told, gap(5, 5)],
    "a snapshot that is too old": lambda told: [*told, snapshot(4)],
    "a snapshot of another number": lambda told: [*told, snapshot(3)],
    "an unknown type": lambda told: [*told, snapshot(4) | {"type": "news"}],
    "an end": lambda told: [*told, snapshot(4) | {"type": "end"}],
}


def _numbered(events: list[Event]) -> list[Event]:
    return [event | {"seq": number} for number, event in enumerate(events, 1)]


def _altered(event: Event, **changes: Any) -> Event:
    data = event["data"]
    return event | {"data": data | {"position": data["position"] | changes}}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_noticed(scene: Scene, lie: str):
    """Lost, doubled, swapped, altered, or broken off without a word."""
    copy = scene.copy()
    scene.subscribed(copy)
    scene.tell(copy, [snapshot(), *LIES[lie](scene.events)])
    copy.finish()

    assert scene.record.wrong != []


@pytest.mark.parametrize(
    "told",
    [
        {"seq": 2, "recovered": True},
        {"seq": 1, "recovered": False, "reason": "evicted"},
        {"seq": 0, "recovered": False, "reason": "ahead"},
        {"seq": 2, "recovered": False, "reason": "epoch_changed"},
        {"seq": 1, "epoch": "run.2", "recovered": True},
        {"seq": 1, "recovered": None},
    ],
)
def test_a_wrong_word_about_what_was_missed_is_noticed(scene: Scene, told: dict[str, Any]):
    """Whoever subscribes again is told whether something is missing, and why."""
    copy = scene.copy()
    scene.subscribed(copy)
    scene.tell(copy, [snapshot(), scene.events[0]])
    scene.subscribed(copy, since=copy.since, **told)

    assert scene.record.wrong != []


def test_an_update_before_the_snapshot_is_noticed(scene: Scene):
    """The first event of a channel with a state is its snapshot."""
    copy = scene.copy()
    scene.subscribed(copy)
    scene.tell(copy, scene.events)

    assert scene.record.wrong != []


def test_an_update_before_the_snapshot_of_who_comes_back_is_noticed(scene: Scene):
    """Though nothing was missed: the first snapshot may have been lost with the connection."""
    copy = scene.copy()
    scene.subscribed(copy)
    scene.subscribed(copy, since=copy.since, recovered=True)
    scene.tell(copy, scene.events)

    assert "an update came before the snapshot" in scene.record.wrong[0]


def test_two_who_are_told_different_things_are_noticed(scene: Scene):
    """One number of one epoch is one event, whoever hears it, and of one channel and life."""
    for price in (1.1, 1.2):
        copy = scene.copy()
        scene.subscribed(copy)
        altered = _altered(scene.events[0], price_current=price)
        scene.tell(copy, [snapshot(), altered])
    (said,) = scene.record.wrong
    assert "event 1 of epoch run.1 is another one than before" in said

    scene.record.check_epoch("test", EPOCH, "main", "orders", 1)
    scene.record.check_epoch("test", EPOCH, "main", "positions", 2)
    assert len(scene.record.wrong) == 3
