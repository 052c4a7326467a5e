"""What is written in groups: on the disk before its writer goes on; nobody harms the others."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger import DATABASE, Ledger
from gateway.store import StoreError

TABLE = "CREATE TABLE entry (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"


@pytest.fixture(name="ledger")
def make_ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path, [TABLE])
    yield ledger
    ledger.close()


def insert(n: int):
    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO entry VALUES (?, ?)", (n, f"entry {n}"))
        return n

    return work


def entries(home: Path) -> list[int]:
    """What another program sees."""
    with sqlite3.connect(home / DATABASE) as connection:
        found = [n for (n,) in connection.execute("SELECT n FROM entry ORDER BY n")]
    connection.close()
    return found


async def test_what_was_awaited_is_there_for_everybody(ledger: Ledger, tmp_path: Path):
    assert await ledger.write(insert(1)) == 1
    assert entries(tmp_path) == [1]
    assert ledger.reader.one("SELECT text FROM entry")["text"] == "entry 1"


async def test_many_at_once_are_all_there_in_their_order(ledger: Ledger, tmp_path: Path):
    done = await asyncio.gather(*(ledger.write(insert(n)) for n in range(1000)))

    assert done == list(range(1000)) == entries(tmp_path)


async def test_a_write_that_fails_harms_no_other_of_its_group(ledger: Ledger, tmp_path: Path):
    def fails_half_way(connection: sqlite3.Connection) -> None:
        insert(50)(connection)
        raise ValueError("of the work itself")

    works = [insert(1), insert(2), insert(2), fails_half_way, insert(3)]
    done = await asyncio.gather(*(ledger.write(one) for one in works), return_exceptions=True)

    assert done[:2] == [1, 2]
    assert isinstance(done[2], sqlite3.IntegrityError)
    assert isinstance(done[3], ValueError)
    assert entries(tmp_path) == [1, 2, 3]


async def test_what_nobody_waits_for_is_written_before_the_end(ledger: Ledger, tmp_path: Path):
    for n in range(20):
        ledger.write_soon(insert(n))
    ledger.close()

    assert entries(tmp_path) == list(range(20))


async def test_a_closed_ledger_takes_nothing(ledger: Ledger):
    ledger.close()
    ledger.close()

    with pytest.raises(StoreError, match="closed"):
        await ledger.write(insert(1))


async def test_a_group_that_cannot_be_committed_is_told_to_all(ledger: Ledger):
    """Another program that never lets go of the file: both writers hear what to do."""
    await ledger.write(lambda connection: connection.execute("PRAGMA busy_timeout=10").fetchall())
    other = sqlite3.connect(ledger.reader.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done = await asyncio.gather(
        ledger.write(insert(1)), ledger.write(insert(2)), return_exceptions=True
    )
    other.execute("ROLLBACK")
    other.close()

    assert all(isinstance(error, StoreError) for error in done)
    assert await ledger.write(insert(1)) == 1


async def test_two_programs_write_to_one_ledger(ledger: Ledger, tmp_path: Path):
    other = Ledger(tmp_path, [TABLE])
    await asyncio.gather(
        *(ledger.write(insert(n)) for n in range(0, 100, 2)),
        *(other.write(insert(n)) for n in range(1, 100, 2)),
    )
    other.close()

    assert entries(tmp_path) == list(range(100))


async def test_what_nobody_waits_for_goes_with_the_next_group(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It costs no commit of its own while somebody writes in time."""
    monkeypatch.setattr("gateway.ledger.LINGER_S", 60.0)
    lingering = [ledger.write_later(insert(n)) for n in range(3)]
    await ledger.write(insert(3))
    assert [one.result() for one in lingering] == [0, 1, 2]
    assert entries(tmp_path) == [0, 1, 2, 3]


async def test_it_is_written_without_company_too(ledger: Ledger, tmp_path: Path) -> None:
    """A moment later, or when the ledger is closed."""
    await ledger.write_later(insert(0))
    ledger.write_soon(insert(1))
    ledger.close()
    assert entries(tmp_path) == [0, 1]


async def test_a_late_failure_is_told(ledger: Ledger, tmp_path: Path) -> None:
    """And harms no other one of its group."""
    results = await asyncio.gather(
        ledger.write_later(insert(0)),
        ledger.write_later(insert(0)),
        ledger.write(insert(1)),
        return_exceptions=True,
    )
    assert [isinstance(one, sqlite3.IntegrityError) for one in results] == [False, True, False]
    assert entries(tmp_path) == [0, 1]


async def test_nothing_is_written_into_a_file_that_was_taken_away(ledger: Ledger, tmp_path: Path):
    """Nobody would ever find what stands in a file that has no name any more."""
    await ledger.write(insert(1))
    (tmp_path / DATABASE).rename(tmp_path / "elsewhere.db")

    with pytest.raises(StoreError, match="exchanged or removed"):
        await ledger.write(insert(2))


async def test_a_full_disk_is_told_as_such(ledger: Ledger) -> None:
    """Also where SQLite does not undo the whole group by itself, only what has no room."""

    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO entry (text) SELECT hex(zeroblob(50000))")

    await ledger.write(insert(1))
    await ledger.write(lambda connection: connection.execute("PRAGMA max_page_count=4").fetchone())
    with pytest.raises(StoreError, match="disk is full"):
        await ledger.write(fill)


async def test_a_home_that_was_taken_away_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Something else stands in its place: writes fail, each of them, instead of hanging."""
    home = tmp_path / "home"
    ledger = Ledger(home, [TABLE])
    home.rename(tmp_path / "elsewhere")
    home.write_text("no folder")
    for n in range(2):
        with pytest.raises(StoreError):
            async with asyncio.timeout(10.0):
                await ledger.write(insert(n))
    ledger.close()
