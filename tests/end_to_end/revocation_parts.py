"""Console and daemon of a revocation under load, each in a process of its own.

``python revocation_parts.py console FOLDER`` and ``... daemon FOLDER URL ROOT``: each says one
line of JSON when it is ready and ends with its input. What the daemon is asked in lines it
answers with what it has noted (:class:`Notes`), in times of ``time.monotonic``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop
from console_site import PASSWORD, linked, site

from ea_bridge.server.link import BridgeLink
from gateway.auth.leases import Leases
from gateway.console_link import LinkTimings
from gateway.console_link.link import ConsoleLink
from gateway.credentials.event import ConsoleEvent
from gateway.rpc.websocket.connection import WebSocketConnection

ROOM = {"max_connections": 4096, "max_websockets": 2048, "max_unauthenticated": 512}
ADMIN = "admin@example.com"
OWNER = "ann@example.com"
Json = dict[str, Any]


class Notes:
    """What happens inside the daemon when a token ends: its parts tell, unchanged otherwise."""

    def __init__(self) -> None:
        self.heard_s = 0.0
        """The console's word has arrived."""
        self.gate_s = 0.0
        """The gate is shut, and the revocation is on the disk."""
        self.gate_ms = 0
        """The same by the wall clock, which stamps events."""
        self.dead_s: dict[str, float] = defaultdict(float)
        """The last connection of a token is gone, as far as the gateway has a say."""
        self.dead: dict[str, int] = defaultdict(int)
        self.order_s: dict[str, float] = defaultdict(float)
        """The last order of a token was handed to the kernel."""
        self.orders: dict[str, int] = defaultdict(int)

    def listen(self) -> None:
        """Have the daemon's parts tell."""
        notes = self  # whose name the patched methods need for their own
        told, stop, lost, write = (
            ConsoleLink._told,
            Leases.stop,
            WebSocketConnection._lost,
            BridgeLink.write,
        )

        async def on_told(self: ConsoleLink, pushed: Any) -> None:
            notes.heard_s = time.monotonic()
            await told(self, pushed)

        def on_stop(self: Leases, event: ConsoleEvent, *, applied: bool) -> bool:
            saved = stop(self, event, applied=applied)
            notes.gate_s, notes.gate_ms = time.monotonic(), time.time_ns() // 1_000_000
            return saved

        def on_lost(self: WebSocketConnection) -> None:
            lost(self)
            notes.dead_s[self.tid] = time.monotonic()
            notes.dead[self.tid] += 1

        def on_write(self: BridgeLink, data: bytes) -> None:
            write(self, data)
            if b'"order_send"' in data:
                notes.order_s[self.tid] = time.monotonic()
                notes.orders[self.tid] += 1

        ConsoleLink._told = on_told  # type: ignore[method-assign]  # to listen at the source
        Leases.stop = on_stop  # type: ignore[method-assign]  # the same
        WebSocketConnection._lost = on_lost  # type: ignore[method-assign]  # the same
        BridgeLink.write = on_write  # type: ignore[method-assign]  # the same

    def of(self, tid: str) -> Json:
        """Return what was noted of a token, and of the last ending."""
        return {
            "heard_s": self.heard_s,
            "gate_s": self.gate_s,
            "gate_ms": self.gate_ms,
            "dead_s": self.dead_s[tid],
            "dead": self.dead[tid],
            "order_s": self.order_s[tid],
            "orders": self.orders[tid],
        }


def _say(said: Json) -> None:
    print(json.dumps(said), flush=True)


async def _line() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def console(folder: str) -> None:
    """Run the console, with an administrator, until the input ends."""
    async with site(Path(folder), heartbeat_s=10) as one:
        await one.console.users.create(ADMIN, "Admin", PASSWORD, admin=True)
        await one.console.users.create(OWNER, "Ann", PASSWORD)
        _say({"url": one.url, "root": one.root})
        await _line()


async def daemon(folder: str, url: str, root: str) -> None:
    """Run a daemon until the input ends; a line with a token's id asks for the notes."""
    notes = Notes()
    notes.listen()
    async with linked(Path(folder), url, root=root, limits=ROOM, pace=LinkTimings()) as one:
        _say({"ws": one.ready.ws, "rpc": one.ready.rpc, "bridge": one.ready.bridge})
        while tid := (await _line()).strip():
            _say(notes.of(tid))


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    roles: dict[str, Callable[..., Coroutine[Any, Any, None]]]
    roles = {"console": console, "daemon": daemon}
    uvloop.run(roles[role](*arguments))
