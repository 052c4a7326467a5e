"""What is written in groups: on the disk before its writer goes on; nobody harms the others."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway.storage.ledger
import gateway.storage.store
from gateway.storage.ledger import DATABASE, Ledger, Signal
from gateway.storage.reserve import Reserve
from gateway.storage.store import DiskFull, StoreError

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
    row = ledger.reader.one("SELECT text FROM entry")
    assert row is not None
    assert row["text"] == "entry 1"


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


async def test_a_group_that_cannot_be_committed_is_told_to_all(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    """Another program that never lets go of the file: both writers hear what to do."""
    monkeypatch.setattr(gateway.storage.store, "BUSY_MS", 10)
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
    monkeypatch.setattr("gateway.storage.ledger.LINGER_S", 60.0)
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


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an open file cannot be moved")
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


async def test_the_reserve_is_for_what_adds_no_risk(tmp_path: Path) -> None:
    """It is given up by the first write that finds no room; SQLite's own limit stands in for the
    disk's, and whoever gives the reserve up for its lifting.
    """
    reserve = Reserve(tmp_path, 4096)
    ledger = Ledger(tmp_path, [TABLE], reserve)
    assert reserve.keep()

    def limit(pages: int):
        return lambda connection: connection.execute(f"PRAGMA max_page_count={pages}").fetchone()

    def fill(connection: sqlite3.Connection) -> None:
        if not reserve.is_whole:
            limit(1000)(connection)
        connection.execute("INSERT INTO entry (text) SELECT hex(zeroblob(50000))")

    await ledger.write(limit(4))
    both = (ledger.write(fill, adds_risk=True), ledger.write(fill), ledger.write(insert(7)))
    risky, *others = await asyncio.gather(*both, return_exceptions=True)
    assert isinstance(risky, DiskFull)
    assert others == [None, 7]
    assert not reserve.is_whole
    with pytest.raises(DiskFull, match="make room where"):
        await ledger.write(insert(8), is_small=True, adds_risk=True)
    assert await ledger.write(insert(9), is_small=True) == 9
    assert reserve.keep()
    assert await ledger.write(insert(8), is_small=True, adds_risk=True) == 8
    ledger.close()


async def test_a_home_that_was_taken_away_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Something else stands in its place: writes fail, each of them, instead of hanging."""
    home = tmp_path / "home"
    ledger = Ledger(home, [TABLE])
    home.rename(tmp_path / "elsewhere")
    home.write_text("no folder")
    for n in range(2):
        with pytest.raises(StoreError):
            async with asyncio.timeout(60.0):
                await ledger.write(insert(n))
    ledger.close()


# --- in which thread ---------------------------------------------------------------------------


def where(n: int, threads: list[str]):
    """Work that notes in which thread it is done."""

    def work(connection: sqlite3.Connection) -> int:
        threads.append(threading.current_thread().name)
        return insert(n)(connection)

    return work


@pytest.fixture(name="quick")
def have_a_quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is that this runs on."""
    monkeypatch.setattr(gateway.storage.ledger, "MAX_HERE_S", 60.0)


HERE, THREAD = threading.main_thread().name, "ledger"


@pytest.mark.usefixtures("quick")
async def test_who_writes_alone_needs_no_thread(ledger: Ledger, tmp_path: Path) -> None:
    """What lingers goes with him, before him; it is all on the disk when he goes on."""
    threads: list[str] = []
    for n in range(0, 6, 3):
        ledger.write_soon(where(n, threads))
        later = ledger.write_later(where(n + 1, threads))
        assert await ledger.write(where(n + 2, threads), is_small=True) == n + 2
        assert later.result() == n + 1
        assert entries(tmp_path) == list(range(n + 3))
    assert threads == [HERE] * 6


@pytest.mark.usefixtures("quick")
async def test_what_is_not_small_is_left_to_the_thread(ledger: Ledger) -> None:
    """The loop waits for nothing that takes long."""
    threads: list[str] = []
    await ledger.write(where(1, threads))
    await ledger.write_later(where(2, threads))  # nobody else writes within a moment
    assert threads == [THREAD, THREAD]


@pytest.mark.usefixtures("quick")
async def test_who_writes_in_a_crowd_shares_a_commit(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those who come while the others are at it, and for a moment after."""
    monkeypatch.setattr(gateway.storage.ledger, "CROWD_S", 60.0)
    threads: list[str] = []
    await asyncio.gather(*(ledger.write(where(n, threads), is_small=True) for n in range(8)))
    await ledger.write(where(8, threads), is_small=True)
    assert threads == [THREAD] * 9


