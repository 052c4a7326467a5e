"""WebSocket client of a subscriber: the least that RFC 6455 asks for, at the least cost.

Frames of the server are unmasked; ours are masked with zeros, which is a mask like any other. What
comes is handed on at once, in the callback that brings the bytes: there is no task and no queue.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson

Json = Mapping[str, Any]

TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A
MASKED = 0x80
NO_MASK = b"\0\0\0\0"
KEY = base64.b64encode(b"a subscriber's k").decode()
"""Sixteen bytes, as each handshake shows some."""


class Refused(Exception):
    """The gateway did not open a WebSocket; carries the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class StreamWire(asyncio.Protocol):
    """One connection to ``/ws``.

    Args:
        token: of the terminal.
        port: of the gateway.
        on_message: takes each JSON-RPC message, with its text.
        on_array: told of each frame that had several of them.

    """

    def __init__(
        self,
        token: str,
        port: int,
        on_message: Callable[[dict[str, Any], bytes], None],
        on_array: Callable[[list[dict[str, Any]]], None] = lambda _: None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        """Done when the handshake is; fails with :class:`Refused` or ``ConnectionError``."""
        self.over: asyncio.Future[None] = loop.create_future()
        """Done when the connection is gone."""
        self.close_code = 0
        """Of the gateway's close frame; 0 while none has come."""
        self.close_reason = ""
        self.is_paused = False
        self.resumed_s = 0.0
        """When it was read again last."""
        self.heard_s = loop.time()
        """When something came last."""
        self._loop = loop
        self._token, self._port = token, port
        self._on_message, self._on_array = on_message, on_array
        self._buffer = b""
        self._is_open = False
        self._transport: asyncio.Transport | None = None

    # --- the protocol ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        assert isinstance(transport, asyncio.Transport)  # TCP
        self._transport = transport
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take bytes, cut anywhere."""
        self.heard_s = self._loop.time()
        self._buffer += data
        if not self._is_open and not self._shake_hands():
            return
        self._take_frames()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionResetError("closed in the handshake"))
            self.opened.exception()  # whoever waits may have given up
        if not self.over.done():
            self.over.set_result(None)

    # --- what a subscriber does ------------------------------------------------------------------

    def send(self, message: Json) -> None:
        """Send a message."""
        self._write(TEXT, json.dumps(message).encode())

    def narrow(self, size: int) -> None:
        """Let the system take in only so many bytes while nobody reads."""
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    @property
    def address(self) -> tuple[str, int]:
        """Return that of this end; fails before there is a connection."""
        assert self._transport is not None
        address: tuple[str, int] = self._transport.get_extra_info("sockname")
        return address

    def pause(self) -> None:
        """Read no more for a while."""
        if self._transport is not None and not self.is_paused:
            self.is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and self.is_paused:
            self.is_paused = False
            self.resumed_s = self._loop.time()
            self._transport.resume_reading()

    def close(self) -> None:
        """Say goodbye; the gateway closes then."""
        self._write(CLOSE, (1000).to_bytes(2, "big"))

    def vanish(self) -> None:
        """Break the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    # --- frames ----------------------------------------------------------------------------------

    def _shake_hands(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        status = int(self._buffer[9:12])
        if status != 101:
            if not self.opened.done():
                self.opened.set_exception(Refused(status))
            self.vanish()
            return False
        self._buffer = self._buffer[end + 4 :]
        self._is_open = True
        if not self.opened.done():
            self.opened.set_result(None)
        return True

    def _take_frames(self) -> None:
        buffer, at = self._buffer, 0
        size = len(buffer)
        while at + 2 <= size:
            length, head = buffer[at + 1], 2
            if length > 125:
                head = 4 if length == 126 else 10
                length = int.from_bytes(buffer[at + 2 : at + head], "big")
            if at + head + length > size or at + head > size:
                break
            kind, payload = buffer[at], buffer[at + head : at + head + length]
            at += head + length
            self._take(kind, payload)
        self._buffer = buffer[at:]

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == TEXT and payload.startswith(b"["):
            texts = [bytes(one) for one in msgspec.json.decode(payload, type=list[msgspec.Raw])]
            messages = [orjson.loads(one) for one in texts]
            self._on_array(messages)
            for message, text in zip(messages, texts, strict=True):
                self._on_message(message, text)
        elif kind == TEXT:
            self._on_message(orjson.loads(payload), payload)
        elif kind == PING:
            self._write(PONG, payload)
        elif kind == CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big")
            self.close_reason = payload[2:].decode()
            self._write(CLOSE, payload[:2])

    def _write(self, kind: int, payload: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        size = len(payload)
        if size < 126:
            head = bytes((kind, MASKED | size))
        else:
            head = bytes((kind, MASKED | 126)) + size.to_bytes(2, "big")
        self._transport.write(head + NO_MASK + payload)
