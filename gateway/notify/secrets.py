"""Secrets with which notifications are sent, sealed in the home's database."""

from __future__ import annotations

from typing import Literal

from gateway.credentials.secrets import SealedColumn, SecretBox
from gateway.storage.store import Store

TABLE = """
-- what webhook, ntfy, Telegram and Apprise are shown; sealed
CREATE TABLE notify_secrets (
    name TEXT PRIMARY KEY,
    sealed TEXT NOT NULL
) STRICT;
"""
SECRETS = SealedColumn("notify_secrets", "name", "sealed")

SecretName = Literal["webhook", "ntfy", "telegram", "apprise"]


class NotifySecrets:
    """Secrets of one home.

    Args:
        store: the home's database.
        box: seals them.

    """

    def __init__(self, store: Store, box: SecretBox) -> None:
        self._store = store
        self._box = box

    def get(self, name: SecretName) -> str | None:
        """Return a secret; ``None`` if there is none.

        Raises:
            SecretsError: it does not open with the home's key.

        """
        row = self._store.one("SELECT sealed FROM notify_secrets WHERE name = ?", name)
        return None if row is None else self._box.open(row["sealed"], SECRETS.place(name)).decode()

    def set(self, name: SecretName, secret: str) -> None:
        """Keep a secret, in the place of an earlier one; an empty one is forgotten."""
        with self._store.transaction() as connection:
            if not secret:
                connection.execute("DELETE FROM notify_secrets WHERE name = ?", (name,))
                return
            sealed = self._box.seal(secret.encode(), SECRETS.place(name))
            connection.execute(
                "INSERT OR REPLACE INTO notify_secrets VALUES (?, ?)", (name, sealed)
            )
