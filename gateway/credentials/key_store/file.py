"""The key in a file: one that its owner alone can read, or one that systemd decrypts.

A line a key: 43 base64url characters, then the salt of the database whose key it is. While a key
is exchanged there are two lines, and two databases may share a file without sharing a key. A line
without a salt is anybody's: so it is in files that people make.

systemd decrypts a credential for the service alone: see systemd.exec(5),
``LoadCredentialEncrypted=``; docs/security.md shows how to make one.
"""

from __future__ import annotations

import hmac
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ea_bridge import host
from gateway.credentials.secrets import (
    KEY_BYTES,
    KnownKey,
    SecretBox,
    SecretsError,
    decode_key,
    encode_key,
)


@dataclass(frozen=True)
class KeyFile:
    """A file of mode 0600."""

    path: Path
    name = "file"
    remedy = "restore the file from a backup"

    @property
    def place(self) -> str:
        """The path."""
        return str(self.path)

    def find(self, salt: bytes, *, new: bool) -> bytes | None:
        """Read the file; see :class:`~gateway.credentials.secrets.KeyStore`."""
        try:
            return choose_key(self._read(), salt, new=new)
        except OSError as error:
            raise self._unusable(error) from error

    def make(self, salt: bytes) -> bytes:
        """Add a key to the file, whole and on the disk before anything is sealed with it."""
        key = host.random_bytes(KEY_BYTES)
        try:
            with _alone(self.path):
                self._write([*self._read(), (key, salt)])
        except OSError as error:
            raise self._unusable(error) from error
        return key

    def forget(self, known: KnownKey) -> None:
        """Take the key out of the file; the file goes with its last key."""
        try:
            with _alone(self.path):
                lines = self._read()
                others = [line for line in lines if not _is_of(line, known)]
                if others and others != lines:
                    self._write(others)
                elif lines and not others:
                    self.path.unlink()
        except OSError as error:
            raise self._unusable(error) from error

    def _read(self) -> Lines:
        try:
            mode, text = self.path.stat().st_mode, self.path.read_bytes()
        except FileNotFoundError:
            return []
        # the modes of Windows say nothing of other users: its access lists do
        if os.name == "posix" and mode & 0o077:
            raise SecretsError(
                f"{self.path} is readable by other users; run: chmod 600 {self.path}"
            )
        return parse_keys(text, self.place)

    def _write(self, lines: Lines) -> None:
        text = "".join(f"{encode_key(key)} {salt.hex()}".rstrip() + "\n" for key, salt in lines)
        # beside it: a rename is whole or not at all within one file system only
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            # before the rename: else a power cut leaves an empty file under the name
            file.flush()
            os.fsync(file.fileno())
        host.replace_file(fresh, self.path)
        # the rename itself is on the disk with its folder alone, and this is the only key
        if os.name == "posix":  # elsewhere a folder cannot be opened
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _unusable(self, error: OSError) -> SecretsError:
        return SecretsError(f"{self.path} cannot be used: {error.strerror}")


Line = tuple[bytes, bytes]
Lines = list[Line]
"""Key and salt; no salt: anybody's."""


def parse_keys(text: bytes, place: str) -> Lines:
    """Read what a key file holds.

    Raises:
        SecretsError: a line is something else.

    """
    lines = []
    for line in text.splitlines() or [b""]:
        key, _, label = line.strip().partition(b" ")
        try:
            salt = bytes.fromhex(label.decode("ascii"))
        except ValueError:
            raise SecretsError(f"{place} is damaged: behind a key stands its salt") from None
        lines.append((decode_key(key, place), salt))
    return lines


def choose_key(lines: Lines, salt: bytes, *, new: bool) -> bytes | None:
    """Return the key of a database, or the one that is anybody's.

    The only key there is may have been carried from elsewhere: whether it is the right one, its
    check value tells. A new database takes none that is another's.
    """
    # a salt of its own first: two databases that share a file must not share a key
    own = [key for key, label in lines if label and label == salt]
    anybodys = [key for key, label in lines if not label]
    only = [] if new or len(lines) != 1 else [lines[0][0]]
    return next(iter((*own, *anybodys, *only)), None)


def _is_of(line: Line, known: KnownKey) -> bool:
    """A line without a salt is told by its key."""
    key, label = line
    if label:
        return label == known.salt
    return hmac.compare_digest(SecretBox(key).check_value(), known.check_value)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from changing the file meanwhile."""
    if sys.platform == "win32":
        import msvcrt

        # Windows locks no folder: a file beside it, which stays, for another may wait for it
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # LK_LOCK tries for ten seconds, once a second, then raises OSError
            msvcrt.locking(lock, msvcrt.LK_LOCK, 1)
            yield
        finally:
            os.close(lock)
    else:
        import fcntl

        # the folder, not the file: that is replaced, and a lock on the old one stops nobody
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


CREDENTIAL = "mt-gateway-kek"
_UNIT = f"start the gateway by a systemd unit with LoadCredentialEncrypted={CREDENTIAL}"


@dataclass(frozen=True)
class SystemdCredential:
    """A file in the service's ``$CREDENTIALS_DIRECTORY``.

    Args:
        folder: ``None`` if systemd gave none.

    """

    folder: Path | None
    name = "systemd"
    place = f"the credential {CREDENTIAL}"
    remedy = f"{_UNIT} that holds the key of this home"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Return the one that systemd announces in the environment."""
        named = environment.get("CREDENTIALS_DIRECTORY")
        return cls(Path(named) if named else None)

    def find(self, salt: bytes, *, new: bool) -> bytes | None:
        """Read the credential; see :class:`~gateway.credentials.secrets.KeyStore`."""
        if self.folder is None:
            return None
        path = self.folder / CREDENTIAL
        try:
            mode, text = path.stat().st_mode, path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SecretsError(f"{path} cannot be read: {error.strerror}; {_UNIT}") from error
        # systemd lets a User= read by an access list, whose mask looks like the group's right
        if mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
            raise SecretsError(f"{path} is open to other users; {_UNIT}, which keeps it private")
        return choose_key(parse_keys(text, self.place), salt, new=new)

    def make(self, salt: bytes) -> bytes:
        """Refuse: systemd's credentials are made beforehand."""
        raise SecretsError(f"{self.place} is missing; {_UNIT}, made as docs/security.md shows")

    def forget(self, known: KnownKey) -> None:
        """Do nothing: the credential is the unit's, and goes with the line that loads it."""
