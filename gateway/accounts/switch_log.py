"""Log of the kill switch: when trading was stopped and went on again, by whom and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from gateway.storage.ledger import Ledger

TABLE = """
CREATE TABLE kill_switch_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action TEXT NOT NULL,
    terminal TEXT NOT NULL,
    reason TEXT NOT NULL,
    triggered_by TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
"""
MAX_LINES = 100
"""In one answer."""

Action = Literal["activate", "deactivate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchLine:
    """One turn of the kill switch; ``at_ms`` is UTC."""

    id: int = 0
    action: Action
    terminal: str
    """Empty: of all."""
    reason: str
    triggered_by: str
    at_ms: int


class SwitchLog:
    """The lines in the ledger; there they stay."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def note(self, line: SwitchLine) -> None:
        """Enter a line with the next group."""
        values = (line.action, line.terminal, line.reason, line.triggered_by, line.at_ms)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO kill_switch_log (action, terminal, reason, triggered_by, at_ms) "
                "VALUES (?, ?, ?, ?, ?)",
                values,
            )

        self._ledger.write_soon(work)

    def newest(self, terminals: Collection[str]) -> list[SwitchLine]:
        """Return the last lines about some terminals, the newest first."""
        marks = ", ".join("?" * len(terminals))
        rows = self._ledger.reader.all(
            f"SELECT * FROM kill_switch_log WHERE terminal IN ({marks}) "  # noqa: S608 - marks
            f"ORDER BY id DESC LIMIT {MAX_LINES}",
            *terminals,
        )
        return [SwitchLine(**{name: row[name] for name in row.keys()}) for row in rows]  # noqa: SIM118 - a row iterates over values
