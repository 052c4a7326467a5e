"""The key as a credential that systemd decrypts for the service alone.

See systemd.exec(5), ``LoadCredentialEncrypted=``; the README shows how to make one.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gateway.credentials.key_store.file import choose_key, parse_keys
from gateway.credentials.secrets import KnownKey, SecretsError

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
        raise SecretsError(f"{self.place} is missing; {_UNIT}, made as the README shows")

    def forget(self, known: KnownKey) -> None:
        """Do nothing: the credential is the unit's, and goes with the line that loads it."""
