"""Check the prices of ticks, which cross the wire as text and reach clients as they are.

They are spliced into JSON unparsed, so text that is no plain JSON number would make every
subscriber's frame invalid, or carry something else altogether.
"""

from __future__ import annotations

import re

from .errors import UnreadableLine
from .messages import Ticks

MAX_DIGITS = 15
"""Significant digits that a double keeps through text and back."""
MAX_PRICE_LENGTH = 24
MAX_KNOWN_PRICES = 8192

_PRICE = re.compile(
    rf"""-?(?:
        0\.0*[0-9]{{1,{MAX_DIGITS}}}
      | (?=[0-9.]{{3,{MAX_DIGITS + 1}}}\Z) [1-9][0-9]* \.[0-9]+
      | 0
      | [1-9][0-9]{{0,{MAX_DIGITS - 1}}}
    )""",
    re.VERBOSE | re.ASCII,
)


def is_price(text: str) -> bool:
    """Tell whether ``text`` is a JSON number without exponent, of at most 15 digits."""
    return len(text) <= MAX_PRICE_LENGTH and _PRICE.fullmatch(text) is not None


class PriceCheck:
    """Check that remembers the texts that have passed: prices repeat, and it is six times
    cheaper."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def check(self, ticks: Ticks) -> None:
        """Raise :class:`UnreadableLine` unless every price is a price."""
        known = self._known
        for row in ticks.d:
            if row[2] not in known:
                self._learn(row[2])
            if row[3] not in known:
                self._learn(row[3])

    def _learn(self, text: str) -> None:
        if not is_price(text):
            raise UnreadableLine("a price is not a plain number", "ticks")
        if len(self._known) >= MAX_KNOWN_PRICES:
            self._known.clear()
        self._known.add(text)
