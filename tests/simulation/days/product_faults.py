"""Deliberate faults of the product that simulated days must find: ``days --fault NAME``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from gateway.auth.leases import EVERYTHING, Leases
from gateway.auth.records import RecordBook
from gateway.trading.terminal import GuardedTerminal

_keys = RecordBook.keys


def _newest_key(book: RecordBook, kind: Any, now_s: int) -> Any:
    """Return the newest key alone."""
    found = dict(_keys(book, kind, now_s))
    return dict([found.popitem()]) if found else found


FAULTS: dict[str, tuple[Any, str, Any, str]] = {
    "a lease lasts for ever": (Leases, "_by_age", lambda *_: EVERYTHING, "its lease ended"),
    "an old key is forgotten": (RecordBook, "keys", _newest_key, "does not verify"),
    "a day begins at midnight of UTC": (
        GuardedTerminal,
        "broker_ms",
        property(lambda terminal: terminal.now_ms()),
        "refused for a loss",
    ),
}
"""By name: whose attribute is replaced, its name, by what, and words of what is said of it."""


@contextmanager
def fault(name: str) -> Iterator[None]:
    """Put a fault into the product while the block lasts; none for an empty name."""
    with ExitStack() as stack:
        if name:
            owner, attribute, replacement, _ = FAULTS[name]
            stack.enter_context(patch.object(owner, attribute, replacement))
        yield
