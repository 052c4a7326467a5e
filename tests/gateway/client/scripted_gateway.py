"""A small real server that speaks the documented protocol and fails where a test says so."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from gateway.errors import GatewayError, Unauthorized

TOKEN = "mgt_A1b2C3d4E5f60123456789abcdefghijABCDEFGHIJkl1Scs9g"
LOSSLESS = {"orders", "positions", "deals", "terminal"}


class Hangup(Exception):
    """Raised by a reply: the connection is cut instead of answered."""


class Failure(Exception):
    """Raised by a reply: an error object, word for word."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__()
        self.error = error


Reply = Callable[[dict[str, Any]], Awaitable[Any]]


class ScriptedGateway:
    """Answers what it is told to, publishes by hand, and remembers what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.replies: dict[str, Reply] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self._transports: list[asyncio.Transport] = []
        self.joined: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        """Connections that have subscribed."""
        self.left: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        """Connections that have ended."""
        self.epoch = "boot.1"
        self.seqs: defaultdict[str, int] = defaultdict(int)
        self.recovered: bool | None = None
        """What ``subscribe`` says to ``since``."""
        self.unknown: dict[str, dict[str, Any]] = {}
        """Channels that do not exist, and how that is told."""
        self.refuse: Callable[[], web.Response] | None = None
        """Makes the answer to everything."""
        self.refused: asyncio.Queue[str] = asyncio.Queue()
        """The paths that were."""

    def reply(self, method: str, *answers: Any) -> None:
        """Answer a method with these, one after the other; exceptions are raised."""
        left = list(answers)

        async def answer(params: dict[str, Any]) -> Any:
            given = left.pop(0)
            if isinstance(given, Exception):
                raise given
            return given

        self.replies[method] = answer

    def count(self, method: str) -> int:
        """How often a method was asked for."""
        return sum(name == method for name, _ in self.asked)

    async def publish(
        self,
        channel: str,
        data: Any = None,
        *,
        skip: int = 0,
        type: str = "update",
        seq: int | None = None,
    ) -> None:
        """Send an event to everybody, after ``skip`` that nobody gets."""
        if seq is None:
            self.seqs[channel] += 1 + skip
            seq = self.seqs[channel]
        params = {
            "channel": channel,
            "terminal": "demo",
            "epoch": self.epoch,
            "seq": seq,
            "type": type,
            "ts": 1_764_000_000_123,
            "data": data,
        }
        await self.say({"jsonrpc": "2.0", "method": "event", "params": params})

    async def say(self, message: Any) -> None:
        """Send a message to everybody."""
        for socket in self.sockets:
            if not socket.closed:
                await socket.send_str(json.dumps(message))

    async def close_sockets(self, code: int = 4000, reason: str = "") -> None:
        """Close all WebSocket connections with a code."""
        for socket in self.sockets:
            await socket.close(code=code, message=reason.encode())
        self.sockets.clear()

    def cut_sockets(self) -> None:
        """Cut them, as a pulled cable does."""
        for transport in self._transports:
            transport.abort()
        self._transports.clear()
        self.sockets.clear()

    # --- the doors -------------------------------------------------------------------------

    async def rpc(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        if self.refuse is not None:
            self.refused.put_nowait(request.path)
            return self.refuse()
        if refusal := _refusal(request):
            return refusal
        try:
            answer = await self._answer(await request.json())
        except Hangup:
            _transport_of(request).abort()
            return web.Response()
        return web.json_response(answer)

    async def ws(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        if self.refuse is not None:
            self.refused.put_nowait(request.path)
            return self.refuse()
        if refusal := _refusal(request):
            return refusal
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.sockets.append(socket)
        self._transports.append(_transport_of(request))
        async with asyncio.TaskGroup() as calls:
            async for frame in socket:
                calls.create_task(self._serve(request, socket, json.loads(frame.data)))
        self.left.put_nowait(socket)
        return socket

    async def _serve(
        self, request: web.Request, socket: web.WebSocketResponse, message: dict[str, Any]
    ) -> None:
        try:
            answer = await self._answer(message)
        except Hangup:
            _transport_of(request).abort()
            return
        if not socket.closed:
            await socket.send_str(json.dumps(answer))
        if message["method"] == "subscribe":
            self.joined.put_nowait(socket)

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        method, params = request["method"], request["params"]
        self.asked.append((method, params))
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            if method in self.replies:
                return answer | {"result": await self.replies[method](params)}
            if method == "subscribe":
                return answer | {"result": self._subscribe(params["channels"])}
        except GatewayError as error:
            return answer | {"error": error.as_dict()}
        except Failure as failure:
            return answer | {"error": failure.error}
        return answer | {"result": params}

    def _subscribe(self, channels: list[dict[str, Any]]) -> dict[str, Any]:
        subscribed, failed = [], []
        for wanted in channels:
            name = wanted["channel"]
            if name in self.unknown:
                failed.append({"channel": name, "did_you_mean": [], **self.unknown[name]})
                continue
            recovered = self.recovered if "since" in wanted else None
            subscribed.append(
                {
                    "channel": name,
                    "terminal": "demo",
                    "delivery": "lossless" if name in LOSSLESS else "latest",
                    "epoch": self.epoch,
                    "seq": self.seqs[name],
                    "recovered": recovered,
                    "reason": None if recovered in (None, True) else "evicted",
                    "replayed": 0,
                    "already": False,
                    "live": True,
                }
            )
        return {"subscribed": subscribed, "failed": failed}


def _transport_of(request: web.Request) -> asyncio.Transport:
    assert request.transport is not None
    return request.transport


def _refusal(request: web.Request) -> web.Response | None:
    if request.headers.get("Authorization") == f"Bearer {TOKEN}":
        return None
    error = Unauthorized(reason="unknown").as_dict()
    return web.json_response({"jsonrpc": "2.0", "id": None, "error": error}, status=401)


@asynccontextmanager
async def scripted_gateway(port: int = 0) -> AsyncIterator[ScriptedGateway]:
    """Run one on a free port, or on one that was free a moment ago."""
    gateway = ScriptedGateway()
    app = web.Application()
    app.router.add_post("/rpc", gateway.rpc)
    app.router.add_get("/ws", gateway.ws)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
    await site.start()
    gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield gateway
    finally:
        await gateway.close_sockets(1001)
        await runner.cleanup()
