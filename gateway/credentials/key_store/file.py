"""The key in a file that its owner alone can read."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from gateway.credentials.secrets import KEY_BYTES, SecretsError, decode_key, encode_key


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
            mode, text = self.path.stat().st_mode, self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        if os.name == "posix" and mode & 0o077:
            raise SecretsError(
                f"{self.path} is readable by other users; run: chmod 600 {self.path}"
            )
        return decode_key(text, self.place)

    def make(self, salt: bytes) -> bytes:
        """Make a key file, whole and on the disk before anything is sealed with it."""
        key = secrets.token_bytes(KEY_BYTES)
        try:
            self._write(encode_key(key) + "\n")
        except OSError as error:
            raise self._unusable(error) from error
        return key

    def _write(self, text: str) -> None:
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        if os.name == "posix":  # elsewhere a folder cannot be opened
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _unusable(self, error: OSError) -> SecretsError:
        return SecretsError(f"{self.path} cannot be used: {error.strerror}")