async def test_a_slow_disk_holds_the_loop_up_but_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a commit that took too long the thread waits for the disk."""
    monkeypatch.setattr(gateway.storage.ledger, "MAX_HERE_S", 0.0)
    monkeypatch.setattr(gateway.storage.ledger, "SLOW_S", 3600.0)
    threads: list[str] = []
    for n in range(3):
        await ledger.write(where(n, threads), is_small=True)
    assert threads == [HERE, THREAD, THREAD]


@pytest.mark.usefixtures("quick")
async def test_the_loop_does_not_wait_for_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on while the thread waits until the other one has written, for however long."""
    monkeypatch.setattr(gateway.storage.store, "BUSY_MS", 600_000)
    ledger = Ledger(tmp_path, [TABLE])
    other = sqlite3.connect(ledger.reader.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    threads: list[str] = []
    writing = asyncio.create_task(ledger.write(where(1, threads), is_small=True))
    while not (ledger._handed and ledger._writing.locked()) and not writing.done():  # noqa: ASYNC110  # a lock has no event
        await asyncio.sleep(0)  # until the thread is at it
    other.execute("INSERT INTO entry VALUES (7, 'of the other')")
    other.execute("COMMIT")
    other.close()
    assert await writing == 1
    assert threads == [THREAD]
    ledger.close()
    assert entries(tmp_path) == [1, 7]


@pytest.mark.usefixtures("quick")
async def test_one_who_writes_alone_and_fails_harms_none_that_lingers(
    ledger: Ledger, tmp_path: Path
) -> None:
    """He is told; theirs is there."""
    later = ledger.write_later(insert(1))
    with pytest.raises(sqlite3.IntegrityError):
        await ledger.write(insert(1), is_small=True)
    assert later.result() == 1
    assert entries(tmp_path) == [1]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("at_once", "bound"), [(1, 1000), (50, 60)])
async def test_the_log_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, bound: int
) -> None:
    """Its pages go back into the file again and again, whoever writes."""
    monkeypatch.setattr(gateway.storage.ledger, "WRITES_A_CHECKPOINT", 50)
    monkeypatch.setattr(gateway.storage.ledger, "MAX_LOG_PAGES", 500)
    ledger = Ledger(tmp_path, [TABLE])
    pages = []
    for start in range(0, 2000, at_once):
        numbers = range(start, start + at_once)
        await asyncio.gather(*(ledger.write(insert(n), is_small=True) for n in numbers))
        pages.append((tmp_path / f"{DATABASE}-wal").stat().st_size // 4096)
    ledger.close()
    assert entries(tmp_path) == list(range(2000))
    assert max(pages) < pages[0] + bound


async def test_a_log_that_one_write_after_the_other_keeps_long_begins_anew(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the pages of others come before the last one is back, nobody writes for a moment."""
    left, seen = [gateway.storage.ledger.MAX_LOG_PAGES + 1, 0], []

    def checkpoint() -> int:
        seen.append(ledger._writing.locked())
        return left[len(seen) - 1]

    monkeypatch.setattr(ledger._writer, "checkpoint", checkpoint)
    ledger._groups.put(Signal.CHECKPOINT)
    # behind it in the thread
    assert await ledger.write(insert(1)) == 1
    assert seen == [False, True]
    assert not ledger._writing.locked()


@pytest.mark.usefixtures("quick")
async def test_what_is_put_off_where_no_loop_runs_is_written(
    ledger: Ledger, tmp_path: Path
) -> None:
    """And it does not keep the loop from writing afterwards."""
    threads: list[str] = []
    await ledger.write(insert(1))
    await asyncio.to_thread(ledger.write_soon, insert(2))
    await ledger.write(insert(3))  # by the same thread, so after it
    await ledger.write(where(4, threads), is_small=True)
    assert threads == [HERE]
    assert entries(tmp_path) == [1, 2, 3, 4]
