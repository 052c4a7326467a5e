"""The clients of a revocation under load, in a process of their own: readers, others that do not
read, and bots that place orders. It is told what to do by lines of JSON, and answers each.

The sockets are spoken to by hand: a library would take so much of the processor at a thousand
price streams that its delay would be measured instead of the gateway's. Times are those of
``time.monotonic``, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import resource
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
import uvloop

Json = dict[str, Any]
DIALS_AT_ONCE = 16
RCVBUF_BYTES = 4096
"""Of those who do not read: the gateway is to feel it soon."""
TAIL_BYTES = 65_536
PING, PONG = b"\x89\x00", b"\x8a\x80\0\0\0\0"
"""No JSON text, nor the length of one that begins with a brace, looks like a ping."""
END_S = 20.0
"""Within which a connection has to end; never a measure."""
_STAMP = re.compile(rb'"seq":\d+,"type":"[a-z]+","ts":(\d+),')


def masked(text: str, opcode: int = 0x81) -> bytes:
    """Return a client's frame."""
    payload = text.encode()
    if len(payload) < 126:
        head = bytes((opcode, 0x80 | len(payload)))
    else:
        head = bytes((opcode, 0x80 | 126)) + struct.pack(">H", len(payload))
    return head + b"\0\0\0\0" + payload  # a mask of zeros is one


class Viewer(asyncio.Protocol):
    """One open WebSocket."""

    def __init__(self, token: str, host: str, hello: list[str], *, reads: bool) -> None:
        self._token, self._host, self._hello = token, host, hello
        self._reads = reads
        self._head = b""
        self._old = b""
        self.tail = b""
        self.events = 0
        self.last_s = 0.0
        self.ended_s: float | None = None
        loop = asyncio.get_running_loop()
        self.open: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = self.transport = cast(asyncio.Transport, transport)  # uvloop's is none
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: {self._host}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self.last_s = time.monotonic()
        self.events += data.count(b'"type":"update"')
        if not self.open.done():
            self._head += data
            if b"\r\n\r\n" in self._head:
                self._welcome()
            return
        if PING in data and self.transport is not None:
            self.transport.write(PONG)
        if len(self.tail) + len(data) > TAIL_BYTES:
            self._old, self.tail = self.tail, data
        else:
            self.tail += data

    def _welcome(self) -> None:
        status = self._head.split(b"\r\n", 1)[0]
        if b" 101 " not in status:
            self.open.set_exception(ConnectionError(self._head.decode(errors="replace")))
            return
        assert self.transport is not None
        for text in self._hello:
            self.transport.write(masked(text))
        if not self._reads:
            self.transport.pause_reading()
        self.open.set_result(None)

    def eof_received(self) -> None:
        self.ended_s = time.monotonic()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.ended_s is None:
            self.ended_s = time.monotonic()
        if not self.open.done():
            self.open.set_exception(ConnectionError("closed in the handshake"))
        if not self.ended.done():
            self.ended.set_result(None)

    @property
    def newest_ms(self) -> int:
        """When the last event was made that came here: its own stamp."""
        stamps = _STAMP.findall((self._old + self.tail)[-2 * TAIL_BYTES :])
        return max(map(int, stamps), default=0)

    @property
    def close_code(self) -> int:
        """That of a close frame at the end; 0 without one."""
        found = self.tail.rfind(b"\x88", max(0, len(self.tail) - 127))
        if found < 0 or len(self.tail) < found + 4:
            return 0
        return int.from_bytes(self.tail[found + 2 : found + 4], "big")


@dataclass
class Holder:
    """All that one token has open."""

    token: str
    readers: list[Viewer] = field(default_factory=list)
    stalled: list[Viewer] = field(default_factory=list)
    orders: dict[int, str] = field(default_factory=dict)
    """By magic: ``done``, or the name and outcome of the error."""
    bots: list[asyncio.Task[None]] = field(default_factory=list)


