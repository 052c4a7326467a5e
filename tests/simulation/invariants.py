"""Invariants of a simulated run: the rules that hold at every step, and what breaks one.

A watcher that sees a rule broken says so with :meth:`Invariants.broken`. The first break ends the
run: what follows it is of no worth, and the seed that led to it is printed as one command.

==================== =============================================================================
:mod:`.journal_rules`   the edges along which rows of the ledger move
:mod:`.ledger_watch`    sees each transaction of a ledger, and judges it by these rules
:mod:`.command_rules`   what may be written to a terminal, and when
:mod:`.told_rules`      what callers were told stays true
:mod:`.queue_bounds`    no queue is longer than its bound
:mod:`.book_rules`      the daemon's positions and orders are the broker's
:mod:`.trail_rules`     the audit trail verifies, and lacks no order
:mod:`.log_rules`       no task dies, and nothing is logged as an error that nobody expects
:mod:`.stream_judge`    subscribers are told what the brokers did
==================== =============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

MAX_BREAKS = 20
"""Kept; whatever follows the first may be its consequence."""

RULES: Mapping[str, str] = {
    "journal edge": "a row of the journal moves along the allowed edges alone",
    "journal end": "an order's end follows from its commands, and never changes again",
    "journal kept": "what was committed is there after every kill and every power cut",
    "one order": "an id stands for one order, and an order for one id, for ever",
    "command id": "no command id is used twice, and those of each life are above all earlier ones",
    "one at a time": "no position and no order is changed while another change of it is under way",
    "row first": "no command reaches a terminal before its row is on the disk",
    "halted": "nothing that a halt stops is written after the halt was acknowledged",
    "revoked": "nothing is done for a token whose revocation was acknowledged",
    "expired": "a token is good until it expires, and for nothing after that",
    "by hand": "what a person says of an unknown order stays, unless the terminal says otherwise",
    "paper": "what is on paper is kept there, and nothing of it comes to the market",
    "silence": "what a silent program leaves is ended in time, and of no other one",
    "disconnects": "what a lost program leaves is cancelled in time, and of no other one",
    "limits": "no order goes beyond the limits of its token, and none within is refused",
    "races": "once one of linked orders has ended, the others are cancelled, or that fails aloud",
    "on paper": "no command of paper trading reaches a terminal",
    "books": "the daemon's positions and orders are the broker's",
    "audit chain": "the audit trail verifies",
    "audit order": "every command and every end of an order is in the audit trail",
    "bound": "no queue is longer than its bound",
    "streams": "what a subscriber is told adds up to what the broker did, without a hole",
    "operators": "an operator of the MT4 server is answered as the API is described",
    "at rest": "nothing is left in memory of what is over",
    "late answer": "an answer that comes late ends its order all the same, at once",
    "told": "two answers for one id never contradict each other",
    "task": "no task of the daemon dies, and no exception of it is lost",
    "log": "nothing is logged as an error that no fault explains",
}
"""What each is called, and what it demands."""


@dataclass(frozen=True, slots=True)
class Break:
    """One rule that was broken."""

    rule: str
    at_s: float
    """By the loop's clock."""
    text: str

    def __str__(self) -> str:
        return f"at {self.at_s:.6f} s, {self.text}; the rule is: {RULES[self.rule]}"


class Invariants:
    """All rules of one run.

    Args:
        now_s: seconds by the loop's clock.
        on_break: called with the first break, which is to end the run.

    """

    def __init__(
        self, now_s: Callable[[], float], on_break: Callable[[Break], None] = lambda _: None
    ) -> None:
        self._now_s = now_s
        self.on_break = on_break
        self.breaks: list[Break] = []

    def broken(self, rule: str, text: str) -> None:
        """Note that a rule is broken."""
        assert rule in RULES, rule
        found = Break(rule, self._now_s(), text)
        if len(self.breaks) < MAX_BREAKS:
            self.breaks.append(found)
        if len(self.breaks) == 1:
            self.on_break(found)
