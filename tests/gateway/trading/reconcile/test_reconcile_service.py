"""The service that finds out unknown orders: when it begins, whom it tells, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from journal_scene import BUY, LOST, NOTHING
from linked_scene import NAME, LinkedScene
from scripted_answers import DONE
from scripted_terminal import Scene

from ea_bridge import commands
from ea_bridge.commands import StoredResult
from ea_bridge.session import LateResult
from gateway import errors
from gateway.audit import Audit
from gateway.home.ledger import TABLES
from gateway.schemas import OrderSettled
from gateway.storage.ledger import Ledger
from gateway.trading.journal import AccountKey, Stage
from gateway.trading.reconcile.service import ReconcileService


class Desk:
    """The service before one terminal, and what it publishes."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.linked = LinkedScene(scene)
        self.scene = scene
        self.ledger = Ledger(folder, TABLES)
        self.told: list[tuple[str, OrderSettled]] = []
        self.untold: list[str] = []
        self.service = ReconcileService(
            self.ledger,
            self.linked.registry,
            self.linked,
            Audit(self.ledger),
            lambda terminal, event: self.told.append((terminal, event)),
            untold=self.untold.append,
        )
        scene.guarded.journal = self.service.of(NAME)
        scene.script.answers |= NOTHING

    def link(self) -> None:
        """Have the terminal come in, with a table of results."""
        self.linked.link(caps="ticks,book,deals,check,results")

    async def lose(self, client_order_id: str) -> int:
        """Place an order whose answer is lost; return the id of its command."""
        self.scene.script.answers["order_send"] = LOST
        with pytest.raises(errors.OrderUnresolved):
            await self.scene.ask("place_order", **BUY, client_order_id=client_order_id)
        intent = self.scene.guarded.journal.find(client_order_id)
        assert intent is not None
        return intent.sends[0].command_id

    async def until(self, happened: Callable[[], Any]) -> None:
        """Wait for what the ledger's thread brings about."""
        async with asyncio.timeout(20):
            while not happened():  # noqa: ASYNC110 (the ledger's thread tells nobody else)
                await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def desk(scene: Scene, tmp_path: Path) -> AsyncIterator[Desk]:
    """Not running yet."""
    made = Desk(scene, tmp_path / "home")
    yield made
    made.ledger.close()


async def test_a_link_has_unknown_orders_found_out(desk: Desk) -> None:
    """Whoever listens to the terminal is told, once it is on the disk."""
    async with desk.service.running():
        desk.link()
        await desk.lose("a")
        desk.scene.script.answers["results_get"] = lambda params: [
            StoredResult(id=int(number), state="done", result=DONE)
            for number in params.ids.split(",")
        ]
        desk.link()
        await desk.until(lambda: desk.told)
    [(terminal, event)] = desk.told
    assert (terminal, event["client_order_id"], event["outcome"]) == (NAME, "a", "done")
    stages = desk.ledger.reader.all("SELECT stage FROM orders")
    assert [row["stage"] for row in stages] == ["done"]


@pytest.mark.parametrize("is_given_up", [True, False])
async def test_an_end_that_nobody_is_told_of_is_a_hole_in_the_stream(
    desk: Desk, is_given_up: bool
) -> None:
    """Whoever found it is stopped while it is written, or the service has ended: then the streams
    must not be continued by the next gateway.
    """
    desk.scene.script.answers["results_get"] = []
    async with desk.service.running():
        desk.link()
        await desk.lose("a")
        intent = desk.scene.guarded.journal.find("a")
        assert intent is not None
    settling = asyncio.ensure_future(desk.service.log.settle(intent, Stage.DONE, b"{}"))
    if is_given_up:
        await asyncio.sleep(0)  # it has begun to write
        settling.cancel()
    await asyncio.wait((settling,))
    assert settling.cancelled() is is_given_up
    assert (desk.told, desk.untold) == ([], [NAME])


async def test_a_late_result_is_enough(desk: Desk) -> None:
    """It comes on the very link, and the terminal's table need not be asked for it."""
    async with desk.service.running():
        desk.link()
        desk.scene.script.answers["results_get"] = []
        command_id = await desk.lose("a")
        [request] = desk.scene.script.sent
        late = LateResult(command_id, commands.ORDER_SEND, request, DONE, None)
        desk.service.late(desk.scene.script, late)  # type: ignore[arg-type]  # quacks like one
        await desk.until(lambda: desk.told)
    assert desk.told[0][1]["outcome"] == "done"


async def test_a_link_tells_whose_orders_a_terminal_has(desk: Desk) -> None:
    """The account is known from then on, also to the next daemon before the terminal is back; a
    terminal that is logged in nowhere takes nothing away.
    """
    here = AccountKey(desk.scene.hello.login, desk.scene.hello.server)
    async with desk.service.running():
        desk.link()
        desk.linked.link(login=0)
        await desk.until(lambda: desk.ledger.reader.all("SELECT * FROM terminal_accounts") != [])
    assert desk.service.log.account_of(NAME) == here
    rows = desk.ledger.reader.all("SELECT login FROM terminal_accounts")
    assert [row["login"] for row in rows] == [here.login]


async def test_at_a_link_the_past_is_looked_through_once_a_run(desk: Desk) -> None:
    """For ids that a journal from a backup does not know; an order need not wait for it then."""
    async with desk.service.running():
        desk.link()
        asked = desk.scene.script.ops
        await desk.until(lambda: "history_orders_get" in asked())
        account = desk.scene.guarded.account
        assert account is not None
        await desk.until(lambda: desk.service._used_ids.knows(account))
        looks = asked().count("history_orders_get")
        desk.link()
        await asyncio.sleep(0)
        assert asked().count("history_orders_get") == looks


async def test_nobody_is_told_once_it_has_ended(desk: Desk) -> None:
    """What is found goes to the disk all the same: streams are being closed by then."""
    async with desk.service.running():
        desk.link()
        await desk.lose("a")
    intent = desk.scene.guarded.journal.find("a")
    assert intent is not None
    assert await desk.service.log.settle(intent, intent.stage, None)
    assert desk.told == []


async def test_it_follows_no_links_once_it_has_ended(desk: Desk) -> None:
    """A terminal that dials in while the gateway goes down begins nothing."""
    async with desk.service.running():
        desk.link()
        await desk.lose("a")
    made = len(desk.linked.made)
    desk.link()
    await asyncio.sleep(0)
    assert len(desk.linked.made) == made
