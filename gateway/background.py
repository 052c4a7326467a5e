"""Work that runs beside a context and ends with it."""

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
