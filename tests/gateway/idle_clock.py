"""A loop's clock that goes on only while nothing is left to do: it tells how long was waited, and
a busy machine changes nothing of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any
from unittest.mock import patch


class IdleClock:
    """The clock of a loop that is idle; it can be told to go on as real time does."""

    def __init__(self) -> None:
        self.is_real = False

    def follow_kernel(self) -> None:
        """Go on in real time from now on, for what the kernel does by timers of its own.

        A receiver whose buffer was full is sent nothing until its window is told anew, and that
        may wait for a delayed acknowledgement or a probe: the loop is idle, and yet not done.
        """
        self.is_real = True


@contextmanager
def idle_clock() -> Iterator[IdleClock]:
    """Have the running loop's time stand still, and jump to what is due next where the loop would
    wait for it.

    Only for what happens in this one loop and its executor's threads, whose work takes no time by
    it: before another process has a chance, a timer would be due. On Windows nothing changes,
    since what one socket sends another has not got at once there.
    """
    clock = IdleClock()
    if sys.platform == "win32":
        yield clock
        return
    loop: Any = asyncio.get_running_loop()
    selector, at_work = loop._selector, set[asyncio.Future[Any]]()
    now_s, select, run_in_executor = loop.time(), selector.select, loop.run_in_executor

    def jump(timeout: float | None = None) -> Any:
        nonlocal now_s
        if timeout is None or timeout <= 0:
            return select(timeout)
        if clock.is_real:
            before_s = monotonic()
            events = select(timeout)
            now_s += monotonic() - before_s
            return events
        events = select(None if at_work else 0)
        if not events:
            now_s += timeout
        return events

    def run(*args: Any) -> asyncio.Future[Any]:
        work: asyncio.Future[Any] = run_in_executor(*args)
        at_work.add(work)
        work.add_done_callback(at_work.discard)
        return work

    with (
        patch.object(loop, "time", lambda: now_s),
        patch.object(selector, "select", jump),
        patch.object(loop, "run_in_executor", run),
    ):
        yield clock
