"""Network of the simulated world: connections in memory, with drawn latency and drawn cuts."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import itertools
import socket
from collections.abc import Callable
from random import Random
from typing import Any

from .loop import LIFE, SimulatedLoop
from .trace import Trace

NODE: contextvars.ContextVar[str] = contextvars.ContextVar("node", default="bots")
"""The program that something belongs to: ``daemon``, a terminal's name, ``bots``."""
CUT_SHARE = 0.02
"""Of writes: they arrive in two pieces, as TCP may have it."""


class SimulatedSocket:
    """What product code sees of a socket; it sets options that mean nothing here."""

    type, proto = socket.SOCK_STREAM, socket.IPPROTO_TCP

    def __init__(
        self,
        network: Network,
        family: socket.AddressFamily = socket.AF_INET,
        name: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.family, self.name = family, name
        self._network = network

    def bind(self, address: tuple[str, int]) -> None:
        """Take an address; port 0 takes a free one.

        Raises:
            OSError: it is taken.

        """
        self.name = self._network.bind(*address[:2])

    def setsockopt(self, *_: Any) -> None:
        """Nothing."""

    def getsockopt(self, *_: Any) -> int:
        """Return 0."""
        return 0

    def getsockname(self) -> tuple[str, int]:
        """Return the address."""
        return self.name

    getpeername = getsockname

    def fileno(self) -> int:
        """Return that of a closed one: no system call may see it."""
        return -1

    def listen(self, *_: Any) -> None:
        """Nothing: the server listens."""

    def setblocking(self, *_: Any) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class SimulatedTransport(asyncio.Transport):
    """One end of a connection."""

    def __init__(
        self, network: Network, context: contextvars.Context, sock: SimulatedSocket, name: str
    ) -> None:
        super().__init__({"socket": sock, "sockname": sock.name, "peername": ("127.0.0.1", 9)})
        self.network, self.context, self.name = network, context, name
        self.life = context.get(LIFE, 0)
        self.node = context.get(NODE, "")
        self.protocol: Any = None
        self.peer: SimulatedTransport
        self.is_lost = False
        self._is_closing = self._is_paused = False
        self._due = 0.0
        self._held: list[bytes] = []

    def get_protocol(self) -> Any:
        """Return what it serves."""
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        """Let it serve another one."""
        self.protocol = protocol

    def is_closing(self) -> bool:
        """Whether it takes no more."""
        return self._is_closing

    def is_reading(self) -> bool:
        """Whether what comes is passed on."""
        return not self._is_paused

    def pause_reading(self) -> None:
        """Hold what comes."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Pass on what was held, and what comes."""
        self._is_paused = False
        held, self._held = self._held, []
        for data in held:
            self.network.loop.call_soon(self._arrive, data, context=self.context)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing yet: what is written is under way."""

    def get_write_buffer_size(self) -> int:
        """Return 0: what is written is under way."""
        return 0

    def can_write_eof(self) -> bool:
        """Return that it can."""
        return True

    def write(self, data: Any) -> None:
        """Send it, perhaps in two pieces."""
        network = self.network
        if self._is_closing or not data or network.loop.is_dead(self.life):
            return
        data = bytes(data)
        network.on_write(self, data)
        if len(data) > 1 and network.dice.random() < CUT_SHARE:
            cut = network.dice.randrange(1, len(data))
            self._send(self.peer._arrive, data[:cut])
            data = data[cut:]
        self._send(self.peer._arrive, data)

    def writelines(self, list_of_data: Any) -> None:
        """Send them all."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Say that nothing more comes."""
        self._send(self.peer._end)

    def close(self) -> None:
        """End it; the other end hears of it."""
        if not self._is_closing:
            self._is_closing = True
            self._send(self.peer.lose, None)
            self.network.loop.call_soon(self._lost, None, context=self.context)

    abort = close

    def _send(self, what: Callable[..., None], *args: Any) -> None:
        loop = self.network.loop
        self._due = max(self._due + 1e-7, loop.now + self.network.dice.uniform(2e-5, 2e-4))
        loop.call_at(self._due, what, *args, context=self.peer.context)

    def _arrive(self, data: bytes) -> None:
        if self.is_lost or self._is_closing:
            return
        if self._is_paused:
            self._held.append(data)
            return
        self.network.trace.add(self.network.loop.now, self.name, data)
        self.protocol.data_received(data)

    def _end(self) -> None:
        if not (self.is_lost or self._is_closing or self.protocol.eof_received()):
            self.close()

    def lose(self, error: Exception | None) -> None:
        """Be told that the other end is gone."""
        if not self._is_closing:
            self._is_closing = True
            self._lost(error)

    def _lost(self, error: Exception | None) -> None:
        if not self.is_lost:
            self.is_lost = True
            self.network.trace.add(self.network.loop.now, f"{self.name} lost {error}")
            self.protocol.connection_lost(error)

    def die(self) -> None:
        """End as SIGKILL has it: the other end sees a reset."""
        self.is_lost = self._is_closing = True
        self._send(self.peer.lose, ConnectionResetError(104, "Connection reset by peer"))


class SimulatedServer(asyncio.AbstractServer):
    """Something that listens on a port."""

    sockets = ()

    def __init__(
        self, network: Network, factory: Callable[[], Any], address: tuple[str, int]
    ) -> None:
        self.factory, self.context = factory, contextvars.copy_context()
        self._network, self._address = network, address

    def close(self) -> None:
        """Listen no more."""
        self._network.forget(self._address, self)

    async def wait_closed(self) -> None:
        """Nothing: it is closed at once."""

    def is_serving(self) -> bool:
        """Return that it does."""
        return True

    def get_loop(self) -> Any:
        """Return its loop."""
        return self._network.loop


class Network:
    """All servers and connections; made for one loop, which it gives its calls of sockets.

    Args:
        dice: of latencies and cuts.

    """

    def __init__(self, loop: SimulatedLoop, dice: Random, trace: Trace) -> None:
        self.loop, self.dice, self.trace = loop, dice, trace
        self.on_write: Callable[[SimulatedTransport, bytes], None] = lambda *_: None
        """Told of all that is handed to a transport."""
        self._servers: dict[tuple[str, int], SimulatedServer] = {}
        self._accepted: list[SimulatedTransport] = []
        self._ports = itertools.count(20_000)
        self._names = itertools.count(1)
        loop.create_server = self._create_server  # type: ignore[method-assign, assignment]  # its sockets are ours
        loop.create_connection = self._create_connection  # type: ignore[method-assign, assignment]  # its sockets are ours

    def bind(self, name: str, port: int) -> tuple[str, int]:
        """Return an address to listen at; port 0 takes a free one.

        Raises:
            OSError: somebody listens there.

        """
        if (name, port) in self._servers:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return name, port or next(self._ports)

    async def _create_server(
        self, factory: Callable[[], Any], *_: Any, sock: Any, **__: Any
    ) -> SimulatedServer:
        server = self._servers[sock.name] = SimulatedServer(self, factory, sock.name)
        return server

    async def _create_connection(
        self, factory: Callable[[], Any], host: str, port: int, **_: Any
    ) -> tuple[SimulatedTransport, Any]:
        await asyncio.sleep(self.dice.uniform(5e-5, 5e-4))
        server = self._servers.get((host, port))
        if server is None:
            raise ConnectionRefusedError(111, "Connection refused")
        number = next(self._names)
        here = SimulatedTransport(
            self, contextvars.copy_context(), SimulatedSocket(self), f"{number}<"
        )
        there = SimulatedTransport(
            self, server.context, SimulatedSocket(self, name=(host, port)), f"{number}>"
        )
        here.peer, there.peer = there, here
        self._accepted.append(there)
        there.protocol = server.context.run(server.factory)
        server.context.copy().run(there.protocol.connection_made, there)
        here.protocol = factory()
        here.protocol.connection_made(here)
        return here, here.protocol

    def forget(self, address: tuple[str, int], server: SimulatedServer) -> None:
        """Let nobody come to a server any more."""
        if self._servers.get(address) is server:
            del self._servers[address]

    def kill(self, life: int) -> None:
        """End all that a life had open, as SIGKILL has it."""
        for one in self._accepted:
            if one.life == life and not one.is_lost:
                one.die()
        self._accepted = [one for one in self._accepted if not one.is_lost]
        for address, server in list(self._servers.items()):
            if server.context.get(LIFE, 0) == life:
                del self._servers[address]
