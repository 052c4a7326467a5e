"""The lease: what an EA does by itself once the daemon has been silent for long enough."""

from __future__ import annotations

from typing import Any

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


class LeaseFixture:
    """A terminal, and the time by which its lease runs out."""

    def __init__(self, machine: EmulatedTerminal) -> None:
        self.now_s = 100.0
        self.machine = machine
        self.handler = machine.handler
        self.lease: LeaseGuard = self.handler.lease
        self.lease._monotonic_s = lambda: self.now_s
        self.lease._is_connected = lambda: True
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


@pytest.fixture(name="fixture")
def make_stage(machines: dict[str, EmulatedTerminal], platform: str) -> LeaseFixture:
    """A terminal with nothing open."""
    if platform not in machines:
        machines[platform] = build_terminal(platform=platform)
    return LeaseFixture(machines[platform])


def test_it_runs_out_once(fixture: LeaseFixture) -> None:
    """Orders go at the moment it ends, positions stay; then it is off, and has told."""
    order, position = fixture.wait(), fixture.place(TradeAction.DEAL)
    assert fixture.lease.set(terms()).lease_ms == 5000
    fixture.let_pass(4.9)
    assert fixture.open == ([order], [position])
    fixture.let_pass(0.2)
    assert fixture.open == ([], [position])
    told = fixture.lease.get()
    assert (told.lease_ms, told.cancelled, told.closed, told.failed) == (0, [order], [], [])
    assert told.fired_msc
    assert fixture.lease.get().fired_msc == 0
    later = fixture.wait()
    fixture.let_pass(60.0)
    assert fixture.open == ([later], [position])


@pytest.mark.parametrize("platform", ["mt5", "mt4"])
def test_positions_are_closed_where_it_says_so(fixture: LeaseFixture) -> None:
    """Both sides, on both platforms."""
    order = fixture.wait()
    positions = [fixture.place(TradeAction.DEAL), fixture.place(TradeAction.DEAL, type=1)]
    fixture.lease.set(terms(action="cancel_and_close"))
    fixture.let_pass(5.1)
    assert fixture.open == ([], [])
    told = fixture.lease.get()
    assert (told.cancelled, sorted(told.closed), told.failed) == ([order], positions, [])


@pytest.mark.parametrize("platform", ["mt4"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_what_is_left_of_our_own_is_closed_as_well(fixture: LeaseFixture, by_hand: bool) -> None:
    """On MetaTrader 4 the rest has another ticket and comment, whoever has closed the part."""
    fixture.place(TradeAction.DEAL, volume=0.04)
    [held] = fixture.open[1]
    part: dict[str, Any] = {"position": held, "type": OrderType.SELL, "volume": 0.01}
    if by_hand:
        request = TradeRequest(
            action=TradeAction.DEAL, symbol="EURUSD", type_filling=OrderFilling.FOK, **part
        )
        fixture.handler.broker.send(request, fixture.handler.market.now_msc)
    else:
        fixture.place(TradeAction.DEAL, **part)
        fixture.place(TradeAction.DEAL, **{**part, "position": fixture.open[1][0]})
    assert fixture.open[1] != [held]
    fixture.lease.set(terms(action="cancel_and_close", own=True))
    fixture.let_pass(5.1)
    assert fixture.open == ([], [])


def test_heartbeats_renew_it_and_nothing_else_does(fixture: LeaseFixture) -> None:
    """One without ``lease_ms``, of a daemon that knows of no lease, renews nothing."""
    fixture.wait()
    fixture.lease.set(terms())
    for _ in range(20):
        fixture.let_pass(1.0)
        fixture.lease.renew(5000)
    assert fixture.open[0]
    fixture.let_pass(4.0)
    fixture.lease.renew(0)
    fixture.let_pass(1.1)
    assert not fixture.open[0]


def test_it_can_be_ended_and_set_anew(fixture: LeaseFixture) -> None:
    order = fixture.wait()
    fixture.lease.set(terms())
    fixture.lease.set(terms(0))
    fixture.lease.renew(5000)
    fixture.let_pass(60.0)
    assert fixture.open[0] == [order]
    fixture.lease.set(terms(2000))
    fixture.let_pass(2.1)
    assert fixture.open[0] == []


def test_what_did_not_come_through_the_gateway_may_be_spared(fixture: LeaseFixture) -> None:
    """By its comment, or by its ticket where the broker has rewritten that."""
    by_hand = fixture.handler.broker.send(
        TradeRequest(
            action=TradeAction.PENDING,
            symbol="EURUSD",
            volume=0.01,
            type=OrderType.BUY_LIMIT,
            price=0.5,
            type_filling=OrderFilling.RETURN,
            comment="good price",
        ),
        fixture.machine._now_msc(),
    ).order
    fixture.wait("rewritten by the broker")
    fixture.wait("gABCDEFGH2 grid")
    fixture.lease.set(terms(own=True))
    fixture.let_pass(5.1)
    assert fixture.open[0] == [by_hand]


def test_what_the_broker_refuses_is_told(fixture: LeaseFixture) -> None:
    """AutoTrading is off: the order is still there."""
    order = fixture.wait()
    fixture.lease.set(terms())
    fixture.handler.broker.switches.autotrading = False
    fixture.let_pass(5.1)
    assert fixture.lease.get().failed == [order]
    assert fixture.open[0] == [order]


def test_it_waits_for_the_broker(fixture: LeaseFixture) -> None:
    """Its only sweep would be refused while he is away; he may return much later."""
    order, is_there = fixture.wait(), False
    fixture.lease._is_connected = lambda: is_there
    fixture.lease.set(terms())
    fixture.let_pass(60.0)
    told = fixture.lease.get()
    assert (told.lease_ms, told.failed) == (5000, [])
    is_there = True
    fixture.let_pass(0.5)
    told = fixture.lease.get()
    assert (told.lease_ms, told.cancelled, fixture.open[0]) == (0, [order], [])


def test_a_terminal_that_starts_anew_has_no_lease(fixture: LeaseFixture) -> None:
    """The daemon sets it again when it is back."""
    order = fixture.wait()
    fixture.lease.set(terms())
    fixture.machine.restart()
    fixture.let_pass(60.0)
    assert fixture.open[0] == [order]


def test_it_does_not_reach_another_account(fixture: LeaseFixture) -> None:
    """Logged in elsewhere the EA forgets it: nobody spoke of those orders. Set there, it holds;
    but tickets that were sent at the account before are nobody's.
    """
    order = fixture.wait("rewritten by the broker")
    fixture.lease.set(terms())
    broker = fixture.handler.broker
    before = broker._template
    broker._template = replace(before, login=before.login + 1)
    fixture.let_pass(60.0)
    assert fixture.open[0] == [order]
    assert fixture.lease.get().lease_ms == 0
    fixture.lease.set(terms(own=True))
    fixture.let_pass(60.0)
    assert fixture.open[0] == [order]
    fixture.lease.set(terms())
    fixture.let_pass(60.0)
    assert fixture.open[0] == []
    broker._template = before


def test_it_does_not_come_back_with_the_account(fixture: LeaseFixture) -> None:
    """What happened in between nobody knows: the daemon sets it again."""
    order = fixture.wait()
    fixture.lease.set(terms())
    broker = fixture.handler.broker
    before = broker._template
    broker._template = replace(before, server="Elsewhere")
    fixture.lease.set(terms(0))
    broker._template = before
    fixture.let_pass(60.0)
    assert fixture.open[0] == [order]
