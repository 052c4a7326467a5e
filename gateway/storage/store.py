"""The daemon's database: one SQLite file in the home folder.

WAL with ``synchronous=FULL``: what is committed survives a crash and a power cut. Calls are
synchronous on purpose: reads take microseconds and a commit a fraction of a millisecond, less than
it costs to hand them to a thread. SQL lives beside the concept that owns the table; each concept
hands in its migrations, which only go forward.

A home holds ``gateway.db`` and ``ledger.db`` (with ``-wal`` and ``-shm`` while they are open), and
``secrets.key`` where the key lies in a file. Back them up together; copy a database with
``sqlite3 gateway.db .backup``, not file by file.
"""

from __future__ import annotations

import math
import os
import re
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from ea_bridge import host
from gateway.storage import reserve
from gateway.storage.database_file import UnsafePlace, WalIndex, begin_wal, check_folder, make_file

DATABASE = "gateway.db"
LEDGER = "ledger.db"
"""The other one; see :mod:`gateway.storage.ledger`."""
BUSY_MS = 5000
"""How long a write waits for that of another process."""
SMALL_BYTES = 16 * 1024 * 1024
"""A file up to this is looked through at each start: in a sixth of a second at most."""
CHECK_EVERY_S = 86_400
"""A larger one at most so often, so that starts do not get slower as it grows. What is damaged
meanwhile is found where it is read."""
OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""

Version = bytes | tuple[int, int]
"""Another value after each commit; see :meth:`Store.data_version`."""

_CHECKED = """
CREATE TABLE IF NOT EXISTS store_checked (one INTEGER PRIMARY KEY, at_s INTEGER NOT NULL) STRICT
"""
_REMEDIES = {
    "BUSY": "another program holds it; end that program, then try again",
    "CANTOPEN": "see that the folder exists and is yours",
    "CORRUPT": "it is damaged; restore it from a backup, or move it away and start over",
    "IOERR": "the disk reports errors; see the system's log, and back up what you can",
    "LOCKED": "another program holds it; end that program, then try again",
    "NOTADB": "it is no database; restore it from a backup, or move it away and start over",
    "PERM": "see that the file is yours",
    "READONLY": "see that you may write to the file and its folder",
}
"""By SQLite's result code; any other is a mistake in our SQL and is not caught."""
_SURELY_UNDONE = frozenset({"BUSY", "CONSTRAINT", "FULL"})
"""Codes of a commit of which the log lacks the end, so that nothing brings it back."""
LOOK_STEPS = 10_000
"""Of SQLite, until it asks again whether to go on looking for damage: less than a megabyte."""
_NOT_LOOKED = frozenset({"BUSY", "INTERRUPT", "LOCKED"})
"""Codes that say nothing of a file that is looked through."""
_LACKING = re.compile(r"no such table: (\w+)$")
"""If it is one of ours somebody has taken it away: all were made when the database was opened."""
_MADE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)")


class StoreError(Exception):
    """The database cannot be used; the message says what to do. Nothing was changed."""


class DiskFull(StoreError):
    """There is no room; the reserve of the home was given up, so that the next try may succeed."""


class CommitUnsure(StoreError):
    """The disk has failed in a commit. What was to be written is not there; a kill may bring it
    back, for the log may have all of it, until something else is written in its place.
    """


