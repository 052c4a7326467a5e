"""Tokens of the console. A token's text is shown once, never kept."""

from .info import TokenInfo, token_info
from .rights import MAX_LIFETIME_S, MIN_LIFETIME_S, checked_limits, sentence
from .room import MAX_KEPT, MAX_LIVE
from .service import AS_BEFORE, MAX_OVERLAP_S, Tokens, server_key_place
from .succession import REPLACED

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
    "server_key_place",
    "token_info",
]
