"""Work that runs beside a context and ends with it, and the times at which it looks around."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work beside the context; it is cancelled, and has ended, when the context is left."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        # not awaited: what it raised is in the log, and must not hide what ends the context
        await asyncio.wait((task,))


async def next_look(every_s: float) -> None:
    """Sleep until the loop's clock shows a multiple of some seconds.

    Whoever looks for something at intervals waits so: all wake together, and an idle program a
    few times a second instead of as often as all of them would by themselves.
    """
    rest_s = every_s - asyncio.get_running_loop().time() % every_s
    # a timer may ring a hair early, and then this look would come twice
    await asyncio.sleep(rest_s if rest_s > every_s / 10 else rest_s + every_s)