class Store:
    """One connection to a database of a home folder; for one thread.

    Args:
        home: the folder; made with mode 0700 if it is not there.
        migrations: SQL scripts in their order; the database remembers how many it has had. New
            ones come last, and none is ever changed once it was released.
        database: name of its file.
        shared: other threads than that which made it may use it, one at a time.
        check: look through the file for damage, a large one once a day: that takes a second for
            every 100 MB. ``later``: a large one is left to :meth:`check_integrity`, unless it was
            found damaged before.
        checkpoints: put the pages of the log back into the file at commits, now and then; who does
            not calls :meth:`checkpoint`.

    Raises:
        StoreError: the file is no database, is damaged, cannot be synced, or was made by a newer
            version.

    """

    def __init__(
        self,
        home: Path,
        migrations: Sequence[str],
        *,
        database: str = DATABASE,
        shared: bool = False,
        check: Literal["now", "later", "never"] = "now",
        checkpoints: bool = True,
    ) -> None:
        # an older one fails at the first STRICT table, with an error that names no remedy
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.37 is needed")
        self.path = home / database
        self.is_check_due = False
        """Whether it is to be looked through by :meth:`check_integrity`."""
        self._looking: sqlite3.Connection | None = None
        self._may_look = True
        # to tell a table that somebody dropped from a mistake in our SQL
        self._tables = frozenset(_MADE.findall(" ".join(migrations)))
        # before SQLite opens it: that would make the file with the rights of the umask
        self._place = _make_private(home, self.path)
        with self.explained():
            self._connection = sqlite3.connect(
                self.path,
                timeout=BUSY_MS / 1000,
                # we begin transactions ourselves: the module would do it late, without IMMEDIATE
                isolation_level=None,
                check_same_thread=not shared,
            )
        try:
            self._connection.row_factory = sqlite3.Row
            with self.explained():
                self._prepare(migrations, check=check)
                # who turns it off has it done beside the loop: it syncs, and a commit would wait
                if not checkpoints:
                    self._connection.execute("PRAGMA wal_autocheckpoint=0")
                self._index = self._map_index()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the connection; committed data is safe with or without it."""
        self._connection.close()
        # behind the connection: to close a descriptor of the -shm file drops every lock that
        # this process has on it (POSIX)
        if self._index is not None:
            self._index.close()
            self._index = None

    def _map_index(self) -> WalIndex | None:
        """Map what tells of commits; it is there once something was read."""
        # the first read makes the -shm file, which is mapped below
        self._connection.execute("PRAGMA data_version").fetchone()
        try:
            return WalIndex(self.path)
        except (OSError, ValueError):  # not on this system: the database is asked at each look
            return None

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self.explained():
            return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row of a query, or ``None``."""
        with self.explained():
            row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write: all of it or nothing; on the disk when the block is left.

        Waits up to :data:`BUSY_MS` for another process that writes.

        Raises:
            CommitUnsure: it is not there, and may be after a kill.
            StoreError: it is not there.

        """
        with self.explained():
            # the write lock at once: a read lock that is to become one fails, whatever the
            # time-out, when another process has written in between
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._commit()
            except BaseException:
                # a second rollback fails, and would hide the error that is to be told
                if self._connection.in_transaction:  # some errors have rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            # after any other failure the log may hold all of it: as long as nothing stands in its
            # place, the next start takes it for committed
            if _code(error) in _SURELY_UNDONE or self._is_overwritten():
                raise
            self._explain(error, CommitUnsure)
            raise

    def _is_overwritten(self) -> bool:
        """Write something else in the place of a commit that has failed; whether that is done."""
        connection = self._connection
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            overwrite(connection)
            connection.execute("COMMIT")
        except sqlite3.DatabaseError:
            with suppress(sqlite3.DatabaseError):  # it is the commit's error that is told
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            return False
        return True

    def be_patient(self, *, patient: bool) -> None:
        """Let writes wait for another process that writes, or fail at once."""
        self._connection.execute(f"PRAGMA busy_timeout={BUSY_MS if patient else 0:d}")

    def checkpoint(self) -> int:
        """Put the pages of the log back into the file, while others read and write; any thread.

        Returns:
            How many pages the log has; 0 if all are in the file, so that the log begins anew.

        Raises:
            StoreError: it cannot be done; nothing is lost, and the log goes on growing.

        """
        # first: to connect to a file that is gone would make an empty one
        self.check_place()
        # a connection of its own, since any thread may call this; PASSIVE waits for no reader
        # and no writer, and leaves to the next time what it cannot have
        with self.explained(), closing(sqlite3.connect(self.path, timeout=0)) as other:
            _, pages, done = other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            return 0 if done == pages else int(pages)

    def data_version(self) -> Version:
        """Return what is another value after each commit, of this connection or any other."""
        if self._index is not None:
            return bytes(self._index.view)
        try:
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.DatabaseError as error:  # no context manager: this is asked at every call
            self._explain(error)
            raise
        return (version, self._connection.total_changes)

    def check_place(self) -> None:
        """See that the file is still the one that was opened.

        A database that is restored by exchanging the file leaves us reading the old one for ever,
        blind to what other processes write.

        Raises:
            StoreError: the file was exchanged or removed.

        """
        try:
            found = self.path.stat()
            in_place = (found.st_dev, found.st_ino) == self._place
        except OSError:  # not there, or its folder is not ours any more
            in_place = False
        if not in_place:
            raise StoreError(f"{self.path} was exchanged or removed while in use; restart")

    # --- opening ---------------------------------------------------------------------------

    def _prepare(
        self, migrations: Sequence[str], *, check: Literal["now", "later", "never"]
    ) -> None:
        if not begin_wal(self._connection, BUSY_MS):
            raise StoreError(f"{self.path}: its file system has no WAL; use a local disk")
        # NORMAL syncs at checkpoints alone: a power cut would take commits back
        self._connection.execute("PRAGMA synchronous=FULL")
        # off by default, and a matter of each connection
        self._connection.execute("PRAGMA foreign_keys=ON")
        if check != "never":
            self._sync_log()
            self._check(may_wait=check == "later")
        # looked at without a lock: most starts find that all is there
        if self._schema() != len(migrations):
            self._migrate(migrations)

    def _sync_log(self) -> None:
        """Have on the disk what is in the log. A process that was killed within a commit leaves
        there what nobody has synced; it counts as committed from now on, and a power cut would
        take it away from under whoever has read it.

        Raises:
            sqlite3.Error: it cannot be synced. A later commit may not go on from there: the system
                may have dropped what it could not write, and after a power cut the log ends where
                that is missing, whatever was synced behind it.

        """
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.OperationalError as error:
            if _code(error) != "FULL":  # the log was synced before the file wanted to grow
                raise

    def _check(self, *, may_wait: bool) -> None:
        """Look for damage, unless the file is large and was looked through a short while ago."""
        was_damaged = self._damaged.exists()
        is_small = self.path.stat().st_size <= SMALL_BYTES
        # from 0 on: a clock that was set back must not spare the check for ever
        if is_small or was_damaged or not 0 <= _now_s() - self._checked_s() < CHECK_EVERY_S:
            self.is_check_due = may_wait and not is_small and not was_damaged
            if not self.is_check_due:
                self._check_whole(self._connection)
                self._damaged.unlink(missing_ok=True)
                if not is_small:
                    # where that cannot be written it is looked through at the next start again
                    with suppress(StoreError), self.transaction() as connection:
                        _note_check(connection)

    @property
    def _damaged(self) -> Path:
        """File that is there from when damage is found beside the work until none is found."""
        return self.path.with_name(f"{self.path.name}-damaged")

    def check_integrity(self) -> None:
        """Look for damage while others read and write; once, in any thread.

        Raises:
            StoreError: it is damaged. The next start looks before it does anything else.

        """
        # a connection of its own: the reading here lasts for minutes
        with (
            self.explained(),
            closing(sqlite3.connect(self.path, timeout=BUSY_MS / 1000)) as other,
        ):
            self._looking = other
            # interrupt() ends nothing but a statement that has begun; versions before 3.41 ask
            # here only between the steps of a check, so that both are needed
            other.set_progress_handler(lambda: not self._may_look, LOOK_STEPS)
            try:
                # asked after the connection is there: from now on a stop interrupts it
                if not self._may_look:
                    return
                self._check_whole(other)
            except (StoreError, sqlite3.DatabaseError) as error:
                if isinstance(error, sqlite3.DatabaseError) and _code(error) in _NOT_LOOKED:
                    return  # the next start looks again
                # a disk that goes bad takes no new file either: what was found must be told all
                # the same
                with suppress(OSError):
                    self._damaged.touch()
                raise
            finally:
                self._looking = None
            with suppress(sqlite3.DatabaseError):  # as where it cannot be written at the start
                _note_check(other)
                other.commit()

    def stop_looking(self) -> None:
        """End :meth:`check_integrity` early; any thread."""
        self._may_look = False
        looking = self._looking
        if looking is not None:
            with suppress(sqlite3.ProgrammingError):  # it has just ended by itself
                looking.interrupt()

    def _checked_s(self) -> float:
        """Return when a large file was found sound, in Unix seconds. It says so itself, so that a
        backup that is put in its place has its own time.
        """
        known = "SELECT 1 FROM sqlite_schema WHERE name = 'store_checked'"
        if self._connection.execute(known).fetchone() is None:
            return -math.inf
        found = self._connection.execute("SELECT max(at_s) FROM store_checked").fetchone()[0]
        return -math.inf if found is None else float(found)

    def _check_whole(self, connection: sqlite3.Connection) -> None:
        # not integrity_check: that compares each index with its table, and takes far longer
        problem: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise StoreError(f"{self.path}: {_REMEDIES['CORRUPT']} ({problem})")

    def _migrate(self, migrations: Sequence[str]) -> None:
        with self.transaction() as connection:
            version = self._schema()  # another process may have done it by now
            if version > len(migrations):
                raise StoreError(
                    f"{self.path} was made by a newer version of mt-gateway (schema {version}, "
                    f"this one knows {len(migrations)}); install that version or use another home"
                )
            for script in migrations[version:]:
                # one by one: executescript would commit before it begins
                for statement in _statements(script):
                    connection.execute(statement)
            # within the transaction: who is killed leaves all tables of a version, or none
            connection.execute(f"PRAGMA user_version={len(migrations)}")

    def _schema(self) -> int:
        version: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        return version

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn database errors within the context into a :class:`StoreError` that names the
        remedy.

        Raises:
            StoreError: instead of SQLite's error, where there is a remedy.
        """
        try:
            yield
        except sqlite3.DatabaseError as error:
            self._explain(error)
            raise

    def _explain(self, error: sqlite3.DatabaseError, kind: type[StoreError] = StoreError) -> None:
        """Raise what tells the remedy; return if there is none.

        Args:
            error: of SQLite.
            kind: what is raised. Want of room is :class:`DiskFull`, unless the kind says more.

        """
        code, folder = _code(error), self.path.parent
        if reserve.is_full(error, folder):
            # before anything is told: who catches it tries again, and needs the room
            reserve.give_up(folder)
            full = DiskFull if kind is StoreError else kind
            raise full(f"{reserve.full_text(self.path)} ({error})") from error
        remedy = _REMEDIES.get(code)
        lacking = _LACKING.match(str(error))
        if lacking is not None and lacking[1] in self._tables:
            remedy = "a table of it is gone; restore it from a backup, or move it away"
        if remedy is not None:
            raise kind(f"{self.path}: {remedy} ({error})") from error


