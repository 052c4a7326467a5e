"""Network of the simulated world: who listens, what is under way, and what goes wrong on the way.

Each thing that can happen to TCP has its name here, and is counted in :attr:`Network.counts`.
"""

from __future__ import annotations

import contextvars
import errno
import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from .handles import LIFE, Handle
from .loop import SimulatedLoop
from .sockets import Address, SimulatedSocket
from .trace import Trace

NODE: contextvars.ContextVar[str] = contextvars.ContextVar("node", default="bots")
"""The program that something belongs to: ``daemon``, a terminal's name, ``bots``."""
NEVER = float("inf")
QUICK_S = 2e-4
"""The longest that most of what is sent takes."""
LATE_SHARE, LATE_S = 0.01, 0.02
"""Of what is sent so much takes up to so long."""
CUT_SHARE = 0.02
"""Of what is sent: it arrives in two pieces."""
HELD_SHARE, HELD_S = 0.02, 0.04
"""Of what is sent: it waits for what comes next, mostly not long, at most so long."""
SHORT_SHARE = 0.01
"""Of what lies there to be read in several pieces: only the first one is."""
FORGETS_SHARE = 0.5
"""Of resets: what was not read by then is gone. Systems differ."""
CAPACITIES = (4096, 16_384, 65_536, 65_536, 262_144, 1_048_576)
SYN_AGAIN_S = 1.0
SENT_AGAIN_S = (0.2, 3.0)
"""In which TCP sends again what was not acknowledged."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What the way between a node and all others is like, until it ends.

    Attributes:
        slowest_s: what is sent takes a millisecond to so long; 0: nothing arrives before the end.

    """

    until_s: float
    slowest_s: float = 0.0


