"""Stores of the key that seals secrets: a file, the system's keyring, systemd, or a passphrase.

Each store fails closed: one that is absent, locked or unsafe stops the gateway with the remedy,
and no other takes its place. :mod:`gateway.credentials.secrets` judges whether a key is the right
one.
"""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from gateway.config import Secrets, StoreName
from gateway.credentials.secrets import KeyStore, SecretsError


def chosen_store(settings: Secrets) -> StoreName | None:
    """Return the store that the configuration asks for; ``None`` if it says nothing.

    Who names a key file wants the key in it.
    """
    said = settings.model_fields_set
    if "store" in said:
        return settings.store
    return "file" if "key_file" in said else None


def key_store(
    settings: Secrets, home: Path, recorded: str | None = None, *, console: bool = False
) -> KeyStore:
    """Return the store to use.

    Args:
        settings: what they say holds.
        home: the folder of the database.
        recorded: where the database's key was made; ``None`` for a new database. It holds where
            the settings say nothing, before the default.
        console: it is the home of a console.

    """
    name = chosen_store(settings) or recorded or settings.store
    return store_named(name, settings, home, console=console)


def store_named(name: str, settings: Secrets, home: Path, *, console: bool = False) -> KeyStore:
    """Return a store by its name in the configuration; see :func:`key_store`.

    Raises:
        SecretsError: there is none of that name.

    """
    # each imports what it alone needs
    match name:
        case "file":
            from .file import KeyFile

            return KeyFile(home / settings.key_file)
        case "keyring":
            from .keyring import Keyring

            options = f"{' --console' if console else ''} --home {quote(str(home))}"
            return Keyring(options=options)
        case "systemd":
            from .file import SystemdCredential

            return SystemdCredential.of(os.environ)
        case "passphrase":
            from .passphrase import Passphrase

            return Passphrase()
    raise SecretsError(
        f"the key of this home lies in {name!r}, which this version of mt-gateway does not know; "
        "install a newer one"
    )
