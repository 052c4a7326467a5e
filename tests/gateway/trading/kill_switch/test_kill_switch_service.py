"""The service of the kill switch: what it sweeps, for which account, and whom it tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from connection_double import Line
from linked_scene import NAME, LinkedScene
from msgspec.structs import replace
from scripted_answers import ORDER
from scripted_terminal import Scene

from ea_bridge.model import AutomationLease, Order, TradeAction, TradeRequest, TradeResult
from gateway import schemas as shapes
from gateway.audit import Audit
from gateway.home.ledger import TABLES
from gateway.storage.ledger import Ledger
from gateway.trading.journal import AccountKey
from gateway.trading.kill_switch import service as module
from gateway.trading.kill_switch.dead_man import SESSION, TIMER, Armed, LeasePolicy
from gateway.trading.kill_switch.halts import Halt
from gateway.trading.kill_switch.service import KillSwitchService
from gateway.trading.kill_switch.switch import DrainStage

TID = "A1b2C3d4E5f6"


class Desk:
    """The service before one terminal with one pending order, and what it announces."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.linked = LinkedScene(scene)
        self.here = AccountKey(scene.hello.login, scene.hello.server)
        self.ledger = Ledger(folder, TABLES)
        self.orders: dict[int, Order] = {ORDER.ticket: ORDER}
        scene.script.answers |= {
            "orders_get": lambda p: [
                order for order in self.orders.values() if p.ticket in (None, order.ticket)
            ],
            "positions_get": [],
            "order_send": self._send,
        }
        self.told: list[tuple[str, shapes.KillSwitchEvent]] = []
        self.service = self.make()

    def make(self) -> KillSwitchService:
        """Begin as a daemon does: with what is in the ledger."""
        return KillSwitchService(
            self.ledger,
            Audit(self.ledger),
            self.linked.registry,
            self.linked,
            lambda terminal, event: self.told.append((terminal, event)),
        )

    def armed(self, name: str = TIMER, within_ms: int = 1, **changes: Any) -> Armed:
        """A rule for all orders of the account."""
        given: dict[str, Any] = {
            "terminal": NAME,
            "tid": TID,
            "name": name,
            "action": "cancel_orders",
            "own": False,
            "within_ms": within_ms,
            "account": self.here,
        }
        return Armed(**given | changes)

    def events(self, *causes: str) -> list[shapes.KillSwitchEvent]:
        """What was announced of these causes."""
        return [event for _, event in self.told if event["cause"] in causes]

    @property
    def kept(self) -> int:
        """How many rules are in the ledger."""
        return len(self.ledger.reader.all("SELECT * FROM armed"))

    def _send(self, request: TradeRequest) -> TradeResult:
        assert request.action == TradeAction.REMOVE
        del self.orders[request.order]
        return TradeResult(retcode=10009, order=request.order)


async def until(happened: Callable[[], Any]) -> None:
    """Wait for what a timer or the ledger's thread brings about."""
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 (neither tells anybody else)
            await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def desk(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Desk]:
    """Not running yet, its terminal away."""
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    made = Desk(scene, tmp_path / "home")
    yield made
    made.ledger.close()


async def test_a_silent_program_loses_its_orders(desk: Desk) -> None:
    """Whoever listens is told what was cancelled; then the ledger forgets the rule."""
    async with desk.service.running():
        desk.linked.link()
        await desk.service.dead_man.set(desk.armed())
        await until(lambda: desk.events("timer"))
        await until(lambda: not desk.kept)
    [event] = desk.events("timer")
    assert (event["cancelled"], event["failed"], event["trading_enabled"]) == (
        [ORDER.ticket],
        [],
        True,
    )
    assert desk.orders == {}
    rows = desk.ledger.reader.all("SELECT entry FROM audit WHERE entry LIKE '%kill_switch%'")
    assert [TID in row["entry"] for row in rows] == [True]


