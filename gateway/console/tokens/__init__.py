"""Tokens of the console. A token's text is shown once, never kept."""

from .info import TokenInfo, token_info
from .rights import checked_limits, sentence
from .room import MAX_KEPT, MAX_LIVE
from .service import MAX_OVERLAP_S, Tokens, server_key_place

__all__ = [
    "MAX_KEPT",
    "MAX_LIVE",
    "MAX_OVERLAP_S",
    "TokenInfo",
    "Tokens",
    "checked_limits",
    "sentence",
    "server_key_place",
    "token_info",
]
