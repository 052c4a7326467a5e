"""Database of the console: SQLite in its home, or PostgreSQL.

``db.session()`` reads, ``db.begin()`` is one transaction that is on disk when it has ended. On
SQLite one writer writes at a time; others of this process wait in line, those of other processes
up to :data:`BUSY_MS`.

All who use a database share a lock on it (:func:`holding`); who exchanges its key holds it alone.
A process that read the secrets with the old key would seal with it what nobody could open any
more. The lock is the database's own: for SQLite one on an empty file beside it, for PostgreSQL an
advisory one. It goes with the process that holds it, however that ends.

aiosqlite works in one thread a connection. If its opening is cancelled or fails, it tells that
thread to stop and does not wait: the thread may speak to an event loop that is closed by then. So
:class:`SqliteConnections` waits for the threads before the database counts as closed.

Opening a database brings it up to this version's tables (:func:`upgrade`). A new database gets all
tables at once, an old one the migrations that it lacks. Alembic takes longer to import than most
starts of the console take, so that it is imported for the latter alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import aiosqlite
from sqlalchemy import (
    URL,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    event,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from gateway.storage.database_file import UnsafePlace, begin_wal, check_folder, make_file

from .model import Base

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0008"
"""The last migration; a test sees that it is."""
LOCK = 0x6D746777
"""Of PostgreSQL's advisory locks: one process upgrades at a time."""

_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), primary_key=True, nullable=False),
)
"""As Alembic makes it."""


class NewerDatabase(Exception):
    """Refusal of a database that a newer version of this program made."""


def upgrade(connection: Connection) -> None:
    """Make the tables, or run the migrations that are missing, within the connection's
    transaction.

    Raises:
        NewerDatabase: it has migrations that this version does not know.

    """
    if connection.dialect.name == "postgresql":
        # two consoles of a new version may start at once; SQLite's one writer does the same
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    tables = set(inspect(connection).get_table_names())
    # also other programs' tables may lie in a PostgreSQL database: only ours count
    if not tables & {_VERSION.name, *Base.metadata.tables}:
        _create(connection)
    elif _VERSION.name not in tables or _versions(connection) != {HEAD}:
        migrate(connection)


def _create(connection: Connection) -> None:
    Base.metadata.create_all(connection)
    _VERSION.create(connection)
    connection.execute(_VERSION.insert(), {"version_num": HEAD})


def _versions(connection: Connection) -> set[str]:
    return set(connection.scalars(select(_VERSION.c.version_num)))


def migrate(connection: Connection) -> None:
    """Run the migrations that are missing, within the connection's transaction.

    Raises:
        NewerDatabase: it has migrations that this version does not know.

    """
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    logging.getLogger("alembic").setLevel(logging.WARNING)  # says at each start what it is
    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    there = MigrationContext.configure(connection).get_current_heads()
    # an older program would write rows that the newer one cannot read: it must not begin
    if not set(there) <= known:
        raise NewerDatabase(
            "the console's database was made by a newer version; install that one, or use another "
            "database"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def newest() -> str | None:
    """Return the name of the last migration."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "gateway.console.database:migrations")
    config.set_main_option("path_separator", "os")
    return config


class SqliteConnections:
    """Connections of one engine, from before they are open until their threads have ended."""

    def __init__(self) -> None:
        self._connections: dict[Thread, aiosqlite.Connection] = {}

    async def connect(self, *args: Any, **options: Any) -> aiosqlite.Connection:
        """Open a connection; the engine is given this as ``async_creator_fn``.

        Cancelled, it closes what it has opened: aiosqlite would leave that to its thread.
        """
        self._discard_ended()
        connection = aiosqlite.connect(*args, **options)
        thread = connection._thread
        thread.daemon = True  # as SQLAlchemy does: a process that is ended does not wait for it
        # before it is opened: an end that comes now has to find the thread
        self._connections[thread] = connection
        opening = asyncio.ensure_future(connection)
        try:
            # shielded: cancelled in the middle, aiosqlite would leave its thread behind
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with suppress(sqlite3.Error):
                await (await opening).close()
            raise

    async def end(self) -> None:
        """Stop what the engine has not closed, and wait until all threads have ended."""
        for connection in self._connections.values():
            if connection._running:  # it was not told to stop
                connection.stop()
        self._discard_ended()
        if not self._connections:
            return
        # in a thread: joining would stop the loop, to which those threads still speak
        joining = asyncio.ensure_future(asyncio.to_thread(_join, tuple(self._connections)))
        try:
            # also when it is cancelled: a loop that closes before them would fail in each thread
            await asyncio.shield(joining)
        except asyncio.CancelledError:
            await joining
            raise

    def _discard_ended(self) -> None:
        for thread in [thread for thread in self._connections if _has_ended(thread)]:
            del self._connections[thread]


def _has_ended(thread: Thread) -> bool:
    # without an identity it has not begun yet: it may still
    return thread.ident is not None and not thread.is_alive()


def _join(threads: Iterable[Thread]) -> None:
    for thread in threads:
        if thread.is_alive():  # not so if its opening was cancelled before it began
            thread.join()


LOCK_FILE = "console.lock"
WAIT_S = 5.0
"""For an exchange to end; it takes less than a second."""
_KEY = 0x6D746775
"""Of PostgreSQL's advisory locks."""


@asynccontextmanager
async def holding(db: Database, *, alone: bool = False) -> AsyncIterator[None]:
    """Hold a database until the block ends.

    Args:
        db: of the console.
        alone: nobody else may have it open, and nobody can open it meanwhile.

    Raises:
        DatabaseError: somebody else holds it in a way that does not go together.

    """
    if db.is_sqlite:
        # beside the database, not in it: a reader of the file itself would hold the lock
        file = Path(db.engine.url.database or "").with_name(LOCK_FILE)
        lock = await asyncio.to_thread(_lock_file, file, alone)
        try:
            yield
        finally:
            lock.close()
        return
    kind = "" if alone else "_shared"
    async with db.engine.connect() as connection:
        # a transaction that stays open for days would keep PostgreSQL from cleaning its tables
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        # an exchange does not wait: a console that runs has to be ended by a person
        for left in reversed(range(1 if alone else 10)):
            # tried again and again: a statement that waits could not be told from one that hangs
            got = await connection.scalar(text(f"SELECT pg_try_advisory_lock{kind}({_KEY})"))
            if not got and left:
                await asyncio.sleep(WAIT_S / 10)
        if not got:
            raise _taken(alone)
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):  # a lost connection has lost its locks
                await connection.execute(text(f"SELECT pg_advisory_unlock{kind}({_KEY})"))


