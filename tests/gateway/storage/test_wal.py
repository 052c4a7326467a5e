"""Write-ahead log of a database: several open it at once, and hear of commits."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ea_bridge.host import Host, MappedFile, handed_in
from gateway.console.database import open_database
from gateway.storage.database_file import begin_wal
from gateway.storage.store import Store


@pytest.fixture(name="other")
def writing_connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another program's connection, which writes a database that is not in WAL mode yet."""
    connection = sqlite3.connect(
        tmp_path / "some.db", isolation_level=None, check_same_thread=False
    )
    with closing(connection):
        connection.execute("CREATE TABLE there (it INTEGER)")
        connection.execute("BEGIN IMMEDIATE")
        yield connection


@pytest.fixture(name="waits")
def count_waits(other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it was waited, each time; the other ends with the third."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr("gateway.storage.database_file.host.sleep", wait)
    return waits


def mode(path: Path) -> str:
    """What a database is in."""
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_it_waits_for_whoever_writes(waits: list[float], tmp_path: Path) -> None:
    """SQLite itself refuses at once."""
    with closing(sqlite3.connect(tmp_path / "some.db")) as connection:
        assert begin_wal(connection, 60_000)
    assert len(waits) == 3
    assert mode(tmp_path / "some.db") == "wal"


def test_it_waits_no_longer_than_it_should(other: sqlite3.Connection, tmp_path: Path) -> None:
    """Then the other is told of."""
    assert other.in_transaction
    with (
        closing(sqlite3.connect(tmp_path / "some.db")) as connection,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        begin_wal(connection, 1)


def test_what_has_none_is_told() -> None:
    """A database in memory."""
    with closing(sqlite3.connect(":memory:")) as connection:
        assert not begin_wal(connection, 0)


def test_the_daemon_s_database_waits(waits: list[float], tmp_path: Path) -> None:
    """Several commands may begin with one new home."""
    Store(tmp_path, [], database="some.db").close()
    assert len(waits) == 3


async def test_the_console_s_database_waits(waits: list[float], tmp_path: Path) -> None:
    """Several consoles may."""
    async with open_database(f"sqlite:///{tmp_path / 'some.db'}"):
        pass
    assert len(waits) == 3


# --- the index that tells of commits ---------------------------------------------------------

ONE_TABLE = ("CREATE TABLE halts (terminal TEXT) STRICT;",)
ANOTHER_PROCESS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
print(connection.execute(sys.argv[2]).fetchall())
"""


def elsewhere(store: Store, sql: str) -> str:
    """Run a statement in another process; return its rows."""
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS, store.path, sql],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_version_is_another_after_each_commit_of_anybody(tmp_path: Path) -> None:
    """Of this connection, of another one and of another process; reading changes nothing."""
    with (
        closing(Store(tmp_path, ONE_TABLE)) as store,
        closing(Store(tmp_path, ONE_TABLE)) as other,
    ):
        versions = [store.data_version()]
        for commit in (
            lambda: insert(store),
            lambda: insert(other),
            lambda: elsewhere(store, "INSERT INTO halts VALUES ('c')"),
        ):
            commit()
            assert store.data_version() not in versions
            versions.append(store.data_version())
            assert store.all("SELECT * FROM halts")
            elsewhere(store, "SELECT * FROM halts")
            assert store.data_version() == versions[-1]


def insert(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute("INSERT INTO halts VALUES ('x')")


@pytest.mark.skipif(os.name != "posix", reason="POSIX alone drops locks so")
def test_a_connection_that_is_closed_takes_no_locks_of_another_away(tmp_path: Path) -> None:
    """Both map the index; what one reads may not be overwritten after the other was closed."""
    with closing(Store(tmp_path, ONE_TABLE)) as reader:
        insert(reader)
        with reader.transaction() as reading:  # what it reads stays in the log
            reading.execute("SELECT * FROM halts").fetchall()
            Store(tmp_path, ONE_TABLE, check="never").close()
            assert elsewhere(reader, "PRAGMA wal_checkpoint(TRUNCATE)").startswith("[(1,")
        assert elsewhere(reader, "PRAGMA wal_checkpoint(TRUNCATE)").startswith("[(0,")


@pytest.mark.skipif(sys.platform != "linux", reason="nothing tells the descriptors")
def test_connections_that_come_and_go_keep_no_descriptors(tmp_path: Path) -> None:
    """While another one stays open."""
    with closing(Store(tmp_path, ONE_TABLE)):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            Store(tmp_path, ONE_TABLE, check="never").close()
        # SQLite keeps one of each file for locks that are held, and closes it with the last
        assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_where_nothing_can_be_mapped_the_database_is_asked(tmp_path: Path) -> None:
    """It is so on Windows."""
    with handed_in(Unmapped()), closing(Store(tmp_path, ONE_TABLE)) as store:
        before = store.data_version()
        assert isinstance(before, tuple)
        insert(store)
        assert store.data_version() != before


class Unmapped(Host):
    """Computer that maps no file."""

    def map_file(self, path: Path, size: int) -> MappedFile:
        raise OSError("files are not mapped on this system")
