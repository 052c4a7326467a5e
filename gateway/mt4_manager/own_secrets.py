"""Random secrets of the manager's own, sealed in the home's database."""

from __future__ import annotations

from ea_bridge import host
from gateway.credentials.secrets import SecretBox
from gateway.storage.store import Store

from .schema import OWN_SECRETS

BYTES = 32


def own_secret(store: Store, box: SecretBox, name: str) -> bytes:
    """Return a secret; it is made when it is first asked for.

    Raises:
        StoreError: the database cannot be used.
        SecretsError: it does not open.

    """
    place = OWN_SECRETS.place(name)
    query = "SELECT sealed FROM manager_secrets WHERE name = ?"
    row = store.one(query, name)
    if row is None:
        made = box.seal(host.random_bytes(BYTES), place)
        with store.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO manager_secrets VALUES (?, ?)", (name, made))
        row = store.one(query, name)
    assert row is not None  # made a moment ago, here or by another process
    return box.open(row["sealed"], place)
