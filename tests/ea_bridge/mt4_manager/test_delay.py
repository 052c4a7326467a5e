"""How long messages were on their way, by clocks that have nothing in common."""

from __future__ import annotations

import pytest

from ea_bridge.mt4_manager.endpoint import WINDOW_MS, Delay

AHEAD = 7_777_777
"""Of the daemon's clock, ours is."""


def test_a_message_that_waited_is_known_by_those_that_did_not() -> None:
    """Whatever the clocks show; the fastest counts, and comes now and then."""
    delay = Delay()
    for second in range(1, 20):
        slow = 40 if second % 3 else 0
        delay.of(second * 1000, AHEAD + second * 1000 + slow)
    assert delay.of(20_000, AHEAD + 20_000) == 0
    assert delay.of(21_000, AHEAD + 21_000 + 70_000) == 70_000
    assert delay.of(0, AHEAD + 99_000) == 0  # without a stamp nothing is known


@pytest.mark.parametrize("frozen_s", [70, 3600, 86_400])
def test_all_that_was_unread_is_late(frozen_s: int) -> None:
    """However long it lay there, the first as well as what came behind it."""
    delay = Delay()
    for second in range(1, 1000):
        delay.of(second * 1000, AHEAD + second * 1000)
    thawed_ms = AHEAD + (1000 + frozen_s) * 1000
    for second in range(1000, 1000 + min(frozen_s, 30)):
        expected = thawed_ms - AHEAD - second * 1000
        assert delay.of(second * 1000, thawed_ms) == expected


def test_clocks_may_run_apart() -> None:
    """Fifty parts in a million, for a week: seconds in all, milliseconds in a window."""
    delay = Delay()
    for second in range(1, 7 * 86_400, 60):
        late = delay.of(second * 1000, AHEAD + int(second * 1000 * 1.00005))
        assert 0 <= late <= 2 * WINDOW_MS * 0.00005 + 4
