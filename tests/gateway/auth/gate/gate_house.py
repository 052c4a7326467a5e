"""A home and the gate before it."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.auth.caller import Caller
from gateway.auth.gate import Gate
from gateway.errors import Unauthorized
from gateway.home.home import Home
from gateway.storage.store import DATABASE

START = 1_800_000_000


@dataclass
class House:
    """A home and the gate before it, with clocks that a test sets."""

    folder: Path
    now: int = START
    monotonic: float = 0.0
    changes: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = Home(self.folder, now_s=lambda: self.now)
        self.gate = self.new_gate()
        self.gate.on_change(lambda tid, reason: self.changes.append((tid, reason)))

    def new_gate(self) -> Gate:
        return Gate(self.home.book(), "device", lambda: self.now, lambda: self.monotonic)

    def admit(self, name: str = "demo", **arguments: object) -> tuple[str, Caller]:
        token, _ = self.home.issuer.create(name, **arguments)  # type: ignore[arg-type]
        return token, self.gate.admit(token)

    def revoke_elsewhere(self, which: str) -> None:
        """Revoke as ``mt-gateway token revoke`` does, in another process."""
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path; from gateway.home.home import Home\n"
                "Home(Path(sys.argv[1])).issuer.revoke(sys.argv[2])",
                str(self.folder),
                which,
            ],
            check=True,
            timeout=60,
        )

    def alter(self, sql: str, *values: object) -> None:
        """Write to the database behind everybody's back."""
        with sqlite3.connect(self.folder / DATABASE) as db:
            db.execute(sql, values)
        db.close()


def reason(check: Callable[[], object]) -> str:
    """Return why a check refuses, ``""`` if it does not."""
    try:
        check()
    except Unauthorized as error:
        assert error.message
        return str(error.data["reason"])
    return ""


async def delivered() -> None:
    """Let the loop deliver what was told to the listeners."""
    await asyncio.sleep(0)
