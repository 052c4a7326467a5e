"""The whole product, as these tests run it: daemon, emulated terminal, and clients of both doors.

Everything is real: SQLite on disk, sockets on loopback, tokens, proofs. What a process boundary
would add is tested with the ``demo`` fixture and in ``test_processes.py``.

Each answer and each event that comes through a :class:`Client` is checked against its published
shape, so every test here is a test of the documentation as well.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import websockets
from published_shapes import Json, check_event, check_result

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.protocol.messages import Pending
from gateway.app import Gateway
from gateway.config import Config
from gateway.home.home import Home
from gateway.options import Ready
from gateway.storage.reserve import Reserve

TIMEOUT_S = 60.0
"""For what happens within milliseconds on a machine that is not busy."""


class Refused(Exception):
    """A JSON-RPC error came back."""

    def __init__(self, error: Json) -> None:
        super().__init__(json.dumps(error))
        self.code: int = error["code"]
        self.data: Json = error["data"]
        self.name: str = error["data"]["name"]


def answered(method: str, response: Json) -> Any:
    """Return the result in a response.

    Raises:
        Refused: it is an error.

    """
    assert response["jsonrpc"] == "2.0"
    if "error" in response:
        raise Refused(response["error"])
    check_result(method, response["result"])
    return response["result"]


class Client:
    """One of the two doors, seen from outside."""

    door = ""

    async def call(self, method: str, **params: Any) -> Any:
        """Call a method; ``from_`` stands for ``from``.

        Raises:
            Refused: the answer is an error.

        """
        return answered(method, await self.ask(method, params))

    async def ask(self, method: str, params: Json, **members: Any) -> Json:
        """Return the whole response to a request, which may have further members."""
        raise NotImplementedError

    def _request(self, request_id: int, method: str, params: Json) -> Json:
        named = {name.rstrip("_"): value for name, value in params.items()}
        return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": named}


class HttpClient(Client):
    """``POST /rpc``."""

    door = "/rpc"

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url
        self._ids = itertools.count(1)

    async def ask(self, method: str, params: Json, **members: Any) -> Json:
        request = self._request(next(self._ids), method, params) | members
        answer: Json = await self.send(request)
        assert answer["id"] == request["id"]
        return answer

    async def send(self, message: Any) -> Any:
        """Send a message as it is; return the JSON that comes, or ``None`` where nothing does."""
        async with self._http.post(self._url, json=message) as response:
            return await response.json() if response.status != 204 else None


class WsClient(Client):
    """``GET /ws``: calls, and the events that come in between."""

    door = "/ws"

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._news = asyncio.Event()
        self.events: deque[Json] = deque()
        """The params of events that no :meth:`event` has taken yet."""
        self.on_event: Callable[[Json], None] = self._keep
        """Takes each event; by default :attr:`events` keeps it."""
        self._reading = asyncio.create_task(self._read())

    async def ask(self, method: str, params: Json, **members: Any) -> Json:
        request_id = next(self._ids)
        answer = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps(self._request(request_id, method, params) | members))
        return await asyncio.wait_for(answer, TIMEOUT_S)

    async def event(
        self,
        channel: str | None = None,
        where: Callable[[Json], bool] = lambda _: True,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Json:
        """Take the first event of a channel that fits; the others stay."""
        async with asyncio.timeout(timeout_s):
            while True:
                for one in self.events:
                    if channel in (None, one["channel"]) and where(one):
                        self.events.remove(one)
                        return one
                if self._reading.done():
                    self._reading.result()
                    raise ConnectionError("the connection is closed")
                self._news.clear()
                await self._news.wait()

    async def change(self, channel: str, op: str, **members: Any) -> Json:
        """Take the first update of ``orders``, ``positions`` or ``deals`` with that ``op`` whose
        noun has these members; return the noun."""
        noun = channel.removesuffix("s")

        def fits(event: Json) -> bool:
            data = event["data"]
            if event["type"] != "update" or data["op"] != op:
                return False
            return all(data[noun][name] == value for name, value in members.items())

        changed: Json = (await self.event(channel, fits))["data"][noun]
        return changed

    async def closed(self) -> tuple[int, str]:
        """Wait for the end of the connection; return its code and reason."""
        await asyncio.wait_for(self._socket.wait_closed(), TIMEOUT_S)
        assert self._socket.close_code is not None
        return self._socket.close_code, self._socket.close_reason or ""

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()
        await self._reading

    def _keep(self, event: Json) -> None:
        self.events.append(event)
        self._news.set()

    async def _read(self) -> None:
        try:
            while True:
                message = json.loads(await self._socket.recv())
                for one in message if isinstance(message, list) else [message]:
                    self._take(one)
        except websockets.ConnectionClosed:
            pass
        finally:
            self._news.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the connection is closed"))

    def _take(self, message: Json) -> None:
        if message.get("method") == "event":
            check_event(message["params"])
            self.on_event(message["params"])
        elif "id" in message:
            self._waiting.pop(message["id"]).set_result(message)


@dataclass
class Running:
    """An emulated terminal with its link."""

    name: str
    token: str
    machine: EmulatedTerminal
    link: EmulatedLink


@dataclass
class Product:
    """A daemon that runs, and what is linked to it."""

    ready: Ready
    gateway: Gateway
    home: Home
    terminals: dict[str, Running] = field(default_factory=dict)
    _links: AsyncExitStack = field(default_factory=AsyncExitStack)
    _clients: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def main(self) -> Running:
        """The first terminal."""
        return next(iter(self.terminals.values()))

    async def link(
        self,
        name: str,
        machine: EmulatedTerminal,
        *,
        token: str = "",
        bridge: str = "",
        on_pending: Callable[[Pending], None] | None = None,
    ) -> Running:
        """Link a terminal, by another way to the bridge if told so, and wait until the daemon
        calls it ready."""
        token = token or self.home.issuer.create(name)[0]
        host, _, port = (bridge or self.ready.bridge).rpartition(":")
        link = EmulatedLink(machine, host, int(port), token, seed=1, on_pending=on_pending)
        running = asyncio.create_task(link.run())
        self._links.push_async_callback(_stop, link, running)
        await asyncio.wait_for(link.ready.wait(), TIMEOUT_S)
        await self.live(name)
        linked = self.terminals[name] = Running(name, token, machine, link)
        return linked

    async def live(self, name: str, *, but_not: object = None) -> None:
        """Wait until a terminal has a live session, another one than ``but_not``."""

        def is_live() -> bool:
            session = self.gateway.registry.get(name)
            return session is not None and session is not but_not and session.broker is not None

        await until(is_live)

    async def settled(self, name: str, symbol: str) -> None:
        """Wait until nothing unknown keeps new orders of a symbol back any more."""
        journal = self.gateway.trading.state(name).journal
        await until(lambda: not journal.unresolved(symbol))

    async def http(self, token: str = "") -> HttpClient:
        """Open a client of ``/rpc``."""
        opening = open_http(self.ready.rpc or "", token or self.main.token)
        return await self._clients.enter_async_context(opening)

    async def ws(self, token: str = "", *, by_header: bool = True) -> WsClient:
        """Open a client of ``/ws`` that says its token in the header, or else in ``hello``."""
        url, token = self.ready.ws or "", token or self.main.token
        client = await (open_ws(url, token) if by_header else open_ws_with_hello(url, token))
        self._clients.push_async_callback(client.close)
        return client

    async def client(self, door: str, token: str = "") -> Client:
        """Open a client of one of the doors."""
        return await (self.http(token) if door == "/rpc" else self.ws(token))

    async def close_clients(self) -> None:
        """Close all that were opened, at the end of a test."""
        await self._clients.aclose()

    async def unplug(self) -> None:
        """Take all terminals away."""
        await self._links.aclose()
        self.terminals.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close_clients()
        await self.unplug()


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what nobody tells of."""
    async with asyncio.timeout(TIMEOUT_S):
        while not happened():  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def open_http(url: str, token: str) -> AsyncIterator[HttpClient]:
    """Open a client of ``/rpc``."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        yield HttpClient(session, url)


async def open_ws(url: str, token: str) -> WsClient:
    """Open ``/ws`` with the token in the header."""
    return WsClient(await _connect(url, {"Authorization": f"Bearer {token}"}))


async def open_ws_with_hello(url: str, token: str) -> WsClient:
    """Open ``/ws`` as a browser must: with the token in the first message."""
    client = WsClient(await _connect(url, {}))
    await client.call("hello", auth_token=token)
    return client


async def _connect(url: str, headers: dict[str, str]) -> websockets.ClientConnection:
    return await websockets.connect(
        url,
        additional_headers=headers,
        compression=None,
        proxy=None,
        max_size=2**24,
        open_timeout=TIMEOUT_S,
    )


@asynccontextmanager
async def daemon(
    folder: Path,
    limits: Mapping[str, int] | None = None,
    origins: Sequence[str] = (),
    trading: Mapping[str, Any] | None = None,
    manager: Mapping[str, Any] | None = None,
    reserve: Reserve | None = None,
    notify: Mapping[str, Any] | None = None,
    remote: Mapping[str, Any] | None = None,
) -> AsyncIterator[Product]:
    """Run a daemon on free ports, with nothing linked to it; pages of the origins may call.

    ``limits``, ``trading``, ``manager``, ``notify`` and ``remote`` are what the sections of the
    configuration say; tests trade faster than people, so that the pace is not bounded unless they
    say so.
    """
    config = Config.model_validate(
        {
            "api": {
                "port": 0,
                "allowed_origins": list(origins),
                "remote": {"port": 0, **(remote or {})},
            },
            "bridge": {"port": 0},
            "limits": dict(limits or {}),
            "trading": {"orders_per_second": "none", **(trading or {})},
            "manager": dict(manager or {}),
            "notify": dict(notify or {}),
        }
    )
    with Home(folder, config.secrets.key_file) as home:
        gateway = Gateway(home, config, reserve=reserve)
        async with gateway.run() as ready, Product(ready, gateway, home) as product:
            yield product


@asynccontextmanager
async def product(folder: Path, **terminal: Any) -> AsyncIterator[Product]:
    """Run a daemon and one terminal, ``main``; options as of :func:`build_terminal`."""
    async with daemon(folder) as running:
        await running.link("main", build_terminal(**terminal))
        yield running


def sawtooth(folder: Path, low: float = 1.1, high: float = 1.103) -> list[tuple[str, Path]]:
    """Return ticks of EURUSD that rise and fall once a minute between two bids, for ever."""
    steps = range(120)
    file = folder / "EURUSD.csv"
    lines = ["time_msc,bid,ask,flags"]
    for step in steps:
        bid = low + (high - low) * min(step, 120 - step) / 60
        lines.append(f"{1_546_336_800_000 + 500 * step},{bid:.5f},{bid + 0.00008:.5f},6")
    file.write_text("\n".join(lines) + "\n")
    return [("EURUSD", file)]


async def _stop(link: EmulatedLink, running: asyncio.Task[None]) -> None:
    link.stop()
    running.cancel()
    # it may have ended before, with a refusal that the test knows of
    await asyncio.gather(running, return_exceptions=True)
