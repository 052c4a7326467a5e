"""What a campaign must have come to: every name is known, and what never happened is told."""

from __future__ import annotations

import pytest

from . import plugins
from .campaign import MUST_REACH_ALL, Progress
from .rare_points import MAY_BE_MISSED, MOVES, presumed_in, said_in
from .sometimes import NAMES, Sometimes, never


def test_what_never_happened_is_told() -> None:
    """All that is listed, with every fault; not what need not happen."""
    plugins.discover()
    faults = dict.fromkeys(plugins.FAULTS, 1)
    everything = dict.fromkeys(NAMES, 1)
    assert never(everything, faults) == []
    assert never(everything | {"halted": 0}, faults) == ["halted"]
    assert never({**everything, **dict.fromkeys(MAY_BE_MISSED, 0)}, faults) == []
    first = next(iter(faults))
    assert never(everything, faults | {first: 0}) == [f"fault {first}"]


def test_a_name_that_nobody_listed_is_a_mistake() -> None:
    """Else a point that is spelt wrong would never be missed."""
    sometimes = Sometimes()
    sometimes("halted")
    with pytest.raises(AssertionError):
        sometimes("haltet")
    assert sometimes == {"halted": 1}


def test_counts_of_runs_are_added_up() -> None:
    """``update`` adds the counts of another run."""
    one, other = Sometimes(halted=1), Sometimes(halted=2, resumed=1)
    one.update(other)
    assert one == {"halted": 3, "resumed": 1}


def test_every_edge_of_the_journal_is_a_point() -> None:
    """But those that stay where they are."""
    assert {"order: unknown -> rejected", "command: new -> journaled"} <= MOVES.keys()
    assert {"held: triggered -> sending", "oco: new -> active"} <= MOVES.keys()
    assert "change: unknown -> lost" in MOVES
    assert "held: sending -> sending" not in MOVES


def test_entries_of_the_trail_show_points() -> None:
    """By event and reason, and why an end is presumed."""
    assert said_in({"event": "kill_switch", "reason": "timer"}) == "dead man's switch fired"
    assert said_in({"event": "paper_trading", "state": "on"}) == "paper trading switched on"
    assert said_in({"event": "order", "state": "journaled"}) is None
    sends = [{"presumed": "assigned"}, {"state": "done"}]
    assert presumed_in({"event": "order", "sends": sends}) == ["equal orders given to the oldest"]


def test_a_long_campaign_must_have_come_to_everything() -> None:
    """A short one need not."""
    assert Progress(orders=MUST_REACH_ALL - 1).lacking() == []
    assert "halted" in Progress(orders=MUST_REACH_ALL).lacking()
