"""Secrets that a test knows, and the search for them in everything that was written or said.

A test plants what it knows (tokens, passphrases, keys), lets the product work, and hands over
every file, log and answer. A secret is looked for in each form in which it may have been written.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ea_bridge.token import client_key, derive_keys
from gateway.home.home import SEALED, Home

TOKEN_HEAD = 16
"""Characters of a token that are public: ``mgt_`` and its id."""
MIN_BYTES = 8
"""Shorter ones would be found by chance."""


@dataclass
class Planted:
    """Secrets by name, and where each of them may lie."""

    secrets: dict[str, bytes] = field(default_factory=dict)
    allowed: dict[str, Collection[str]] = field(default_factory=dict)
    """Names of files, by name of secret."""

    def plant(self, name: str, secret: str | bytes, *, may_lie_in: Collection[str] = ()) -> None:
        """Look for a secret from now on."""
        data = secret.encode() if isinstance(secret, str) else secret
        assert len(data) >= MIN_BYTES
        self.secrets[name] = data
        self.allowed[name] = may_lie_in

    def plant_token(self, name: str, token: str, *, may_lie_in: Collection[str] = ()) -> None:
        """Look for what is secret of a token, and for the keys that stand for it."""
        self.plant(name, token[TOKEN_HEAD:48], may_lie_in=may_lie_in)
        self.plant(f"{name}: client key", client_key(token))
        self.plant(f"{name}: server key", derive_keys(token).server_key)

    def plant_home(self, home: Home, key_file: str) -> None:
        """Look for the key of a home, and for everything that it seals in whatever table."""
        self.plant(f"key {home.box.kid}", home.box.kek, may_lie_in=(key_file,))
        for one in SEALED:
            # our own names, from the list beside the migrations
            sql = f"SELECT {one.key}, {one.column} FROM {one.table} WHERE {one.column} NOT NULL"  # noqa: S608
            for row, sealed in home.store.all(sql):
                self.plant(
                    f"{one.table}.{one.column} of {row}", home.box.open(sealed, one.place(row))
                )

    def found_in(self, place: str, content: str | bytes) -> list[str]:
        """Return a line for each secret that lies in what a file or an answer holds."""
        data = content.encode() if isinstance(content, str) else content
        return [
            f"{name} lies in {place}"
            for name, secret in self.secrets.items()
            if place not in self.allowed[name] and any(form in data for form in forms(secret))
        ]

    def found_below(self, folder: Path) -> list[str]:
        """Return a line for each secret in each file of a folder; its names are looked at too."""
        found = []
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            found += self.found_in("the name of a file", name)
            if path.is_file():
                found += self.found_in(name, path.read_bytes())
        return found


def forms(secret: bytes) -> Iterator[bytes]:
    """Yield how a secret may have been written."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for coded in (base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
        yield coded.rstrip(b"=")
    yield quote(secret, safe="").encode()
    yield repr(secret)[2:-1].encode()