def overwrite(connection: sqlite3.Connection) -> None:
    """Write ``user_version`` unchanged, so that a crash cannot bring back a failed commit."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version={version}")


def _note_check(connection: sqlite3.Connection) -> None:
    connection.execute(_CHECKED)
    connection.execute("INSERT OR REPLACE INTO store_checked VALUES (1, ?)", (_now_s(),))


def _now_s() -> int:
    return int(host.wall_s())


def _code(error: sqlite3.DatabaseError) -> str:
    """Return the primary result code, such as ``BUSY``."""
    return getattr(error, "sqlite_errorname", "").removeprefix("SQLITE_").partition("_")[0]


def _statements(script: str) -> Iterator[str]:
    """Split a script; unlike ``executescript`` this lets it run inside a transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def _make_private(home: Path, path: Path) -> tuple[int, int]:
    """Make folder and file readable by their owner alone, before anything is in them.

    Returns:
        Device and inode of the file.

    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_folder(home)
        # mkdir leaves a folder as it is; one that holds something is its owner's affair
        if not any(home.iterdir()):
            home.chmod(0o700)
        mode = home.stat().st_mode
        # with the sticky bit, as of /tmp, others may add files, but take none of ours away
        if os.name == "posix" and mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise StoreError(f"everybody may write to {home}; run: chmod o-w {home}")
        found = make_file(path)
    except UnsafePlace as error:
        raise StoreError(str(error)) from error
    except OSError as error:
        if reserve.is_full(error, home):
            reserve.give_up(home)
            raise DiskFull(reserve.full_text(path)) from error
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error
    return (found.st_dev, found.st_ino)