def _lock_file(file: Path, alone: bool) -> sqlite3.Connection:
    with suppress(FileExistsError):  # never opened otherwise: closing would drop the locks
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    lock = sqlite3.connect(file, timeout=0.0 if alone else WAIT_S, check_same_thread=False)
    try:
        lock.isolation_level = None
        # SQLite's own locks: the system drops them with the process, however that ends
        lock.execute("BEGIN EXCLUSIVE" if alone else "BEGIN")
        lock.execute("SELECT 1 FROM sqlite_schema").fetchall()  # takes the shared lock
    except sqlite3.Error as error:
        lock.close()
        # any other error is no sign of somebody else, and must not be told as one
        if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY":
            raise DatabaseError(f"{file} cannot be locked: {error}") from error
        raise _taken(alone) from error
    return lock


def _taken(alone: bool) -> DatabaseError:
    return DatabaseError(
        "a console works on this database; end it, then try again"
        if alone
        else "the key of this console is being exchanged; try again when that is done"
    )


async def insert_missing(session: AsyncSession, table: type[Base], **values: Any) -> None:
    """Insert a row unless one with its primary key exists; two at once both succeed."""
    if session.get_bind().dialect.name == "sqlite":
        await session.execute(sqlite.insert(table).values(**values).on_conflict_do_nothing())
    else:
        await session.execute(postgresql.insert(table).values(**values).on_conflict_do_nothing())


FILE = "console.db"
BUSY_MS = 5_000
MAX_CONNECTIONS = 10
"""Open at a time; further ones wait up to :data:`POOL_S`."""
POOL_S = 30
_AFTER = "after_commit"


class DatabaseError(Exception):
    """Failure to open the database; the message says what to do."""


class Database:
    """An open database; see :func:`open_database`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        # SQLite's own waiting is a poll that may starve one of many
        self._line = asyncio.Lock() if self.is_sqlite else None
        # told to the engine, so that `began` below can begin a write at once
        self._writers = engine.execution_options(console_writes=True)
        self._writing: set[asyncio.Task[Any] | None] = set()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Yield a session that reads one state of the database; it writes nothing."""
        # rows are read on after the end: expired ones would ask the database once more
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """Yield the session of one transaction: committed at the end, rolled back on an error.

        What :func:`after_commit` noted is called then. A transaction within a transaction of the
        same task would wait for itself, and raises ``RuntimeError``.
        """
        task = asyncio.current_task()
        # it would wait for the line, or for its own row locks, without an end
        if task in self._writing:
            raise RuntimeError("a transaction within a transaction: hand the session down")
        self._writing.add(task)
        try:
            async with AsyncExitStack() as stack:
                if self._line is not None:
                    await stack.enter_async_context(self._line)
                session = AsyncSession(self._writers, expire_on_commit=False)
                await stack.enter_async_context(session)
                async with session.begin():
                    yield session
        finally:
            self._writing.discard(task)
        # outside of line and transaction: a callback may begin a transaction of its own
        for call in session.info.get(_AFTER, ()):
            call()

    async def take_turns(self, session: AsyncSession, what: str) -> None:
        """Let one transaction at a time do something, where there is no row yet to lock."""
        if not self.is_sqlite:  # which has one writer anyway
            # ends with the transaction: nothing has to be given back after an error
            lock = text("SELECT pg_advisory_xact_lock(hashtext(:what))")
            await session.execute(lock, {"what": what})


