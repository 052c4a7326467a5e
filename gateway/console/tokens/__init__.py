"""Tokens of the console. A token's text is shown once, never kept."""

from .rights import MAX_KEPT, MAX_LIFETIME_S, MAX_LIVE, MIN_LIFETIME_S, checked_limits, sentence
from .service import (
    AS_BEFORE,
    MAX_OVERLAP_S,
    REPLACED,
    TokenInfo,
    Tokens,
    token_info,
)

__all__ = [
    "AS_BEFORE",
    "MAX_KEPT",
    "MAX_LIFETIME_S",
    "MAX_LIVE",
    "MAX_OVERLAP_S",
    "MIN_LIFETIME_S",
    "REPLACED",
    "TokenInfo",
    "Tokens",
    "checked_limits",
    "sentence",
    "token_info",
]
