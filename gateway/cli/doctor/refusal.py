"""Terminals that dialled and were turned away, as the home's audit trail has them.

The gateway tells of linked terminals alone. One that was never let in leaves nothing but this; and
one whose MetaTrader lets it not dial at all leaves nothing anywhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.storage.ledger import DATABASE

MAX_ENTRIES = 5000
"""Of the trail, from its end, that are looked through."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A terminal was not let in."""

    tid: str
    """Id of the token that it showed; nobody has checked that it holds it."""
    reason: str
    """As in :data:`ea_bridge.protocol.messages.DENIALS`."""
    at_ms: int
    """UTC."""


def last_refusal(home: Path, tid: str) -> Refusal | None:
    """Return how the last try of a terminal ended, if it was turned away; else the last of one
    with a token that nobody knows: it may be the same terminal, with an old token in its inputs.

    Reads what is there, and writes nothing; ``None`` also where it cannot be read.

    Args:
        home: of the gateway.
        tid: id of the token that the terminal should have.

    """
    unknown = None
    for entry in _newest(home / DATABASE):
        event = entry.get("event")
        if event == "terminal_linked" and entry.get("actor") == tid:
            break
        if event != "terminal_refused":
            continue
        refusal = Refusal(
            str(entry.get("object", "")), str(entry.get("reason")), int(entry.get("ts", 0))
        )
        if refusal.tid == tid:
            return refusal
        if unknown is None and refusal.reason == "unknown":
            unknown = refusal
    return unknown


def _newest(database: Path) -> Iterator[dict[str, Any]]:
    query = "SELECT entry FROM audit ORDER BY n DESC LIMIT ?"
    try:
        with closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        ) as reader:
            rows = reader.execute(query, (MAX_ENTRIES,)).fetchall()
    except sqlite3.Error:
        return  # there is none; or the finding database tells what is wrong with the home
    for (text,) in rows:
        try:
            yield orjson.loads(text)
        except ValueError:
            continue
