"""How long a peer stays away: longer each time, and never too long."""

from __future__ import annotations

from ea_bridge.endpoint.link import (
    FORGET_S,
    REFUSED_LAST_S,
    REPLACED_FIRST_S,
    REPLACED_LAST_S,
    ReconnectDelays,
)


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_refused_peer_asks_ever_more_rarely():
    """But within a minute of what a person does about it; let in, it begins anew."""
    patience = ReconnectDelays(Clock())
    assert [patience.refused(5.0) for _ in range(6)] == [5, 10, 20, 40, REFUSED_LAST_S, 60]
    patience.linked()
    assert patience.refused(None) == 5


def test_a_daemon_may_ask_for_more_or_less_time():
    """For less once: it does not know how often it has been asked."""
    patience = ReconnectDelays(Clock())
    assert patience.refused(0.1) == 0.1
    assert patience.refused(0.1) == 10
    assert patience.refused(3600) == 3600


def test_two_peers_with_one_token_throw_each_other_out_ever_more_rarely():
    """Also when each has been linked for as long as the other has waited."""
    clock = Clock()
    patience = ReconnectDelays(clock)
    waits = []
    for _ in range(8):
        waits.append(patience.replaced())
        clock.now += 2 * 1.25 * waits[-1]
    assert waits == [300, 600, 1200, 2400, 3600, 3600, 3600, REPLACED_LAST_S]
    clock.now += FORGET_S + 1
    assert patience.replaced() == REPLACED_FIRST_S
