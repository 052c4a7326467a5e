"""Checkpoints of the audit trail: how far it went, signed by the device, kept beside it.

The last one covers all rows before it, since each row's hash holds the one before. The file can be
copied elsewhere at any time: whoever has a copy can show later that the trail went that far, and
what it said.

Its copy lies in the database of tokens, so that whoever takes the file away, and writes the trail
anew, is found out; rows of the trail itself are signed alike (:func:`sign_within`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from ea_bridge import host
from gateway.audit import SIGNED, BadSignature, Head, head_within, last_of
from gateway.audit.recorder import entry_of
from gateway.audit.table import append
from gateway.credentials.device import DeviceKey, device_id, open_head
from gateway.credentials.envelope import EnvelopeError
from gateway.credentials.keyset import public_key
from gateway.storage.store import Store

FILE = "audit.checkpoint"
MAX_FILE = 8192
STARTED = "daemon_started"
"""Event of the first row of each run."""


class BadCheckpoint(BadSignature):
    """The file is no checkpoint of this device; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Checkpoint that a device has signed."""

    head: Head
    time_ms: int
    """UTC milliseconds."""


def signed(device: DeviceKey, head: Head, now_ms: int) -> str:
    """Return a checkpoint as it lies in its file, or beside a row up to which all is archived."""
    return json.dumps(
        {"key": device.public, "checkpoint": device.sign_checkpoint(head.n, head.hash, now_ms)}
    )


def check_begin(store: Store, did: str) -> str:
    """Return what is wrong with the mark with which a trail begins; empty if nothing is.

    Args:
        store: the ledger's.
        did: id of the device that must have signed it.

    Raises:
        StoreError: the ledger cannot be read.

    """
    row = store.one("SELECT n, hash, signed FROM audit_marks ORDER BY n DESC LIMIT 1")
    if row is None:
        return ""
    where = f"the archive's mark at row {row['n']}"
    try:
        known = _opened(row["signed"], did, where)
    except BadCheckpoint as error:
        return str(error)
    is_same = known.head == Head(row["n"], bytes(row["hash"]))
    return "" if is_same else f"{where} is not what was signed"


def write_checkpoint(folder: Path, device: DeviceKey, head: Head, now_ms: int) -> str:
    """Sign how far the trail of a home goes, in place of what was signed before; return it.

    Raises:
        OSError: it could not be written; the one before is still there.

    """
    text = signed(device, head, now_ms)
    fresh = folder / f"{FILE}.{os.getpid()}"
    try:
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        host.replace_file(fresh, folder / FILE)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    return text


def read_checkpoint(file: Path, did: str) -> Checkpoint | None:
    """Read a checkpoint and check who has signed it.

    Args:
        file: where it lies.
        did: id of the device that must have.

    Returns:
        It, or ``None`` if there is no such file.

    Raises:
        BadCheckpoint: it is damaged, forged or another device's.

    """
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadCheckpoint(f"{file} cannot be read: {error.strerror}") from error
    return _opened(text, did, str(file))


def sign_within(connection: Connection, device: DeviceKey, now_ms: int) -> Head:
    """Add a row that signs all rows before it, within a transaction of the ledger."""
    head = head_within(connection)
    envelope = device.sign_checkpoint(head.n, head.hash, now_ms)
    entry = entry_of(SIGNED, actor="daemon", key=device.public, checkpoint=envelope)
    return append(connection, entry)


def signatures(did: str) -> Callable[[bytes], Head]:
    """Return what reads the rows of :func:`sign_within` of a device.

    It raises :class:`BadCheckpoint` for one that the device has not signed.
    """

    def head_in(entry: bytes) -> Head:
        return _opened(entry, did, "as a checkpoint").head

    return head_in


def copy_checkpoint(store: Store, text: str) -> None:
    """Keep a copy of a checkpoint in the database of tokens.

    Raises:
        StoreError: it could not be written.

    """
    with store.transaction() as db:
        db.execute("INSERT OR REPLACE INTO audit_signed VALUES (1, ?)", (text,))


def copied_checkpoint(store: Store, did: str) -> Checkpoint | None:
    """Return the copy; ``None`` where nothing was signed yet.

    Raises:
        BadCheckpoint: it is damaged, forged or another device's.

    """
    row = store.one("SELECT signed FROM audit_signed")
    return None if row is None else _opened(row["signed"], did, f"the copy of {FILE}")


def missing(store: Store, copy: Checkpoint | None) -> str:
    """Return why it is a finding that there is no checkpoint; empty where none was made yet.

    Args:
        store: the ledger's.
        copy: of the checkpoint, in the other database.

    Raises:
        StoreError: the ledger cannot be read.

    """
    if copy is not None:
        return f"{FILE} is gone: rows up to {copy.head.n} were signed in it"
    if last_of(store, STARTED) or last_of(store, SIGNED):
        return f"{FILE} is gone: a gateway has run here, and signs at its start"
    return ""


def _opened(text: str | bytes, did: str, where: str) -> Checkpoint:
    try:
        facts = json.loads(text)
        key = public_key(facts["key"])
        if device_id(key) != did:
            raise BadCheckpoint(f"{where} was signed by another machine than this home's")
        head = open_head(facts["checkpoint"], key)
    except (ValueError, KeyError, TypeError, AttributeError, EnvelopeError):
        raise BadCheckpoint(f"{where} is damaged or forged") from None
    return Checkpoint(Head(head.n, head.hash), head.time_ms)