def after_commit(session: AsyncSession, call: Callable[[], None]) -> None:
    """Have something called once the transaction of :meth:`Database.begin` is on disk."""
    session.info.setdefault(_AFTER, []).append(call)


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Open a database and bring its tables up to date.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``; :func:`home_url` gives that of
            a home folder.

    Raises:
        DatabaseError: it cannot be reached.
        NewerDatabase: a newer version made it.

    """
    connections = SqliteConnections()
    engine = _engine(url, connections)
    async with AsyncExitStack() as stack:
        # the last to be called: the engine closes its connections before
        stack.push_async_callback(connections.end)
        stack.push_async_callback(engine.dispose)
        try:
            await asyncio.to_thread(_prepare, engine.url)
            async with Database(engine).begin() as session:
                await (await session.connection()).run_sync(upgrade)
        except (OSError, sqlite3.Error, SQLAlchemyError) as error:
            raise DatabaseError(_complaint(url, error)) from error
        yield Database(engine)


def database_url(home: Path, configured: str) -> str:
    """Return the URL of a console's database; the home is made if it is not there.

    Args:
        home: of the console.
        configured: of the settings; empty for the SQLite file in the home.

    Raises:
        DatabaseError: the folder is another user's, or the file a symbolic link.
        OSError: it cannot be made.

    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)  # other secrets lie there in any case
    return configured or home_url(home)


def home_url(home: Path) -> str:
    """Return the URL of the SQLite file in a home folder, which is made for its owner alone.

    Raises:
        DatabaseError: the folder is another user's, or the file a symbolic link.
        OSError: it cannot be made.

    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / FILE
    try:
        check_folder(home)
        make_file(path)
    except UnsafePlace as error:
        raise DatabaseError(str(error)) from error
    return f"sqlite:///{path}"


def _prepare(url: URL) -> None:
    """Make a SQLite file and turn it to WAL, before aiosqlite opens it: several that open a new
    file at once do not wait for each other.

    Raises:
        OSError, sqlite3.Error: it cannot be opened.

    """
    file = url.database
    if url.get_backend_name() == "sqlite" and file not in (None, "", ":memory:"):
        _make_private(Path(file))
        with closing(sqlite3.connect(file)) as connection:
            begin_wal(connection, BUSY_MS)


def _make_private(path: Path) -> None:
    """Make a file that its owner named by a URL, also where a link leads to one that is not there
    yet: SQLite would make that for everybody to read.
    """
    # not opened where it is there: closing it would drop the locks of this process (POSIX)
    with suppress(FileExistsError):
        os.close(os.open(path.resolve(), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _engine(url: str, connections: SqliteConnections) -> AsyncEngine:
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        raise DatabaseError(
            "the console's database is no URL; write postgresql://user@host/name"
        ) from None
    match parsed.get_backend_name():
        case "sqlite":
            engine = create_async_engine(
                parsed.set(drivername="sqlite+aiosqlite"),
                connect_args={"async_creator_fn": connections.connect},
                pool_size=MAX_CONNECTIONS,
                max_overflow=0,
                pool_timeout=POOL_S,
                # an error's text goes into the log: hashes and addresses must not
                hide_parameters=True,
            )
            _tune_sqlite(engine)
        case "postgresql":
            engine = create_async_engine(
                parsed.set(drivername="postgresql+asyncpg"),
                pool_size=MAX_CONNECTIONS,
                max_overflow=0,
                pool_timeout=POOL_S,
                # a server that was restarted has closed our connections without a word
                pool_pre_ping=True,
                hide_parameters=True,
            )
        case other:
            raise DatabaseError(f"the console knows sqlite and postgresql, not {other}")
    return engine


def _tune_sqlite(engine: AsyncEngine) -> None:
    # at DEBUG it logs every statement with its parameters: hashes, addresses, sealed keys
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # else Python's driver begins when it likes
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        # NORMAL would let the last commits in WAL mode go with the power; defaults differ
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def began(connection: Connection) -> None:
        # a reader that becomes a writer half way can be refused: writers say so first
        writes = connection.get_execution_options().get("console_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _complaint(url: str, error: Exception) -> str:
    named = make_url(url)
    # neither the query nor what stands before an @: either may hold a password
    host = (named.host or "").rpartition("@")[2]
    port = "" if named.port is None else f":{named.port}"
    where = f"{named.get_backend_name()}://{host}{port}/{named.database or ''}"
    reason = getattr(error, "orig", None) or error
    return f"the console's database {where} cannot be used: {reason}"
