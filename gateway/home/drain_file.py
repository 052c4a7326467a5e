"""The request to drain: a file in the home, by which ``mt-gateway drain`` asks the gateway there.

Whoever may write in the home may ask, as with ``halt``; no token is needed, and it works on every
system. The file names the process that is meant, and a moment after which it means nothing: one
that was left by a command that was killed drains no later gateway.

Who takes the file away decides, since only one of two can: the gateway, once nothing is under
way, and then it stops; or the command, when it has waited long enough, and then the gateway goes
on. So the command never tells that the gateway goes on while it stops, nor the other way round.
"""

from __future__ import annotations

import json  # not orjson: the command that asks must start fast
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ea_bridge import host

FILE = "drain.json"
MAX_BYTES = 1024


@dataclass(frozen=True, slots=True)
class DrainRequest:
    """A process shall drain and stop."""

    pid: int
    until_ms: int
    """UTC milliseconds: if it has not stopped by then it goes on."""


def ask(home: Path, request: DrainRequest) -> None:
    """Write the request; one that is there is replaced.

    Raises:
        OSError: it cannot be written.

    """
    fresh = home / f"{FILE}.{os.getpid()}"
    flags = os.O_CREAT | os.O_WRONLY | os.O_EXCL
    with suppress(FileNotFoundError):
        fresh.unlink()  # of a command that was killed
    # whoever reads meanwhile finds all of it or nothing; EXCL follows no link that is there
    with open(os.open(fresh, flags, 0o600), "w", encoding="ascii") as file:
        json.dump(asdict(request), file)
    host.replace_file(fresh, home / FILE)


def is_asked(home: Path, pid: int, now_ms: int) -> bool:
    """Whether a request lies there that means this process, and is not over."""
    try:
        with (home / FILE).open("rb") as file:
            facts = json.loads(file.read(MAX_BYTES))
        return bool(facts["pid"] == pid and now_ms < facts["until_ms"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def take(home: Path) -> bool:
    """Take the request away; return whether it was there still, and could be taken."""
    try:
        (home / FILE).unlink()
    except OSError:  # also where Windows lets nobody take it while the other one reads
        return False
    return True


def is_there(home: Path) -> bool:
    """Whether a request lies there, whomever it means."""
    return (home / FILE).exists()
