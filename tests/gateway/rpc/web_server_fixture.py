"""A web server on real sockets, over a small catalogue, for the tests of the doors."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from idle_clock import IdleClock, idle_clock
from small_catalogue import Doings, small_catalogue

from ea_bridge.sockets import bind_loopback
from ea_bridge.token import MalformedToken, new_token, parse_token
from gateway.auth.caller import IMPLIED, Caller, Scope
from gateway.config import Limits
from gateway.errors import Unauthorized
from gateway.http.mount import LazyDocument
from gateway.rpc.server import WebServer
from gateway.runtime import RuntimeInfo
from gateway.streams import Listener, StreamEvent
from gateway.trading.kill_switch.service import Safeguards
from gateway.trading.state import TradingState


class Unasked:
    """The terminal of methods that ask it nothing."""

    name = "demo"

    def require(self, tier: object) -> None:
        """Whoever is let in may do everything."""


class Gate:
    """Tokens in memory; the real gate's interface."""

    def __init__(self) -> None:
        self.tokens: dict[str, Caller] = {}
        self.revoked: set[str] = set()
        self._callbacks: list[Callable[[str, str], None]] = []
        self.admitted = 0

    def new(self, scope: Scope = Scope.ADMIN) -> str:
        token = new_token()
        tid = parse_token(token)
        self.tokens[token] = Caller(
            tid=tid, terminal="demo", scopes=IMPLIED[scope], generation=1, device="test"
        )
        return token

    def admit(self, token: str) -> Caller:
        try:
            parse_token(token)
        except MalformedToken:
            raise Unauthorized(reason="malformed") from None
        if token not in self.tokens:
            raise Unauthorized(reason="unknown")
        caller = self.tokens[token]
        self.recheck(caller)
        self.admitted += 1
        return caller

    def recheck(self, caller: Caller) -> None:
        if caller.tid in self.revoked:
            raise Unauthorized(reason="revoked")

    def on_change(self, callback: Callable[[str, str], None]) -> Callable[[], None]:
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def revoke(self, token: str, *, tell: bool = True) -> None:
        tid = parse_token(token)
        self.revoked.add(tid)
        if tell:
            for callback in self._callbacks:
                callback(tid, "revoked")


