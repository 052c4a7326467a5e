"""Simulated sockets: what the kernel does for a TCP connection, as far as a program can see it.

What is sent is under way for a time that the network draws, and then lies in the inbox of the
other end until it is read. An inbox holds so much and no more, what is under way included: a
program that does not read makes the other one wait. Who closes with something unread, or is sent
something after that, answers with a reset.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .handles import Handle

if TYPE_CHECKING:
    from .network import Network

LINGER = struct.Struct("ii")
Address = tuple[str, int]


class SimulatedSocket:
    """A TCP socket, not blocking. Whoever makes it owns it: a program of a life, on a node.

    Attributes:
        name: of this end, for the trace: the connection's number, and ``<`` for who dialled.
        capacity: how many bytes its inbox holds, those under way to it included.
        coming: how many there are of them.
        stalled_until_s: the program does not look at it before that.
        is_lost: nothing comes here any more, and nothing is answered: its computer is gone, or
            the way to it.

    """

    type, proto = socket.SOCK_STREAM, socket.IPPROTO_TCP

    def __init__(self, network: Network, family: int, life: int, node: str) -> None:
        self.network, self.life, self.node = network, life, node
        self.family = family
        self.fd = network.adopt(self)
        self.name = ""
        self.peer: SimulatedSocket | None = None
        self.capacity = 0
        self.coming = 0
        self.due_s = self.stalled_until_s = 0.0
        self.reader: Handle | None = None
        self.writer: Handle | None = None
        self.is_listening = self.is_closed = self.is_shut = self.is_lost = False
        self.waiting: deque[SimulatedSocket] = deque()
        """Those that listening here is for, until they are accepted."""
        self._address: Address = ("", 0)
        self._inbox: deque[bytes] = deque()
        self._is_ended = self._is_linger_off = False
        self._error = 0
        self._is_connecting = False

    # --- what a program asks -------------------------------------------------------------------

    def fileno(self) -> int:
        """Return its number; no system call may see it."""
        return -1 if self.is_closed else self.fd

    def setblocking(self, _: bool) -> None:
        """Nothing: it never blocks."""

    def gettimeout(self) -> float:
        """Return 0: it never blocks."""
        return 0.0

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """Set an option; that of no lingering, and those of buffers, mean something here."""
        if option == socket.SO_LINGER:
            self._is_linger_off = LINGER.unpack(value) == (1, 0)
        elif option == socket.SO_SNDBUF and self.peer is not None:
            self.peer.capacity = min(self.peer.capacity, 2 * value)
        elif option == socket.SO_RCVBUF:
            self.capacity = min(self.capacity, 2 * value)

    def getsockopt(self, level: int, option: int) -> int:
        """Return an option; an error is returned once."""
        error, self._error = self._error, 0
        return error if option == socket.SO_ERROR else 0

    def getsockname(self) -> Address:
        """Return the address."""
        return self._address

    def getpeername(self) -> Address:
        """Return the other end's address.

        Raises:
            OSError: there is none.

        """
        if self.peer is None:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return self.peer._address

    def bind(self, address: Address) -> None:
        """Take an address; port 0 takes a free one.

        Raises:
            OSError: it is taken.

        """
        self._address = self.network.bind(*address[:2])

    def listen(self, backlog: int = 128) -> None:
        """Let others connect."""
        self.is_listening = True
        self.network.listen(self, self._address)

    def accept(self) -> tuple[SimulatedSocket, Address]:
        """Return a connection, and who that is.

        Raises:
            BlockingIOError: nobody waits.

        """
        if not self.waiting:
            self.network.unready(self)
            raise BlockingIOError
        accepted = self.waiting.popleft()
        return accepted, accepted.getpeername()

    def connect(self, address: Address) -> None:
        """Begin to connect.

        Raises:
            BlockingIOError: always; it can be written to when there is an end to it.

        """
        self._is_connecting = True
        self.network.dial(self, address[:2])
        raise BlockingIOError

    def send(self, data: Any) -> int:
        """Send what there is room for; return how many bytes.

        Raises:
            OSError: the connection is gone.
            BlockingIOError: there is no room.

        """
        self._raise_error()
        assert self.peer is not None
        if self.is_shut:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        room = self.peer.capacity - self.peer.coming
        if room <= 0:
            raise BlockingIOError
        sent = bytes(data if len(data) <= room else data[:room])
        self.peer.coming += len(sent)
        self.network.carry(self, sent)
        return len(sent)

    def sendmsg(self, buffers: Iterable[Any]) -> int:
        """Send some buffers as one."""
        return self.send(b"".join(buffers))

    def recv(self, most: int) -> bytes:
        """Return what came; nothing where the other end has ended.

        Raises:
            OSError: the connection is gone.
            BlockingIOError: nothing came.

        """
        inbox = self._inbox
        if not inbox:
            self._raise_error()
            if self._is_ended:
                self.network.note_end(self, "end")
                return b""
            self.network.unready(self)
            raise BlockingIOError
        data = inbox.popleft() if len(inbox) == 1 else self.network.join(inbox)
        if len(data) > most:
            inbox.appendleft(data[most:])
            data = data[:most]
        if not (inbox or self._is_ended or self._error):
            self.network.unready(self)
        self.coming -= len(data)
        self.network.note_read(self, data)
        return data

    def recv_into(self, buffer: memoryview) -> int:
        """Put what came into a buffer, as :meth:`recv`; return how much."""
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def shutdown(self, _: int) -> None:
        """Send no more."""
        if not self.is_shut:
            self.is_shut = True
            self.network.end(self)

    def close(self) -> None:
        """Close it; with something unread, or with no lingering, that is a reset."""
        if self.is_closed:
            return
        self.is_closed = True
        if self.reader is not None:
            self.reader.cancel()
        self.network.forget(self)
        for one in self.waiting:
            one.refuse()
        if self.peer is None or self._error:
            return
        if self._inbox or self._is_linger_off:
            self.network.reset(self)
        elif not self.is_shut:
            self.network.end(self)

    def _raise_error(self) -> None:
        if self._error:
            error = OSError(self._error, errno.errorcode[self._error])
            self.network.note_end(self, errno.errorcode[self._error])
            raise error

    # --- what the network does -----------------------------------------------------------------

    @property
    def is_readable(self) -> bool:
        """Whether reading would not block."""
        return bool(self._inbox or self._is_ended or self._error or self.waiting)

    @property
    def is_writable(self) -> bool:
        """Whether writing would not block; or connecting has ended."""
        if self._is_connecting:
            return False
        return self.peer is None or bool(self._error) or self.peer.coming < self.peer.capacity

    @property
    def holds_unread(self) -> bool:
        """Whether something waits to be read."""
        return bool(self._inbox)

    def pair(self, peer: SimulatedSocket, address: Address, name: str, capacity: int) -> None:
        """Be one end of a connection."""
        self.peer, self._address, self.name, self.capacity = peer, address, name, capacity

    def take_connected(self, error: int) -> None:
        """Be told that connecting has ended."""
        self._is_connecting = False
        self._error = error
        self.network.ready_to_write(self)

    def take_data(self, data: bytes) -> None:
        """Have some bytes come."""
        if self.is_lost:
            return
        if self.is_closed:
            self.network.reset(self)
            return
        self._inbox.append(data)
        self.network.ready(self)

    def take_end(self) -> None:
        """Be told that the other end sends no more."""
        if not (self.is_closed or self.is_lost):
            self._is_ended = True
            self.network.ready(self)

    def take_reset(self, forgets: bool) -> None:
        """Be told that the connection is gone; what is unread may be so too."""
        if self.is_closed or self.is_lost:
            return
        if forgets:
            self._inbox.clear()
        self._error = errno.ECONNRESET
        self.network.ready(self)
        self.network.ready_to_write(self)

    def refuse(self) -> None:
        """Be closed before anybody has accepted it."""
        self.is_closed = True
        self.network.forget(self)
        self.network.reset(self)

    def die(self) -> None:
        """End as the kernel has it when the process is killed."""
        self.reader = self.writer = None
        self.close()
