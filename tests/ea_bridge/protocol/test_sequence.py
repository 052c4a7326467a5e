"""Events are counted."""

from __future__ import annotations

from ea_bridge.protocol import messages as m
from ea_bridge.protocol.connection import EventSequence


def event(q: int) -> m.StateEvent:
    return m.StateEvent(broker=True, q=q)


def test_each_is_the_last_plus_one():
    """In order they pass, from what welcome acknowledged."""
    sequence = EventSequence(41)
    assert [sequence.take(event(q)) for q in (42, 43)] == [[event(42)], [event(43)]]
    assert (sequence.last, sequence.gaps, sequence.replayed) == (43, 0, 0)


def test_what_came_before_is_dropped_and_counted():
    """A replay after a reconnect, or a lie: it must not be taken twice."""
    sequence = EventSequence(41)
    assert sequence.take(event(41)) == []
    assert sequence.take(event(7)) == []
    assert (sequence.last, sequence.replayed) == (41, 2)


def test_a_gap_is_told_with_numbers():
    """What is missing comes as Lost in its place; the event itself is still good."""
    sequence = EventSequence(41)
    assert sequence.take(event(45)) == [m.Lost(start=42, until=45), event(45)]
    assert (sequence.last, sequence.gaps) == (45, 3)


def test_events_without_a_number_pass():
    """Ticks have their own cursor."""
    sequence = EventSequence(41)
    assert sequence.take(m.Pnl(d=[])) == [m.Pnl(d=[])]
    assert sequence.last == 41


def test_after_lost_the_count_begins_anywhere():
    """The EA has said that events are gone: no second complaint about the same gap."""
    sequence = EventSequence(41)
    assert sequence.take(m.Lost(start=42)) == [m.Lost(start=42)]
    assert sequence.take(event(90)) == [event(90)]
    assert sequence.take(event(92)) == [m.Lost(start=91, until=92), event(92)]
    assert sequence.gaps == 1
