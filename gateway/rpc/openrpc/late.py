"""A document that is made when somebody reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LateDocument:
    """Made once, when it is first read, in a thread: neither the start of the daemon nor any
    other caller waits the tenths of a second that it takes.

    Args:
        make: returns the text.

    """

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._text: bytes | None = None
        self._making = asyncio.Lock()

    async def read(self) -> bytes:
        """Return the text."""
        async with self._making:
            if self._text is None:
                self._text = await asyncio.to_thread(self._make)
            return self._text
