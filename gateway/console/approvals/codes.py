"""Secrets of one approval request: made, kept and compared.

============ ============================================ =========== ==============
user code    8 of 20 letters (34.6 bits), on the terminal  typed on    Argon2id
                                                           the page
ecode        8 digits (26.6 bits), in the mail             typed at    Argon2id
                                                           the device
link         256 bits, in the mail                         followed    SHA-256
============ ============================================ =========== ==============

Each counts for one request: its id is hashed along.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ea_bridge import host
from gateway.console.ids import new_secret, secret_hash
from gateway.credentials.passwords import Passwords

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words appear (RFC 8628, 6.1), and nothing that looks like a digit."""
CODE_LENGTH = 8
TRIES = 5
LIFE_S = 600


@dataclass(frozen=True)
class NewCodes:
    """As people see them; of these only hashes are kept."""

    user_code: str = field(repr=False)
    """``BCDF-GHJK``."""
    ecode: str = field(repr=False)
    link: str = field(repr=False)


@dataclass(frozen=True)
class Hashes:
    """Hashes of the codes; nothing else of them is kept."""

    user_code: str
    ecode: str
    link: str


def new_codes() -> NewCodes:
    """Return fresh codes from the system's randomness."""
    letters = "".join(host.choice(LETTERS) for _ in range(CODE_LENGTH))
    return NewCodes(
        user_code=f"{letters[:4]}-{letters[4:]}",
        ecode=f"{host.randbelow(10**CODE_LENGTH):0{CODE_LENGTH}d}",
        link=new_secret(),
    )


class Codes:
    """Hashes codes, in the threads that hash passwords.

    Args:
        hasher: with :data:`gateway.credentials.passwords.CODE_COST`.

    """

    def __init__(self, hasher: Passwords) -> None:
        self._hasher = hasher

    async def hashes(self, rid: str, codes: NewCodes) -> Hashes:
        """Return what may be stored.

        Raises:
            TooBusy: too much is being hashed.

        """
        return Hashes(
            user_code=await self._hasher.hash(_typed(rid, codes.user_code)),
            ecode=await self._hasher.hash(_typed(rid, codes.ecode)),
            link=link_hash(codes.link),
        )

    async def fits(self, stored: str, rid: str, code: str) -> bool:
        """Tell whether somebody typed the code; case, spaces and hyphens do not matter.

        Raises:
            TooBusy: too much is being hashed.

        """
        return (await self._hasher.verify(stored, _typed(rid, code))).ok


def link_hash(link: str) -> str:
    """Return what is kept of a link's secret."""
    return secret_hash(link)


def _typed(rid: str, code: str) -> str:
    kept = "".join(letter for letter in code.upper() if letter not in " -")
    return f"{rid}|{kept[:64]}"
