"""The emulated server on disk: what was answered is there, and nothing by half."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from manager_bench import ManagerBench, Refusal

from ea_bridge.commands import ResultsParams
from ea_bridge.mt4_manager import commands as c
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.emulator.books import Books


class Disk:
    """Two files, and the servers that are started on them one after another."""

    def __init__(self, folder: Path) -> None:
        self.books, self.results = folder / "books.sqlite", folder / "results"

    def start(self, users: int = 0) -> ManagerBench:
        return ManagerBench(users=users, books=self.books, results=self.results)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def everything(books: Books) -> tuple[object, ...]:
    users = {login: one.user for login, one in books.accounts.items()}
    return users, books.open, books.closed, books.last_login, books.last_order


def test_a_server_that_is_started_again_is_what_it_was(disk: Disk):
    """Users, trades, money, and the numbers that come next; the population is not drawn anew."""
    first = disk.start(users=30)
    ada = first.user(deposit=100.0)
    gone = first.user()
    first.ask(c.USERS_GROUP_OP, mt4.GroupOpParams(command=0, logins=[gone]))
    paid = first.operate(ada, 5.0)
    first.ask(c.ADM_TRADES_DELETE, mt4.AdminDeleteParams(orders=[paid]))
    kept = everything(first.books)
    second = disk.start(users=99)

    assert everything(second.books) == kept
    assert second.user() == gone + 1
    assert second.drift() == {(0, 0)}
    first.manager.close()
    second.manager.close()


@pytest.mark.parametrize(("fault", "paid"), [("crash_before", 0), ("crash_after", 1000)])
def test_a_crash_leaves_all_of_a_command_or_nothing(disk: Disk, fault: str, paid: int):
    """The table says that it was taken, not how it ended; the books say that."""
    first = disk.start()
    login = first.user()
    setattr(first.faults, fault, 1)
    params = mt4.TransactionParams(cmd=6, orderby=login, price=10.0, comment="once")
    assert first.give(c.TRADE_TRANSACTION, params, 900) == []
    assert first.manager.crashed
    second = disk.start()

    assert second.money(login) == (paid, 0)
    [stored] = second.ask(c.RESULTS_GET, ResultsParams(ids="900"))
    assert stored.state == "taken"
    assert second.give(c.TRADE_TRANSACTION, params, 900) == []
    assert second.money(login) == (paid, 0)


def test_an_answer_outlives_the_server(disk: Disk):
    """A command that comes again after a restart is not carried out again."""
    first = disk.start()
    login = first.user()
    params = mt4.TransactionParams(cmd=6, orderby=login, price=10.0)
    [answer] = first.give(c.TRADE_TRANSACTION, params, 900)
    second = disk.start()

    assert second.give(c.TRADE_TRANSACTION, params, 900) == [answer]
    assert second.money(login) == (1000, 0)


def test_a_database_that_cannot_be_written_leaves_a_change_unanswered(disk: Disk):
    """Whoever asked is told that the outcome is unknown; on the disk there is nothing of it."""
    first = disk.start()
    login = first.user()
    other = sqlite3.connect(disk.books, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    store = first.manager._store
    assert store is not None
    store._database.execute("PRAGMA busy_timeout=1")
    params = mt4.TransactionParams(cmd=6, orderby=login, price=10.0)
    assert first.give(c.TRADE_TRANSACTION, params, 900) == []
    other.close()

    assert disk.start().money(login) == (0, 0)


def test_reads_wait_for_nothing_to_be_written(disk: Disk):
    """A question does not touch the file."""
    first = disk.start()
    login = first.user()
    first.manager.close()

    assert first.ask(c.MARGIN_LEVEL_REQUEST, mt4.UserParams(login=login)).login == login
    with pytest.raises(Refusal):
        first.operate(login, 0.0)
