"""What a terminal is sent is judged by its row, the halts and the tokens at that moment."""

from __future__ import annotations

import pytest

from ea_bridge.commands import ORDER_SEND
from ea_bridge.model import TradeAction, TradeRequest
from ea_bridge.mt4_manager.commands import TRADE_TRANSACTION
from ea_bridge.mt4_manager.model import TransactionParams
from ea_bridge.protocol.codec import encode
from ea_bridge.protocol.messages import Cmd

from .command_rules import CommandRules, Scene
from .halt_rules import EVERYWHERE
from .invariants import Invariants
from .ledger_truth import Command, LedgerTruth

OPENS = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1)
CLOSES = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, position=5)
WAITS = TradeRequest(action=TradeAction.PENDING, symbol="EURUSD", volume=0.1, price=0.5)
CANCELS = TradeRequest(action=TradeAction.REMOVE, order=5)
TIGHTENS = TradeRequest(action=TradeAction.SLTP, position=5, sl=0.6)
BARES = TradeRequest(action=TradeAction.SLTP, position=5)


class Bench:
    """Rules, and a ledger that has some commands."""

    def __init__(self) -> None:
        self.truth = LedgerTruth()
        self.invariants = Invariants(lambda: 0.0)
        self.rules = CommandRules(self.truth, self.invariants)
        self.truth.add({7: Command(1, "tid", False)}, is_durable=True)

    def write(self, request: TradeRequest, command_id: int = 7) -> str:
        """Write a command to a terminal; return the rule that it breaks first."""
        command = Cmd(id=command_id, op=ORDER_SEND.op, ttl=0, params=request)
        self.rules.written("mt5", encode(command))
        return self.invariants.breaks[0].rule if self.invariants.breaks else ""


@pytest.fixture(name="bench")
def make_bench() -> Bench:
    return Bench()


def test_a_command_with_its_row_is_right(bench: Bench) -> None:
    """Written once, and carried out once."""
    assert bench.write(OPENS) == ""
    bench.rules.executed("mt5", 7)
    assert bench.invariants.breaks == []


def test_a_command_without_a_row_is_wrong(bench: Bench) -> None:
    """Nothing of it would be left by a crash."""
    assert bench.write(OPENS, 8) == "row first"


def test_a_row_that_is_not_synced_does_not_count(bench: Bench) -> None:
    """A power cut would take it."""
    bench.truth.is_durable = lambda: False
    bench.truth.add({8: Command(2, "tid", False)}, is_durable=False)
    assert bench.write(OPENS, 8) == "row first"


def test_a_command_is_written_once(bench: Bench) -> None:
    """The same bytes again are wrong, and so is what comes twice."""
    bench.write(OPENS)
    assert bench.write(OPENS) == "command id"
    bench.rules.executed("mt5", 7)
    bench.rules.executed("mt5", 7)
    assert len(bench.invariants.breaks) == 2


def test_paper_reaches_no_terminal(bench: Bench) -> None:
    """Its row says that it went to the paper broker."""
    bench.truth.add({8: Command(2, "tid", True)}, is_durable=True)
    assert bench.write(OPENS, 8) == "on paper"


@pytest.mark.parametrize("where", ["mt5", EVERYWHERE])
@pytest.mark.parametrize(
    ("request_", "is_stopped"),
    [
        *((OPENS, True), (WAITS, True), (BARES, True)),
        *((CLOSES, False), (CANCELS, False), (TIGHTENS, False)),
    ],
)
def test_a_halt_stops_what_adds_risk(
    bench: Bench, where: str, request_: TradeRequest, is_stopped: bool
) -> None:
    """What reduces goes on, unless the halt freezes all; another terminal's does not count."""
    bench.rules.halted("mt4", 0.0, reductions=False)
    bench.rules.halted(where, 0.0, reductions=True)
    assert bench.write(request_) == ("halted" if is_stopped else "")
    bench.invariants.breaks.clear()
    bench.truth.reached.clear()
    bench.rules.halted(where, 0.0, reductions=False)
    assert bench.write(request_) == "halted"


def test_a_halt_that_may_be_lifted_stops_nothing(bench: Bench) -> None:
    """From the moment at which somebody asks for it."""
    bench.rules.halted("mt5", 0.0, reductions=True)
    bench.rules.halts.begin_lift("mt5")
    assert bench.write(OPENS) == ""


@pytest.mark.parametrize("asked_s", [1.0, 3.0])
def test_a_halt_that_was_asked_for_while_one_was_lifted_is_not_sure(
    bench: Bench, asked_s: float
) -> None:
    """Whichever the daemon did last counts; what was lifted before counts no more."""
    halts = bench.rules.halts
    halts.begin_lift("mt5", 7)
    bench.rules.halted("mt5", 0.0, reductions=False, is_enabled=True)
    assert not halts.is_halted("mt5")
    halts.end_lift("mt5", 2.0, 7)
    bench.rules.halted("mt5", asked_s, reductions=False)
    assert halts.is_halted("mt5") is (asked_s > 2.0)
    assert bench.write(CLOSES) == ("halted" if asked_s > 2.0 else "")


