"""Halts as they lie in the ledger: one row for a terminal, or for all of them.

A halt is latched: it stays until somebody lifts it. Who halts what is halted already can only make
the halt stricter, or say why. A halt that a person made, at the machine or with an ``admin``
token, is not lifted by a ``trade`` token: a program that runs away must not open the door again
by itself.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Any, Literal

from gateway.errors import Forbidden

BY_CONSOLE = "console"
"""``armed_by`` of a halt that a person made on the console: it lifts its own alone."""
EVERYWHERE = ""
"""Stands for all terminals; no terminal has that name."""
TABLE = """
CREATE TABLE halts (
    terminal TEXT PRIMARY KEY,
    armed_by TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    reductions INTEGER NOT NULL,
    by_admin INTEGER NOT NULL
) STRICT;
"""
MAX_REASON = 200
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Trading is stopped."""

    terminal: str
    """Or :data:`EVERYWHERE`."""
    armed_by: str
    """``cli``, ``console``, or ``token`` and its public id; for people."""
    since_ms: int
    """UTC milliseconds."""
    reason: str = ""
    """What was said; for people."""
    reductions: bool = True
    """What takes risk away may still be sent."""
    by_admin: bool = False
    """A person's, who alone lifts it."""


def stricter(first: Halt, second: Halt) -> Halt:
    """Return what holds where both were asked for: reductions only if both allow them.

    The first one is shown, unless the second is a person's and the first is not, or the second
    alone says why, or says it anew. Who says nothing leaves the reason that is there. A halt that
    was made here never becomes the console's, and the console's becomes that of who halts here:
    what a person halts at the machine is not lifted from afar.
    """
    from_afar = [halt.armed_by == BY_CONSOLE for halt in (first, second)]
    if from_afar[0] != from_afar[1]:
        shown = second if from_afar[0] else first
    else:
        is_taken_over = second.by_admin and not first.by_admin
        is_said_anew = bool(second.reason) and (second.by_admin or not first.by_admin)
        shown = second if is_taken_over or is_said_anew else first
    return replace(
        shown,
        since_ms=first.since_ms,
        reason=shown.reason or first.reason,
        reductions=first.reductions and second.reductions,
        by_admin=first.by_admin or second.by_admin,
    )


def find(connection: sqlite3.Connection, terminal: str) -> Halt | None:
    """Return the halt of a terminal, or that of all."""
    row = connection.execute("SELECT * FROM halts WHERE terminal = ?", (terminal,)).fetchone()
    return None if row is None else read(row)


def find_all(connection: sqlite3.Connection) -> list[Halt]:
    """Return all halts there are: that of all terminals first."""
    return [read(row) for row in connection.execute("SELECT * FROM halts ORDER BY terminal")]


def arm(connection: sqlite3.Connection, halt: Halt) -> Halt:
    """Write a halt, within a transaction; return it as it holds now."""
    present = find(connection, halt.terminal)
    # read and written in one transaction: two that halt at once both count
    merged = halt if present is None else stricter(present, halt)
    connection.execute(
        "REPLACE INTO halts VALUES (?, ?, ?, ?, ?, ?)",
        (
            merged.terminal,
            merged.armed_by,
            merged.since_ms,
            merged.reason,
            merged.reductions,
            merged.by_admin,
        ),
    )
    return merged


def lift(
    connection: sqlite3.Connection, terminal: str, *, by_admin: bool, by: str = ""
) -> Halt | None:
    """Take a halt away, within a transaction; return it, or ``None`` if there was none.

    Raises:
        Forbidden: it is a person's, and this is none; or it was made here, and the console asks.

    """
    halt = find(connection, terminal)
    if halt is None:
        return None
    check_lift(halt, by_admin=by_admin, by=by)
    connection.execute("DELETE FROM halts WHERE terminal = ?", (terminal,))
    return halt


def check_lift(halt: Halt, *, by_admin: bool, by: str = "") -> None:
    """Refuse to lift a halt that is not of those who ask.

    Raises:
        Forbidden: it is a person's, and this is none; or it was made here, and the console asks.

    """
    if by == BY_CONSOLE and halt.armed_by != BY_CONSOLE:
        raise Forbidden(
            f"The halt was made by {halt.armed_by}, not on the console: it is lifted at the "
            "machine, by `mt-gateway resume`",
            armed_by=halt.armed_by,
            since=halt.since_ms,
        )
    if halt.by_admin and not by_admin:
        raise Forbidden(
            f"The halt was made by {halt.armed_by}: it is lifted by `mt-gateway resume` or with a "
            "token of the scope admin",
            scope="admin",
            armed_by=halt.armed_by,
            since=halt.since_ms,
        )


def noted(kind: Literal["halt", "resume"], halt: Halt) -> dict[str, Any]:
    """Return what the audit trail says of a halt that is made, or lifted by ``armed_by``."""
    return {
        "actor": halt.armed_by.removeprefix("token "),
        "terminal": halt.terminal or "all",
        "reason": kind,
        "said": halt.reason or None,
        "reductions": halt.reductions,
    }


def read(row: sqlite3.Row) -> Halt:
    """Return the halt of a row."""
    return Halt(
        terminal=row["terminal"],
        armed_by=row["armed_by"],
        since_ms=row["since_ms"],
        reason=row["reason"],
        reductions=bool(row["reductions"]),
        by_admin=bool(row["by_admin"]),
    )