async def test_a_terminal_that_is_away_is_waited_for(desk: Desk) -> None:
    """So is its broker: a terminal without one shows lists that may be empty."""
    async with desk.service.running():
        await desk.service.dead_man.set(desk.armed())
        await until(lambda: not desk.service.dead_man._timers)
        assert desk.kept == 1, "it is armed until it is done"
        session = desk.linked.link()
        desk.scene.script.broker = session.broker = False
        desk.linked.registry.note_change(session)  # type: ignore[arg-type]  # quacks like one
        await asyncio.sleep(0.01)
        assert desk.told == []
        desk.linked.link()
        await until(lambda: desk.events("timer"))
    assert desk.orders == {}


async def test_another_account_is_left_alone(desk: Desk) -> None:
    """Nothing is sent to it, and it is told that what was armed waits."""
    async with desk.service.running():
        desk.linked.link()
        await desk.service.dead_man.set(desk.armed(within_ms=60_000))
        desk.linked.link(login=99)
        [event] = desk.events("account")
        assert event["cancelled"] == []
        desk.service.dead_man._expire(desk.armed(within_ms=60_000))
        await asyncio.sleep(0.01)
        assert desk.scene.script.sent == []
        desk.linked.link(login=desk.here.login)
        await until(lambda: desk.events("timer"))
    assert desk.orders == {}


async def test_what_was_armed_outlives_the_daemon(desk: Desk) -> None:
    """Also where the terminal has not come back yet; a gateway that ends fires nothing."""
    name = f"{SESSION} grid-7"
    async with desk.service.running():
        desk.linked.link()
        line = Line()
        desk.service.disconnects.hello(line, NAME, "grid-7")
        await desk.service.disconnects.set(line, NAME, desk.armed(name, within_ms=0))
        desk.service.stop_timers()
        line.lose()
        await asyncio.sleep(0.01)
    assert desk.told == []
    again = desk.make()
    async with again.running():
        [armed] = again.disconnects.armed(NAME)
        assert (armed.name, armed.account) == (name, desk.here)


async def test_a_program_that_is_back_calls_the_sweep_off(desk: Desk) -> None:
    """Its terminal was away: nothing is done, and nothing is told."""
    async with desk.service.running():
        await desk.service.dead_man.set(desk.armed())
        await until(lambda: not desk.service.dead_man._timers)
        desk.service.dead_man.off(NAME, TID, "")
        desk.linked.link()
        await until(lambda: not desk.kept)
    assert desk.events("timer") == []
    assert list(desk.orders) == [ORDER.ticket]


async def test_the_ea_is_told_what_is_armed(desk: Desk) -> None:
    """For the case that the daemon dies; each new link is told anew, and when it is over."""
    leases: list[Any] = []

    def lease(params: Any) -> AutomationLease:
        leases.append(params)
        return AutomationLease(lease_ms=params.lease_ms)

    desk.scene.script.answers["lease_set"] = lease
    desk.scene.script.answers["lease_get"] = AutomationLease(lease_ms=0)
    async with desk.service.running():
        desk.linked.link(caps="ticks,deals,lease")
        rule = desk.armed(within_ms=60_000, action="cancel_and_close")
        await desk.service.dead_man.set(rule)
        await until(lambda: desk.service.leases.is_held(NAME))
        session = desk.linked.link()
        await until(lambda: desk.service.leases.is_held(NAME))
        assert session.lease_ms == module.LEASE_MS
        desk.service.dead_man.off(NAME, TID, "")
        await until(lambda: leases[-1].lease_ms == 0)
    assert [(terms.lease_ms, terms.action) for terms in leases[:2]] == [
        (module.LEASE_MS, "cancel_and_close"),
        (module.LEASE_MS, "cancel_and_close"),
    ]


