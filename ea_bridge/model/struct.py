"""Base of the nouns, and the bounds of their members.

The bounds are the platform's own, or wide of them. A terminal that says something else is broken
or lying, and its line is unreadable: everything behind the bridge counts on numbers that it can
add up, turn into milliseconds and write down again as JSON, and on names that it can say back.
"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""MQL's ``long``."""
Seconds = Annotated[int, Meta(ge=0, lt=32_535_216_000)]
"""MQL's ``datetime``: up to the end of the year 3000; 0 where there is none."""
Milliseconds = Annotated[int, Meta(ge=0, lt=32_535_216_000_000)]
"""The same as ``*_msc``."""
Digits = Annotated[int, Meta(ge=0, le=16)]
"""After the point, of a price or a sum."""

Name = Annotated[str, Meta(max_length=256)]
"""Of a symbol. It goes back to the terminal in commands, whose lines are short."""
Text = Annotated[str, Meta(max_length=4096)]
"""Any other; the longest are paths and formulas."""


class Struct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every noun: immutable; unknown fields of a newer peer are ignored."""


T = TypeVar("T")


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """Part of a long list: rows ``offset .. offset+limit-1`` of what a question asked for.

    ``total`` counts all that fit the question, whatever part of them is in ``rows``. A page that
    is too long for one line comes in parts, each of them a page with the same ``total``.
    """

    total: Annotated[int, Meta(ge=0)]
    rows: list[T]
