"""The rules of the database."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from pathlib import Path

import pytest

import gateway.storage.store
from gateway.storage.store import DATABASE, Store, StoreError

FIRST = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"
SECOND = """
-- a comment; with a semicolon
CREATE TABLE counts (n INTEGER NOT NULL) STRICT;
INSERT INTO counts VALUES (0);
CREATE TRIGGER counted AFTER INSERT ON notes BEGIN
    UPDATE counts SET n = n + 1;
END;
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = Store(home, [FIRST, SECOND])
    yield opened
    opened.close()


def write(store: Store, text: str) -> None:
    with store.transaction() as db:
        db.execute("INSERT INTO notes (text) VALUES (?)", (text,))


def texts(store: Store) -> list[str]:
    return [row["text"] for row in store.all("SELECT text FROM notes ORDER BY id")]


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in another process."""
    return subprocess.run(  # our own code
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_is_durable_and_checks_references(store: Store) -> None:
    """WAL, synchronous=FULL, foreign keys: acknowledged means on the disk."""
    assert store.one("PRAGMA journal_mode")[0] == "wal"  # type: ignore[index]
    assert store.one("PRAGMA synchronous")[0] == 2  # type: ignore[index]
    assert store.one("PRAGMA foreign_keys")[0] == 1  # type: ignore[index]


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_only_the_owner_may_read_it(home: Path, store: Store) -> None:
    """Folder 0700; database, WAL and shared memory 0600."""
    write(store, "x")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    files = list(home.iterdir())
    assert len(files) == 3
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_loose_modes_are_tightened(home: Path) -> None:
    """An empty folder becomes private, and so does a database that others could read."""
    home.mkdir(mode=0o755)
    Store(home, [FIRST]).close()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    (home / DATABASE).chmod(0o644)
    Store(home, [FIRST]).close()
    assert stat.S_IMODE((home / DATABASE).stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_a_folder_that_everybody_may_write_to_is_refused(home: Path) -> None:
    """Anybody could exchange the database there."""
    home.mkdir()
    (home / "something").touch()
    home.chmod(0o777)
    with pytest.raises(StoreError, match="chmod o-w"):
        Store(home, [FIRST])


def test_a_home_that_cannot_be_is_explained(tmp_path: Path) -> None:
    """A file in the way is no traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / "file", [FIRST])


def test_migrations_run_once_and_in_order(home: Path) -> None:
    """An old database is brought up to date, with its content; a new one gets them all."""
    old = Store(home, [FIRST])
    write(old, "kept")
    old.close()
    for _ in range(2):
        store = Store(home, [FIRST, SECOND])
        assert texts(store)[0] == "kept"
        write(store, "more")
        store.close()
    count = Store(home, [FIRST, SECOND]).one("SELECT n FROM counts")
    assert count is not None
    assert count["n"] == 2


def test_a_migration_happens_wholly_or_not_at_all(home: Path) -> None:
    """A script that fails in its middle leaves the database as it was, with its version."""
    Store(home, [FIRST]).close()
    with pytest.raises(sqlite3.OperationalError):
        Store(home, [FIRST, "CREATE TABLE half (a INTEGER) STRICT;\nCREATE NONSENSE;\n"])
    Store(home, [FIRST, "CREATE TABLE half (b INTEGER) STRICT"]).close()


def test_a_newer_database_is_refused(home: Path) -> None:
    """An older program does not touch what it does not understand."""
    Store(home, [FIRST, SECOND]).close()
    before = (home / DATABASE).read_bytes()
    with pytest.raises(StoreError, match="newer version of mt-gateway"):
        Store(home, [FIRST])
    assert (home / DATABASE).read_bytes() == before


def test_a_file_that_is_no_database_is_refused(home: Path) -> None:
    """And left as it is."""
    home.mkdir()
    (home / DATABASE).write_bytes(b"this is a letter to my aunt " * 200)
    with pytest.raises(StoreError, match="no database; restore it from a backup"):
        Store(home, [FIRST])
    assert (home / DATABASE).read_bytes().startswith(b"this is a letter")


def test_a_damaged_database_is_refused(home: Path) -> None:
    """Damage is found at the start, not by whoever meets it first."""
    store = Store(home, [FIRST])
    with store.transaction() as db:
        db.executemany("INSERT INTO notes (text) VALUES (?)", [("x" * 500,)] * 200)
    store.close()
    with (home / DATABASE).open("r+b") as file:
        file.seek(4096 * 2)
        file.write(os.urandom(4096 * 4))
    with pytest.raises(StoreError, match="damaged; restore it from a backup"):
        Store(home, [FIRST])


