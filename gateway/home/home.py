"""Home folder, opened: its database, the key to its secrets, the local issuer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ea_bridge import host
from gateway.accounts import book as accounts
from gateway.auth import console_clock, console_snapshot, version_watermarks
from gateway.auth.version_watermarks import Tombstones, VersionWatermarks
from gateway.config import LinkedConsole, Secrets
from gateway.credentials import device, keyset
from gateway.credentials.device import open_device
from gateway.credentials.issuer import Issuer
from gateway.credentials.key_store import key_store
from gateway.credentials.key_store.file import KeyFile
from gateway.credentials.record import Record
from gateway.credentials.secret_keys import current_key, open_secrets
from gateway.credentials.secrets import KeyStore
from gateway.home import home_console
from gateway.home.home_console import (
    HomeConsole,
    MadeBy,
    WrongHome,
    note_console,
    noted_console,
    unnamed,
)
from gateway.mt4_manager import schema as manager
from gateway.notify import secrets as notify
from gateway.storage.store import Store

if TYPE_CHECKING:
    from gateway.auth.console_clock import Clocks
    from gateway.auth.console_snapshot import ConsoleBook
    from gateway.auth.records import RecordBook
import sqlite3

from gateway.storage import reserve
from gateway.storage.database_file import UnsafePlace, make_file
from gateway.storage.store import DiskFull, StoreError

MIGRATIONS = (
    keyset.TABLES,
    version_watermarks.TABLES,
    keyset.KEY_STORES,
    keyset.KEY_STATES,
    device.TABLE + console_snapshot.TABLES + console_clock.TABLE,
    accounts.TABLES,
    accounts.ONCE_AN_OWNER,
    manager.TABLES,
    home_console.TABLE,
    device.AUDIT_SIGNED,
    notify.TABLE,
)
"""All tables of the gateway, in the order in which they came; new ones are added at the end."""
SEALED = (
    *keyset.SEALED,
    device.PRIVATE_KEY,
    console_snapshot.SERVER_KEYS,
    accounts.PASSWORDS,
    *manager.SEALED,
    notify.SECRETS,
)
"""All columns that hold what the box sealed: a key is exchanged by this list."""
KEY_FILE = "secrets.key"
"""A key in a file of the home works on any machine."""
LOCK_FILE = "gateway.lock"
WAIT_S = 5.0
"""For an exchange to end; it takes less than a second."""


class Home:
    """An open home folder; a context manager.

    The daemon and the commands that make and revoke tokens each open it; any number may at a time.

    Args:
        folder: made with mode 0700 if it is not there.
        keys: where the key lies that seals the secrets: a store, or settings, which let an
            existing home keep its own where they say nothing; a path is that of a key file, and
            a relative one starts in the folder.
        now_s: seconds since 1970.

    Raises:
        StoreError: the database cannot be used.
        SecretsError: the key cannot be had, or does not fit the database.

    """

    def __init__(
        self,
        folder: Path,
        keys: KeyStore | Secrets | str | Path = KEY_FILE,
        now_s: Callable[[], int] = lambda: int(host.wall_s()),
    ) -> None:
        self.folder = folder
        self.store = Store(folder, MIGRATIONS)
        self._hold: HomeLock | None = None
        try:
            # before the key is read: an exchange in between would leave us with the old one
            self._hold = HomeLock(folder)
            self.box = open_secrets(self.store, self._key_store(keys))
            self.issuer = Issuer(self.store, self.box, now_s)
            # before anybody can ask: an older database would let revoked tokens in
            self._obey_tombstones()
            self.device = open_device(self.store, self.box)
        except BaseException:
            self.close()
            raise

    def _obey_tombstones(self) -> None:
        """Revoke what an older database does not know to be revoked, and see that what is revoked
        from now on stands in both.
        """
        self._tombstones = Tombstones(self.folder)
        watermarks = VersionWatermarks(self.store, self._tombstones)
        if watermarks.restored:
            self.issuer.obey(watermarks.restored)
        watermarks.save()

        def changed(records: Sequence[Record]) -> None:
            for record in records:
                is_revoked = record.status == "revoked"
                watermarks.note("rec", record.tid, record.rec_ver, is_revoked)
            # if it fails the log says so, and who opens the home next tries again
            watermarks.save()

        self.issuer.on_change = changed

    def book(self) -> RecordBook:
        """Return the records as the daemon sees them, with the local issuer's root key pinned."""
        from gateway.auth.records import LocalSource, RecordBook

        source = LocalSource(self.store, self.issuer.root)
        return RecordBook(self.store, self.box, source, self._tombstones)

    def console(
        self, root: str = "", *, strict: bool = False, clocks: Clocks | None = None
    ) -> ConsoleBook:
        """Return the records as a console gives them.

        Args:
            root: its root key, ``mgr1_...``; empty to believe that of the first contact.
            strict: nothing is allowed after the end of a lease.
            clocks: of this machine.

        """
        # a command that makes a token needs none of these
        from gateway.auth.console_clock import Clocks, ConsoleClock
        from gateway.auth.console_snapshot import ConsoleBook, ConsoleSnapshot, ConsoleSource
        from gateway.auth.leases import Leases
        from gateway.auth.records import RecordBook

        clock = ConsoleClock(self.store, clocks or Clocks())
        source, did = ConsoleSource(self.store, root), self.device.did
        book = RecordBook(self.store, self.box, source, self._tombstones)
        leases = Leases(self.store, did, book, clock, strict=strict)
        offers = ConsoleSnapshot(self.store, self.box, source, book, leases, clock, did)
        return ConsoleBook(book, leases, clock, offers)

    def claim_console(self, settings: LinkedConsole, made_by: MadeBy) -> HomeConsole | None:
        """Return the console of a gateway that is about to run here, and note it.

        Args:
            settings: as they are configured.
            made_by: the command that runs the gateway.

        Returns:
            ``None`` if the home makes its own tokens.

        Raises:
            WrongHome: the home has a console, and the configuration names none; or the home is
                another command's.

        """
        noted, folder = noted_console(self.store), self.folder
        # tokens without a note: serve ran here without a console
        if made_by == "demo" and (
            noted.made_by == "serve" if noted is not None else bool(self.issuer.list())
        ):
            raise WrongHome(f"{folder} is the home of serve: give the demo another --home")
        if made_by == "serve" and noted is not None and noted.made_by == "demo":
            raise WrongHome(f"{folder} is the home of a demo: give another --home")
        if noted is not None and not settings.url:
            raise WrongHome(unnamed(noted, folder))
        if not settings.url:
            return None
        found = HomeConsole(settings.url, made_by)
        if found != noted:
            note_console(self.store, settings.url, made_by)
        return found

    def _key_store(self, keys: KeyStore | Secrets | str | Path) -> KeyStore:
        if isinstance(keys, str | Path):
            return KeyFile(self.folder / keys)
        if not isinstance(keys, Secrets):
            return keys
        known = current_key(self.store)
        return key_store(keys, self.folder, None if known is None else known.store)

    def close(self) -> None:
        """Close the database."""
        # the lock last: who waits for it counts on nobody having the database open
        self.store.close()
        if self._hold is not None:
            self._hold.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class HomeLock:
    """Lock of a home: any number may have it open, or one alone who exchanges its key.

    A process that read the secrets with the old key would seal with it what nobody could open any
    more. The lock is SQLite's own, on an empty file beside the database: it works alike on all
    systems, and goes with the process that held it, however that ends.

    Args:
        home: the folder; must be there.
        alone: nobody else may have it open, and nobody can open it meanwhile.

    Raises:
        StoreError: somebody else holds it in a way that does not go together.

    """

    def __init__(self, home: Path, *, alone: bool = False) -> None:
        path = home / LOCK_FILE
        try:
            make_file(path)
            # who exchanges is told at once who is in the way; who opens waits for an exchange
            self._lock = sqlite3.connect(path, timeout=0.0 if alone else WAIT_S)
        except UnsafePlace as error:
            raise StoreError(str(error)) from error
        except (OSError, sqlite3.Error) as error:
            # the lock needs no room, but its file does once
            if reserve.is_full(error, home):
                reserve.give_up(home)
                raise DiskFull(reserve.full_text(path)) from error
            raise StoreError(f"{path} cannot be opened: {error}") from error
        try:
            self._lock.isolation_level = None
            self._lock.execute("BEGIN EXCLUSIVE" if alone else "BEGIN")
            self._lock.execute("SELECT 1 FROM sqlite_schema").fetchall()  # takes the shared lock
        except sqlite3.Error as error:
            self._lock.close()
            if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY":
                raise StoreError(f"{path} cannot be locked: {error}") from error
            raise StoreError(
                f"another command of mt-gateway works in {home}; end it, then try again"
                if alone
                else f"the key of {home} is being exchanged; try again when that is done"
            ) from error

    def release(self) -> None:
        """Release the home to others."""
        self._lock.close()
