"""Clients of ``mt-gateway bench``, as small as they can be: what is measured is the gateway.

Their sockets block, and their frames are built by hand; they are for loopback and for a gateway
that is well.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

CLOSE = 0x88
PING, PONG = 0x89, b"\x8a\x80\0\0\0\0"
READ_BYTES = 1_048_576
TIMEOUT_S = 30.0
ID = b"@"
"""In the text of a request: its number."""


class ConnectionCut(Exception):
    """The gateway has closed the connection, or does not answer."""


class LoadClient(Protocol):
    """Way to send requests and to read answers, in any order."""

    def send(self, texts: Sequence[bytes]) -> None:
        """Send requests in one write."""

    def receive(self) -> int:
        """Wait for answers; return how many there are."""

    def close(self) -> None:
        """Close all that is open."""


class _Socket:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _read(self) -> bytes:
        try:
            data = self.socket.recv(READ_BYTES)
        except TimeoutError as error:
            raise ConnectionCut(f"no answer for {TIMEOUT_S:.0f} s") from error
        if not data:
            raise ConnectionCut("the gateway closed the connection")
        return self._unread + data


class LineTransport(_Socket):
    """Lines to and from an echo: the least that any server in Python can cost."""

    def send(self, texts: Sequence[bytes]) -> None:
        """Send lines."""
        self.socket.sendall(b"".join([text + b"\n" for text in texts]))

    def receive(self) -> int:
        """Wait for lines."""
        data = self._read()
        *lines, self._unread = data.split(b"\n")
        return len(lines)


class WsLoadClient(_Socket):
    """Connection to ``/ws``."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__(port)
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in (data := self._read()):
            self._unread = data
        head, _, self._unread = data.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            self.close()
            raise ConnectionCut(f"no WebSocket: {head[:80].decode('ascii', 'replace')}")

    def send(self, texts: Sequence[bytes]) -> None:
        """Send text frames."""
        self.socket.sendall(b"".join(map(_masked, texts)))

    def receive(self) -> int:
        """Wait for text frames that answer something; pass over the others."""
        return sum(b'"id":' in text[:40] or b'"id":' in text[-40:] for text in self.messages())

    def ask(self, text: bytes) -> bytes:
        """Send one request; return the message that answers it."""
        self.send([text])
        while True:
            for message in self.messages():
                if b'"method":' not in message[:40]:
                    return message

    def messages(self) -> list[bytes]:
        """Wait for data; return the messages that it completes."""
        data, at, found = self._read(), 0, []
        while (end := _frame_end(data, at)) is not None:
            start, stop = end
            if data[at] == CLOSE:
                raise ConnectionCut(f"closed with {int.from_bytes(data[start : start + 2])}")
            if data[at] == PING:
                self.socket.sendall(PONG)
            elif data[at] == 0x81:
                found.append(data[start:stop])
            at = stop
        self._unread = data[at:]
        return found


