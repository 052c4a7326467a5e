"""The way between a terminal and its daemon, which a test may cut or hold up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self

from ea_bridge.simulation.faults import EmulatedFaults

CHUNK_BYTES = 65_536
CUT, LOST = -1.0, -2.0
Judge = Callable[[bytes], float]
"""Says of a line how many seconds it is held up, or :data:`CUT` or :data:`LOST`."""


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
        self.faults: TradeFaults | None = None
        """What happens to trades on the way; counts for connections that are made from now on."""

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

    async def shut(self) -> None:
        """End what there is, and have the system refuse new connections."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    async def reopen(self) -> None:
        """Listen again, where it did before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

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
        faults = self.faults
        up, down = (None, None) if faults is None else (faults.up, faults.down)
        self._begin(self._forward(near, on, up))
        self._begin(self._forward(far, out, down))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, judge: Judge | None
    ) -> None:
        rest = b""
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._flows.wait()
                if judge is None:
                    writer.write(data)
                else:
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        if writer.transport.is_closing():
                            break  # it was cut
                        self._judge(judge, line + b"\n", writer)
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def _judge(self, judge: Judge, line: bytes, writer: asyncio.StreamWriter) -> None:
        """Write a line now, later or never. One by one: a cut loses no line that came before it,
        though both were read at once."""
        delay_s = judge(line)
        if delay_s == 0:
            writer.write(line)
        elif delay_s == CUT:
            self.cut()
        elif delay_s != LOST:
            asyncio.get_running_loop().call_later(delay_s, writer.write, line)


class TradeFaults:
    """Harms trades on the wire as the emulated terminal's :class:`EmulatedFaults` do; counted down
    alike.

    Args:
        faults: what is still to happen.

    """

    def __init__(self, faults: EmulatedFaults) -> None:
        self._faults = faults
        self._ids: set[int] = set()

    def down(self, line: bytes) -> float:
        """Judge a line of the daemon."""
        said = json.loads(line)
        if said.get("op") == "order_send":
            self._ids.add(said["id"])
            if self._faults.take("cut_before_ack"):
                return CUT
        return 0

    def up(self, line: bytes) -> float:
        """Judge a line of the EA."""
        said = json.loads(line)
        if said["t"] != "res" or said["id"] not in self._ids:
            return 0
        if self._faults.take("cut_after_ack"):
            return CUT
        if self._faults.take("lose_result"):
            return LOST
        return self._faults.delay_result_ms / 1000
