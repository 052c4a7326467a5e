"""Pages of long answers.

A cursor is a moment on the broker's clock, in milliseconds, and how many items of that moment have
been told already: items that come in later, or an offset that is learnt meanwhile, neither shift
nor repeat a page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.errors import InvalidParams

_CURSOR = re.compile(r"c(-?[0-9]{1,14})\.([0-9]{1,9})", re.ASCII)
MAX_SKIP = 1_000_000


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins. ``str()`` gives what clients hand back."""

    at_ms: int
    skip: int = 0

    def __str__(self) -> str:
        return f"c{self.at_ms}.{self.skip}"


def read_cursor(text: str, first_ms: int, last_ms: int) -> Cursor:
    """Read a cursor.

    Raises:
        InvalidParams: it is none of ours, or of another span of time.

    """
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise InvalidParams(errors=[{"field": "cursor", "reason": "not a cursor of ours"}])
    cursor = Cursor(int(match[1]), int(match[2]))
    if not first_ms <= cursor.at_ms <= last_ms or cursor.skip > MAX_SKIP:
        raise InvalidParams(
            errors=[{"field": "cursor", "reason": "it belongs to other params: from, to"}]
        )
    return cursor
