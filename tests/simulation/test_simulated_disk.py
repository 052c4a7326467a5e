"""SQLite, and the product's stores, on a simulated disk."""

from __future__ import annotations

import gc
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.storage.reserve import FILE, Reserve
from gateway.storage.store import DiskFull, Store, StoreError

from .dice import Dice
from .disk import Operation, SimulatedDisk
from .disk_faults import FailingOperations, Room
from .stored_file import StoredFile

TABLES = ["CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT"]
INSERT = "INSERT INTO rows (body) VALUES (?)"


def insert(store: Store, body: bytes) -> None:
    with store.transaction() as connection:
        connection.execute(INSERT, (body,))


def fill(store: Store) -> int:
    """Insert rows until there is no room; return how many there was room for."""
    for number in range(1000):
        try:
            insert(store, b"x" * 3000)
        except DiskFull:
            return number
    return pytest.fail("the disk is never full")


def count(store: Store) -> int:
    row = store.one("SELECT count(*) FROM rows")
    assert row is not None
    return int(row[0])


def test_the_product_keeps_its_database_there(disk_folder: Path) -> None:
    """Two connections read and write it; the real file is empty but for its length; everything
    else is on the real disk.
    """
    home, elsewhere = disk_folder / "disk" / "home", disk_folder / "other.db"
    home.mkdir(parents=True, mode=0o700)
    with SimulatedDisk(home.parent, Dice(1)("sqlite")) as disk:
        one, other = Store(home, TABLES), Store(home, TABLES)
        for number in range(50):
            insert(one, b"%d" % number)
            insert(other, b"%d" % number)
            assert count(one) == count(other) == 2 * (number + 1)
        one.checkpoint()
        assert {path.name for path in home.iterdir()} == {"gateway.db"}
        assert one.path.stat().st_size == len(disk.contents(one.path) or b"") > 0
        assert one.path.read_bytes().strip(b"\0") == b""
        one.close()
        other.close()
        assert disk.used_bytes() == one.path.stat().st_size, "the log went with its last user"

        with closing(sqlite3.connect(elsewhere)) as real:
            real.execute(TABLES[0])
        assert elsewhere.stat().st_size
        assert elsewhere.read_bytes()[:6] == b"SQLite"
    with closing(sqlite3.connect(elsewhere)) as real:
        assert real.execute("SELECT count(*) FROM rows").fetchone() == (0,)


def test_a_writer_waits_for_another_in_simulated_time(disk_folder: Path) -> None:
    """And is told that it is busy when that has passed."""
    waited: list[float] = []
    with SimulatedDisk(disk_folder, Dice(1)("sqlite"), spend=waited.append):
        one, other = Store(disk_folder, TABLES), Store(disk_folder, TABLES)
        with one.transaction(), pytest.raises(StoreError, match="another program holds it"):
            insert(other, b"")
        assert 4 < sum(waited) < 6
        insert(other, b"")
        assert count(one) == 1
        one.close()
        other.close()


def test_what_is_durable_is_told(disk_folder: Path) -> None:
    """After a commit all is; without a sync it is not."""
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        store = Store(disk_folder, TABLES)
        insert(store, b"one")
        assert disk.is_durable(store.path)
        store.all("PRAGMA synchronous=OFF")
        insert(store, b"two")
        assert not disk.is_durable(store.path)
        store.all("PRAGMA synchronous=FULL")
        insert(store, b"three")
        assert disk.is_durable(store.path), "one sync is for all before it"
        store.close()


def test_the_same_seed_gives_the_same_bytes(disk_folder: Path) -> None:
    """SQLite's own random numbers included; another seed gives others."""
    hashes = []
    for seed in (1, 1, 2):
        with SimulatedDisk(disk_folder, Dice(seed)("sqlite")) as disk:
            store = Store(disk_folder, [*TABLES, "CREATE TABLE random (n INTEGER) STRICT"])
            for _ in range(20):
                insert(store, b"x" * 3000)
                store.all("INSERT INTO random VALUES (random())")
            hashes.append(disk.fingerprint())
            store.close()
        store.path.unlink()
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_time_is_that_of_the_simulation(disk_folder: Path) -> None:
    """For what SQLite asks itself."""
    with SimulatedDisk(disk_folder, Dice(1)("sqlite"), wall_s=lambda: 1_780_000_000.25):
        store = Store(disk_folder, TABLES)
        row = store.one("SELECT unixepoch('now'), datetime('now')")
        assert row is not None
        assert tuple(row) == (1_780_000_000, "2026-05-28 20:26:40")
        store.close()


