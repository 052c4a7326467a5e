"""A local HTTP server that notes what it is sent, and answers what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers 200, or the next of :attr:`answers`."""

    url: str = ""
    answers: list[web.Response] = field(default_factory=list)
    received: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.received.put_nowait(Received(request.path, dict(request.headers), body))
        return self.answers.pop(0) if self.answers else web.json_response({"ok": True})

    async def next(self) -> Received:
        """Return the next request; wait for it."""
        return await asyncio.wait_for(self.received.get(), 30)

    async def event(self, name: str) -> Any:
        """Return the next note of an event, passing over others."""
        while True:
            note = (await self.next()).json
            if note["event"] == name:
                return note


@asynccontextmanager
async def receiver(port: int = 0) -> AsyncIterator[Receiver]:
    """Run one on a free port, or on one that was free a moment ago."""
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
