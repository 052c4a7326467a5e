"""Checkpoints of the audit trail: how far it went, signed by the device, kept beside it.

The last one covers all rows before it, since each row's hash holds the one before. The file can be
copied elsewhere at any time: whoever has a copy can show later that the trail went that far, and
what it said.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.audit import Head
from gateway.credentials.device import device_id
from gateway.credentials.envelope import EnvelopeError, key_id, open_envelope
from gateway.credentials.keyset import public_key

from .device import DeviceKey

FILE = "audit.checkpoint"
MAX_FILE = 8192


class BadCheckpoint(Exception):
    """The file is no checkpoint of this device; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a device has signed."""

    head: Head
    time_ms: int
    """UTC milliseconds."""


def write_checkpoint(folder: Path, device: DeviceKey, head: Head, now_ms: int) -> None:
    """Sign how far the trail of a home goes, in place of what was signed before.

    Raises:
        OSError: it could not be written; the one before is still there.

    """
    text = json.dumps(
        {"key": device.public, "checkpoint": device.sign_checkpoint(head.n, head.hash, now_ms)}
    )
    fresh = folder / f"{FILE}.{os.getpid()}"
    try:
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / FILE)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


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
            facts = json.loads(opened.read(MAX_FILE))
        public, envelope = facts["key"], facts["checkpoint"]
        key = public_key(public)
        if device_id(key) != did:
            raise BadCheckpoint(f"{file} was signed by another device than this home's")
        payload = open_envelope(envelope, "ckpt", {key_id(envelope): key})
        return _checkpoint(payload)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadCheckpoint(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, EnvelopeError):
        raise BadCheckpoint(f"{file} is damaged or forged") from None


def _checkpoint(payload: dict[str, Any]) -> Checkpoint:
    head = Head(int(payload["n"]), bytes.fromhex(payload["hash"]))
    return Checkpoint(head, int(payload["time_ms"]))
