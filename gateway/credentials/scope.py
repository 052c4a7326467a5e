"""Scopes: what a token may be used for."""

from __future__ import annotations

import enum


class Scope(enum.StrEnum):
    """``trade`` includes ``read``; ``admin`` includes both."""

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"


IMPLIED: dict[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.TRADE: frozenset({Scope.READ, Scope.TRADE}),
    Scope.ADMIN: frozenset(Scope),
}
"""What holding a scope amounts to."""
