"""Where the peer shall be connected to, as an operator has told it: kept, and its password sealed,
so that the gateway connects again by itself after a restart as well.
"""

from __future__ import annotations

from ea_bridge.mt4_manager.model import ConnectParams
from gateway.credentials.secrets import SecretBox
from gateway.storage.store import Store

from .schema import CONNECTION_PASSWORD

ROW = "server"


class KeptConnection:
    """The row in the home's database.

    Args:
        store: with the tables of :mod:`~.schema`.
        box: seals the password.

    """

    def __init__(self, store: Store, box: SecretBox) -> None:
        self._store = store
        self._box = box

    def wanted(self) -> ConnectParams | None:
        """Return what to connect to; ``None`` after a disconnect, and before the first connect.

        Raises:
            StoreError: the database cannot be used.
            SecretsError: the password does not open.

        """
        row = self._store.one("SELECT * FROM manager_connection WHERE name = ? AND wanted", ROW)
        if row is None or row["password"] is None:
            return None
        password = self._box.open(row["password"], CONNECTION_PASSWORD.place(ROW)).decode()
        return ConnectParams(server=row["server"], login=row["login"], password=password)

    def is_forgotten(self) -> bool:
        """Whether the last that was told was a disconnect."""
        row = self._store.one("SELECT wanted FROM manager_connection WHERE name = ?", ROW)
        return row is not None and not row["wanted"]

    def keep(self, params: ConnectParams) -> None:
        """Keep what was told, in place of what was told before."""
        sealed = self._box.seal(params.password.encode(), CONNECTION_PASSWORD.place(ROW))
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO manager_connection VALUES (?, ?, ?, ?, 1)",
                (ROW, params.server, params.login, sealed),
            )

    def forget(self) -> None:
        """Stay disconnected from now on; the password is gone as well."""
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO manager_connection VALUES (?, '', 0, NULL, 0)", (ROW,)
            )
