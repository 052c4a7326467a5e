"""The key of a home: looked at, exchanged, moved. Its tokens are not opened."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.config import Secrets
from gateway.credentials.key_store import key_store, store_named
from gateway.credentials.secret_keys import (
    Exchanged,
    NotedKey,
    count_sealed,
    current_key,
    exchange_key,
    noted_keys,
)
from gateway.credentials.secrets import KeyStore, SecretBox, SecretsError, known_box
from gateway.home.home import MIGRATIONS, SEALED, HomeLock
from gateway.storage.store import DATABASE, Store


class NoSecrets(SecretsError):
    """The home holds no secrets yet."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"there are no secrets in {folder} yet; serve or demo will make them")


class HomeKey:
    """A hold on a home that has secrets; a context manager.

    Args:
        folder: the home.
        settings: where its key lies; see :func:`~gateway.credentials.key_store.key_store`.
        alone: nobody else may use the home meanwhile; who exchanges the key must be.

    Raises:
        StoreError: the home is in use, or its database cannot be used.
        NoSecrets: there are none.

    """

    def __init__(self, folder: Path, settings: Secrets, *, alone: bool = False) -> None:
        self._folder = folder
        self._settings = settings
        if not _has_database(folder):
            raise NoSecrets(folder)
        self._alone = alone
        # before the database is opened: alone means that nobody has it open
        self._hold = HomeLock(folder, alone=alone)
        try:
            self.store = Store(folder, MIGRATIONS)
        except BaseException:
            self._hold.release()
            raise
        if current_key(self.store) is None:
            self.close()
            raise NoSecrets(folder)

    @property
    def noted(self) -> NotedKey:
        """Key as it is noted."""
        return next(noted for noted in noted_keys(self.store) if noted.state == "current")

    @property
    def keys(self) -> KeyStore:
        """Store in which the key lies."""
        return key_store(self._settings, self._folder, self.noted.known.store)

    def keys_of(self, name: str) -> KeyStore:
        """Return a store by its name."""
        return store_named(name, self._settings, self._folder)

    def leftovers(self) -> list[NotedKey]:
        """Return the keys that seal nothing any more, but are not deleted yet."""
        return [noted for noted in noted_keys(self.store) if noted.state != "current"]

    def sealed(self) -> dict[str, int]:
        """Return how many secrets there are, by ``table.column``."""
        return count_sealed(self.store, SEALED)

    def note_kit(self, kid: str, now_s: int) -> None:
        """Note that a recovery kit of a key was printed."""
        with self.store.transaction() as db:
            db.execute("UPDATE secret_keys SET kit_at = ? WHERE kid = ?", (now_s, kid))

    def open(self) -> SecretBox:
        """Open the secrets with the key that they have.

        Raises:
            SecretsError: it is missing or another one.

        """
        return known_box(self.keys, self.noted.known)

    def fits(self, kek: bytes) -> SecretBox:
        """Return the box of a key that comes from elsewhere.

        Raises:
            SecretsError: the secrets are sealed with another one.

        """
        known = self.noted.known
        box = SecretBox(kek, known.kid)
        if not hmac.compare_digest(box.check_value(), known.check_value):
            raise SecretsError(
                "this is not the key with which the database's secrets were sealed; a recovery "
                "kit fits the database as it was before the key was exchanged"
            )
        return box

    def exchange(
        self, old: SecretBox, to: str | None = None, at_row: Callable[[], None] = lambda: None
    ) -> Exchanged:
        """Seal everything with a new key; see
        :func:`~gateway.credentials.secret_keys.exchange_key`.

        Args:
            old: opens the secrets now.
            to: the name of another store for the new key.
            at_row: called before each row is written.

        """
        assert self._alone
        target = self.keys if to is None else self.keys_of(to)
        return exchange_key(
            self.store, old, target, sealed=SEALED, store_named=self.keys_of, at_row=at_row
        )

    def close(self) -> None:
        """Close the database, and let others in."""
        self.store.close()
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


def _has_database(folder: Path) -> bool:
    file = folder / DATABASE
    return file.exists() and file.stat().st_size > 0
