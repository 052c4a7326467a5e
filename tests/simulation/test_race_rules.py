"""Linked orders are looked at in calm, until one has ended and the others are cancelled."""

from __future__ import annotations

from .race_rules import MAX_LOOKS, RaceRules

LINKS = [("l", (1, 2))]


class Race:
    """Two linked orders, and who looks at them."""

    def __init__(self) -> None:
        self.ends: dict[int, str | None] = {1: "", 2: ""}
        self.wrong: list[str] = []
        self.seldom: list[str] = []
        self.rules = RaceRules(self.wrong.append, self.seldom.append)

    def look(self, times: int = 1) -> None:
        """Look so many times."""
        for _ in range(times):
            self.rules.look(LINKS, self.ends.get)


def test_an_order_that_is_left_is_seen_once() -> None:
    """After so many looks since another one has ended, and not before."""
    race = Race()
    race.look(2 * MAX_LOOKS)
    race.ends[1] = "filled"
    race.look(MAX_LOOKS)
    assert not race.wrong
    race.look(MAX_LOOKS)
    assert len(race.wrong) == 1


def test_what_is_over_is_looked_at_no_more() -> None:
    """Both have ended, or nobody knows; the first is counted if it took a while."""
    race = Race()
    race.ends[1] = "filled"
    race.look()
    race.ends[2] = "canceled"
    race.look()
    race.ends[2] = ""
    race.look(2 * MAX_LOOKS)
    assert (race.wrong, len(race.seldom)) == ([], 1)
    race = Race()
    race.ends = {1: "filled", 2: None}
    race.look(2 * MAX_LOOKS)
    assert (race.wrong, race.seldom) == ([], [])


def test_what_is_told_begins_the_count_anew() -> None:
    """That an order could not be cancelled, or that something all need is faulted."""
    race = Race()
    race.ends[1] = "filled"
    race.look(MAX_LOOKS)
    race.rules.excuse("l")
    race.look(MAX_LOOKS)
    race.rules.excuse_all()
    race.look(MAX_LOOKS)
    assert not race.wrong
    race.rules.excuse("another")
    race.look()
    assert race.wrong


def test_unlinked_orders_are_left() -> None:
    """As soon as somebody is about to unlink them."""
    race = Race()
    race.ends[1] = "filled"
    race.look()
    race.rules.forget("l")
    race.look(2 * MAX_LOOKS)
    assert not race.wrong
