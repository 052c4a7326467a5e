"""A daemon in a process of its own that is killed and started again; see
``exactly_once_daemon.py``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from demo_process import clean_environment
from simulation.run import Life

from gateway.home.home import Home

HERE = Path(__file__).parent
CONFIG = {
    "api": {"port": 0},
    "bridge": {"port": 0},
    # the bots are many, and do not mind each other's unknown orders
    "trading": {"orders_per_second": "none", "block_unresolved": False},
}


class Lives:
    """The daemon, one life after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = 0
        self.death: asyncio.Future[Any]
        """Done when the present life is over."""

    async def begin(self, life: Life) -> dict[str, Any] | None:
        """Start a daemon; return its ready line, ``None`` if it was dead before that."""
        assert self._process.stdin is not None
        fuse = json.dumps({"point": life.point, "nth": life.nth})
        self._process.stdin.write(f"{fuse}\n".encode())
        said: dict[str, Any] = await self._line()
        if "died_of" in said:
            self.death = asyncio.get_running_loop().create_future()
            self.death.set_result(said)
            return None
        self.pid = said["pid"]
        self.death = asyncio.create_task(self._line())
        return said

    async def end(self) -> None:
        """Kill the daemon, if it has not done so itself."""
        if not self.death.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        assert (await self.death)["died_of"] == signal.SIGKILL

    async def _line(self) -> Any:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "the daemon has ended by itself; its log says why"
        return json.loads(line)


def make_home(folder: Path, *terminals: str) -> dict[str, str]:
    """Make the home of a daemon; return the tokens of its terminals."""
    with Home(folder / "home", "secrets.key") as home:
        return {name: home.issuer.create(name)[0] for name in terminals}


@asynccontextmanager
async def lives(
    folder: Path,
    *prefix: str,
    program: str = "exactly_once_daemon.py",
    config: Mapping[str, Any] = CONFIG,
) -> AsyncIterator[Lives]:
    """Run what makes lives of the daemon of ``folder / "home"``; its log goes to ``daemon.log``.

    Args:
        prefix: a command that runs it.
        program: beside this file; see there for its points.
        config: of the daemon.

    """
    with (folder / "daemon.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *prefix,
            *(sys.executable, str(HERE / program)),
            *(str(folder / "home"), json.dumps(config)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=clean_environment(),
        )
    one = Lives(process)
    try:
        yield one
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with suppress(ProcessLookupError):
            if one.pid and not one.death.done():
                os.kill(one.pid, signal.SIGKILL)
        await process.wait()
