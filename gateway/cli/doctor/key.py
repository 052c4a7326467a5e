"""The key to the secrets of a home, wherever it lies: there, the right one, safe, to be had.

Nothing is made or changed, nobody is asked for anything, and a keyring that does not answer is
given up after :data:`WAIT_S`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gateway.cli.doctor.finding import Finding, ok, problem, skipped, split, warning
from gateway.config import Secrets
from gateway.credentials.key_store import key_store
from gateway.credentials.key_store.file import CREDENTIAL, SystemdCredential
from gateway.credentials.key_store.keyring import Keyring
from gateway.credentials.key_store.passphrase import PASSPHRASE_FILE, Passphrase
from gateway.credentials.secrets import (
    SALT_BYTES,
    KeyStore,
    KnownKey,
    SecretBox,
    SecretsError,
    known_box,
)

WAIT_S = 5.0
"""For the keyring."""

_FITS = {
    "keyring": "the key in the keyring fits the database",
    "passphrase": f"the passphrase of {PASSPHRASE_FILE} fits the database",
    "systemd": f"the credential {CREDENTIAL} fits the database",
}


def examine(known: KnownKey, settings: Secrets, home: Path) -> tuple[Finding, SecretBox | None]:
    """Look at the key of a home that has secrets.

    Returns:
        The finding, and the box if it could be opened.

    """
    keys = key_store(settings, home, known.store)
    hidden = _hidden(keys)
    if hidden is not None:
        return hidden, None
    if isinstance(keys, Keyring):
        # without a probe, which writes: to look must change nothing
        keys = Keyring(wait_s=WAIT_S, probe=False, options=keys.options)
    try:
        box = known_box(keys, known)
    except SecretsError as error:
        return problem("key", *split(str(error))), None
    return ok("key", _FITS.get(keys.name, f"{keys.place} fits the database")), box


def foresee(settings: Secrets, home: Path) -> Finding:
    """Look at where the key of a home would be made that is not there yet."""
    none_yet = skipped("key", "none yet; serve or demo will make it")
    keys = key_store(settings, home)
    if not isinstance(keys, Keyring):
        return none_yet
    try:
        looking = Keyring(wait_s=WAIT_S, probe=False, options=keys.options)
        # an entry that nobody has: that it finds nothing shows that the keyring answers
        looking.find(os.urandom(SALT_BYTES), new=True)
    except SecretsError as error:
        return warning("key", *split(str(error)))
    return none_yet


def _hidden(keys: KeyStore) -> Finding | None:
    """Tell of a key that only the gateway itself is given."""
    if isinstance(keys, Passphrase) and not _is_file(os.environ.get(PASSPHRASE_FILE)):
        return skipped(
            "key",
            "it is a passphrase, which is asked for at each start",
            f"to try it, name its file in {PASSPHRASE_FILE}",
        )
    if isinstance(keys, SystemdCredential) and keys.folder is None:
        return skipped(
            "key",
            f"systemd gives the credential {CREDENTIAL} to the unit alone",
            "to try it, run doctor in the unit, as in ExecStartPre=mt-gateway doctor",
        )
    return None


def _is_file(named: str | None) -> bool:
    """Tell whether it can be read without waiting for whoever writes it."""
    try:
        return bool(named) and stat.S_ISREG(Path(named or "").stat().st_mode)
    except OSError:
        return bool(named)  # what is wrong with it is told when it is read
