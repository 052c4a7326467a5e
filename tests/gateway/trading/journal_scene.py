"""A caller before a terminal whose orders are kept, and what a crash leaves of them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from scripted_answers import DONE
from scripted_terminal import Scene

from ea_bridge.commands import StoredResult
from ea_bridge.errors import OutcomeUnknown
from ea_bridge.model import TradeResult
from gateway.credentials.lease import Tier
from gateway.errors import GatewayError
from gateway.storage.ledger import DATABASE, Ledger
from gateway.trading.journal import SETTLEMENTS, TABLE, AccountKey, Intent, OrderLog, SqliteJournal
from gateway.trading.reconcile.patience import RetrySchedule
from gateway.trading.reconcile.service import Reconciler
from gateway.trading.state import TradingState
from gateway.trading.terminal import GuardedTerminal

LOST = OutcomeUnknown("order_send", 7, acked=True, reason="link lost")
NOTHING: dict[str, Any] = {
    "orders_get": [],
    "positions_get": [],
    "history_orders_get": [],
    "history_deals_get": [],
}
"""What an account shows on which nothing has ever been."""
BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


class Kept:
    """A scene with a journal on the disk.

    Args:
        folder: where the ledger is.
        scene: whose terminal has a table of results, unless told otherwise.

    """

    def __init__(self, folder: Path, scene: Scene) -> None:
        self.scene = scene
        self.folder = folder
        self.settled: list[Intent] = []
        self.points: list[str] = []
        self.on_point: Callable[[str], None] = lambda _: None
        self.equip("ticks,book,deals,check,results")
        self.open()

    def equip(self, caps: str, fp: str = "f" * 64, boot: str = "b1") -> None:
        """Have another terminal dial in, or the same with other capabilities, or started anew."""
        hello = replace(self.scene.hello, caps=caps, fp=fp, boot=boot)
        self.scene.hello = self.scene.script.hello = hello
        self.scene.script.caps = frozenset(caps.split(","))

    def open(self) -> None:
        """Begin as a daemon does: with what is on the disk, and nothing else."""
        self.ledger = Ledger(self.folder, [TABLE, SETTLEMENTS])
        self.log = OrderLog(self.ledger, now_ms=lambda: self.scene.now_ms)
        self.log.on_point = self._pass
        self.log.on_settled = self.settled.append
        self.log.on_unresolved = lambda _: None
        self.scene.guarded.journal = SqliteJournal(self.log, "mt5-a", self._account)
        self.reconciler = Reconciler(self.log, "mt5-a", lambda: self.scene.guarded)
        eternity = itertools.count(0.0, 1e6)  # passes between any two looks
        self.reconciler._schedule = RetrySchedule(self.log.now_ms, eternity.__next__)

    def restart(self, folder: Path | None = None) -> None:
        """End, and begin anew, with the files of another folder if there is one."""
        self.ledger.close()
        self.folder = folder or self.folder
        self.open()

    def link(self) -> None:
        """Have the terminal come in on a new link."""
        self.scene.script.id = f"s-{int(self.scene.script.id[2:]) + 1}"
        self.scene.session = self.scene.script

    def leave(self, point: str, into: Path) -> None:
        """Copy the files when a point is reached, as a kill would leave them."""

        def copy(reached: str) -> None:
            if reached == point and not into.exists():
                into.mkdir()
                for file in self.folder.glob(f"{DATABASE}*"):
                    if not file.name.endswith("-shm"):
                        shutil.copy(file, into)

        self.on_point = copy

    def rows(self, table: str = "orders") -> list[dict[str, Any]]:
        """What is on the disk."""
        sql = {"orders": "SELECT * FROM orders", "sends": "SELECT * FROM sends"}[table]
        return [dict(row) for row in self.ledger.reader.all(sql)]

    def here(self) -> AccountKey:
        """That the terminal is logged in to."""
        account = self._account()
        assert account is not None
        return account

    async def look(self) -> None:
        """Look once, as the reconciler does."""
        await self.reconciler._round()

    async def buy(self, client_order_id: str, **more: Any) -> Any:
        """Place an order."""
        return await self.scene.ask(
            "place_order", **{**BUY, **more}, client_order_id=client_order_id
        )

    async def fail(self, client_order_id: str, **more: Any) -> GatewayError:
        """Place an order that is refused, or lost; return the error."""
        try:
            await self.buy(client_order_id, **more)
        except GatewayError as error:
            return error
        raise AssertionError("it was carried out")

    async def lose(self, client_order_id: str) -> None:
        """Place an order whose answer is lost; then the terminal is back, its account empty."""
        self.scene.script.answers |= {**NOTHING, "order_send": LOST}
        await self.fail(client_order_id)
        self.link()

    def results(self, state: str, result: TradeResult | None = None, **more: Any) -> None:
        """Have the terminal's table say this of every command."""
        self.scene.script.answers["results_get"] = lambda params: [
            StoredResult(id=int(one), state=state, result=result, **more)  # type: ignore[arg-type]
            for one in params.ids.split(",")
        ]

    def _account(self) -> AccountKey | None:
        facts = self.scene.facts()
        return None if facts is None else AccountKey(facts.hello.login, facts.hello.server)

    def _pass(self, point: str) -> None:
        self.points.append(point)
        self.on_point(point)


def fresh_tickets() -> Callable[[object], TradeResult]:
    """Return an answer to orders in which each gets a ticket of its own."""
    tickets = itertools.count(DONE.order)
    return lambda _: replace(DONE, order=(ticket := next(tickets)), position=ticket)


class SceneTerminals:
    """Maker of the one terminal of a scene, whatever its name.

    Args:
        scene: with the terminal.
        guarded: makes it, if not as the scene does.

    """

    def __init__(
        self, scene: Scene, guarded: Callable[[str], GuardedTerminal] | None = None
    ) -> None:
        self._scene = scene
        self._guarded = guarded or (lambda _: scene.guarded)

    def terminal(
        self,
        name: str,
        recheck: Callable[[Tier], None],
        tid: str | None = None,
        paper: bool | None = None,
    ) -> GuardedTerminal:
        """Make the way to it."""
        return self._guarded(name)

    def state_of(self, terminal: GuardedTerminal) -> TradingState:
        """Return its state."""
        return self._scene.state

    def is_on_paper(self, name: str) -> bool:
        """Return that it trades at the market."""
        return False