def test_calls_that_lift_a_halt_end_with_their_daemon(bench: Bench) -> None:
    """Nobody carries out what a dead one was asked for; a person needs none."""
    bench.rules.halts.begin_lift("mt5", 7)
    bench.rules.halts.begin_lift("mt4")
    bench.rules.halts.begin_life()
    assert not bench.rules.halts.may_be_lifted("mt5", 1.0)
    assert bench.rules.halts.may_be_lifted("mt4", 1.0)


def test_a_halt_that_is_acknowledged_is_there(bench: Bench) -> None:
    """An answer that the terminal may trade needs somebody who has lifted it."""
    bench.rules.halted("mt5", 0.0, reductions=True, is_enabled=True)
    assert [one.rule for one in bench.invariants.breaks] == ["halted"]


def test_nothing_is_written_for_a_revoked_token(bench: Bench) -> None:
    """Whatever it is; what others have asked for goes on."""
    bench.truth.add({8: Command(2, "other", False)}, is_durable=True)
    bench.rules.revoked("tid")
    assert bench.write(OPENS, 8) == ""
    assert bench.write(CLOSES) == "revoked"


def test_a_manager_s_change_needs_its_row_as_well(bench: Bench) -> None:
    """And is written once; what only asks needs none."""

    def write(op: str, command_id: int) -> int:
        params = TransactionParams(cmd=6, orderby=1, price=10.0)
        bench.rules.written_to_manager(encode(Cmd(id=command_id, op=op, ttl=0, params=params)))
        return len(bench.invariants.breaks)

    assert write("users_request", 8) == 0
    assert write(TRADE_TRANSACTION.op, 7) == 0
    assert write(TRADE_TRANSACTION.op, 7) == 1
    assert write(TRADE_TRANSACTION.op, 8) == 2


def test_ids_of_a_life_are_above_those_of_earlier_ones(bench: Bench) -> None:
    """Within one life they may be written in any order; a manager's count as well."""
    bench.truth.add({n: Command(n, "tid", False) for n in (5, 6, 8, 9)}, is_durable=True)

    def write(command_id: int, life: int) -> int:
        command = Cmd(id=command_id, op=ORDER_SEND.op, ttl=0, params=OPENS)
        bench.rules.written("mt5", encode(command), Scene(life))
        return len(bench.invariants.breaks)

    assert [write(7, 1), write(5, 1), write(9, 2), write(8, 2)] == [0] * 4
    assert write(6, 3) == 1


def test_what_is_there_is_changed_by_one_command_at_a_time(bench: Bench) -> None:
    """One that is written before the first was carried out knows nothing of what that does."""
    bench.truth.add({n: Command(n, "tid", False) for n in range(20)}, is_durable=True)

    def change(first: Scene, second: Scene, done: Scene, *requests: TradeRequest) -> str:
        bench.invariants.breaks.clear()
        ids = [max(bench.truth.reached, default=0) + n for n in (1, 2)]
        for command_id, request, scene in zip(ids, requests, (first, second), strict=True):
            command = Cmd(id=command_id, op=ORDER_SEND.op, ttl=0, params=request)
            bench.rules.written("mt5", encode(command), scene)
        for command_id in ids:
            bench.rules.executed("mt5", command_id, done)
        return bench.invariants.breaks[0].rule if bench.invariants.breaks else ""

    here, soon, later = Scene(at_s=1.0), Scene(at_s=1.5), Scene(at_s=9.0)
    assert change(here, soon, later, CLOSES, TIGHTENS) == "one at a time"
    assert change(here, soon, later, CLOSES, OPENS) == ""
    assert change(here, soon, later, OPENS, WAITS) == ""
    assert change(here, soon, later, CANCELS, CANCELS) == "one at a time"
    assert change(here, later, later, CLOSES, TIGHTENS) == "", "nobody waits for so long"
    assert change(here, soon._replace(account=2), later, CLOSES, TIGHTENS) == "", "another account"
    anew = later._replace(link=2)
    assert change(here, soon, anew, CLOSES, TIGHTENS) == "", "the link was lost meanwhile"


def test_one_change_after_the_other_is_right(bench: Bench) -> None:
    """The first was carried out before the second is written."""
    bench.truth.add({8: Command(2, "tid", False)}, is_durable=True)
    for command_id in (7, 8):
        assert bench.write(CLOSES, command_id) == ""
        bench.rules.executed("mt5", command_id)
    assert bench.invariants.breaks == []
