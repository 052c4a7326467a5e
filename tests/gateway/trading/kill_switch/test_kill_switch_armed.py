"""What is armed: about one account, in memory and in the ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from connection_double import Line

from gateway.home.ledger import TABLES
from gateway.storage.ledger import Ledger
from gateway.storage.store import Store
from gateway.trading.journal import AccountKey
from gateway.trading.kill_switch import dead_man as module
from gateway.trading.kill_switch.dead_man import SESSION, Armed, ArmedBook, Firing
from gateway.trading.kill_switch.disconnects import Disconnects

HERE, THERE = AccountKey(77, "Demo"), AccountKey(77, "Live")


def rule(name: str, account: AccountKey | None) -> Armed:
    return Armed(
        terminal="main",
        tid="A1b2C3d4E5f6",
        name=f"{SESSION} {name}",
        action="cancel_orders",
        own=True,
        within_ms=0,
        account=account,
    )


async def test_a_ticket_is_one_accounts() -> None:
    """Two brokers may use the same number: only those of the armed account are meant."""
    rung, line = asyncio.Queue[Firing](), Line()
    disconnects = Disconnects(fire=rung.put_nowait)
    name = disconnects.session(line, "main")
    disconnects.placed(line, HERE, 1)
    disconnects.placed(line, THERE, 2)
    await disconnects.set(line, "main", rule(name, HERE))
    disconnects.placed(line, HERE, 3)
    line.lose()
    firing = await asyncio.wait_for(rung.get(), 60)
    assert set(firing.chosen.tickets) == {1, 3}


async def test_before_the_login_the_tickets_are_those_of_the_first_account() -> None:
    """Which is the one that it is about: a terminal in no account says 0."""
    rung, line = asyncio.Queue[Firing](), Line()
    disconnects = Disconnects(fire=rung.put_nowait)
    armed = rule(disconnects.session(line, "main"), AccountKey(0, ""))
    assert armed.account is None
    await disconnects.set(line, "main", armed)
    disconnects.placed(line, HERE, 1)
    disconnects.placed(line, THERE, 2)
    line.lose()
    firing = await asyncio.wait_for(rung.get(), 60)
    assert set(firing.chosen.tickets) == {1}


@pytest.mark.parametrize("account", [HERE, None])
async def test_the_ledger_keeps_the_account(tmp_path: Path, account: AccountKey | None) -> None:
    """What comes back with the next daemon is the same."""
    ledger = Ledger(tmp_path, TABLES)
    await ArmedBook(ledger).keep(rule("a", account))
    ledger.close()
    ledger = Ledger(tmp_path, TABLES)
    assert ArmedBook(ledger).all() == [rule("a", account)]
    ledger.close()


def test_a_ledger_of_before_is_read(tmp_path: Path) -> None:
    """It did not know whose they were."""
    place = TABLES.index(module.ACCOUNTS)
    store = Store(tmp_path, TABLES[:place], database="ledger.db")
    with store.transaction() as db:
        values = ("main", "A1b2C3d4E5f6", f"{SESSION} a", "cancel_orders", 1, 0)
        db.execute("INSERT INTO armed VALUES (?, ?, ?, ?, ?, ?)", values)
    store.close()
    ledger = Ledger(tmp_path, TABLES)
    assert ArmedBook(ledger).all() == [rule("a", None)]
    ledger.close()