def test_the_dead_hold_no_locks_and_change_nothing(disk_folder: Path) -> None:
    """Whoever comes after them writes at once, and their connections may be closed at any time."""
    lives = iter([1, 2, 3, 4])
    with SimulatedDisk(disk_folder, Dice(1)("sqlite"), life=lambda: life) as disk:
        life = next(lives)
        first = Store(disk_folder, TABLES)
        insert(first, b"one")
        first._connection.execute("BEGIN IMMEDIATE")
        first._connection.execute(INSERT, (b"never",))
        disk.kill(life)

        life = next(lives)
        second = Store(disk_folder, TABLES)
        insert(second, b"two")
        with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
            first._connection.execute("COMMIT")
        with pytest.raises(StoreError):
            insert(first, b"too late")
        first.close()
        del first
        gc.collect()
        for number in range(300):
            insert(second, b"%d" % number)
        second.checkpoint()
        life = next(lives)
        third = Store(disk_folder, TABLES)
        assert count(third) == count(second) == 302
        third.close()
        second.close()


def leave_unsynced(disk: SimulatedDisk, folder: Path) -> Store:
    """Kill a process with two rows between writing the second one's commit and syncing it."""
    store = Store(folder, TABLES)
    insert(store, b"one")

    class KilledAtSync:
        is_over = False

        def __call__(self, operation: str, *_: object) -> int:
            if operation == "sync":
                disk.kill(None)
            return 0

    disk.fail(KilledAtSync())
    with pytest.raises(StoreError):
        insert(store, b"two")
    disk.work()
    store.close()
    return store


def test_what_a_new_process_reads_survives_a_power_cut(disk_folder: Path) -> None:
    """Also where the one before was killed between writing a commit and syncing it."""
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        store = leave_unsynced(disk, disk_folder)
        assert not disk.is_durable(store.path)
        again = Store(disk_folder, TABLES)
        assert count(again) == 2
        disk.power_cut(Dice(1)("cut"), extent="none")
        again.close()
        last = Store(disk_folder, TABLES)
        assert count(last) == 2
        last.close()


@pytest.mark.parametrize("seed", range(6))
def test_nobody_goes_on_from_a_log_that_cannot_be_synced(disk_folder: Path, seed: int) -> None:
    """The start fails instead: the system may have dropped what it could not write, and what is
    synced behind that would be lost with it in a power cut.
    """
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        leave_unsynced(disk, disk_folder)
        disk.fail(FailingOperations("sync", 0, 3, Dice(seed)("sync")))
        with pytest.raises(StoreError, match="the disk reports errors"):
            Store(disk_folder, TABLES)
        disk.work()
        store = Store(disk_folder, TABLES)
        insert(store, b"three")
        disk.power_cut(Dice(1)("cut"), extent="none")
        store.close()
        again = Store(disk_folder, TABLES)
        assert count(again) == 3
        again.close()


def test_a_full_disk_fails_no_start(disk_folder: Path) -> None:
    """What nobody has synced has its room already, and is synced before the file grows."""
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        leave_unsynced(disk, disk_folder)
        disk.room = Room(0)
        store = Store(disk_folder, TABLES)
        assert disk.room.refusals
        assert disk.is_synced(store.path)
        assert count(store) == 2
        disk.room = None
        store.close()


