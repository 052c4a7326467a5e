"""The base of the nouns."""

from __future__ import annotations

import msgspec


class Struct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every noun: immutable; unknown fields of a newer peer are ignored."""
