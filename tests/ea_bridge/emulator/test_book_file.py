"""The account of an emulated terminal that is kept in a file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ea_bridge.emulator.conditions import Conditions, TerminalFiles
from ea_bridge.emulator.factory import BooksUnreadable, build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import OrderFilling, OrderType, TradeAction, TradeRequest
from ea_bridge.simulation.broker import Broker

WEDNESDAY_MS = 1_794_996_000_000
"""In UTC; 2026-11-18."""
DAY_MS = 86_400_000


def terminal(folder: Path, days: int = 0, **conditions: Any) -> EmulatedTerminal:
    """A terminal of the folder, so many days later."""
    return build_terminal(
        watch=["EURUSD", "GBPUSD"],
        start_ms=WEDNESDAY_MS + days * DAY_MS,
        conditions=Conditions(**conditions),
        kept=TerminalFiles(folder=folder, name="mt5-0"),
    )


def broker_of(machine: EmulatedTerminal) -> Broker:
    """Its broker."""
    return machine.handler.broker


def buy(machine: EmulatedTerminal) -> int:
    """Open a position and tell of it; return its ticket."""
    request = TradeRequest(
        action=TradeAction.DEAL,
        symbol="EURUSD",
        volume=0.1,
        type=OrderType.BUY,
        type_filling=OrderFilling.IOC,
    )
    ticket = machine.handler.send(request).position
    machine.take_trade_events()
    return ticket


def test_an_account_outlives_its_terminal(tmp_path: Path) -> None:
    """With its positions and money; the deposit is that of its beginning."""
    first = terminal(tmp_path, balance=2500.0)
    ticket = buy(first)
    before = broker_of(first).books
    again = broker_of(terminal(tmp_path, balance=9999.0)).books
    assert again.balance == before.balance
    assert list(again.holdings) == [ticket]
    assert dict(again.deals) == dict(before.deals)
    assert (again.next_order_ticket, again.next_deal_ticket) == (
        before.next_order_ticket,
        before.next_deal_ticket,
    )


def test_nights_that_nobody_saw_are_charged(tmp_path: Path) -> None:
    """A broker does not sleep: three nights later there are three nights' swaps."""
    buy(terminal(tmp_path))
    later = terminal(tmp_path, days=2)
    later.pulse()
    [position] = broker_of(later).positions()
    assert position.swap < 0


def test_a_disk_that_takes_nothing_stops_no_trade(tmp_path: Path) -> None:
    """What could not be written is written with the next change, also what has gone meanwhile."""
    machine = terminal(tmp_path)
    closed = buy(machine)
    other = sqlite3.connect(tmp_path / "mt5-0-books.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    lost = buy(machine)
    request = TradeRequest(
        action=TradeAction.DEAL,
        symbol="EURUSD",
        volume=0.1,
        type=OrderType.SELL,
        type_filling=OrderFilling.IOC,
        position=closed,
    )
    machine.handler.send(request)
    machine.take_trade_events()
    other.execute("ROLLBACK")
    later = buy(machine)
    assert list(broker_of(terminal(tmp_path)).books.holdings) == [lost, later]


def test_what_is_no_book_is_not_written_over(tmp_path: Path) -> None:
    """The message names the file and what to do."""
    file = tmp_path / "mt5-0-books.db"
    file.write_bytes(b"no database at all, and long enough to be looked at")
    with pytest.raises(BooksUnreadable, match="move it away"):
        terminal(tmp_path)
    assert file.read_bytes().startswith(b"no database")
