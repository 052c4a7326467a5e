"""Where the key that seals secrets lies: a file, the system's keyring, systemd, or a passphrase.

Each store fails closed: one that is absent, locked or unsafe stops the gateway with the remedy,
and no other takes its place. :mod:`gateway.credentials.secrets` judges whether a key is the right
one.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.config import Secrets
from gateway.credentials.secrets import KeyStore


def key_store(settings: Secrets, home: Path) -> KeyStore:
    """Return the store that the configuration names."""
    # each imports what it alone needs
    match settings.store:
        case "file":
            from .file import KeyFile

            return KeyFile(home / settings.key_file)
        case "keyring":
            from .keyring import Keyring

            return Keyring()
        case "systemd":
            from .systemd import SystemdCredential

            return SystemdCredential.of(os.environ)
        case "passphrase":
            from .passphrase import Passphrase

            return Passphrase()
