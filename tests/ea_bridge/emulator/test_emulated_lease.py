"""The lease: what an EA does by itself once the daemon has been silent for long enough."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.lease import LeaseGuard
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import (
    LeaseTerms,
    OrderFilling,
    OrderType,
    TradeAction,
    TradeRequest,
    TradeRetcode,
)


class Stage:
    """A terminal, and the time by which its lease runs out."""

    def __init__(self, machine: EmulatedTerminal) -> None:
        self.now_s = 100.0
        self.machine = machine
        self.handler = machine.handler
        self.lease: LeaseGuard = self.handler.lease
        self.lease._monotonic_s = lambda: self.now_s
        self.clear()

    def clear(self) -> None:
        """Leave nothing open, and no lease."""
        self.handler.broker.switches.autotrading = True
        self.lease.reset()
        self.lease.set(terms(2000, action="cancel_and_close"))
        self.let_pass(2.0)
        self.lease.reset()

    def place(self, action: TradeAction, **more: object) -> int:
        """Send a request as a command of the daemon would; return the order's ticket."""
        values = {"symbol": "EURUSD", "volume": 0.01, "type": OrderType.BUY, **more}
        request = TradeRequest(action=action, **values)  # type: ignore[arg-type]  # of a test
        if action == TradeAction.DEAL:
            request = replace(request, type_filling=OrderFilling.FOK)
        result = self.handler.send(request)
        assert result.retcode == TradeRetcode.DONE, result
        return result.order

    def wait(self, comment: str = "") -> int:
        return self.place(
            TradeAction.PENDING,
            type=OrderType.BUY_LIMIT,
            price=0.5,
            type_filling=OrderFilling.RETURN,
            comment=comment,
        )

    def let_pass(self, seconds: float) -> None:
        """Let time pass, the EA looking at its clock all the while."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(self.now_s + 0.5, end_s)
            self.lease.enforce()

    @property
    def open(self) -> tuple[list[int], list[int]]:
        broker = self.handler.broker
        return [o.ticket for o in broker.orders()], [p.ticket for p in broker.positions()]


def terms(lease_ms: int = 5000, **more: object) -> LeaseTerms:
    return LeaseTerms(lease_ms=lease_ms, **more)  # type: ignore[arg-type]  # of a test


@pytest.fixture(scope="module", name="machines")
def make_machines() -> dict[str, EmulatedTerminal]:
    """One of each platform, which take a while to build."""
    return {}


@pytest.fixture(name="platform")
def default_platform() -> str:
    return "mt5"


@pytest.fixture(name="stage")
def make_stage(machines: dict[str, EmulatedTerminal], platform: str) -> Stage:
    """A terminal with nothing open."""
    if platform not in machines:
        machines[platform] = build_terminal(platform=platform)
    return Stage(machines[platform])


def test_it_runs_out_once(stage: Stage) -> None:
    """Orders go at the moment it ends, positions stay; then it is off, and has told."""
    order, position = stage.wait(), stage.place(TradeAction.DEAL)
    assert stage.lease.set(terms()).lease_ms == 5000
    stage.let_pass(4.9)
    assert stage.open == ([order], [position])
    stage.let_pass(0.2)
    assert stage.open == ([], [position])
    told = stage.lease.get()
    assert (told.lease_ms, told.cancelled, told.closed, told.failed) == (0, [order], [], [])
    assert told.fired_msc
    assert stage.lease.get().fired_msc == 0
    later = stage.wait()
    stage.let_pass(60.0)
    assert stage.open == ([later], [position])


@pytest.mark.parametrize("platform", ["mt5", "mt4"])
def test_positions_are_closed_where_it_says_so(stage: Stage) -> None:
    """Both sides, on both platforms."""
    order = stage.wait()
    positions = [stage.place(TradeAction.DEAL), stage.place(TradeAction.DEAL, type=1)]
    stage.lease.set(terms(action="cancel_and_close"))
    stage.let_pass(5.1)
    assert stage.open == ([], [])
    told = stage.lease.get()
    assert (told.cancelled, sorted(told.closed), told.failed) == ([order], positions, [])


def test_heartbeats_renew_it_and_nothing_else_does(stage: Stage) -> None:
    """One without ``lease_ms``, of a daemon that knows of no lease, renews nothing."""
    stage.wait()
    stage.lease.set(terms())
    for _ in range(20):
        stage.let_pass(1.0)
        stage.lease.renew(5000)
    assert stage.open[0]
    stage.let_pass(4.0)
    stage.lease.renew(0)
    stage.let_pass(1.1)
    assert not stage.open[0]


def test_it_can_be_ended_and_set_anew(stage: Stage) -> None:
    order = stage.wait()
    stage.lease.set(terms())
    stage.lease.set(terms(0))
    stage.lease.renew(5000)
    stage.let_pass(60.0)
    assert stage.open[0] == [order]
    stage.lease.set(terms(2000))
    stage.let_pass(2.1)
    assert stage.open[0] == []


def test_what_did_not_come_through_the_gateway_may_be_spared(stage: Stage) -> None:
    """By its comment, or by its ticket where the broker has rewritten that."""
    by_hand = stage.handler.broker.send(
        TradeRequest(
            action=TradeAction.PENDING,
            symbol="EURUSD",
            volume=0.01,
            type=OrderType.BUY_LIMIT,
            price=0.5,
            type_filling=OrderFilling.RETURN,
            comment="good price",
        ),
        stage.machine._now_msc(),
    ).order
    stage.wait("rewritten by the broker")
    stage.wait("gABCDEFGH2 grid")
    stage.lease.set(terms(own=True))
    stage.let_pass(5.1)
    assert stage.open[0] == [by_hand]


def test_what_the_broker_refuses_is_told(stage: Stage) -> None:
    """AutoTrading is off: the order is still there."""
    order = stage.wait()
    stage.lease.set(terms())
    stage.handler.broker.switches.autotrading = False
    stage.let_pass(5.1)
    assert stage.lease.get().failed == [order]
    assert stage.open[0] == [order]


def test_a_terminal_that_starts_anew_has_no_lease(stage: Stage) -> None:
    """The daemon sets it again when it is back."""
    order = stage.wait()
    stage.lease.set(terms())
    stage.machine.restart()
    stage.let_pass(60.0)
    assert stage.open[0] == [order]


def test_it_does_not_reach_another_account(stage: Stage) -> None:
    """Logged in elsewhere the EA forgets it: nobody spoke of those orders. Set there, it holds;
    but tickets that were sent at the account before are nobody's.
    """
    order = stage.wait("rewritten by the broker")
    stage.lease.set(terms())
    broker = stage.handler.broker
    before = broker._template
    broker._template = replace(before, login=before.login + 1)
    stage.let_pass(60.0)
    assert stage.open[0] == [order]
    assert stage.lease.get().lease_ms == 0
    stage.lease.set(terms(own=True))
    stage.let_pass(60.0)
    assert stage.open[0] == [order]
    stage.lease.set(terms())
    stage.let_pass(60.0)
    assert stage.open[0] == []
    broker._template = before


def test_it_does_not_come_back_with_the_account(stage: Stage) -> None:
    """What happened in between nobody knows: the daemon sets it again."""
    order = stage.wait()
    stage.lease.set(terms())
    broker = stage.handler.broker
    before = broker._template
    broker._template = replace(before, server="Elsewhere")
    stage.lease.set(terms(0))
    broker._template = before
    stage.let_pass(60.0)
    assert stage.open[0] == [order]
