"""The parts of the bridge's tests: a wire of bytes, a clock to drive, an EA that dials."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import msgspec

from ea_bridge import commands, host
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.connection import DAEMON, TERMINAL, Connection, ConversationRole
from ea_bridge.protocol.handshake import NONCE_BYTES, SPAN, answer_challenge, make_challenge
from ea_bridge.registry import TerminalChange, TerminalRegistry
from ea_bridge.server import Admitted, BridgeServer, NotAdmitted
from ea_bridge.session import LateResult, SessionCallbacks, TerminalSession
from ea_bridge.session.peer import PeerSession
from ea_bridge.token import derive_keys, new_token, parse_token

TOKEN = "mgt_A1b2C3d4E5f60123456789abcdefghijABCDEFGHIJkl1Scs9g"
DEVICE = "device-1"
KEYS = derive_keys(TOKEN)
T = TypeVar("T", bound=m.Message)


def make_hello(**changes: Any) -> m.Hello:
    """A hello of the token's terminal."""
    hello = m.Hello(
        proto=SPAN,
        tid=parse_token(TOKEN),
        cnonce=host.token_hex(NONCE_BYTES),
        boot="b1",
        platform="mt5",
        login=123,
        server="Broker-Demo",
        caps="ticks,book,deals,check",
    )
    return msgspec.structs.replace(hello, **changes)


def make_welcome(ack: int = 0) -> m.Welcome:
    return m.Welcome(session="s-1", hb_ms=1000, dead_ms=15000, ack=ack, window=512, time=1)


def raw(value: object) -> msgspec.Raw:
    """What a ``res`` carries as ``d``."""
    return msgspec.Raw(msgspec.json.encode(value))


class Pair:
    """Two ends of one conversation. Whatever one end says, the other must hear."""

    def __init__(self) -> None:
        self.ends = {role: Connection(role) for role in ConversationRole}

    def say(self, role: ConversationRole, message: m.Message) -> None:
        """Say it byte by byte, and see that both ends agree on what happened."""
        data = self.ends[role].send(message)
        peer = self.ends[role.peer]
        heard = [each for byte in data for each in peer.receive_data(bytes([byte]))]
        assert heard == [message]
        assert self.ends[TERMINAL].state is self.ends[DAEMON].state

    def shake_hands(self, ack: int = 0) -> None:
        """Go through the whole handshake."""
        hello = make_hello()
        challenge = make_challenge(KEYS, hello, host.token_hex(NONCE_BYTES), DEVICE)
        self.say(TERMINAL, hello)
        self.say(DAEMON, challenge)
        self.say(TERMINAL, answer_challenge(TOKEN, hello, challenge))
        self.say(DAEMON, make_welcome(ack))


