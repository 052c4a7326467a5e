"""Who is calling: a token on a device."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Scope(enum.StrEnum):
    """What a token may be used for. ``trade`` includes ``read``; ``admin`` includes both."""

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"


IMPLIED: dict[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.TRADE: frozenset({Scope.READ, Scope.TRADE}),
    Scope.ADMIN: frozenset(Scope),
}
"""What holding a scope amounts to."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A token that the gate has let in."""

    tid: str
    """Public id of the token."""
    terminal: str
    """Name of the one terminal that the token is for."""
    scopes: frozenset[Scope]
    """With everything implied."""
    generation: int
    """Grows with each change of the token's rights; an older caller must be let in again."""
    device: str
