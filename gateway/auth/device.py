"""The key of this device: made at the first start of a home, and never leaves it."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.credentials.device import device_id, sign_request
from gateway.credentials.envelope import seal
from gateway.credentials.keyset import new_key, public_text
from gateway.credentials.sealed import SealedColumn
from gateway.credentials.secrets import SecretBox
from gateway.storage.store import Store

TABLE = """
-- the key of this machine, one row; the private part is sealed
CREATE TABLE device (
    did TEXT PRIMARY KEY,
    private_key TEXT NOT NULL,
    only INTEGER NOT NULL DEFAULT 1 UNIQUE CHECK (only = 1)
) STRICT;
"""
AUDIT_SIGNED = """
-- a copy of audit.checkpoint, which must not vanish; see gateway.audit.checkpoint
CREATE TABLE audit_signed (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    signed TEXT NOT NULL
) STRICT;
"""
PRIVATE_KEY = SealedColumn("device", "did", "private_key")


class DeviceKey:
    """An Ed25519 key by which consoles and EAs know this daemon again."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.did = device_id(key.public_key())
        """Fingerprint of the public key."""
        self.public = public_text(key.public_key())
        """The public key, base64url."""

    def sign_request(self, method: str, path: str, body: bytes, *, time_s: int) -> dict[str, str]:
        """Return the headers that prove that it is this device that asks.

        See :func:`gateway.credentials.device.sign_request`.
        """
        return sign_request(self._key, method, path, body, time_s=time_s)

    def sign_checkpoint(self, n: int, head: bytes, now_ms: int) -> str:
        """Return an envelope that says how far the audit trail of this home goes.

        See :mod:`gateway.audit.checkpoint`.
        """
        payload = {"did": self.did, "n": n, "hash": head.hex(), "time_ms": now_ms}
        return seal("ckpt", self.did[:16], payload, self._key)


def open_device(store: Store, box: SecretBox) -> DeviceKey:
    """Open the key of a store, or make it for one that has none.

    Raises:
        SecretsError: it does not open with this box.

    """
    row = store.one("SELECT did, private_key FROM device")
    if row is None:
        with store.transaction() as db:
            row = store.one("SELECT did, private_key FROM device")  # somebody was faster
            if row is None:
                key = new_key()
                did = device_id(key.public_key())
                sealed = box.seal(key.private_bytes_raw(), PRIVATE_KEY.place(did))
                db.execute("INSERT INTO device (did, private_key) VALUES (?, ?)", (did, sealed))
                return DeviceKey(key)
    private = box.open(row["private_key"], PRIVATE_KEY.place(row["did"]))
    return DeviceKey(Ed25519PrivateKey.from_private_bytes(private))