class Streams:
    """Remembers who listens; a test publishes by hand."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    def attach(self, listener: Listener) -> None:
        self.listeners.append(listener)

    def detach(self, listener: Listener) -> None:
        self.listeners.remove(listener)

    def publish(self, *events: StreamEvent) -> None:
        joined = b"".join(event.frame for event in events)
        for listener in tuple(self.listeners):
            listener.deliver(events, joined)


@dataclass
class Server:
    """Everything that a test of the doors talks to."""

    gate: Gate
    streams: Streams
    doings: Doings
    server: WebServer
    token: str
    limits: Limits
    clock: IdleClock
    logs: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def head(self, path: str = "/rpc", method: str = "POST", *more: str, token: str = "") -> str:
        """Return a request header that passes the guard; ``more`` lines are added."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Authorization: Bearer {token or self.token}",
            "Content-Type: application/json",
            *more,
        ]
        return "\r\n".join(lines) + "\r\n"

    async def raw(self, data: bytes, *, host: str = "127.0.0.1") -> bytes:
        """Send bytes; return all that comes back until the server closes or is silent."""
        reader, writer = await asyncio.open_connection(host, self.port)
        try:
            writer.write(data)
            return await read_response(reader)
        finally:
            writer.close()

    async def post(
        self, body: bytes | Any, *more: str, token: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Post a body to /rpc; return status, headers and body."""
        if not isinstance(body, bytes):
            body = orjson.dumps(body)
        head = self.head("/rpc", "POST", f"Content-Length: {len(body)}", *more, token=token)
        return split_response(await self.raw(head.encode() + b"\r\n" + body))

    async def rpc(self, name: str, /, **params: Any) -> Any:
        """Call a method; return the whole response object."""
        request = {"jsonrpc": "2.0", "id": 1, "method": name, "params": params}
        return orjson.loads((await self.post(request))[2])


async def until(condition: Callable[[], object]) -> None:
    """Wait for a fact of which the server tells nobody."""
    while not condition():  # noqa: ASYNC110  # that is the point
        await asyncio.sleep(0.002)


async def read_response(reader: asyncio.StreamReader) -> bytes:
    """Read one HTTP response, or what there is of one before the connection ends."""
    head = b""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as exc:
        return exc.partial
    except ConnectionError:
        return b""
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + (await reader.readexactly(length) if length else b"")


def split_response(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (names in lower case) and body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {k.lower(): v for k, v in fields.items()}, body


@asynccontextmanager
async def open_server(
    *, limits: Limits | None = None, origins: Sequence[str] = (), failures_per_s: float = 1e6
) -> AsyncIterator[Server]:
    """Run a server over the small catalogue on a free port, by an :func:`idle_clock`."""
    gate, streams, doings = Gate(), Streams(), Doings()
    limits = limits or Limits()
    sockets = bind_loopback(0)
    port = sockets[0].getsockname()[1]
    daemon = RuntimeInfo(
        boot="test",
        limits=limits,
        rpc_url=f"http://127.0.0.1:{port}/rpc",
        ws_url=f"ws://127.0.0.1:{port}/ws",
    )
    server = WebServer(
        sockets,
        catalogue=small_catalogue(doings),
        gate=gate,
        streams=streams,  # type: ignore[arg-type]
        daemon=daemon,
        terminal_for=lambda caller: Unasked(),  # type: ignore[arg-type,return-value]
        state_of=lambda terminal: TradingState(),
        safeguards=Safeguards(),
        openrpc=LazyDocument(lambda: b'{"openrpc":"1.3.2"}'),
        asyncapi=LazyDocument(lambda: b'{"asyncapi":"3.0.0"}'),
        origins=origins,
        failures_per_s=failures_per_s,
    )
    with idle_clock() as clock:
        await server.start()
        try:
            yield Server(gate, streams, doings, server, gate.new(), limits, clock)
        finally:
            doings.open.set()
            await server.stop()


class RawWs:
    """A WebSocket client that can be as ill-mannered as a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, payload: bytes | Any, opcode: int = 1, *, head: int = 0x80) -> None:
        """Send one frame; ``head`` holds the FIN and RSV bits."""
        if not isinstance(payload, bytes):
            payload = orjson.dumps(payload)
        self.writer.write(masked(payload, head | opcode))

    async def frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame."""
        first, size = await self.reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        return first & 0x0F, await self.reader.readexactly(size)

    async def json(self) -> Any:
        """Return the next text message, decoded."""
        opcode, payload = await self.frame()
        assert opcode == 1, (opcode, payload)
        return orjson.loads(payload)

    async def close_code(self) -> int:
        """Skip messages up to the close frame; return its code."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                return int.from_bytes(payload[:2], "big")

    async def ended(self) -> bool:
        """Read until the server has closed the socket."""
        try:
            while await self.reader.read(65_536):
                pass
        except ConnectionError:
            pass
        return True


def masked(payload: bytes, first: int) -> bytes:
    """Return a client's frame."""
    size, mask = len(payload), b"\x11\x22\x33\x44"
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    key = (mask * (size // 4 + 1))[:size]
    covered = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
    return bytes([first]) + length + mask + covered


UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)


@asynccontextmanager
async def raw_ws(
    house: Server, *more: str, login: bool = True, receive_buffer: int = 0
) -> AsyncIterator[RawWs]:
    """Open /ws by hand; ``login`` sends the Authorization header."""
    sock = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio looks at it before TCP_NODELAY
    sock.setblocking(False)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", house.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=max(receive_buffer, 4096))
    head = house.head("/ws", "GET", *UPGRADE, *more)
    if not login:
        head = "\r\n".join(x for x in head.split("\r\n") if not x.startswith("Authorization"))
    writer.write(head.encode() + b"\r\n")
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    try:
        yield RawWs(reader, writer)
    finally:
        writer.close()
