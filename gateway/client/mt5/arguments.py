"""Arguments, read as the original reads them, and never stricter."""

from __future__ import annotations

import fnmatch
import operator
from collections.abc import Callable
from datetime import datetime
from numbers import Real
from typing import Any

from gateway.client.mt5.state import invalid

LAST_S = 4_102_444_800
"""The year 2100: later dates mean that."""
MAX_TICKET = 2**63 - 1


def text(given: Any, answer: Any = ...) -> str:
    """Read a positional text.

    Raises:
        Failure: it is none.

    """
    if not isinstance(given, str):
        raise invalid(answer=answer)
    return given


def number(given: Any) -> int:
    """Read a positional integer, also one of numpy's.

    Raises:
        Failure: it is none.

    """
    try:
        return operator.index(given)
    except TypeError:
        raise invalid() from None


def real(given: Any) -> float:
    """Read a positional number.

    Raises:
        Failure: it is none.

    """
    if isinstance(given, Real):
        return float(given)
    raise invalid()


def seconds(given: Any) -> int:
    """Read a date as seconds of the broker's clock.

    A datetime counts by its ``timestamp()``, as in the original: a naive one is local time of
    this machine. Parts of a second are cut off.

    Raises:
        Failure: it is no date.

    """
    try:
        if isinstance(given, datetime):
            moment = int(given.timestamp())
        elif isinstance(given, Real) and not isinstance(given, bool):
            moment = int(float(given))
        else:
            raise invalid()
    except (OverflowError, ValueError, OSError):  # not a number, or beyond the system's dates
        raise invalid() from None
    return max(0, min(moment, LAST_S))


def named(name: str, given: Any, kind: type, answer: Any = ...) -> Any:
    """Read an argument given by its name; ``None`` means that it is left out.

    Raises:
        Failure: it is not of that kind.

    """
    if given is None:
        return None
    if kind is int:
        try:
            return operator.index(given)
        except TypeError:
            raise invalid(f'"{name}" argument', answer) from None
    if not isinstance(given, kind):
        raise invalid(f'"{name}" argument', answer)
    return given


def in_group(group: str | None) -> Callable[[str], bool]:
    """Return whether a symbol is in a group like ``"*USD*,!EURUSD"``; all are in ``None``.

    The conditions hold in their order; ``!`` takes out again.
    """
    if group is None:
        return lambda _: True
    parts = [part.strip() for part in group.split(",")]

    def holds(symbol: str) -> bool:
        found = False
        for part in parts:
            if fnmatch.fnmatchcase(symbol, part.removeprefix("!")):
                found = not part.startswith("!")
        return found

    return holds