@pytest.fixture
def damage(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What spoils a database that counts as large; it was found sound just now."""
    monkeypatch.setattr(gateway.storage.store, "SMALL_BYTES", 0)
    monkeypatch.setattr(gateway.storage.store, "_now_s", lambda: 1_800_000_000)
    opened = Store(home, [FIRST, SECOND])
    for _ in range(50):
        write(opened, "x" * 4000)
    opened.close()
    Store(home, [FIRST, SECOND]).close()

    def spoil() -> None:
        with (home / DATABASE).open("r+b") as file:
            file.seek(30 * 4096)
            file.write(b"\xff" * 4096)

    return spoil


@pytest.mark.parametrize(
    ("later_s", "is_looked_at"), [(0, False), (86_399, False), (86_400, True), (-1, True)]
)
def test_a_large_database_is_looked_through_once_a_day(
    home: Path,
    damage: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    later_s: int,
    is_looked_at: bool,
) -> None:
    """A start must not get slower with the file; nor does a clock that was set back switch the
    look off."""
    damage()
    monkeypatch.setattr(gateway.storage.store, "_now_s", lambda: 1_800_000_000 + later_s)
    with pytest.raises(StoreError, match="damaged") if is_looked_at else nullcontext():
        Store(home, [FIRST, SECOND]).close()


def test_a_large_database_that_was_damaged_is_not_noted_as_sound(
    home: Path, damage: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each start says so, not only the first of the day."""
    damage()
    monkeypatch.setattr(gateway.storage.store, "_now_s", lambda: 1_900_000_000)
    for _ in range(2):
        with pytest.raises(StoreError, match="damaged"):
            Store(home, [FIRST, SECOND])


def later(home: Path) -> Store:
    return Store(home, [FIRST, SECOND], check="later")


def test_a_large_database_may_be_looked_through_beside_the_work(
    home: Path, damage: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a day, in another thread, while others write; who stops it has it done next time."""
    monkeypatch.setattr(gateway.storage.store, "_now_s", lambda: 1_900_000_000)
    with closing(later(home)) as stopped:
        assert stopped.is_check_due
        stopped.stop_looking()
        stopped.check_integrity()
    with closing(later(home)) as store:
        assert store.is_check_due
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(store.check_integrity)
            write(store, "meanwhile")
            looking.result()
    with closing(later(home)) as store:
        assert not store.is_check_due
        assert texts(store)[-1] == "meanwhile"


def test_a_look_ends_whenever_it_is_stopped(
    home: Path, damage: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the moment before its statement begins: a stop must not wait for minutes."""
    monkeypatch.setattr(gateway.storage.store, "_now_s", lambda: 1_900_000_000)
    monkeypatch.setattr(gateway.storage.store, "LOOK_STEPS", 1)
    check = Store._check_whole

    def stopped(store: Store, connection: sqlite3.Connection) -> None:
        store.stop_looking()
        check(store, connection)

    monkeypatch.setattr(Store, "_check_whole", stopped)
    with closing(later(home)) as store:
        store.check_integrity()
    with closing(later(home)) as store:
        assert store.is_check_due


def test_damage_found_beside_the_work_is_seen_to_first_at_the_next_start(
    home: Path, damage: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the file is sound, as after a restored backup."""
    shutil.copyfile(home / DATABASE, home / "backup.db")
    damage()
    monkeypatch.setattr(gateway.storage.store, "_now_s", lambda: 1_900_000_000)
    with closing(later(home)) as store, pytest.raises(StoreError, match="damaged; restore"):
        store.check_integrity()
    for _ in range(2):
        with pytest.raises(StoreError, match="damaged; restore"):
            later(home)
    for file in home.glob(f"{DATABASE}*"):
        if not file.name.endswith("-damaged"):
            file.unlink()
    shutil.copyfile(home / "backup.db", home / DATABASE)
    later(home).close()
    assert not (home / f"{DATABASE}-damaged").exists()


def test_damage_is_told_also_where_the_disk_takes_no_mark_of_it(
    home: Path, damage: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that goes bad is often read-only by then; nothing may trade on all the same."""
    damage()
    monkeypatch.setattr(gateway.storage.store, "_now_s", lambda: 1_900_000_000)
    (home / f"{DATABASE}-damaged").symlink_to(home / "nowhere" / "mark")
    with closing(later(home)) as store, pytest.raises(StoreError, match="damaged; restore"):
        store.check_integrity()


def test_a_transaction_that_fails_changes_nothing(store: Store) -> None:
    """All or nothing, whatever the exception; the connection stays usable."""
    with suppress(KeyboardInterrupt), store.transaction() as db:
        db.execute("INSERT INTO notes (text) VALUES ('never')")
        raise KeyboardInterrupt
    write(store, "after")
    assert texts(store) == ["after"]


def test_our_own_mistakes_are_not_dressed_up(store: Store) -> None:
    """Wrong SQL and violated constraints are for the programmer, or for the concept."""
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        store.all("SELECT * FROM strangers")
    with pytest.raises(sqlite3.IntegrityError), store.transaction() as db:
        db.execute("INSERT INTO notes (text) VALUES (NULL)")


def test_a_database_held_by_another_program_is_explained(
    home: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits in vain is told for what."""
    monkeypatch.setattr("gateway.storage.store.BUSY_MS", 1)
    impatient = Store(home, [FIRST, SECOND])
    with (
        store.transaction(),
        pytest.raises(StoreError, match="another program holds it"),
        impatient.transaction(),
    ):
        pass
    impatient.close()


def test_a_full_disk_is_explained_and_nothing_is_half_written(store: Store) -> None:
    """SQLite's own limit stands in for the disk's."""
    pages = store.one("PRAGMA page_count")
    assert pages is not None
    store.all(f"PRAGMA max_page_count={pages[0]}")
    with pytest.raises(StoreError, match="disk is full"):
        write(store, "x" * 100_000)
    store.all("PRAGMA max_page_count=100000")
    assert texts(store) == []
    write(store, "x" * 100_000)


@pytest.mark.parametrize("whose", ["own", "another's"])
def test_data_version_changes_with_every_commit(home: Path, store: Store, whose: str) -> None:
    """Of this connection and of any other; and not without one."""
    writer = store if whose == "own" else Store(home, [FIRST, SECOND])
    before = store.data_version()
    assert store.data_version() == before
    write(writer, "x")
    assert store.data_version() != before
    if writer is not store:
        writer.close()


def test_data_version_sees_other_processes(home: Path, store: Store) -> None:
    """So a revocation by the command line is noticed."""
    before = store.data_version()
    done = python(
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1])\n"
        "c.execute('INSERT INTO notes (text) VALUES (1)'); c.commit()",
        home / DATABASE,
    )
    assert done.returncode == 0, done.stderr
    assert store.data_version() != before
    assert texts(store) == ["1"]


def _exchange(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an open file cannot be exchanged")
@pytest.mark.parametrize("change", [_exchange, Path.unlink])
def test_an_exchanged_file_is_noticed(
    home: Path, store: Store, change: Callable[[Path], None]
) -> None:
    """Else we would read the old one for ever."""
    store.check_place()
    change(home / DATABASE)
    with pytest.raises(StoreError, match="restart"):
        store.check_place()


def test_what_was_committed_survives_the_end_of_the_process(home: Path, store: Store) -> None:
    """``kill -9`` right after the commit."""
    killed = python(
        "import os, signal, sys; from pathlib import Path\n"
        "from gateway.storage.store import Store\n"
        "store = Store(Path(sys.argv[1]), sys.argv[2:])\n"
        "with store.transaction() as db: db.execute('INSERT INTO notes (text) VALUES (1)')\n"
        "os.kill(os.getpid(), 9)",
        home,
        FIRST,
        SECOND,
    )
    assert killed.returncode == (-9 if os.name == "posix" else 9), killed.stderr
    assert texts(store) == ["1"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX locks")
def test_a_second_connection_takes_no_locks_from_the_first(home: Path, store: Store) -> None:
    """POSIX drops all locks of a process on a file when any descriptor of it is closed.

    Only who has the database for himself can leave WAL mode: another process may not.
    """
    Store(home, [FIRST, SECOND]).close()
    done = python(
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], timeout=0)\n"
        "try: print(c.execute('PRAGMA journal_mode=DELETE').fetchone()[0])\n"
        "except sqlite3.OperationalError as e: print(e)",
        home / DATABASE,
    )
    assert done.stdout.strip() in {"database is locked", "wal"}, done.stderr


def test_many_processes_may_open_a_new_home_at_once(home: Path) -> None:
    """One of them migrates, the others wait."""
    code = (
        "import sys; from pathlib import Path; from gateway.storage.store import Store\n"
        "Store(Path(sys.argv[1]), sys.argv[2:]).close()"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(home), FIRST, SECOND]) for _ in range(6)
    ]
    assert [process.wait(60) for process in started] == [0] * 6
