"""What lies in a home folder, opened: the database, the key to its secrets, the local issuer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.auth import seen
from gateway.auth.records import RecordBook
from gateway.credentials import schema
from gateway.credentials.issuer import Issuer, open_secrets
from gateway.credentials.key_store.file import KeyFile
from gateway.credentials.secrets import KeyStore
from gateway.store import Store

MIGRATIONS = (schema.TABLES, seen.TABLES, schema.KEY_STORES)
"""All tables of the gateway, in the order in which they came; new ones are added at the end."""
KEY_FILE = "secrets.key"
"""A key in a file of the home works on any machine."""


class Home:
    """An open home folder; a context manager.

    The daemon and the commands that make and revoke tokens each open it; any number may at a time.

    Args:
        folder: made with mode 0700 if it is not there.
        keys: where the key lies that seals the secrets; a path is that of a key file, and a
            relative one starts in the folder.
        now_s: seconds since 1970.

    Raises:
        StoreError: the database cannot be used.
        SecretsError: the key cannot be had, or does not fit the database.

    """

    def __init__(
        self,
        folder: Path,
        keys: KeyStore | str | Path = KEY_FILE,
        now_s: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        self.folder = folder
        self.store = Store(folder, MIGRATIONS)
        try:
            store = KeyFile(folder / keys) if isinstance(keys, str | Path) else keys
            self.box = open_secrets(self.store, store)
            self.issuer = Issuer(self.store, self.box, now_s)
        except BaseException:
            self.store.close()
            raise

    def book(self) -> RecordBook:
        """Return the records as the daemon sees them, with the local issuer's root key pinned."""
        return RecordBook(self.store, self.box, self.issuer.root)

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
