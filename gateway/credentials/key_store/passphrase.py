"""The key derived from a passphrase that is given at each start; it is stored nowhere.

The passphrase comes from the terminal, or from the file that ``MT_GATEWAY_PASSPHRASE_FILE`` names:
``/dev/fd/3`` reads a descriptor that the parent opened. Never from the command line, which other
users can see.
"""

from __future__ import annotations

import getpass
import os
import stat
import sys
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from gateway.credentials.secrets import KEY_BYTES, KnownKey, SecretsError

PASSPHRASE_FILE = "MT_GATEWAY_PASSPHRASE_FILE"  # noqa: S105 (a variable's name)
NEW_PASSPHRASE_FILE = "MT_GATEWAY_NEW_PASSPHRASE_FILE"  # noqa: S105 (a variable's name)
"""For a passphrase that is to take the place of another one; otherwise it is the same file."""
MIN_CHARACTERS = 12
"""Of a new passphrase."""
MAX_BYTES = 1024
MEMORY_KIB = 256 * 1024
PASSES = 3
LANES = 4
"""Of Argon2id. They stay: with other figures the same passphrase is another key."""


@dataclass(frozen=True)
class Passphrase:
    """Argon2id of a passphrase and the home's salt.

    Args:
        read: returns the passphrase; twice the same if its argument says that it is a new one.
        memory_kib: less in tests alone.

    """

    read: Callable[[bool], str] = lambda new: read_passphrase(new=new)
    memory_kib: int = MEMORY_KIB
    name = "passphrase"
    place = "this passphrase"
    remedy = "start again with the right one"

    def find(self, salt: bytes, *, new: bool) -> bytes | None:
        """Derive the key; see :class:`~gateway.credentials.secrets.KeyStore`."""
        if not salt:  # of a home that is older than this store
            return None
        given = normal(self.read(new))
        if not given:
            raise SecretsError("the passphrase is empty; start again and give one")
        if new and len(given) < MIN_CHARACTERS:
            raise SecretsError(f"a passphrase has at least {MIN_CHARACTERS} characters")
        try:
            return hash_secret_raw(
                given.encode(), salt, PASSES, self.memory_kib, LANES, KEY_BYTES, Type.ID
            )
        except (HashingError, MemoryError) as error:
            raise SecretsError(
                f"there is no memory for the passphrase: {self.memory_kib // 1024} MiB are needed"
            ) from error

    def make(self, salt: bytes) -> bytes:
        """Refuse: a passphrase is asked for, not made."""
        raise SecretsError("no passphrase was given")

    def forget(self, known: KnownKey) -> None:
        """Do nothing: it is stored nowhere."""


def normal(passphrase: str) -> str:
    """Return what two systems agree on: they may compose what is typed of other code points."""
    return unicodedata.normalize("NFC", passphrase)


def read_passphrase(
    *, new: bool, of: str = "the gateway's secrets", variables: Sequence[str] = ()
) -> str:
    """Ask for a passphrase, or read it where the environment says.

    Args:
        new: ask for it twice.
        of: what it opens.
        variables: of the environment, which may name its file; the first that is set counts.

    Raises:
        SecretsError: there is neither file nor terminal, or it is not safe or not text.

    """
    variables = variables or ((NEW_PASSPHRASE_FILE,) * new + (PASSPHRASE_FILE,))
    named = next(filter(None, map(os.environ.get, variables)), None)
    if named:
        return _from_file(Path(named), sys.platform)
    if not sys.stdin.isatty():
        raise SecretsError(
            f"there is no terminal to ask for the passphrase; name its file in {variables[-1]}"
        )
    given = _ask(f"{'New passphrase' if new else 'Passphrase'} of {of}: ")
    if new and _ask("The same again, it is a new one: ") != given:
        raise SecretsError("the passphrases differ; start again")
    return given


def _ask(prompt: str) -> str:
    try:
        with warnings.catch_warnings():
            # otherwise it would warn, and let everybody read along
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(prompt)
    except getpass.GetPassWarning:
        raise SecretsError(
            f"this terminal shows what is typed; name the passphrase's file in {PASSPHRASE_FILE}"
        ) from None
    except (EOFError, UnicodeDecodeError):
        raise SecretsError("no passphrase was given") from None


def _from_file(path: Path, platform: str) -> str:
    if platform == "win32" and path.as_posix().startswith("/dev/"):
        raise SecretsError(f"{path} is not on Windows, which names no descriptors; name a file")
    try:
        with path.open("rb") as file:
            # of the opened file: between a look and the opening it could be exchanged
            mode = os.fstat(file.fileno()).st_mode
            # one more tells that it is too long; a device without an end is not read through
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SecretsError(f"{path} cannot be read: {error.strerror}") from error
    # a pipe or a descriptor has no rights that say anything
    if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
        raise SecretsError(f"{path} is readable by other users; run: chmod 600 {path}")
    if len(content) > MAX_BYTES:
        raise SecretsError(f"{path} is no passphrase: it has more than {MAX_BYTES} bytes")
    try:
        # the end of the line alone: other white space may belong to it
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretsError(f"{path} is no passphrase: it is not UTF-8") from None
