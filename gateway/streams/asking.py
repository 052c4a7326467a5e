"""How streams ask terminals: through a callback, a few at a time, once for all who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from gateway.errors import GatewayError, TerminalDisconnected

P = TypeVar("P", bound=Struct)
R = TypeVar("R")

MAX_ASKING = 8
"""Of the commands in flight to one terminal: the rest of its room is for the callers' own."""


class Ask(Protocol):
    """Asks a terminal, by its name."""

    def __call__(self, terminal: str, command: Command[P, R], params: P, /) -> Awaitable[R]:
        """Return the answer.

        Raises:
            GatewayError: ``TerminalDisconnected`` where it is offline, ``SymbolNotFound`` with
                ``did_you_mean``, and so on.

        """


class Asker:
    """Asks one terminal for its streams.

    An answer that comes when the terminal is on another link already is no answer: what it says
    may be older than what the new link has told.
    """

    def __init__(self, terminal: str, ask: Ask) -> None:
        self._terminal = terminal
        self._ask = ask
        self._room = asyncio.Semaphore(MAX_ASKING)
        self._link = 0

    def new_link(self) -> None:
        """The terminal has been connected anew, or is gone."""
        self._link += 1

    async def __call__(self, command: Command[P, R], params: P) -> R:
        """Ask when there is room."""
        async with self._room:
            link = self._link
            try:
                answer = await self._ask(self._terminal, command, params)
            except GatewayError:
                self._check(link)
                raise
            self._check(link)
            return answer

    def _check(self, link: int) -> None:
        if link != self._link:
            raise TerminalDisconnected(outcome="not_sent", terminal=self._terminal)


class Flight:
    """Runs one piece of work at a time; who asks for it meanwhile waits for the same run."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Wait for the run under way, or for a new one.

        The run goes on if the waiter is cancelled: others may wait for it.
        """
        await asyncio.shield(self.begin())

    @property
    def running(self) -> bool:
        """A run is under way."""
        return self._task is not None and not self._task.done()

    def begin(self) -> asyncio.Task[None]:
        """Start a run unless one is under way; return it. Its failure need not be collected."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())
            self._task.add_done_callback(_collect)
        return self._task

    def cancel(self) -> None:
        """End the run under way."""
        if self._task is not None:
            self._task.cancel()


def _collect(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
