"""A new database that several open at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.console.database import open_database
from gateway.storage.store import Store
from gateway.storage.wal import begin_wal


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

    monkeypatch.setattr("gateway.storage.wal.host.sleep", wait)
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
