"""A loop's clock that goes on only while nothing is left to do: it tells how long was waited, and
a busy machine changes nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def idle_clock() -> Iterator[None]:
    """Have the running loop's time stand still, and jump to what is due next where the loop would
    wait for it.

    Only for what happens in this one loop: a thread or another process takes no time by it, so a
    timer would be due before they have a chance.
    """
    loop: Any = asyncio.get_running_loop()
    selector = loop._selector
    now_s, select = loop.time(), selector.select

    def jump(timeout: float | None = None) -> Any:
        nonlocal now_s
        if timeout is None or timeout <= 0:
            return select(timeout)
        events = select(0)
        if not events:
            now_s += timeout
        return events

    with patch.object(loop, "time", lambda: now_s), patch.object(selector, "select", jump):
        yield
