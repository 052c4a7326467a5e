"""Databases on a simulated disk after power cuts: SQLite's promises hold, and can fail to."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random

import pytest

from .committed_bytes import RandomDatabase, Rows, found_after
from .dice import Dice
from .disk import Operation, SimulatedDisk
from .disk_faults import EndAt, FailingOperations

CUTS = 150
STEPS = 60


def cut_at_random(
    folder: Path, seed: int, synchronous: str = "FULL"
) -> tuple[RandomDatabase, Rows | None, int]:
    """Change a database until the power is cut in the midst of it; return it, what is found
    afterwards, and how many files the cut has changed.
    """
    dice = Dice(seed)("power")
    changed: list[int] = []
    with SimulatedDisk(folder, Dice(seed)("sqlite")) as disk:
        path = folder / f"{seed}.db"
        database = RandomDatabase(path, dice, synchronous)
        end = EndAt(dice.randrange(400), lambda: changed.append(disk.power_cut(dice)))
        disk.fail(end)
        try:
            database.open()
            for _ in range(STEPS):
                database.step()
            end_now(disk, changed, dice)
        except sqlite3.Error:
            assert end.is_over
        disk.work()
        database.close()
        return database, found_after(disk, path), changed[0]


def end_now(disk: SimulatedDisk, changed: list[int], dice: Random) -> None:
    """Cut the power where none of the operations did."""
    if not changed:
        changed.append(disk.power_cut(dice))


def test_every_commit_that_returned_is_there(disk_folder: Path) -> None:
    """All of them, at most with the one that was under way, and the database is sound."""
    changed = cuts_in_commits = 0
    for seed in range(CUTS):
        database, found, files = cut_at_random(disk_folder, seed)
        if database.has_table:
            allowed = [database.committed, *database.failed]
            assert found in allowed, f"seed {seed}: {database.commits} commits"
        changed += bool(files)
        cuts_in_commits += bool(database.failed)
    assert changed > CUTS // 4, "the power cuts lose something"
    assert cuts_in_commits > CUTS // 4


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_commits_are_lost_without_a_sync(disk_folder: Path, synchronous: str) -> None:
    """So that the test of those which are not lost can fail; nothing else than commits is lost
    where checkpoints are synced.
    """
    lost = 0
    for seed in range(CUTS):
        try:
            database, found, _ = cut_at_random(disk_folder, seed, synchronous)
        except (sqlite3.DatabaseError, AssertionError):
            assert synchronous == "OFF", "the database is damaged"
            lost += 1
        else:
            allowed = [database.committed, *database.failed]
            lost += database.has_table and found not in allowed
    assert lost > CUTS // 20


def test_a_killed_process_loses_nothing(disk_folder: Path) -> None:
    """What it has written stays in the system's cache; its locks are gone."""
    for seed in range(CUTS):
        dice = Dice(seed)("kill")
        with SimulatedDisk(disk_folder, Dice(seed)("sqlite")) as disk:
            path = disk_folder / f"{seed}.db"
            database = RandomDatabase(path, dice, "OFF")
            end = EndAt(dice.randrange(400), lambda: disk.kill(None))
            disk.fail(end)
            try:
                database.open()
                for _ in range(STEPS):
                    database.step()
                disk.kill(None)
            except sqlite3.Error:
                assert end.is_over
            disk.work()
            found = found_after(disk, path)
            database.close()
            assert found_after(disk, path) == found, "the dead connections change nothing"
            if database.has_table:
                assert found in [database.committed, *database.failed], f"seed {seed}"


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_an_error_of_the_disk_loses_no_commit(disk_folder: Path, operation: Operation) -> None:
    """Neither those before it nor those after it, even where the system forgets what a sync that
    failed was to write.
    """
    failures = 0
    for seed in range(CUTS):
        dice = Dice(seed)("error")
        with SimulatedDisk(disk_folder, Dice(seed)("sqlite")) as disk:
            path = disk_folder / f"{seed}.db"
            database = RandomDatabase(path, dice)
            database.open()
            failing = FailingOperations(operation, dice.randrange(100), dice.randint(1, 3), dice)
            disk.fail(failing)
            for _ in range(STEPS):
                try:
                    database.step()
                except sqlite3.OperationalError as error:
                    assert "disk I/O error" in str(error)
            disk.work()
            disk.power_cut(dice)
            failures += failing.failures
            database.close()
            found = found_after(disk, path)
            assert found in [database.committed, *database.failed], f"seed {seed}"
    assert failures > CUTS // 2
