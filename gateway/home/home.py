"""What lies in a home folder, opened: the database, the key to its secrets, the local issuer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ea_bridge import host
from gateway.accounts import schema as accounts
from gateway.auth import console_book, console_clock, device, seen
from gateway.auth.console_trust import ConsoleBook
from gateway.auth.device import open_device
from gateway.auth.seen import Seen
from gateway.auth.tombstones import Tombstones
from gateway.config import Secrets
from gateway.credentials import schema
from gateway.credentials.issuer import Issuer
from gateway.credentials.key_store import key_store
from gateway.credentials.key_store.file import KeyFile
from gateway.credentials.record import Record
from gateway.credentials.secret_keys import current_key, open_secrets
from gateway.credentials.secrets import KeyStore
from gateway.home import home_console
from gateway.home.home_lock import InUse
from gateway.mt4_manager import schema as manager
from gateway.storage.store import Store

if TYPE_CHECKING:
    from gateway.auth.console_clock import Clocks
    from gateway.auth.records import RecordBook

MIGRATIONS = (
    schema.TABLES,
    seen.TABLES,
    schema.KEY_STORES,
    schema.KEY_STATES,
    device.TABLE + console_book.TABLES + console_clock.TABLE,
    accounts.TABLES,
    accounts.ONCE_AN_OWNER,
    manager.TABLES,
    home_console.TABLE,
    device.AUDIT_SIGNED,
)
"""All tables of the gateway, in the order in which they came; new ones are added at the end."""
SEALED = (
    *schema.SEALED,
    device.PRIVATE_KEY,
    console_book.SERVER_KEYS,
    accounts.PASSWORDS,
    *manager.SEALED,
)
"""All columns that hold what the box sealed: a key is exchanged by this list."""
KEY_FILE = "secrets.key"
"""A key in a file of the home works on any machine."""


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
        self._hold: InUse | None = None
        try:
            self._hold = InUse(folder)
            self.box = open_secrets(self.store, self._key_store(keys))
            self.issuer = Issuer(self.store, self.box, now_s)
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
        seen = Seen(self.store, self._tombstones)
        if seen.restored:
            self.issuer.obey(seen.restored)
        seen.save()

        def changed(records: Sequence[Record]) -> None:
            for one in records:
                seen.note("rec", one.tid, one.rec_ver, one.status == "revoked")
            seen.save()  # if it fails the log says so, and who opens the home next tries again

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
        from gateway.auth.console_book import ConsoleSource
        from gateway.auth.console_clock import Clocks, ConsoleClock
        from gateway.auth.leases import Leases
        from gateway.auth.offers import Offers
        from gateway.auth.records import RecordBook

        clock = ConsoleClock(self.store, clocks or Clocks())
        source, did = ConsoleSource(self.store, root), self.device.did
        book = RecordBook(self.store, self.box, source, self._tombstones)
        leases = Leases(self.store, did, book, clock, strict=strict)
        offers = Offers(self.store, self.box, source, book, leases, clock, did)
        return ConsoleBook(book, leases, clock, offers)

    def _key_store(self, keys: KeyStore | Secrets | str | Path) -> KeyStore:
        if isinstance(keys, str | Path):
            return KeyFile(self.folder / keys)
        if not isinstance(keys, Secrets):
            return keys
        known = current_key(self.store)
        return key_store(keys, self.folder, None if known is None else known.store)

    def close(self) -> None:
        """Close the database."""
        self.store.close()
        if self._hold is not None:
            self._hold.let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
