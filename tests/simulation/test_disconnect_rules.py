"""The rules of cancel on disconnect know whose orders a lost connection takes, and when."""

from __future__ import annotations

from typing import Any

import pytest

from ea_bridge.model import Order
from gateway.trading.kill_switch.disconnects import RESTART_GRACE_S

from .disconnect_rules import SWEEP_S, DisconnectRules, Rule, Session

OWN, ALL = Rule(own=True, within_s=1.0), Rule(own=False, within_s=1.0)
MINE, OTHERS = 1, 2
"""Tickets of two orders: that of the program, and that of somebody else."""
TAGS = {MINE: "gAAAAAAAAA", OTHERS: "gBBBBBBBBB", 3: "gCCCCCCCCC"}


def order(ticket: int, comment: str | None = None) -> Order:
    """Return a pending order whose comment is as it was placed, or another one."""
    blank: dict[str, Any] = dict.fromkeys(Order.__struct_fields__, 0)
    comment = TAGS[ticket] if comment is None else comment
    return Order(**blank | {"ticket": ticket, "comment": comment})


class Judged:
    """The rules, and a program whose rule is in force since 0 s."""

    def __init__(self, rule: Rule = OWN) -> None:
        self.accused: list[str] = []
        self.kept = {"a"}
        """The sessions of which the gateway has a rule."""
        self.rules = DisconnectRules(self.accused.append, TAGS.__getitem__, self.kept.__contains__)
        self.session = Session("a")
        self.rule = rule
        self.rules.arms(self.session, rule, 0.0)
        self.rules.armed(self.session)
        self.rules.asks_for_order(self.session, TAGS[MINE])
        self.rules.asks_for_order(None, TAGS[OTHERS])

    def cancel(self, ticket: int, at_s: float) -> int:
        """Have the gateway cancel an order; return how much was wrong so far."""
        self.rules.ends(ticket, at_s)
        return len(self.accused)

    def come_back(self, asked_s: float, *, enabled: bool = True) -> int:
        """Have it come back and be told its rule; return how much was wrong so far."""
        self.rules.comes_back(self.session, asked_s)
        answer = self.rule.params | {"enabled": enabled, "session_id": "a"}
        assert self.rules.told(self.session, answer, asked_s, asked_s + 0.1) == enabled
        return len(self.accused)

    def meant(self, *orders: Order) -> set[int]:
        """Return what must be cancelled."""
        return self.rules.meant(self.session, orders)


@pytest.mark.parametrize(("at_s", "count"), [(1.4, 1), (1.5, 0)])
def test_nothing_is_cancelled_before_the_grace_is_over(at_s: float, count: int):
    """It counts from when the last call was asked that was answered, at the earliest."""
    judged = Judged()
    judged.rules.heard(judged.session, 0.5)
    assert judged.cancel(MINE, at_s) == count


def test_only_a_rule_for_all_cancels_the_orders_of_others():
    """One for the program's own orders leaves them where they are."""
    assert Judged(ALL).cancel(OTHERS, 2.0) == 0
    assert Judged(OWN).cancel(OTHERS, 2.0) == 1


def test_who_comes_back_in_time_finds_its_orders():
    """What was cancelled before is wrong, as is told once the program knows its rule in force."""
    judged = Judged()
    assert judged.cancel(MINE, 1.5) == 0
    assert judged.come_back(2.0) == 1


def test_a_connection_that_is_there_was_not_lost():
    """What was cancelled before a call that is answered over it is wrong, unless for another."""
    judged = Judged()
    other = Session("b")
    judged.kept.add("b")
    judged.rules.arms(other, ALL, 0.0)
    judged.cancel(MINE, 1.5)
    judged.rules.heard(judged.session, 2.0)
    assert not judged.accused
    judged.rules.heard(other, 2.0)
    assert len(judged.accused) == 1


def test_a_rule_is_not_lost_to_who_comes_back_in_time():
    """Only after the grace can it be off."""
    assert Judged().come_back(0.8, enabled=False) == 1
    assert Judged().come_back(1.0, enabled=False) == 0


def test_a_rule_is_told_as_it_was_asked_for():
    """Any other one is wrong."""
    judged = Judged()
    judged.rule = ALL
    assert judged.come_back(0.5) == 1


