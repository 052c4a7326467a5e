"""A ledger's watch: what the product writes is judged right, and each break of a rule is seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ea_bridge.model import TradeAction, TradeRequest, TradeResult, TradeRetcode
from gateway.audit import Audit
from gateway.home.ledger import open_ledger
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError
from gateway.trading.journal import AccountKey, CallKey, CommandRecord, Intent, OrderLog, Stage
from gateway.trading.requests import ReceiptContext

from .invariants import Invariants
from .ledger_truth import LedgerTruth
from .ledger_watch import LedgerWatch

ACCOUNT = AccountKey(1, "Demo")


class Scene:
    """A journal in a ledger that is watched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth = LedgerTruth()
        self.invariants = Invariants(lambda: 0.0)
        self.seldom: list[str] = []
        self.notes: list[dict[str, Any]] = []
        self.ledger: Ledger
        self.begin()

    def begin(self) -> None:
        """Open the ledger, as the next life does."""
        self.ledger = open_ledger(self.folder)
        self.watch = LedgerWatch(
            self.ledger,
            self.truth,
            self.invariants,
            sometimes=self.seldom.append,
            on_note=self.notes.append,
        )
        self.log = OrderLog(self.ledger, lambda: 1000, audit=Audit(self.ledger))

    async def send(self, id_: str, command_id: int) -> tuple[Intent, CommandRecord]:
        """Journal a command under an id."""
        intent = self.log.running_as(ACCOUNT, id_)
        if intent is None:
            intent = self.log.take(CallKey(ACCOUNT, id_, "place_order", "{}", "tid"), "mt5")
        request = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1)
        send = CommandRecord(
            command_id=command_id, request=request, context=ReceiptContext(), created_ms=1000
        )
        await self.log.write_command(intent, send)
        return intent, send

    async def end(self, intent: Intent, send: CommandRecord, stage: Stage, order: int = 0) -> None:
        """Let a command, and what it is for, have an end."""
        send.stage = stage
        if order:
            send.result = TradeResult(retcode=TradeRetcode.DONE, order=order)
        failed = {"error": {"code": 2104, "message": "", "data": {}}}
        answer = orjson.dumps({} if stage is Stage.DONE else failed)
        await self.log.end(intent, stage, answer)
        await self.ledger.write(lambda _: None)

    async def write(self, sql: str, *values: Any) -> None:
        """Write something that the product would not."""
        await self.ledger.write(lambda connection: connection.execute(sql, values))

    @property
    def broken(self) -> set[str]:
        """Rules that are broken."""
        return {one.rule for one in self.invariants.breaks}


@pytest.fixture(name="scene")
def make_scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.ledger.close()


async def test_the_journal_keeps_to_the_rules(scene: Scene) -> None:
    """An order that is done; one that is refused, tried with another filling and done; one that
    is not sent and comes again; one that is unknown and found out; one without a command."""
    await scene.end(*await scene.send("a", 1), Stage.DONE, order=11)
    intent, first = await scene.send("b", 2)
    first.stage = Stage.REJECTED
    _, second = await scene.send("b", 3)
    await scene.end(intent, second, Stage.DONE, order=12)
    await scene.end(*await scene.send("c", 4), Stage.NOT_SENT)
    await scene.end(*await scene.send("c", 5), Stage.DONE, order=13)
    intent, send = await scene.send("d", 6)
    await scene.end(intent, send, Stage.UNKNOWN)
    send.stage, send.result = Stage.DONE, TradeResult(retcode=TradeRetcode.DONE, order=14)
    assert await scene.log.settle(intent, Stage.DONE, b"{}")
    alone = scene.log.take(CallKey(ACCOUNT, "e", "cancel_all_orders", "{}"), "mt5")
    await scene.log.end(alone, Stage.DONE, b"{}")

    assert scene.invariants.breaks == []
    assert [scene.truth.find(one) is not None for one in range(1, 8)] == [True] * 6 + [False]
    assert scene.truth.commands[6].actor == "tid"
    assert [one["event"] for one in scene.notes] == ["order"] * 13
    assert {"order: unknown -> done", "halted while it waited for the disk"} <= {*scene.seldom}


async def test_a_crash_loses_nothing_that_was_committed(scene: Scene) -> None:
    """The next life has every row, at the stage that it had."""
    await scene.end(*await scene.send("a", 1), Stage.DONE, order=11)
    await scene.send("b", 2)
    scene.ledger.close()
    scene.begin()
    scene.truth.check_kept(scene.ledger.reader, scene.invariants)

    assert scene.invariants.breaks == []


