"""Rules of a call's stages: how long it was with the terminal."""

from __future__ import annotations

from gateway.trading.terminal import Stages


def test_time_side_by_side_counts_once() -> None:
    """Two commands overlap, a third follows; the first one's way out ends the queue."""
    stages = Stages()
    stages.asked(1.0)
    stages.asked(2.0)
    stages.answered(5.0)
    stages.answered(6.0)
    stages.asked(10.0)
    stages.answered(10.5)
    assert (stages.asked_s, stages.terminal_s) == (1.0, 5.5)


def test_two_calls_share_nothing() -> None:
    """What one of them was asked is not told of the other."""
    one, other = Stages(), Stages()
    one.asked(1.0)
    one.answered(2.0)
    assert (other.asked_s, other.terminal_s) == (None, 0.0)