def test_what_was_begun_may_go_on_for_a_while():
    """Though the program is back, after the grace: as long as a sweep takes."""
    judged = Judged()
    judged.come_back(1.5, enabled=False)
    judged.kept.clear()
    assert judged.cancel(MINE, 1.5 + SWEEP_S) == 0
    assert judged.cancel(MINE, 1.7 + SWEEP_S) == 1


def test_nothing_is_cancelled_for_who_asks_for_it_no_more():
    """A program that has switched its rule off gets no order cancelled, and none is owed."""
    judged = Judged()
    judged.rules.disarms(judged.session)
    assert judged.meant(order(MINE)) == set()
    judged.rules.disarmed(judged.session, 0.5)
    assert judged.cancel(MINE, 9.0) == 1


def test_the_gateway_has_to_know_what_must_be_cancelled():
    """By the comment, where it was told to nobody else, or by the ticket that it has told."""
    judged = Judged()
    assert judged.meant(order(MINE), order(OTHERS)) == {MINE}
    assert judged.meant(order(MINE, "of the broker")) == set()
    judged.rules.asks_for_order(None, TAGS[MINE])
    assert judged.meant(order(MINE)) == set()
    judged.rules.has_order(judged.session, MINE)
    assert judged.meant(order(MINE, "of the broker")) == {MINE}


def test_what_came_after_the_rule_was_carried_out_is_not_owed():
    """Over ``/rpc``, where the connection was lost before; what was there then is owed."""
    judged = Judged(ALL)
    assert judged.rules.owed(judged.session, [order(MINE)], 0.9) == ({MINE}, 0.9)
    judged.rules.fires("a", [order(MINE)], 1.0)
    judged.rules.fires("a", [order(MINE), order(OTHERS)], 1.1)
    left = [order(MINE), order(OTHERS)]
    assert judged.rules.owed(judged.session, left, 3.0) == ({MINE}, 1.0)
    assert judged.rules.owed(judged.session, left[1:], 3.0) == (set(), 1.0)


def test_a_rule_that_the_next_life_has_is_carried_out_again():
    """With all that is there when it is."""
    judged = Judged(ALL)
    judged.rules.fires("a", [order(MINE)], 1.0)
    judged.rules.dies(1.1)
    judged.rules.begins(2.0, {"a"}, [OTHERS])
    assert judged.rules.owed(judged.session, [order(OTHERS)], 3.0) == ({OTHERS}, 3.0)


LATER = 3
"""Ticket of an order that came after the daemon had begun anew."""


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_daemon_that_begins_waits_for_more_and_means_all_orders_of_before(comes_back: bool):
    """It does not know whose they were, also once the program is back; whose later ones are it
    does. Those of people are not tagged.
    """
    judged = Judged()
    judged.rules.dies(0.5)
    judged.rules.begins(1.0, {"a"}, [MINE, OTHERS, 4])
    judged.rules.asks_for_order(None, TAGS[LATER])
    orders = [order(MINE), order(OTHERS), order(LATER), order(4, "of a person")]
    assert judged.meant(*orders) == {MINE, OTHERS}
    assert judged.cancel(OTHERS, 1.9 + RESTART_GRACE_S) == 1
    if comes_back:
        assert judged.come_back(3.0 + RESTART_GRACE_S) == 1
        assert judged.meant(*orders) == {MINE, OTHERS}
    assert judged.cancel(OTHERS, 5.0 + RESTART_GRACE_S) == 1
    assert judged.cancel(LATER, 5.0 + RESTART_GRACE_S) == 2


def test_an_order_on_its_way_when_the_daemon_began_anew_may_be_of_before():
    """Where it was asked for before; it need not be cancelled, since it was not there yet."""
    judged = Judged()
    judged.rules.begins(1.0, {"a"})
    assert judged.meant(order(OTHERS)) == set()
    assert judged.cancel(OTHERS, 5.0 + RESTART_GRACE_S) == 0


def test_no_rule_is_lost_with_a_life_of_the_daemon():
    """Unless it may have been carried out before."""
    for died_s, count in ((0.9, 1), (1.1, 0)):
        judged = Judged()
        judged.rules.dies(died_s)
        judged.rules.begins(2.0, set())
        assert len(judged.accused) == count


def test_a_rule_in_the_ledger_was_asked_for():
    """It may come back where it was lost that it was dropped; no other one may be there."""
    judged = Judged()
    judged.rules.disarmed(judged.session, 0.5)
    judged.rules.begins(1.0, {"a"})
    assert not judged.accused
    judged.rules.begins(2.0, {"b"})
    assert len(judged.accused) == 1
