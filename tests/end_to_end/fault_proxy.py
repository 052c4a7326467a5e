"""What can go wrong on the way between a daemon and its console, on purpose.

:class:`FaultProxy` forwards TCP and harms it as it is told, per kind of connection: the ``stream``
over which the console pushes, or a ``call``. :class:`Middleman` understands what is said, without
any key, and may alter it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from aiohttp import ClientConnectionResetError, WSMsgType, web

Kind = Literal["stream", "call"]
Json = dict[str, Any]
STREAM = b"GET /v1/daemon/stream"
CHUNK_BYTES = 65_536
LISTENS_WITHIN_S = 60.0
"""Longer than a daemon waits before it dials again."""
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets."""


@dataclass
class Flow:
    """What becomes of bytes in one direction; changes count for the next bytes."""

    drop: bool = False
    """They vanish, and so does the end of the connection."""
    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    """0: no limit."""
    corrupt_every: int = 0
    """One bit of each so-many-th byte is turned over; 0: none."""


@dataclass
class Path:
    """One kind of connection."""

    down: Flow = field(default_factory=Flow)
    """From the console to the daemon."""
    up: Flow = field(default_factory=Flow)
    refuse: bool = False
    """New ones are reset at once."""


@dataclass(eq=False)
class _Pair:
    kind: Kind
    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]


class FaultProxy:
    """Forwards ``port`` to a console's port; see :func:`fault_proxy`."""

    def __init__(self) -> None:
        self.target = 0
        self.port = 0
        self.paths: dict[Kind, Path] = {}
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passed = 0
        self.heal()

    @property
    def url(self) -> str:
        """Where the daemon finds its console."""
        return f"http://127.0.0.1:{self.port}"

    def heal(self) -> None:
        """Harm nothing from now on; what was harmed stays so."""
        self.paths = {"stream": Path(), "call": Path()}

    def restore(self) -> None:
        """Have all begin anew, unharmed."""
        self.heal()
        self.cut()

    def black_out(self) -> None:
        """Let nothing through, without telling either side."""
        for path in self.paths.values():
            path.down.drop = path.up.drop = True

    def cut(self, kind: Kind | None = None, *, reset: bool = False) -> int:
        """End connections, in order or by a reset; return how many."""
        meant = [pair for pair in self._pairs if kind in (None, pair.kind)]
        for pair in meant:
            for writer in pair.writers:
                _end(writer, reset=reset)
        return len(meant)

    def count(self, kind: Kind) -> int:
        """How many connections there are."""
        return sum(pair.kind == kind for pair in self._pairs)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End everything."""
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, near: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            first = await near.readexactly(len(STREAM))
            kind: Kind = "stream" if first == STREAM else "call"
            if self.paths[kind].refuse:
                _end(writer, reset=True)
                return
            far, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            pair = _Pair(kind, (writer, far_writer))
            self._pairs.add(pair)
            try:
                await asyncio.gather(
                    self._pump(near, far_writer, kind, "up", first),
                    self._pump(far, writer, kind, "down"),
                )
            finally:
                self._pairs.discard(pair)
                for each in pair.writers:
                    each.close()
        writer.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        kind: Kind,
        direction: Literal["up", "down"],
        data: bytes = b"",
    ) -> None:
        with suppress(OSError):
            while data := data or await reader.read(CHUNK_BYTES):
                flow: Flow = getattr(self.paths[kind], direction)
                await asyncio.sleep(flow.delay_s)
                if not flow.drop:
                    await self._send(writer, self._harmed(data, flow), flow)
                data = b""
        if getattr(self.paths[kind], direction).drop:
            await asyncio.Event().wait()  # nobody hears that it is over
        with suppress(OSError):
            writer.write_eof()

    async def _send(self, writer: asyncio.StreamWriter, data: bytes, flow: Flow) -> None:
        size = 1 if flow.bytes_per_s else len(data)
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
            if flow.bytes_per_s:
                await asyncio.sleep(1 / flow.bytes_per_s)

    def _harmed(self, data: bytes, flow: Flow) -> bytes:
        if not flow.corrupt_every:
            return data
        harmed = bytearray(data)
        for at in range(len(data)):
            self._passed += 1
            if self._passed % flow.corrupt_every == 0:
                harmed[at] ^= 1 << (self._passed // flow.corrupt_every % 8)
        return bytes(harmed)


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    if reset and sock is not None and not writer.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()


@asynccontextmanager
async def fault_proxy() -> AsyncIterator[FaultProxy]:
    """Listen on a free port; the console's port is set as ``target`` before anybody comes."""
    proxy = FaultProxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()


