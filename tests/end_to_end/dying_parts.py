"""A console or a daemon that is killed at a moment of a revocation: by itself, with SIGKILL. After
its ack a daemon stands still instead, until it is killed.

``python dying_parts.py console MOMENT FOLDER`` and ``... daemon MOMENT FOLDER URL ROOT``: each
says one line of JSON when it is ready.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, NoReturn

from console_site import PASSWORD, linked, site
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.auth.leases import Leases
from gateway.console.events import EventNotifier
from gateway.console_link.link import ConsoleLink, ConsoleStream
from gateway.credentials.event import ConsoleEvent

OWNER = "ann@example.com"
armed = asyncio.Event()


def die() -> NoReturn:
    """End as a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("alive")


def _before_the_disk() -> None:
    def stop(self: Leases, event: ConsoleEvent, *, applied: bool) -> bool:
        die()

    Leases.stop = stop  # type: ignore[method-assign]  # the moment


def _arm_when_stopped() -> None:
    """Other events are acknowledged too."""
    stop = Leases.stop

    def stop_and_arm(self: Leases, event: ConsoleEvent, *, applied: bool) -> bool:
        armed.set()
        return stop(self, event, applied=applied)

    Leases.stop = stop_and_arm  # type: ignore[method-assign]  # the moment


def _before_the_ack() -> None:
    _arm_when_stopped()
    acknowledge = ConsoleLink._acknowledge

    async def before(self: ConsoleLink) -> None:
        if armed.is_set():
            die()
        await acknowledge(self)

    ConsoleLink._acknowledge = before  # type: ignore[method-assign]  # the moment


def _after_the_ack() -> None:
    _arm_when_stopped()
    say = ConsoleStream.say

    async def after(self: ConsoleStream, message: Any) -> None:
        await say(self, message)
        if armed.is_set() and message.t == "ack":
            # killed at once its system might reset the connection, and the ack be lost on the way
            os.kill(os.getpid(), signal.SIGSTOP)

    ConsoleStream.say = after  # type: ignore[method-assign]  # the moment


def _after_the_commit() -> None:
    """Of a revocation: the console has written it down and told nobody.

    A look at the database wakes too, for events of before: at any time, and so before the commit.
    """
    announce, wake = EventNotifier.announce, EventNotifier.wake
    announced: list[Iterable[str]] = []

    async def before(self: EventNotifier, session: AsyncSession, dids: Iterable[str]) -> None:
        if armed.is_set():
            announced.append(dids)
        await announce(self, session, dids)

    def after(self: EventNotifier, dids: Iterable[str]) -> None:
        if any(dids is one for one in announced):
            die()
        wake(self, dids)

    EventNotifier.announce = before  # type: ignore[method-assign]  # the moment
    EventNotifier.wake = after  # type: ignore[method-assign]


MOMENTS = {
    "before the disk": _before_the_disk,
    "before the ack": _before_the_ack,
    "after the ack": _after_the_ack,
    "after the commit": _after_the_commit,
}


def _say(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


async def _line() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def console(folder: str) -> None:
    """Run a console; a line of input arms it."""
    async with site(Path(folder)) as one:
        await one.console.users.create(OWNER, "Ann", PASSWORD)
        _say({"url": one.url, "root": one.root})
        await _line()
        armed.set()
        _say({})
        await _line()


async def daemon(folder: str, url: str, root: str) -> None:
    """Run a daemon until the input ends."""
    async with linked(Path(folder), url, root=root) as one:
        _say({"bridge": one.ready.bridge, "ws": one.ready.ws, "rpc": one.ready.rpc})
        await _line()


if __name__ == "__main__":
    role, moment, *arguments = sys.argv[1:]
    MOMENTS[moment]()
    roles: dict[str, Callable[..., Coroutine[Any, Any, None]]]
    roles = {"console": console, "daemon": daemon}
    asyncio.run(roles[role](*arguments))
