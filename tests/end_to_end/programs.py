"""Commands in processes of their own, beside a test's loop that has other things to do meanwhile.

Like ``commands``, which waits until a command is ready; these may have to be waited for by a
person first, as a terminal is whose machine nobody has approved yet.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from demo_process import ENDED, ENDS_WITHIN_S, clean_environment
from warm_process import COMMAND, Running, start_warm

WAIT_S = 60.0
"""For what takes a second or two on a machine that is not busy."""
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""What ends a program at once: on Windows both do."""


@dataclass
class Program:
    """A command with ``--json`` that runs."""

    process: Running
    log: str = ""
    """What it said to stderr until now."""
    _said: asyncio.Condition = field(default_factory=asyncio.Condition)
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def ready(self, timeout_s: float = WAIT_S) -> dict[str, Any]:
        """Wait for its ready line."""
        line = await asyncio.wait_for(asyncio.shield(self._tasks[0]), timeout_s)
        assert line, f"it has ended:\n{self.log}"
        event: dict[str, Any] = json.loads(line)
        return event

    async def said(self, pattern: str, timeout_s: float = WAIT_S) -> re.Match[str]:
        """Wait until stderr holds what fits."""
        async with asyncio.timeout(timeout_s), self._said:
            while (found := re.search(pattern, self.log)) is None:
                await self._said.wait()
        return found

    async def end(self) -> None:
        """Tell it to stop; it ends as it should."""
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.process.wait(), ENDS_WITHIN_S)
        await self._read_all()
        assert code == ENDED, self.log

    async def kill(self) -> None:
        """End it as a crash does."""
        if self.runs:
            with suppress(OSError):  # it has just ended
                # not process.kill(), which may take the exit code away from who waits for it
                os.kill(self.process.pid, KILL)
        await self.process.wait()
        await self._read_all()

    async def exit_code(self, timeout_s: float = WAIT_S) -> int:
        """Wait until it ends by itself."""
        return await asyncio.wait_for(self.process.wait(), timeout_s)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    def listen(self) -> None:
        """Begin to read what it says."""
        assert self.process.stdout is not None
        self._tasks += [
            asyncio.create_task(self.process.stdout.readline()),
            asyncio.create_task(self._hear()),
        ]

    async def _hear(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            async with self._said:
                self.log += line.decode()
                self._said.notify_all()

    async def _read_all(self) -> None:
        await asyncio.wait(self._tasks)


@asynccontextmanager
async def program(*arguments: str, **environment: str) -> AsyncIterator[Program]:
    """Run a command with ``--json`` no longer than the block; it need not be ready yet."""
    process = await start_warm(
        *COMMAND,
        *arguments,
        "--json",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment() | environment,
    )
    one = Program(process)
    one.listen()
    try:
        yield one
    finally:
        await one.kill()