@pytest.mark.parametrize(
    "sql", ["DELETE FROM sends WHERE command_id = 2", "UPDATE orders SET stage = 'journaled'"]
)
async def test_a_row_that_is_lost_is_missed(scene: Scene, sql: str) -> None:
    """A row that a power cut took, and one that it put back to what it was before."""
    await scene.end(*await scene.send("a", 1), Stage.DONE, order=11)
    await scene.send("b", 2)
    scene.ledger.close()
    with sqlite3.connect(scene.ledger.reader.path) as connection:
        connection.execute(sql)
    connection.close()
    scene.begin()
    scene.truth.check_kept(scene.ledger.reader, scene.invariants)

    assert scene.broken == {"journal kept"}


MOVES: dict[str, tuple[str, str]] = {
    "an end is written over": ("UPDATE orders SET stage = 'rejected', answer = NULL", "done"),
    "an end is taken back": ("UPDATE orders SET stage = 'unknown'", "done"),
    "an answer is another one": ("UPDATE orders SET answer = '[]'", "done"),
    "a command's end is another": ("UPDATE sends SET stage = 'rejected'", "done"),
    "a ticket is another": ("UPDATE sends SET ticket = 12", "done"),
    "an end that leaves the id free is written twice": (
        "UPDATE orders SET stage = 'not_sent', answer = '[]'",
        "not_sent",
    ),
    "a free id is used without a request": ("UPDATE orders SET stage = 'done'", "not_sent"),
    "done without a command that is": ("UPDATE orders SET stage = 'done'", "unknown"),
    "rejected while one is under way": ("UPDATE orders SET stage = 'rejected'", ""),
}


@pytest.mark.parametrize("name", MOVES)
async def test_a_move_that_is_not_allowed_is_seen(scene: Scene, name: str) -> None:
    """Whatever code it is that moves the row."""
    sql, before = MOVES[name]
    intent, send = await scene.send("a", 1)
    if before:
        await scene.end(intent, send, Stage(before), order=11 if before == "done" else 0)
    assert scene.invariants.breaks == []
    await scene.write(sql)

    assert scene.broken & {"journal edge", "journal end"}


async def test_an_id_that_was_used_is_not_used_again(scene: Scene) -> None:
    """By a later life whose ledger does not know it any more."""
    await scene.send("a", 1)
    await scene.write("DELETE FROM sends")
    await scene.send("b", 1)

    assert "command id" in scene.broken


async def test_two_orders_of_one_ticket_are_seen(scene: Scene) -> None:
    """One of them was given the other's order."""
    await scene.end(*await scene.send("a", 1), Stage.DONE, order=11)
    await scene.end(*await scene.send("b", 2), Stage.DONE, order=11)

    assert scene.broken == {"one order"}


async def test_what_the_trail_lacks_is_seen(scene: Scene) -> None:
    """A command that is journaled without a word of it."""
    scene.log = OrderLog(scene.ledger, lambda: 1000)
    await scene.send("a", 1)

    assert scene.broken == {"audit order"}


async def test_a_write_that_fails_alone_is_no_break(scene: Scene) -> None:
    """Nor is what others of its group have written; its own command is not there."""

    def fail(connection: sqlite3.Connection) -> None:
        raise StoreError("of the work itself")

    failing = scene.ledger.write_later(fail)
    await scene.send("a", 1)
    with pytest.raises(StoreError):
        await failing

    assert scene.invariants.breaks == []
    assert "group commit with a failed member" in scene.seldom
    assert scene.truth.find(1) is not None


async def test_what_is_not_synced_is_not_durable(scene: Scene) -> None:
    """A command counts from the moment at which the log is synced."""
    is_durable = False
    scene.watch._is_durable = scene.truth.is_durable = lambda: is_durable
    await scene.send("a", 1)
    assert scene.truth.find(1) is None
    is_durable = True
    assert scene.truth.find(1) is not None


Body = Callable[[str], str]


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("held", '{"stage":"ended"}', '{"stage":"sending"}'),
        ("held", "{}", '{"stage":"triggered"}'),
        ("oco", '{"state":"done"}', "{}"),
    ],
)
async def test_kept_orders_move_along_their_edges(
    scene: Scene, kind: str, before: str, after: str
) -> None:
    """Neither a held order nor a link comes back, and none leaves a step out."""
    insert = "INSERT INTO contingent VALUES (1, ?, 'mt5', 1, 'Demo', 'a', 1, '{}')"
    await scene.write(insert, kind)
    update = "UPDATE contingent SET body = ?"
    first = '{"stage":"sending"}' if "ended" in before else '{"state":"cancelling"}'
    for body in (first, before) if before != "{}" else ():
        await scene.write(update, body)
    assert scene.invariants.breaks == []
    await scene.write(update, after)

    assert scene.broken == {"journal edge"}