class Crowd:
    """All clients."""

    def __init__(self, ws: str, rpc: str, http: aiohttp.ClientSession) -> None:
        self._ws, self._rpc, self._http = urlsplit(ws), rpc, http
        self._host = self._ws.netloc
        self._holders: dict[str, Holder] = {}
        self._magic = itertools.count(1)

    async def open(self, token: str, readers: int, stalled: int, channels: list[str]) -> Json:
        """Open sockets that listen to channels."""
        holder = self._holders.setdefault(token, Holder(token))
        params = {"channels": channels}
        hello = [_call(1, "subscribe", params)]
        gate = asyncio.Semaphore(DIALS_AT_ONCE)

        async def one(*, reads: bool) -> None:
            async with gate:
                viewer = await self._dial(token, hello, reads=reads)
                (holder.readers if reads else holder.stalled).append(viewer)

        await asyncio.gather(*(one(reads=n < readers) for n in range(readers + stalled)))
        return {"open": len(holder.readers) + len(holder.stalled)}

    async def _dial(self, token: str, hello: list[str], *, reads: bool) -> Viewer:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        if not reads:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF_BYTES)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", self._ws.port))
        made = Viewer(token, self._host, hello, reads=reads)
        await loop.create_connection(lambda: made, sock=sock)
        await made.open
        return made

    async def plug(self, token: str) -> Json:
        """Have those who do not read ask for something large: now the gateway is stuck on them."""
        for viewer in self._holders[token].stalled:
            if viewer.transport is not None and viewer.ended_s is None:
                viewer.transport.write(masked(_call(2, "rpc.discover", {})))
        return {}

    async def trade(self, token: str, per_s: float) -> Json:
        """Place orders at a rate, one after the other's time, until :meth:`report`."""
        holder = self._holders.setdefault(token, Holder(token))
        holder.bots.append(asyncio.create_task(self._place(holder, per_s)))
        return {}

    async def _place(self, holder: Holder, per_s: float) -> None:
        loop = asyncio.get_running_loop()
        due, pending = loop.time(), set[asyncio.Task[None]]()
        try:
            while True:
                due += 1 / per_s
                await asyncio.sleep(max(0, due - loop.time()))
                order = asyncio.create_task(self._order(holder, next(self._magic)))
                pending.add(order)
                order.add_done_callback(pending.discard)
        finally:
            if pending:
                await asyncio.wait(pending)

    async def _order(self, holder: Holder, magic: int) -> None:
        side = "buy" if magic % 2 else "sell"
        params = {"symbol": "EURUSD", "side": side, "volume": 0.01, "magic": magic}
        holder.orders[magic] = "no answer"
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            async with self._http.post(
                self._rpc,
                data=_call(magic, "place_order", params),
                headers={
                    "Authorization": f"Bearer {holder.token}",
                    "Content-Type": "application/json",
                },
            ) as answer:
                said = json.loads(await answer.read())
            if "result" in said:
                holder.orders[magic] = "done"
            else:
                data = said["error"]["data"]
                holder.orders[magic] = f"{data['name']} {data.get('outcome', '')}".strip()

    async def report(self, token: str) -> Json:
        """Wait for the end of all that a token has open, and tell how it was."""
        holder = self._holders.pop(token)
        every = holder.readers + holder.stalled
        if holder.readers:
            await asyncio.wait([one.ended for one in holder.readers], timeout=END_S)
        last_s = max((one.last_s for one in holder.readers), default=0.0)
        for one in holder.stalled:
            if one.transport is not None and not one.transport.is_closing():
                one.transport.resume_reading()
        if holder.stalled:
            await asyncio.wait([one.ended for one in holder.stalled], timeout=END_S)
        for bot in holder.bots:
            bot.cancel()
        if holder.bots:
            await asyncio.wait(holder.bots)
        still_open = [one for one in every if not one.ended.done()]
        for one in still_open:
            assert one.transport is not None
            one.transport.abort()
        return {
            "still_open": len(still_open),
            "last_byte_s": last_s,
            "ended_s": max((one.ended_s or 0.0 for one in holder.readers), default=0.0),
            "codes": sorted({one.close_code for one in holder.readers}),
            "newest_ms": max((one.newest_ms for one in every), default=0),
            "orders": holder.orders,
        }

    async def count(self) -> Json:
        """Tell how many are open, and what has come."""
        every = [one for each in self._holders.values() for one in each.readers + each.stalled]
        return {
            "open": sum(1 for one in every if one.ended_s is None),
            "events": sum(one.events for one in every),
            "now_s": time.monotonic(),
        }


def _call(request_id: int, method: str, params: Json) -> str:
    request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    return json.dumps(request)


async def main(ws: str, rpc: str) -> None:
    """Do what the lines say until there are no more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as http:
        crowd = Crowd(ws, rpc, http)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            said = json.loads(line)
            answer = await getattr(crowd, said.pop("do"))(**said)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
