"""The ledger of a home, with the tables of everybody who writes to it."""

from __future__ import annotations

from pathlib import Path

from gateway import accounts, audit, paper
from gateway.auth import version_watermarks
from gateway.mt4_manager import journal as manager_journal
from gateway.storage.ledger import DATABASE, Ledger, NewGroupWriter, WritingThread
from gateway.storage.reserve import Reserve
from gateway.storage.store import Store
from gateway.streams import kept
from gateway.trading import journal
from gateway.trading.contingent import records
from gateway.trading.kill_switch import dead_man, halts

TABLES: tuple[str, ...] = (
    halts.TABLE,
    audit.TABLE,
    journal.TABLE,
    accounts.LEDGER_TABLES,
    records.TABLE,
    dead_man.TABLE,
    paper.TABLE,
    manager_journal.TABLE,
    dead_man.ACCOUNTS,
    audit.MARKS,
    version_watermarks.TABLE,
    journal.SETTLEMENTS,
    kept.TABLE,
)
"""All tables of the ledger, in the order in which they came; new ones are added at the end."""


def open_ledger(
    folder: Path, reserve: Reserve | None = None, new_writer: NewGroupWriter = WritingThread
) -> Ledger:
    """Open the ledger of a home for a program with a loop, such as the daemon.

    Args:
        folder: the home.
        reserve: of its disk, where there is one.
        new_writer: makes what writes the groups that the loop does not.

    Raises:
        StoreError: the database cannot be used; the message says what to do.

    """
    return Ledger(folder, TABLES, reserve, new_writer)


def open_ledger_store(folder: Path) -> Store:
    """Open the ledger of a home for a command that reads, or writes once, and ends.

    Raises:
        StoreError: the database cannot be used; the message says what to do.

    """
    return Store(folder, TABLES, database=DATABASE)
