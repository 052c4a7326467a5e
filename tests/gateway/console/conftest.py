"""An open console on SQLite and on PostgreSQL: every test that asks for it runs on both.

A test that is marked ``alike`` asks PostgreSQL nothing that others do not, and has nothing happen
at once: there it runs with ``--long`` alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from console_fixtures import CHEAP, Clock
from copied_database import new_sqlite
from postgresql_cluster import running_cluster, url
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.config import ConsoleServer, Secrets
from gateway.console.database import engine as engine_module
from gateway.console.database import home_url, open_database
from gateway.console.database.engine import FILE, upgrade
from gateway.console.database.model import Base
from gateway.console.service import Console, open_console
from gateway.console.settings import ConsoleSettings

DIALECTS = (SQLiteDialect_aiosqlite, PGDialect_asyncpg)
DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave what is marked ``alike`` to the long form where it would run on PostgreSQL."""
    callspec = getattr(item, "callspec", None)
    if callspec and "postgresql" in callspec.params.values() and item.get_closest_marker("alike"):
        item.add_marker(pytest.mark.long)


EMPTY = "; ".join(
    f"DELETE FROM {table.name}"  # noqa: S608 (our own names)
    for table in reversed(Base.metadata.sorted_tables)
)


@dataclass
class Cluster:
    """A running PostgreSQL."""

    folder: Path
    numbers: Iterator[int] = field(default_factory=count)
    has_tables: bool = False

    async def with_tables(self) -> str:
        """Return the URL of a database with all tables and nothing in them."""
        address = url(self.folder, "console")
        if not self.has_tables:
            await self.run("CREATE DATABASE console")
            async with open_database(address):
                self.has_tables = True
        await self.run(EMPTY, "console")
        return address

    async def without_tables(self) -> str:
        """Return the URL of a database in which nothing is."""
        name = f"empty{next(self.numbers)}"
        await self.run(f"CREATE DATABASE {name}")
        return url(self.folder, name)

    async def run(self, statement: str, database: str = "postgres") -> None:
        """Run a statement outside of any transaction of ours."""
        connection = await asyncpg.connect(
            user="tests", database=database, host=str(self.folder), port=5432
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL for all tests of a worker."""
    with running_cluster() as folder:
        yield Cluster(folder)


@pytest.fixture(scope="package", autouse=True)
def compiled_once() -> Iterator[None]:
    """Keep compiled statements for the next test, whose engine would compile all of them anew.

    SQLAlchemy keeps them by engine and dialect; dialects of one class are alike here.
    """
    kept: dict[Any, Any] = {}

    def create(url: Any, **options: Any) -> AsyncEngine:
        return create_async_engine(url, **options).execution_options(compiled_cache=kept)

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(engine_module, "create_async_engine", create)
        for dialect in DIALECTS:
            patching.setattr(dialect, "__eq__", lambda one, other: type(one) is type(other))
            patching.setattr(dialect, "__hash__", lambda one: hash(type(one)))
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables and no row; making them takes longer than most tests."""
    file = tmp_path_factory.mktemp("template") / FILE
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()
    return file


@pytest.fixture(params=DATABASES)
async def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path
) -> str:
    """A database of the test's own, without a row."""
    if request.param == "sqlite":
        return new_sqlite(sqlite_template, tmp_path / "home")
    cluster: Cluster = request.getfixturevalue("cluster")
    return await cluster.with_tables()


@pytest.fixture(params=DATABASES)
async def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the test's own, without a table."""
    if request.param == "sqlite":
        return home_url(tmp_path / "empty")
    cluster: Cluster = request.getfixturevalue("cluster")
    return await cluster.without_tables()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def console_settings(database_url: str) -> ConsoleSettings:
    """Settings on the database of the test; mails go into files."""
    return ConsoleSettings(
        console_server=ConsoleServer(database=database_url), secrets=Secrets(store="file")
    )


@pytest.fixture
async def console(
    tmp_path: Path, console_settings: ConsoleSettings, clock: Clock
) -> AsyncIterator[Console]:
    """An open console; its mails are not carried unless a test does."""
    async with open_console(tmp_path / "home", console_settings, clock, costs=CHEAP) as opened:
        yield opened
