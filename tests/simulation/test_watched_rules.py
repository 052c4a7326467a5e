"""Rules of the audit trail, the log, tasks, queues and books: each break of one is seen."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import OrderType, TradeAction, TradeRequest
from gateway import audit
from gateway.app.daemon import Gateway
from gateway.config import Config
from gateway.home.home import Home
from gateway.storage.store import Store
from gateway.trading.journal import AccountKey

from .book_rules import look_at_books
from .invariants import MAX_BREAKS, Invariants
from .log_rules import FOREVER, LogRules, TaskRules
from .queue_bounds import check_at_rest, check_bounds
from .trail_rules import TrailRules

Json = dict[str, Any]
SYMBOL = "EURUSD"


@pytest.fixture(name="invariants")
def make_invariants() -> Invariants:
    return Invariants(lambda: 0.0)


def rules_of(invariants: Invariants) -> list[str]:
    return [one.rule for one in invariants.breaks]


def test_only_the_first_break_ends_a_run():
    """The others are kept, so many of them."""
    heard: list[str] = []
    invariants = Invariants(lambda: 7.0, lambda found: heard.append(str(found)))
    for n in range(MAX_BREAKS + 5):
        invariants.broken("told", f"break {n}")
    assert len(invariants.breaks) == MAX_BREAKS
    assert heard == [
        "at 7.000000 s, break 0; the rule is: two answers for one id never contradict each other"
    ]


# --- the audit trail ---------------------------------------------------------------------------


@pytest.fixture(name="trail")
def make_trail(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path, [audit.TABLE, audit.MARKS])
    yield store
    store.close()


def note(store: Store, count: int, **more: Any) -> None:
    with store.transaction() as connection:
        for n in range(count):
            audit.note(connection, "order", state="journaled", command_id=n, **more)


def tamper(store: Store, trigger: str, sql: str) -> None:
    """Change the trail as somebody would who owns the file, and puts its guard back."""
    row = store.one("SELECT sql FROM sqlite_master WHERE name = ?", trigger)
    assert row is not None
    with store.transaction() as connection:
        connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(sql)
        connection.execute(row["sql"])


def test_a_trail_is_looked_at_a_stretch_at_a_time(trail: Store, invariants: Invariants):
    """What grows is right; a row that was changed since, and a tail that is gone, are not."""
    rules = TrailRules(invariants)
    for _ in range(3):
        note(trail, 4)
        rules.look(trail)
    assert rules_of(invariants) == []
    tamper(trail, "audit_is_not_shortened", "DELETE FROM audit WHERE n > 10")
    rules.look(trail)
    assert rules_of(invariants) == ["audit chain"]
    assert "row 12 is not there" in invariants.breaks[0].text


def test_a_row_that_was_changed_is_found(trail: Store, invariants: Invariants):
    """By the look that comes to it."""
    rules = TrailRules(invariants)
    rules.look(trail)
    note(trail, 4)
    tamper(trail, "audit_is_not_changed", "UPDATE audit SET entry = '{}' WHERE n = 2")
    rules.look(trail)
    assert rules_of(invariants) == ["audit chain"]
    assert "changed" in invariants.breaks[0].text


def test_a_command_that_the_trail_lacks_is_found(trail: Store, invariants: Invariants):
    """One that a terminal was sent; those that are noted are right."""
    rules = TrailRules(invariants)
    note(trail, 4)
    rules.look_for(trail, {0, 3})
    assert rules_of(invariants) == []
    rules.look_for(trail, {3, 4})
    assert rules_of(invariants) == ["audit order"]


# --- the log, and tasks ------------------------------------------------------------------------


def test_an_error_needs_a_cause(invariants: Invariants):
    """What the disk explains is right while it fails, and nothing is of the dead."""
    has_failed, is_dead = False, False
    heard: list[str] = []
    rules = LogRules(
        invariants,
        is_dead=lambda: is_dead,
        has_disk_failed=lambda: has_failed,
        on_record=lambda record: heard.append(str(record.msg)),
    )

    def log(level: int, text: str, *words: object) -> list[str]:
        record = logging.LogRecord("gateway", level, "", 0, text, words, None)
        invariants.breaks.clear()
        rules.handle(record)
        return rules_of(invariants)

    assert log(logging.WARNING, "token %s of terminal %s: %s", "t", "mt5", "revoked") == []
    assert log(logging.ERROR, "tokens cannot be checked: %s", "full") == ["log"]
    has_failed = True
    assert log(logging.ERROR, "tokens cannot be checked: %s", "full") == []
    assert log(logging.ERROR, "what nobody expects") == ["log"]
    is_dead = True
    assert log(logging.CRITICAL, "what nobody expects") == []
    assert heard[0] == "token %s of terminal %s: %s"
    assert len(heard) == 4


@pytest.mark.parametrize("file", ["aiohttp/web_protocol.py", "gateway/rpc/requests.py"])
def test_aiohttps_own_race_is_no_error_of_ours(invariants: Invariants, file: str):
    """The same error of ours is."""
    rules = LogRules(invariants)

    def fails() -> None:
        raise asyncio.InvalidStateError

    fails.__code__ = fails.__code__.replace(co_filename=file)
    try:
        fails()
    except asyncio.InvalidStateError:
        caught = sys.exc_info()
    text = "Unhandled exception"
    rules.handle(logging.LogRecord("aiohttp.server", logging.ERROR, "", 0, text, (), caught))
    assert rules_of(invariants) == ([] if file.startswith("aiohttp") else ["log"])


async def test_a_task_that_ends_is_missed(invariants: Invariants):
    """One that must run for as long as the daemon does, also where it never began."""
    gate = asyncio.Event()

    def task(name: str) -> asyncio.Task[None]:
        async def run() -> None:
            await gate.wait()
            if name == "Gate.watch":
                raise ValueError(name)

        run.__qualname__ = name
        return asyncio.create_task(run())

    tasks = [task(name) for name in sorted(FOREVER)]
    rules = TaskRules(tasks, invariants)
    rules.look()
    assert rules_of(invariants) == []
    TaskRules(tasks[1:], invariants)
    assert rules_of(invariants) == ["task"]
    gate.set()
    await asyncio.wait(tasks)
    rules.look()
    assert len(invariants.breaks) == 1 + len(FOREVER)
    assert any("ValueError" in one.text for one in invariants.breaks)


# --- queues ------------------------------------------------------------------------------------


async def test_queues_of_a_daemon_are_within_their_bounds(tmp_path: Path, invariants: Invariants):
    """Of one that has begun; each that grows over its own is named."""
    config = Config.model_validate({"api": {"port": 0}, "bridge": {"port": 0}})
    with Home(tmp_path, "secrets.key") as home:
        home.issuer.create("mt5")
        gateway = Gateway(home, config)
        async with gateway.run():
            check_bounds(gateway, invariants)
            check_at_rest(gateway, invariants)
            assert rules_of(invariants) == []
            gateway.trading.streams._hub._pending = 5000
            check_bounds(gateway, invariants)
            gateway.trading.streams._hub._pending = 0
            gateway.trading.reconcile.log._settling.add((AccountKey(1, "Demo"), "a"))
            check_at_rest(gateway, invariants)
            gateway.trading.reconcile.log._settling.clear()
    assert [one.text for one in invariants.breaks] == [
        "hub: pending: 5000, of at most 4096",
        "orders being settled: 1",
    ]


# --- books -------------------------------------------------------------------------------------


class Answers:
    """A daemon that answers what it is told to."""

    def __init__(self, machine: EmulatedTerminal) -> None:
        self.broker = machine.handler.broker
        self.wrong: Json = {}
        self.on_ask = lambda: None

    async def ask(self, method: str, params: Json, timeout_s: float) -> Json:
        """Tell what the broker has, but for what is wrong."""
        rows = self.broker.positions() if method == "get_positions" else self.broker.orders()
        told = [{name: getattr(one, name) for name in one.__struct_fields__} for one in rows]
        for one in told:
            one.update(self.wrong)
        self.on_ask()
        return {"result": told}


@pytest.mark.parametrize("wrong", [{"volume": 0.03, "volume_current": 0.03}, {"sl": 0.1}])
async def test_books_that_differ_are_seen(invariants: Invariants, wrong: Json):
    """Of positions and of orders; nothing is said where they move while they are told."""
    machine = build_terminal(seed=1, watch=[SYMBOL], start_ms=1_780_000_000_000)
    broker, now_msc = machine.handler.broker, machine._now_msc()
    common: Json = {"symbol": SYMBOL, "volume": 0.02}
    for request in (
        TradeRequest(action=TradeAction.DEAL, type=OrderType.BUY, **common),
        TradeRequest(action=TradeAction.PENDING, type=OrderType.BUY_LIMIT, price=0.5, **common),
    ):
        broker.send(request, now_msc)
    assert broker.positions()
    assert broker.orders()
    daemon: Any = Answers(machine)
    assert await look_at_books("mt5", daemon, machine, invariants)
    assert rules_of(invariants) == []

    daemon.wrong = wrong
    daemon.on_ask = lambda: broker.send(
        TradeRequest(action=TradeAction.DEAL, type=OrderType.BUY, **common), now_msc
    )
    assert not await look_at_books("mt5", daemon, machine, invariants)
    assert rules_of(invariants) == []
    daemon.on_ask = lambda: None
    assert await look_at_books("mt5", daemon, machine, invariants)
    assert rules_of(invariants) == ["books", "books"]