async def test_what_changes_right_behind_an_answer_is_told(desk: Desk) -> None:
    """In the turn of the loop in which the EA's answer came: a session is held, and looked at
    again, before anything else has run."""
    leases: list[Any] = []
    policies: list[LeasePolicy | None] = [LeasePolicy(action="cancel_and_close", own=False)]

    def lease(params: Any) -> AutomationLease:
        leases.append(params)
        return AutomationLease(lease_ms=params.lease_ms)

    desk.scene.script.answers["lease_set"] = lease
    session: Any = desk.linked.link(caps="ticks,deals,lease")
    keeper = module.LeaseKeeper(lambda _: session, lambda _: policies[-1], lambda *_: None)
    keeper.look(NAME)
    async with asyncio.timeout(20):
        while not keeper.is_held(NAME):  # noqa: ASYNC110  # each turn of the loop counts
            await asyncio.sleep(0)
    policies.append(None)
    keeper.look(NAME)
    await until(lambda: leases[-1].lease_ms == 0)
    keeper.close()


async def test_what_an_ea_has_done_by_itself_is_told(desk: Desk) -> None:
    """While the gateway was away its lease ran out; what it could not end is named, as what may be
    gone all the same: an answer may have been lost."""
    fired = AutomationLease(lease_ms=0, fired_msc=1_780_000_000_000, cancelled=[5, 6], failed=[7])
    desk.scene.script.answers["lease_get"] = fired
    async with desk.service.running():
        desk.linked.link(caps="ticks,deals,lease")
        await until(lambda: desk.events("lease"))
    [event] = desk.events("lease")
    assert event["cancelled"] == [5, 6]
    assert [(one["ticket"], one["outcome"]) for one in event["failed"]] == [(7, "unknown")]


async def test_a_halt_is_announced(desk: Desk) -> None:
    """With what holds from then on."""
    async with desk.service.running():
        await desk.service.switch.halt(Halt(terminal=NAME, armed_by="token A", since_ms=5))
        await until(lambda: desk.events("halt"))
        await desk.service.switch.resume(NAME, by_admin=True, by="token B")
        await until(lambda: desk.events("resume"))
    [halted], [resumed] = desk.events("halt"), desk.events("resume")
    assert (halted["trading_enabled"], halted["armed_by"], halted["since"]) == (
        False,
        "token A",
        5,
    )
    assert resumed["trading_enabled"] is True


async def test_an_order_that_is_refused_for_good_is_told(desk: Desk) -> None:
    """The sweep ends with it: the broker would refuse it again."""
    desk.orders[6] = replace(ORDER, ticket=6)
    desk.scene.script.answers["order_send"] = lambda request: (
        desk._send(request) if request.order == 6 else TradeResult(retcode=10017)
    )
    async with desk.service.running():
        desk.linked.link()
        await desk.service.dead_man.set(desk.armed())
        await until(lambda: desk.events("timer"))
    [event] = desk.events("timer")
    assert event["cancelled"] == [6]
    assert [failure["ticket"] for failure in event["failed"]] == [ORDER.ticket]


async def test_a_sweep_that_a_drain_cuts_stays_armed(desk: Desk) -> None:
    """A drain counts it while its terminal is there; closed in its middle, with whatever number of
    tries, the rule stays in the ledger and at the EA: the next daemon carries it out.
    """
    drain = desk.service.switch.drain
    drain.stage = DrainStage.CLOSED
    looked: list[int] = []

    def look(_: Any) -> list[Order]:
        looked.append(desk.service.sweeping)
        return list(desk.orders.values())

    desk.scene.script.answers["orders_get"] = look
    async with desk.service.running():
        await desk.service.dead_man.set(desk.armed())
        await until(lambda: not desk.service.dead_man._timers)
        assert desk.service.sweeping == 0, "a terminal that is away blocks no drain"
        desk.linked.link()
        desk.scene.guarded.switch = desk.service.switch.of(NAME)
        await until(lambda: len(looked) > 2 * module.MAX_SWEEPS)
        assert set(looked) == {1}
        assert (desk.kept, desk.told, desk.scene.script.sent) == (1, [], [])
        assert [armed.name for armed in desk.service.dead_man.armed(NAME)] == [TIMER]
        drain.stage = DrainStage.OPEN
        await until(lambda: desk.events("timer"))
        await until(lambda: not desk.kept)
        await until(lambda: not desk.service.sweeping)
    assert desk.orders == {}