class HttpLoadClient:
    """``POST /rpc`` over so many connections: on each one call is under way."""

    def __init__(self, port: int, token: str, connections: int) -> None:
        self._head = (
            f"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        self._selector = selectors.DefaultSelector()
        self._free = [_Socket(port) for _ in range(connections)]
        for connection in self._free:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def send(self, texts: Sequence[bytes]) -> None:
        """Send requests, each on a connection of its own."""
        for text in texts:
            length = str(len(text)).encode()
            self._free.pop().socket.sendall(b"%b%b\r\n\r\n%b" % (self._head, length, text))

    def receive(self) -> int:
        """Wait for answers."""
        ready = self._selector.select(TIMEOUT_S)
        if not ready:
            raise ConnectionCut(f"no answer for {TIMEOUT_S:.0f} s")
        found = 0
        for key, _ in ready:
            connection: _Socket = key.data
            data = connection._read()
            head, _, body = data.partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            if length and len(body) >= int(length):
                connection._unread = b""
                self._free.append(connection)
                found += 1
            else:
                connection._unread = data
        return found

    def close(self) -> None:
        """Close all connections."""
        for key in list(self._selector.get_map().values()):
            key.data.close()
        self._selector.close()


def alone(client: LoadClient, text: bytes, calls: int) -> list[float]:
    """Make one call after the other; return their milliseconds."""
    taken = []
    for number in range(calls):
        begun_s = time.perf_counter()
        client.send([text.replace(ID, str(number).encode())])
        while not client.receive():
            pass
        taken.append((time.perf_counter() - begun_s) * 1000)
    return taken


def crowded(client: LoadClient, text: bytes, calls: int, at_once: int) -> float:
    """Keep so many calls under way; return calls a second."""
    requests = [text.replace(ID, str(number).encode()) for number in range(calls)]
    begun_s = time.perf_counter()
    client.send(requests[:at_once])
    sent, answered = min(at_once, calls), 0
    while answered < calls:
        count = client.receive()
        answered += count
        if count and sent < calls:
            client.send(requests[sent : sent + count])
            sent += count
    return calls / (time.perf_counter() - begun_s)


@dataclass
class Hearing:
    """Events that readers have heard in a while."""

    events: int = 0
    """By all of them together."""
    missing: int = 0
    """Numbers that were left out between the first and the last that each has heard."""
    closed: int = 0
    """Connections that were closed."""
    seconds: float = 0.0


SEQ = b'"seq":'


class _Reader:
    """Reader that only counts events: it is quicker than any sender."""

    def __init__(self, client: WsLoadClient) -> None:
        self.client = client
        self.first: int | None = None
        self.last = 0
        self.events = 0
        self._tail = b""

    def take(self, data: bytes) -> None:
        """Count the events in some bytes."""
        # the tail is too short for a whole mark, so that none is counted twice
        data = self._tail + data
        self.events += data.count(SEQ)
        self._tail = data[1 - len(SEQ) :]
        if self.first is None:
            self.first = _number(data, data.find(SEQ))
        last = _number(data, data.rfind(SEQ, 0, len(data) - 24))
        self.last = self.last if last is None else last

    @property
    def missing(self) -> int:
        """Numbers that were left out; a few at the end may still be uncounted."""
        return 0 if self.first is None else max(0, self.last - self.first + 1 - self.events)


def hear(readers: Sequence[WsLoadClient], seconds: float) -> Hearing:
    """Read events of all connections for a while."""
    hearing = Hearing()
    selector = selectors.DefaultSelector()
    for client in readers:
        selector.register(client.socket, selectors.EVENT_READ, _Reader(client))
    begun_s = time.perf_counter()
    heard = [key.data for key in selector.get_map().values()]
    while time.perf_counter() - begun_s < seconds and selector.get_map():
        for key, _ in selector.select(0.01):
            data = key.data.client.socket.recv(READ_BYTES)
            if data:
                key.data.take(data)
            else:
                hearing.closed += 1
                selector.unregister(key.fileobj)
    selector.close()
    hearing.seconds = time.perf_counter() - begun_s
    hearing.events = sum(reader.events for reader in heard)
    hearing.missing = sum(reader.missing for reader in heard)
    return hearing


def _number(data: bytes, at: int) -> int | None:
    if at < 0:
        return None
    digits = data[at + len(SEQ) : at + 24].partition(b",")[0]
    return int(digits) if digits.isdigit() else None


def _masked(text: bytes) -> bytes:
    # masked with zeros: that leaves the text as it is
    length = len(text)
    size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2)
    return b"\x81" + size + b"\0\0\0\0" + text


def _frame_end(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where the payload of the frame at ``at`` begins and ends; ``None`` if it is cut."""
    if len(data) < at + 2:
        return None
    size, start = data[at + 1], at + 2
    if size > 125:
        width = 2 if size == 126 else 8
        size, start = int.from_bytes(data[start : start + width]), start + width
        if len(data) < start:
            return None
    return (start, start + size) if len(data) >= start + size else None
