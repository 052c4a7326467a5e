"""Caller: a token on a device."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.credentials.record import IMPLIED, Scope

__all__ = ["IMPLIED", "Caller", "Scope"]


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
