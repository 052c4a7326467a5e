"""What one does who owns the files of a home: he writes its history anew, hashes and all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from commands import run

from gateway.audit import SIGNED
from gateway.audit.table import GENESIS, chained
from gateway.storage.ledger import DATABASE as LEDGER
from gateway.storage.store import DATABASE

FORGED = "nothing to see here"
Change = Callable[[int, dict[str, Any]], dict[str, Any] | None]


def forge(home: Path, change: Change) -> None:
    """Write all rows anew: each as it is changed, ``None`` leaves it out."""
    with closing(sqlite3.connect(home / LEDGER, isolation_level=None)) as db:
        made = db.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'"
        ).fetchall()
        for name, _ in made:
            db.execute(f"DROP TRIGGER {name}")
        found = db.execute("SELECT n, entry FROM audit ORDER BY n").fetchall()
        db.execute("DELETE FROM audit")
        changed = (change(n, json.loads(entry)) for n, entry in found)
        previous, n = GENESIS, 0
        for n, entry in enumerate((one for one in changed if one is not None), 1):
            text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
            previous = chained(previous, n, text.encode())
            db.execute("INSERT INTO audit VALUES (?, ?, ?)", (n, text, previous))
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'audit'", (n,))
        for _, sql in made:
            db.execute(sql)


def lie(n: int, entry: dict[str, Any]) -> dict[str, Any]:
    """Change one row, the third."""
    return {**entry, "object": FORGED} if n == 3 else entry


def lie_unsigned(n: int, entry: dict[str, Any]) -> dict[str, Any] | None:
    """The same, and leave out all signatures within the trail."""
    return None if entry["event"] == SIGNED else lie(n, entry)


def forget_copy(home: Path) -> None:
    with closing(sqlite3.connect(home / DATABASE)) as db, db:
        db.execute("DELETE FROM audit_signed")


def verdict(home: Path, *options: str) -> tuple[bool, list[str]]:
    """What ``audit verify`` says: whether all is well, and what is not."""
    done = run("audit", "verify", "--json", "--home", str(home), *options)
    facts = json.loads(done.stdout)
    assert done.returncode == (0 if facts["intact"] else 1)
    return facts["intact"], [fault["text"] for fault in facts["faults"]]
