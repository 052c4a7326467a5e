"""The queue on the disk: bounded, at least once, and told of what was lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.notify.notes import Note
from gateway.notify.service import MAX_AGE_MS, MAX_WAITING, NoteQueue

NOW = 10 * MAX_AGE_MS


def note(number: int, time: int = NOW) -> Note:
    return Note(
        id=f"n{number}", event="halt", time=time, terminal=None, title="", text="", data={"x": 1}
    )


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[NoteQueue]:
    made = NoteQueue(tmp_path)
    yield made
    made.close()


def waiting(queue: NoteQueue, recipient: str, most: int = 2000) -> list[str]:
    return [one.id for _, one in queue.take(recipient, most, NOW)[1]]


def test_a_note_stays_until_it_is_done(queue: NoteQueue) -> None:
    """For each recipient by itself, in order."""
    queue.add([note(1), note(2), note(3)], ["a", "b"], 7)
    _, first = queue.take("a", 2, NOW)
    assert [one for _, one in first] == [note(1), note(2)]
    assert waiting(queue, "a") == ["n1", "n2", "n3"]
    queue.done("a", [n for n, _ in first], 0)
    assert waiting(queue, "a") == ["n3"]
    assert waiting(queue, "b") == ["n1", "n2", "n3"]


def test_it_outlives_the_process(tmp_path: Path) -> None:
    """With the place in the trail, written as one with the notes."""
    queue = NoteQueue(tmp_path)
    assert queue.trail_position() is None
    queue.add([note(1)], ["a"], 7)
    queue.close()
    queue = NoteQueue(tmp_path)
    assert queue.trail_position() == 7
    assert waiting(queue, "a") == ["n1"]
    queue.close()


def test_it_is_bounded_and_counts_what_it_drops(queue: NoteQueue) -> None:
    """The oldest go; the number is told until it was told."""
    queue.add([note(n) for n in range(MAX_WAITING + 3)], ["a"], 1)
    queue.add([note(5000)], ["a"], 2)
    dropped, _ = queue.take("a", 1, NOW)
    assert dropped == 4
    left = waiting(queue, "a")
    assert (len(left), left[0], left[-1]) == (MAX_WAITING, "n4", "n5000")
    queue.done("a", [], dropped)
    assert queue.take("a", 1, NOW)[0] == 0


def test_old_notes_are_no_news(queue: NoteQueue) -> None:
    """They count as dropped."""
    queue.add([note(1, NOW - MAX_AGE_MS - 1), note(2, NOW - MAX_AGE_MS)], ["a"], 1)
    assert queue.take("a", 5, NOW)[0] == 1
    assert waiting(queue, "a") == ["n2"]


def test_who_is_not_configured_any_more_is_forgotten(queue: NoteQueue) -> None:
    """And gets no old notes if he comes back."""
    queue.add([note(1)], ["a", "b"], 1)
    queue.keep_only({"b"})
    assert waiting(queue, "a") == []
    assert waiting(queue, "b") == ["n1"]