def test_a_full_disk_reaches_the_product(disk_folder: Path) -> None:
    """As :class:`DiskFull`; the reserve that is given up with it is room; nothing is lost."""
    reserve = Reserve(disk_folder, 256 * 1024)
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        store = Store(disk_folder, TABLES)
        assert reserve.keep()
        assert not disk.has_failed
        disk.room = Room(100_000, disk_folder / FILE)
        written = fill(store)
        assert written
        assert not reserve.is_whole
        assert disk.room.left > 250_000
        more = fill(store)
        assert more > 15, "the reserve's room"
        assert disk.room.refusals == 2
        disk.room = None
        assert disk.has_failed
        disk.power_cut(Dice(1)("cut"))
        store.close()
        again = Store(disk_folder, TABLES)
        assert count(again) == written + more
        again.close()


@pytest.mark.parametrize("operation", ["read", "write", "sync"])
def test_errors_reach_the_product(disk_folder: Path, operation: Operation) -> None:
    """As a :class:`StoreError` with its remedy, and all is well when they are over."""
    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        store = Store(disk_folder, TABLES)
        insert(store, b"before")
        store.close()
        store = Store(disk_folder, TABLES, check="never")
        failing = FailingOperations(operation, 0, 1, Dice(1)("cut"))
        disk.fail(failing)
        with pytest.raises(StoreError, match="the disk reports errors"):
            insert(store, b"while")
        assert failing.failures == 1
        insert(store, b"after")
        assert count(store) == 2
        store.close()


def test_a_slow_sync_takes_its_time(disk_folder: Path) -> None:
    """Each sync takes the time that was set for it on the disk."""
    spent: list[float] = []
    with SimulatedDisk(disk_folder, Dice(1)("sqlite"), spend=spent.append) as disk:
        store = Store(disk_folder, TABLES)
        insert(store, b"one")
        disk.sync_s = iter([0.5, 1.5]).__next__
        insert(store, b"two")
        assert spent == [0.5]
        insert(store, b"three")
        assert spent == [0.5, 1.5]
        disk.work()
        store.close()


def test_an_exception_never_passes_into_sqlite(disk_folder: Path) -> None:
    """SQLite sees an error of the disk, and the disk raises what it was in the end."""

    class Mistaken:
        is_over = False

        def __call__(self, *_: object) -> int:
            raise LookupError("a mistake of the simulation's own")

    def use(disk: SimulatedDisk) -> None:
        store = Store(disk_folder, TABLES)
        disk.fail(Mistaken())
        with pytest.raises(StoreError):
            insert(store, b"")
        disk.work()
        store.close()

    with (
        pytest.raises(LookupError, match="a mistake"),
        SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk,
    ):
        use(disk)


def test_a_file_that_was_never_synced_may_be_gone(disk_folder: Path) -> None:
    """With its entry in the folder; and one that was deleted may be back."""
    found = set()
    for seed in range(30):
        with SimulatedDisk(disk_folder, Dice(seed)("sqlite")) as disk:
            kept, new = (b"%s%s" % (disk.prefix, name) for name in (b"kept-wal", b"new-wal"))
            for name in (kept, new):
                opened = disk.open(name, 4)
                assert opened is not None
                if name == kept:
                    opened.sync(0)
                opened.close()
            disk.delete(kept, sync=False)
            disk.power_cut(Dice(seed)("cut"))
            found.add((disk.has(kept), disk.has(new)))
    assert len(found) == 4
    assert StoredFile(b"").is_durable


def test_a_judge_reads_what_a_failing_disk_holds(disk_folder: Path) -> None:
    """While it looks nothing goes wrong, and afterwards everything does again."""

    class FailsToRead:
        is_over = False

        def __call__(self, operation: str, *_: object) -> int:
            return sqlite3.SQLITE_IOERR if operation == "read" else 0

    with SimulatedDisk(disk_folder, Dice(1)("sqlite")) as disk:
        first = Store(disk_folder, TABLES)
        insert(first, b"one")
        first.close()
        disk.fail(FailsToRead())
        with disk.unfailing():
            judge = Store(disk_folder, TABLES)
            assert count(judge) == 1
            judge.close()
        with pytest.raises(StoreError):
            Store(disk_folder, TABLES)