@dataclass
class FakeTimer:
    """Something that will happen when the clock is driven there."""

    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeTimers:
    """A clock that stands still until :meth:`advance`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.early_s = 0.0
        """Timers ring so much too early, as those of a loop do up to its clock's resolution."""
        self._order = itertools.count()
        self._queue: list[tuple[float, int, FakeTimer, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_later(
        self, delay: float, callback: Callable[..., object], /, *args: object
    ) -> FakeTimer:
        timer = FakeTimer()
        at = self.now + max(delay - self.early_s, 0)
        entry = (at, next(self._order), timer, lambda: callback(*args))
        heapq.heappush(self._queue, entry)
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass, and ring what is due on the way."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            at, _, timer, ring = heapq.heappop(self._queue)
            self.now = at
            if not timer.cancelled:
                ring()
        self.now = end

    @property
    def pending(self) -> int:
        return sum(not timer.cancelled for _, _, timer, _ in self._queue)


class Heard:
    """What a gateway hears of its sessions, in order."""

    def __init__(self) -> None:
        self.events: list[m.Event] = []
        self.states: list[str] = []
        self.clocks: list[tuple[int, int]] = []
        self.late: list[LateResult] = []
        self.changes: list[TerminalChange] = []
        self._something = asyncio.Event()

    def callbacks(self) -> SessionCallbacks:
        return SessionCallbacks(
            on_event=lambda _, event: self._note(self.events, event),
            on_change=lambda session: self._note(self.states, session.state.value),
            on_clock=lambda _, tcur, tgmt: self._note(self.clocks, (tcur, tgmt)),
            on_late_result=lambda _, late: self._note(self.late, late),
        )

    def on_registry_change(self, change: TerminalChange) -> None:
        self._note(self.changes, change)

    def kinds(self) -> list[str]:
        return [change.kind.value for change in self.changes]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is heard that makes it true."""
        async with asyncio.timeout(60):
            while not condition():
                self._something.clear()
                await self._something.wait()

    def _note(self, where: list[Any], what: object) -> None:
        where.append(what)
        self._something.set()


class MemoryAuthorizer:
    """Knows some tokens; those that were refused are told why after their proof."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Admitted | NotAdmitted] = {}

    def issue(self, terminal: str) -> str:
        token = new_token()
        self.verdicts[parse_token(token)] = Admitted(keys=derive_keys(token), terminal=terminal)
        return token

    def admit(self, hello: m.Hello) -> Admitted | NotAdmitted:
        return self.verdicts.get(hello.tid) or NotAdmitted(code="unknown", reason="no such token")


class TestEa:
    """A terminal reduced to its link: a test says what it answers."""

    __test__ = False

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection = Connection(TERMINAL)
        self._reader, self._writer = reader, writer
        self._inbox: list[m.Message] = []

    @classmethod
    async def dial(cls, port: int, host: str = "127.0.0.1") -> Self:
        return cls(*await asyncio.open_connection(host, port))

    def say(self, *messages: m.Message) -> None:
        self.write(b"".join(self.connection.send(message) for message in messages))

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def hear(self, kind: type[T], *, skip: tuple[type[m.Message], ...] = (m.Hb,)) -> T:
        """Return the next message, which must be of ``kind``; heartbeats are passed over."""
        while True:
            message = await self._next()
            if isinstance(message, kind):
                return message
            assert isinstance(message, skip), message

    def stop_reading(self) -> None:
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()

    async def hang_up(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def closed_by_daemon(self) -> bool:
        """Read on until the end; true once the daemon has closed the link."""
        await self.all_that_comes()
        return True

    async def all_that_comes(self) -> bytes:
        """Read on until the end."""
        transport = self._writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.resume_reading()
        came = bytearray()
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(65536):
                came += data
        return bytes(came)

    async def greet(self, token: str = TOKEN, **changes: Any) -> m.Welcome:
        """Go through the handshake."""
        hello = make_hello(**{"tid": parse_token(token), **changes})
        self.say(hello)
        challenge = await self.hear(m.Challenge)
        self.say(answer_challenge(token, hello, challenge))
        return await self.hear(m.Welcome)

    async def _next(self) -> m.Message:
        while not self._inbox:
            data = await self._reader.read(65536)
            assert data, "the daemon has closed the link"
            self._inbox += self.connection.receive_data(data)
        return self._inbox.pop(0)


class Bridge:
    """A server with what a test wants to reach of it."""

    def __init__(self, server: BridgeServer, registry: TerminalRegistry, heard: Heard) -> None:
        self.server, self.registry, self.heard = server, registry, heard
        self._eas: list[TestEa] = []

    async def dial(self, host: str = "127.0.0.1") -> TestEa:
        ea = await TestEa.dial(self.server.port, host)
        self._eas.append(ea)
        return ea

    async def join(self, token: str = TOKEN, **changes: Any) -> tuple[TestEa, TerminalSession]:
        """Dial, greet, and return the EA with its session."""
        ea = await self.dial()
        welcome = await ea.greet(token, **changes)
        [session] = [each for each in self.registry.sessions() if each.id == welcome.session]
        return ea, session

    async def hang_up(self) -> None:
        for ea in self._eas:
            await ea.hang_up()


class MemoryWire:
    """The link below a session, in memory: the EA's end hears at once what is written."""

    def __init__(self, ea: Connection) -> None:
        self.closed = False
        self.backlog = 0
        self.inbox: list[m.Message] = []
        self._ea = ea

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.inbox += self._ea.receive_data(data)

    write_soon = write

    def unsent(self) -> int:
        return self.backlog

    def flush(self) -> None:
        pass  # each message is handed on as it comes

    def close(self) -> None:
        self.closed = True

    def take(self, kind: type[T]) -> list[T]:
        """Return what came of that kind, and forget all of it."""
        taken: list[T] = [message for message in self.inbox if isinstance(message, kind)]
        self.inbox.clear()
        return taken


class Live:
    """A session on a wire in memory, with its peer's end and a clock that the test drives."""

    session: PeerSession

    def __init__(self, peer: Connection) -> None:
        self.peer = peer
        self.wire, self.timers = MemoryWire(peer), FakeTimers()

    def say(self, *messages: m.Message) -> None:
        """The peer says all of it in one go."""
        data = b"".join(self.peer.send(message) for message in messages)
        self.session.handle(self.session.connection.receive_data(data))

    async def ask(
        self, command: commands.Command[Any, Any], params: Any, **options: Any
    ) -> tuple[asyncio.Task[Any], m.Cmd]:
        """Begin a request; return it with the command that the peer got."""
        task = asyncio.ensure_future(self.session.request(command, params, **options))
        await asyncio.sleep(0)
        [cmd] = self.wire.take(m.Cmd)
        return task, cmd


class LiveSession(Live):
    """A terminal's session, and its EA's end."""

    session: TerminalSession

    def __init__(
        self,
        *,
        terminal: str = "demo",
        hello: m.Hello | None = None,
        ack: int = 0,
        callbacks: SessionCallbacks | None = None,
    ) -> None:
        pair = Pair()
        pair.shake_hands(ack)
        super().__init__(pair.ends[TERMINAL])
        self.heard = Heard()
        self.session = TerminalSession(
            terminal=terminal,
            generation=1,
            id="s-1",
            hello=hello or make_hello(),
            connection=pair.ends[DAEMON],
            wire=self.wire,
            timers=self.timers,
            command_ids=itertools.count(100),
            callbacks=callbacks or self.heard.callbacks(),
        )
