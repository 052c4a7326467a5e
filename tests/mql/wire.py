"""The way between a terminal and its daemon, which a test may cut or hold up."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

CHUNK_BYTES = 65_536


class Wire:
    """Forwards connections to a port of this machine.

    Args:
        target: the daemon's port; may be changed when the daemon has started anew.

    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.dialled = 0
        """How many connections there were."""
        self.is_open = True
        """Whether new ones are let through."""
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        self._flows.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End what there is, as a crash does."""
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        """Let nothing through, without telling either side."""
        self._flows.clear()

    def release(self) -> None:
        """Let what was held go on."""
        self._flows.set()

    async def _serve(self, near: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        self.dialled += 1
        if not self.is_open:
            out.transport.abort()
            return
        try:
            far, on = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            out.transport.abort()
            return
        self._writers |= {out, on}
        for reader, writer in ((near, on), (far, out)):
            task = asyncio.create_task(self._forward(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()
