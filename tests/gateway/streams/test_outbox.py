"""What waits for a slow connection."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.streams import StreamEvent
from gateway.streams.outbox import (
    BACKLOG_MESSAGES,
    BACKLOG_S,
    COALESCED_BYTES,
    MERGE_AFTER_S,
    STALLED_S,
    Coalescer,
    Outbox,
    frame_payload,
    text_frame,
)


def event(key: str, n: int, *, latest: bool) -> StreamEvent:
    return StreamEvent(key, latest, text_frame(f"{key}{n:06}".encode()))


def outbox(max_bytes: int = 1_000_000, max_messages: int = 4096) -> Outbox:
    return Outbox(max_bytes, max_messages, merge_after_s=0.0)


def put(box: Outbox, events: list[StreamEvent], now: float) -> bool:
    """Put events of one loop turn."""
    return box.put_events(events, b"".join(event.frame for event in events), now)


def drain(box: Outbox) -> list[str]:
    """What comes out, frame by frame."""
    found = []
    while box:
        found.append(box.take(1, 0.0)[2:].decode())
    return found


def test_answers_go_first_then_lossless_then_latest() -> None:
    """The order of the three queues, whatever the order of arrival."""
    box = outbox()
    put(box, [event("t", 1, latest=True), event("o", 2, latest=False)], 0.0)
    box.put_answer(text_frame(b"answer"), 0.0)
    assert drain(box) == ["answer", "o000002", "t000001"]
    assert not box


def test_a_newer_latest_event_takes_the_place_of_the_older() -> None:
    """Merged in place: the channel keeps its turn, and the merger is counted."""
    box = outbox()
    put(box, [event(k, n, latest=True) for n, k in enumerate("aabbba")], 0.0)
    assert (box.messages, box.conflated("a"), box.conflated("b")) == (2, 2, 2)
    assert drain(box) == ["a000005", "b000004"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_no_channel_is_ever_out_of_order(steps: list[tuple[str, bool]]) -> None:
    """Mixed delivery too: a lossless event removes what waits of its channel and is never lost."""
    box = outbox()
    for n, (key, latest) in enumerate(steps):
        put(box, [event(key, n, latest=latest)], 0.0)
    out = drain(box)
    for key in "abc":
        numbers = [int(text[1:]) for text in out if text[0] == key]
        assert numbers == sorted(numbers)
    lossless = {f"{key}{n:06}" for n, (key, latest) in enumerate(steps) if not latest}
    assert lossless <= set(out)


def test_a_burst_is_not_merged() -> None:
    """Latest events wait in line like the others while the connection is not far behind."""
    box = Outbox(1_000_000, 4096)
    put(box, [event("t", n, latest=True) for n in range(1000)], 0.0)
    put(box, [event("t", 1000, latest=True)], MERGE_AFTER_S - 0.001)
    assert drain(box) == [f"t{n:06}" for n in range(1001)]
    assert box.conflated("t") == 0


@pytest.mark.parametrize("reason", ["late", "many messages", "many bytes"])
def test_far_behind_prices_are_merged_and_what_waits_with_them(reason: str) -> None:
    """After two seconds, or with half of what the outbox takes: only the newest price is left."""
    bounds = {"late": (10**6, 4096), "many messages": (10**6, 20), "many bytes": (180, 4096)}
    box = Outbox(*bounds[reason])
    for n in range(12):
        now = MERGE_AFTER_S if n == 11 and reason == "late" else 0.0
        assert put(box, [event("t", n, latest=True)], now)
    put(box, [event("o", 99, latest=False)], MERGE_AFTER_S)
    assert drain(box) == ["o000099", "t000011"]
    assert box.conflated("t") == 11


def test_an_outbox_that_was_emptied_starts_afresh() -> None:
    """Merging ends when everything was taken."""
    box = outbox()
    put(box, [event("t", n, latest=True) for n in range(3)], 0.0)
    assert drain(box) == ["t000002"]
    patient = Outbox(1_000_000, 4096)
    put(patient, [event("t", 1, latest=True)], 0.0)
    assert drain(patient) == ["t000001"]
    put(patient, [event("t", n, latest=True) for n in (2, 3)], 100.0)
    assert drain(patient) == ["t000002", "t000003"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.booleans(), st.sampled_from([0.0, 0.7])), max_size=60
    )
)
def test_merging_what_waits_keeps_the_order_of_each_channel(
    steps: list[tuple[str, bool, float]],
) -> None:
    """Whenever it begins; and it never takes a lossless event."""
    box, now = Outbox(1_000_000, 30), 0.0
    for n, (key, latest, pause) in enumerate(steps):
        now += pause
        put(box, [event(key, n, latest=latest)], now)
    out = drain(box)
    for key in "abc":
        numbers = [int(text[1:]) for text in out if text[0] == key]
        assert numbers == sorted(numbers)
    assert {f"{k}{n:06}" for n, (k, latest, _) in enumerate(steps) if not latest} <= set(out)


def test_latest_events_are_bounded_by_the_channels() -> None:
    """However slow the connection, fresh prices never close it."""
    box = outbox(max_bytes=1000, max_messages=16)
    for n in range(10_000):
        assert put(box, [event(f"t{n % 10}", n, latest=True)], 0.0)
    assert box.messages == 10


def test_too_many_lossless_messages_are_too_slow() -> None:
    """Over the bound of messages ``put`` says so."""
    box = outbox(max_messages=16)
    assert all(put(box, [event("o", n, latest=False)], 0.0) for n in range(16))
    assert not put(box, [event("o", 17, latest=False)], 0.0)


def test_too_many_lossless_bytes_are_too_slow() -> None:
    """Over the bound of bytes ``put`` says so; answers count as well."""
    box = outbox(max_bytes=100)
    assert box.put_answer(b"x" * 60, 0.0)
    assert not box.put_answer(b"x" * 60, 0.0)


def test_far_behind_for_long_is_too_slow() -> None:
    """More than 1024 messages are allowed for five seconds, not longer."""
    box = outbox()
    assert all(put(box, [event("o", n, latest=False)], 0.0) for n in range(BACKLOG_MESSAGES + 1))
    assert put(box, [], BACKLOG_S)
    assert not put(box, [], BACKLOG_S + 0.1)


def test_catching_up_stops_that_clock() -> None:
    """Below the mark the five seconds begin anew."""
    box = outbox()
    events = [event("o", n, latest=False) for n in range(BACKLOG_MESSAGES + 1)]
    for one in events:
        put(box, [one], 0.0)
    box.take(20, 4.0)
    assert put(box, events[:100], 4.0)
    assert put(box, [], 4.0 + BACKLOG_S)


def test_nothing_taken_for_long_is_stuck() -> None:
    """Something waits and nothing was taken for ten seconds."""
    box = outbox()
    put(box, [event("t", 1, latest=True)], 0.0)
    assert not box.overdue(STALLED_S)
    assert box.overdue(STALLED_S + 0.1)
    put(box, [event("u", 1, latest=True)], 1.0)
    box.take(1, 9.0)
    assert not box.overdue(STALLED_S + 0.1)


def test_take_joins_what_fits_and_at_least_one() -> None:
    """Frames are never cut."""
    box = outbox()
    put(box, [event("o", n, latest=False) for n in range(5)], 0.0)
    assert box.take(3, 0.0) == text_frame(b"o000000")
    assert box.take(20, 0.0) == text_frame(b"o000001") + text_frame(b"o000002")
    assert box.messages == 2


def test_a_forgotten_topic_leaves_nothing_behind() -> None:
    """After an unsubscription its events are gone, the others and the bounds are right."""
    box = outbox(max_bytes=40)
    put(box, [event(k, n, latest=False) for n, k in enumerate("abab")], 0.0)
    put(box, [event("c", 9, latest=True)], 0.0)
    assert (box.queued("a"), box.queued("c")) == (2, 1)
    box.discard({"a", "c"})
    assert (box.queued("a"), box.queued("b"), box.queued("c")) == (0, 2, 0)
    assert put(box, [event("d", n, latest=False) for n in range(2)], 0.0)
    assert drain(box) == ["b000001", "b000003", "d000000", "d000001"]


def test_events_of_one_turn_count_as_one_message() -> None:
    """A burst of thousands is no slow consumer; it leaves as it came, in its order."""
    box = outbox(max_messages=2)
    events = [event("o", n, latest=False) for n in range(5000)]
    assert put(box, events[:2500], 0.0)
    assert put(box, events[2500:], 0.0)
    assert (box.messages, box.queued("o")) == (5000, 5000)
    assert put(box, [], BACKLOG_S + 1)
    assert box.take(10**6, 0.0) == b"".join(one.frame for one in events)


@given(st.lists(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=5), max_size=9))
def test_pieces_come_out_as_they_were_put_however_they_are_taken(
    turns: list[list[tuple[str, bool]]],
) -> None:
    """Whole, or event by event; and what is counted goes back to nothing."""
    whole, cut = Outbox(10**6, 4096), Outbox(10**6, 4096)
    for n, turn in enumerate(turns):
        events = [event(key, n, latest=latest) for key, latest in turn]
        put(whole, events, 0.0)
        put(cut, events, 0.0)
    pieces = []
    while cut:
        pieces.append(cut.take(10, 0.0))
    assert whole.take(10**6, 0.0) == b"".join(pieces)
    assert (whole.size, whole.messages, cut.size, cut.messages) == (0, 0, 0, 0)


def test_events_of_a_turn_become_one_array() -> None:
    """Which the next connection of the group gets without another joining; one event stays so."""
    events = [StreamEvent("t", True, text_frame(b'{"seq":%d}' % n)) for n in range(3)]
    joined = b"".join(event.frame for event in events)
    coalescer = Coalescer()
    frames = coalescer.frames(events, joined)
    assert orjson.loads(frame_payload(frames)) == [{"seq": 0}, {"seq": 1}, {"seq": 2}]
    assert coalescer.frames(events, joined) is frames
    assert coalescer.frames(events[:1], events[0].frame) == events[0].frame


def test_an_array_is_no_longer_than_clients_take() -> None:
    """A long turn becomes several, and nothing of it is lost; what is left alone is no array."""
    told = "x" * 20_000
    text = orjson.dumps(told)
    events = [StreamEvent("t", True, text_frame(text)) for _ in range(7)]
    left = Coalescer().frames(events, b"".join(event.frame for event in events))
    found = []
    while left:
        assert left[:2] == b"\x81\x7e"
        size = 4 + int.from_bytes(left[2:4])
        assert size <= COALESCED_BYTES
        found.append(orjson.loads(left[4:size]))
        left = left[size:]
    assert found == [[told] * 3, [told] * 3, told]