class Middleman:
    """Hands on what daemon and console say, altered as a test wants; see :func:`middleman`."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.target = ""
        self.port = 0
        self.answers: list[Json] = []
        """All answers to ``sync``, as the console gave them."""
        self.pushed: list[str] = []
        """All messages on the stream, as the console sent them."""
        self.alter_sync: Callable[[Json], Json] = lambda answer: answer
        self.alter_push: Callable[[str], Sequence[str]] = lambda text: [text]
        """What the daemon hears for a message: nothing, or several."""
        self._http = http
        self._streams: set[web.WebSocketResponse] = set()
        self._has_stream = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the daemon believes its console to be."""
        return f"http://127.0.0.1:{self.port}"

    def restore(self) -> None:
        """Alter nothing any more."""
        self.alter_sync = lambda answer: answer
        self.alter_push = lambda text: [text]

    async def push(self, text: str) -> None:
        """Say something to the daemon in the console's name, as soon as it listens.

        A daemon that is told nonsense hangs up and dials again; a text that meets the end of a
        stream is said on the next one.
        """
        while True:
            self._has_stream.clear()
            live = [stream for stream in self._streams if not stream.closed]
            with suppress(ClientConnectionResetError):
                for stream in live:
                    await stream.send_str(text)
                if live:
                    return
            await asyncio.wait_for(self._has_stream.wait(), LISTENS_WITHIN_S)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Hand on a request."""
        if request.path == "/v1/daemon/stream":
            return await self._stream(request)
        body = await request.read()
        async with self._http.request(
            request.method, self.target + request.raw_path, data=body, headers=_signed(request)
        ) as far:
            content, status = await far.read(), far.status
        if request.path == "/v1/daemon/sync" and status == 200:
            said = json.loads(content)
            self.answers.append(said)
            content = json.dumps(self.alter_sync(json.loads(content))).encode()
        return web.Response(body=content, status=status, content_type="application/json")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        near = web.WebSocketResponse(compress=False)
        await near.prepare(request)
        self._streams.add(near)
        self._has_stream.set()
        url = self.target + request.raw_path
        try:
            async with self._http.ws_connect(url, headers=_signed(request)) as far:
                upwards = asyncio.create_task(_hand_on(near, far))
                async for message in far:
                    if message.type is not WSMsgType.TEXT:
                        break
                    self.pushed.append(message.data)
                    for text in self.alter_push(message.data):
                        await near.send_str(text)
                upwards.cancel()
        except (aiohttp.ClientError, ConnectionError):
            pass
        finally:
            self._streams.discard(near)
        return near


async def _hand_on(near: web.WebSocketResponse, far: aiohttp.ClientWebSocketResponse) -> None:
    async for message in near:
        if message.type is WSMsgType.TEXT:
            await far.send_str(message.data)
    await far.close()


def _signed(request: web.Request) -> dict[str, str]:
    kept = {name: value for name, value in request.headers.items() if name.startswith("Mgt-")}
    return kept | {"Content-Type": "application/json"}


@asynccontextmanager
async def middleman() -> AsyncIterator[Middleman]:
    """Listen on a free port; the console's URL is set as ``target`` before anybody comes."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        between = Middleman(http)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", between.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        between.port = runner.addresses[0][1]
        yield between