class Network:
    """All sockets of a world; made for one loop.

    Args:
        dice: of all that is drawn here.

    """

    def __init__(self, loop: SimulatedLoop, dice: Random, trace: Trace) -> None:
        self.loop, self.dice, self.trace = loop, dice, trace
        loop.sockets = self
        self.due_s = NEVER
        self.counts: Counter[str] = Counter()
        """How often each thing has happened."""
        self.on_write: Callable[[SimulatedSocket, bytes], None] | None = None
        """Told of all that a program writes, before it is on its way."""
        self.weather: dict[str, Weather] = {}
        """By node, where it is bad."""
        self._sockets: dict[int, SimulatedSocket] = {}
        self._listeners: dict[Address, SimulatedSocket] = {}
        self._flights: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._readable: dict[SimulatedSocket, None] = {}
        self._writable: dict[SimulatedSocket, None] = {}
        self._dark: list[SimulatedSocket] = []
        self._numbers = itertools.count(1)
        self._fds = itertools.count(1_000_000)
        self._ports = itertools.count(20_000)
        self._connections = itertools.count(1)

    def socket(self, family: int) -> SimulatedSocket:
        """Return a new socket of the program that asks."""
        return SimulatedSocket(self, family, LIFE.get(), NODE.get())

    def links(self, node: str, other: str = "daemon") -> list[SimulatedSocket]:
        """Return the ends that a node has of its connections to another."""
        return [
            one
            for one in self._sockets.values()
            if one.node == node and one.peer is not None and one.peer.node == other
        ]

    def of(self, node: str) -> list[SimulatedSocket]:
        """Return all sockets of a node."""
        return [one for one in self._sockets.values() if one.node == node]

    # --- for the loop --------------------------------------------------------------------------

    def watch(self, fd: int, handle: Handle | None, is_reader: bool) -> Handle | None:
        """Call a handle when a socket can be read, or written; return the one before."""
        sock = self._sockets.get(fd)
        if sock is None:
            return None
        if is_reader:
            before, sock.reader = sock.reader, handle
            if handle is not None and sock.is_readable:
                self.ready(sock)
        else:
            before, sock.writer = sock.writer, handle
            if handle is not None:
                self.ready_to_write(sock)
        return before

    def poll(self) -> list[Handle]:
        """Let happen what is due; return the callbacks of those that can read or write, in an
        order that is drawn."""
        now, flights = self.loop.now, self._flights
        while flights and flights[0][0] <= now:
            _, _, happen, args = heapq.heappop(flights)
            happen(*args)
        found = []
        for one in list(self._readable) if self._readable else ():
            if one.stalled_until_s > now:
                del self._readable[one]
                self._later(one.stalled_until_s, self.ready, one)
            elif one.reader is None or not one.is_readable:
                del self._readable[one]
            else:
                found.append(one.reader)
        for one in list(self._writable) if self._writable else ():
            if one.writer is None or not one.is_writable:
                del self._writable[one]
            else:
                found.append(one.writer)
        if len(found) > 1:
            self.dice.shuffle(found)
        self._set_due()
        return found

    def _set_due(self) -> None:
        if self._readable or self._writable:
            self.due_s = 0.0
        else:
            self.due_s = self._flights[0][0] if self._flights else NEVER

    def _later(self, when: float, happen: Callable[..., None], *args: Any) -> None:
        heapq.heappush(self._flights, (when, next(self._numbers), happen, args))
        self.due_s = min(self.due_s, when)

    # --- for sockets ---------------------------------------------------------------------------

    def adopt(self, sock: SimulatedSocket) -> int:
        """Take a new socket; return its number."""
        fd = next(self._fds)
        self._sockets[fd] = sock
        return fd

    def forget(self, sock: SimulatedSocket) -> None:
        """Let go of a socket that is closed."""
        self._sockets.pop(sock.fd, None)
        self._readable.pop(sock, None)
        self._writable.pop(sock, None)
        if sock.is_listening and self._listeners.get(sock.getsockname()) is sock:
            del self._listeners[sock.getsockname()]

    def ready(self, sock: SimulatedSocket) -> None:
        """Have a socket looked at by who reads it."""
        self._readable[sock] = None
        self.due_s = 0.0

    def unready(self, sock: SimulatedSocket) -> None:
        """Spare the loop the look at a socket where there is nothing to read."""
        self._readable.pop(sock, None)

    def ready_to_write(self, sock: SimulatedSocket) -> None:
        """Have a socket looked at by who writes to it."""
        if sock.writer is not None:
            self._writable[sock] = None
            self.due_s = 0.0

    def bind(self, host: str, port: int) -> Address:
        """Return an address to listen at; port 0 takes a free one.

        Raises:
            OSError: somebody listens there.

        """
        if (host, port) in self._listeners:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return host, port or next(self._ports)

    def listen(self, sock: SimulatedSocket, address: Address) -> None:
        """Let those who dial an address come to a socket."""
        self._listeners[address] = sock

    def dial(self, sock: SimulatedSocket, address: Address) -> None:
        """Connect a socket to who listens at an address."""
        weather = self._weather(sock.node, "")
        if weather is not None and not weather.slowest_s:
            self._later(
                max(weather.until_s, self.loop.now + SYN_AGAIN_S), self.dial, sock, address
            )
        else:
            self._later(self.loop.now + self._latency(sock.node, ""), self._knock, sock, address)

    def _knock(self, sock: SimulatedSocket, address: Address) -> None:
        listener = self._listeners.get(address)
        back_s = self.loop.now + self._latency(sock.node, "")
        if sock.is_closed:
            return
        if listener is None:
            self._later(back_s, sock.take_connected, errno.ECONNREFUSED)
            return
        number = next(self._connections)
        far = SimulatedSocket(self, sock.family, listener.life, listener.node)
        capacity = self.dice.choice(CAPACITIES)
        sock.pair(far, (address[0], next(self._ports)), f"{number}<", capacity)
        far.pair(sock, address, f"{number}>", self.dice.choice(CAPACITIES))
        sock.due_s = back_s
        listener.waiting.append(far)
        self.ready(listener)
        self._later(back_s, sock.take_connected, 0)

    def carry(self, sender: SimulatedSocket, data: bytes) -> None:
        """Bring some bytes to the other end."""
        drawn = self.dice.random()
        if drawn > CUT_SHARE + HELD_SHARE:
            self._fly(sender, 0.0, _take_data, data)
        elif drawn < CUT_SHARE and len(data) > 1:
            self.counts["cut in two"] += 1
            cut = self.dice.randrange(1, len(data))
            self._fly(sender, 0.0, _take_data, data[:cut])
            self._fly(sender, self._latency(sender.node, ""), _take_data, data[cut:])
        else:
            self.counts["held back"] += 1
            self._fly(sender, self.dice.random() ** 4 * HELD_S, _take_data, data)

    def end(self, sender: SimulatedSocket) -> None:
        """Tell the other end that no more is sent."""
        self._fly(sender, 0.0, _take_end)

    def reset(self, sender: SimulatedSocket) -> None:
        """Tell the other end that the connection is gone."""
        forgets = self.dice.random() < FORGETS_SHARE
        self.counts["reset that forgets" if forgets else "reset"] += 1
        self._fly(sender, 0.0, _take_reset, forgets)

    def _fly(
        self, sender: SimulatedSocket, held_s: float, take: Callable[..., None], *args: Any
    ) -> None:
        if sender.is_lost or (receiver := sender.peer) is None:
            return
        due_s = self.loop.now + held_s + self._latency(sender.node, receiver.node)
        # never before what was sent before, but perhaps together with it
        receiver.due_s = due_s = max(receiver.due_s, due_s)
        self._later(due_s, self._arrive, receiver, take, args)

    def _arrive(
        self, receiver: SimulatedSocket, take: Callable[..., None], args: tuple[Any, ...]
    ) -> None:
        if self.weather and receiver.peer is not None:
            weather = self._weather(receiver.node, receiver.peer.node)
            if weather is not None and not weather.slowest_s:
                # it is sent again later; what is behind it in the queue stays behind it
                receiver.due_s = max(receiver.due_s, weather.until_s)
                self._later(weather.until_s, self._arrive, receiver, take, args)
                return
        take(receiver, *args)

    def _latency(self, node: str, other: str) -> float:
        drawn = self.dice.random()
        if self.weather and (weather := self._weather(node, other)) is not None:
            return 0.001 + drawn * weather.slowest_s
        if drawn < LATE_SHARE:
            return drawn / LATE_SHARE * LATE_S
        return drawn * QUICK_S

    def _weather(self, node: str, other: str) -> Weather | None:
        for name in (node, other):
            weather = self.weather.get(name)
            if weather is not None:
                if weather.until_s > self.loop.now:
                    return weather
                del self.weather[name]
        return None

    def join(self, inbox: deque[bytes]) -> bytes:
        """Take what lies there in several pieces, mostly as one."""
        if self.dice.random() < SHORT_SHARE:
            self.counts["read in part"] += 1
            return inbox.popleft()
        self.counts["joined"] += 1
        data = b"".join(inbox)
        inbox.clear()
        return data

    def note_read(self, sock: SimulatedSocket, data: bytes) -> None:
        """Note what a program has read; the other end may send more."""
        self.trace.add(self.loop.now, sock.name, data)
        peer = sock.peer
        if peer is not None and peer.writer is not None and not sock.is_lost:
            when = self.loop.now + self._latency(sock.node, peer.node)
            self._later(when, self.ready_to_write, peer)

    def note_end(self, sock: SimulatedSocket, how: str) -> None:
        """Note what a program was told of the end of a connection."""
        self.trace.add(self.loop.now, f"{sock.name} {how}")

    # --- what goes wrong -----------------------------------------------------------------------

    def kill(self, life: int, *, power_cut: bool = False) -> None:
        """End all that a life had open: the kernel closes it, or (``power_cut``) nobody does."""
        for sock in [one for one in self._sockets.values() if one.life == life]:
            if power_cut:
                self.lose(sock)
                self._dark.append(sock)
            sock.die()

    def restart(self) -> None:
        """Start the computers anew that a power cut has left dark: they answer with resets to what
        they know nothing of any more, be it sent now or again."""
        dark, self._dark = self._dark, []
        for sock in dark:
            sock.is_lost = False
            if sock.coming:
                self._later(self.loop.now + self.dice.uniform(*SENT_AGAIN_S), self.reset, sock)

    def lose(self, sock: SimulatedSocket) -> None:
        """Let one end hear and say nothing any more; the other one is told of nothing."""
        sock.is_lost = True

    def clear(self) -> None:
        """Let everything be well; both ends of what is half open are told so."""
        self.weather.clear()
        for sock in list(self._sockets.values()):
            sock.stalled_until_s = 0.0
            sock.capacity = max(sock.capacity, CAPACITIES[0])
            if sock.peer is not None:
                self.ready_to_write(sock)
            if sock.is_lost:
                sock.is_lost = False
                sock.take_reset(True)


_take_data, _take_end = SimulatedSocket.take_data, SimulatedSocket.take_end
_take_reset = SimulatedSocket.take_reset
