"""Commits that fail on a simulated disk: whether a kill can bring back what was told not to be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.storage import reserve
from gateway.storage.ledger import Ledger
from gateway.storage.store import CommitUnsure, DiskFull, Store, StoreError, overwrite

from .dice import Dice
from .disk import SimulatedDisk
from .disk_faults import FailingOperations, Room
from .test_simulated_disk import TABLES, count, insert
from .vfs_layout import IOERR_FSYNC, IOERR_WRITE, OK


class BrokenAtSync:
    """Disk that takes nothing any more from a sync on."""

    is_over = False

    def __init__(self) -> None:
        self._is_broken = False

    def __call__(self, operation: str, *_: object) -> int:
        """Fail, or not."""
        self._is_broken = self._is_broken or operation == "sync"
        codes = {"sync": IOERR_FSYNC, "write": IOERR_WRITE}
        return codes.get(operation, OK) if self._is_broken else OK


def rows_after_kill(disk: SimulatedDisk, store: Store) -> int:
    """End the process; return how many rows the next one finds."""
    disk.kill(None)
    disk.work()
    again = Store(store.path.parent, TABLES, database=store.path.name)
    found = count(again)
    again.close()
    return found


def test_what_was_told_not_to_be_written_does_not_come_back(disk_folder: Path) -> None:
    """One sync has failed: the log had the whole commit, and has something else in its place."""
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        store = Store(disk_folder, TABLES)
        insert(store, b"one")
        disk.fail(FailingOperations("sync", 0, 1, Dice(1)("sync")))
        with pytest.raises(StoreError, match="the disk reports errors") as told:
            insert(store, b"two" * 9000)  # of several pages
        assert not isinstance(told.value, CommitUnsure)
        assert count(store) == 1
        assert rows_after_kill(disk, store) == 1
        store.close()


def test_where_nobody_can_tell_that_is_told(disk_folder: Path) -> None:
    """It is not there, and a kill brings it back; the next commit makes sure of it."""
    for is_written_again in (False, True):
        home = disk_folder / str(is_written_again)
        home.mkdir(mode=0o700)
        with SimulatedDisk(home, Dice(1)("sqlite")) as disk:
            store = Store(home, TABLES)
            insert(store, b"one")
            disk.fail(BrokenAtSync())
            with pytest.raises(CommitUnsure, match="the disk reports errors"):
                insert(store, b"two")
            assert count(store) == 1
            if is_written_again:
                disk.work()
                with store.transaction() as connection:
                    overwrite(connection)
            assert rows_after_kill(disk, store) == (1 if is_written_again else 2)
            store.close()


def test_it_is_told_also_where_there_is_no_room(
    disk_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync may fail for that, with all of the commit in the log: it is not a plain full disk."""
    monkeypatch.setattr(reserve, "_has_no_room", lambda _: True)
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        store = Store(disk_folder, TABLES)
        disk.fail(BrokenAtSync())
        with pytest.raises(CommitUnsure, match="make room"):
            insert(store, b"one")
        assert rows_after_kill(disk, store) == 1
        store.close()


def test_a_full_disk_leaves_no_doubt(disk_folder: Path) -> None:
    """The end of the commit is not in the log."""
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        store = Store(disk_folder, TABLES)
        disk.room = Room(0)
        with pytest.raises(DiskFull):
            insert(store, b"one")
        assert rows_after_kill(disk, store) == 0
        store.close()


async def test_a_ledger_makes_sure_by_itself(
    disk_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else writes; it goes on trying until the disk works."""
    monkeypatch.setattr("gateway.storage.ledger.OVERWRITE_S", 0.01)
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        ledger = Ledger(disk_folder, TABLES)
        await ledger.write(lambda db: db.execute("INSERT INTO rows (body) VALUES (x'01')"))
        disk.fail(BrokenAtSync())
        with pytest.raises(CommitUnsure):
            await ledger.write(lambda db: db.execute("INSERT INTO rows (body) VALUES (x'02')"))
        await asyncio.sleep(0.2)
        assert ledger._is_unsure
        disk.work()
        async with asyncio.timeout(5.0):
            while ledger._is_unsure:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0.001)
        assert rows_after_kill(disk, ledger.reader) == 1
        ledger.close()


async def test_a_write_that_changes_nothing_ends_no_doubt(
    disk_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It puts nothing into the log, where the commit that has failed still is."""
    monkeypatch.setattr("gateway.storage.ledger.OVERWRITE_S", 3600.0)
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        ledger = Ledger(disk_folder, TABLES)
        disk.fail(BrokenAtSync())
        with pytest.raises(CommitUnsure):
            await ledger.write(lambda db: db.execute("INSERT INTO rows (body) VALUES (x'02')"))
        disk.work()
        await ledger.write(lambda db: db.execute("DELETE FROM rows WHERE body = x'09'"))
        assert ledger._is_unsure
        await ledger.write(overwrite)
        assert not ledger._is_unsure
        ledger.close()
