"""A daemon that is killed again and again, for the exactly-once run.

``python exactly_once_daemon.py HOME CONFIG``: each line of input, ``{"point": NAME, "nth": N}``,
makes one life. A life is a process of its own, forked from this one so that it begins at once. It
says a line of JSON when it is ready, and goes on until it is killed from outside, or kills itself
with SIGKILL when it comes to a point for the nth time. Then this process says how it died.

The points are those of the journal (:class:`~gateway.trading.journal.OrderLog`), and two around
the commit of each group of writes to the ledger, in whichever thread: ``POINTS`` of
``simulation/run.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from gateway.app import Gateway
from gateway.config import Config
from gateway.home.home import Home
from gateway.storage.ledger import Ledger
from gateway.trading.reconcile import patience

GONE_S = 0.5
"""Instead of minutes, which no life here lasts: whoever gives a command up too soon is wrong all
the sooner. The emulated broker shows an order at once."""


class Fuse:
    """Ends the process when it comes to a point for the nth time."""

    def __init__(self, point: str, nth: int) -> None:
        self._point, self._left = point, nth

    def reach(self, point: str) -> None:
        """Come to a point."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _lay(fuse: Fuse) -> None:
    """Have those who write the ledger come by the fuse."""
    commit = Ledger._commit

    def between_points(self: Ledger, group: list[Any]) -> None:
        fuse.reach("committing")
        commit(self, group)
        fuse.reach("committed")

    Ledger._commit = between_points  # type: ignore[method-assign]  # the points


async def _live(home: Path, config: Config, fuse: Fuse) -> None:
    with Home(home, config.secrets.key_file) as opened:
        async with Gateway(opened, config, on_point=fuse.reach).run() as ready:
            say({"pid": os.getpid(), "rpc": ready.rpc, "bridge": ready.bridge})
            await asyncio.Event().wait()


def say(said: dict[str, Any]) -> None:
    """Say a line."""
    os.write(sys.stdout.fileno(), json.dumps(said).encode() + b"\n")


def main(home: Path, config: Config) -> None:
    """Make lives until the input ends."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            sys.stdin.close()
            fuse = Fuse(**json.loads(line))
            _lay(fuse)
            patience.GONE_S = GONE_S
            asyncio.run(_live(home, config, fuse))
        _, status = os.waitpid(pid, 0)
        say({"died_of": os.WTERMSIG(status) if os.WIFSIGNALED(status) else -1})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Config.model_validate_json(sys.argv[2]))
