"""The simulated loop and network behave as those of a computer, at their worst."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections.abc import Coroutine
from functools import partial
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from websockets.asyncio.client import connect

from .dice import Dice
from .handles import LIFE
from .loop import SimulatedLoop
from .network import Network, Weather
from .sockets import SimulatedSocket
from .trace import Trace


class Scene:
    """A loop and its network, and one connection where it is asked for."""

    def __init__(self, seed: int = 1) -> None:
        dice = Dice(seed)
        self.loop = SimulatedLoop(dice("threads"), dice("turns"))
        self.network = Network(self.loop, dice("network"), Trace())
        self.server = Ear()
        self.client = Ear()

    def run(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """Let something happen until it is done."""
        return self.loop.run_until_complete(coro)

    async def connect(self) -> None:
        """Connect the two."""
        listening = await self.loop.create_server(lambda: self.server, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        await self.loop.create_connection(lambda: self.client, "127.0.0.1", port)
        await asyncio.sleep(0.1)

    def ends(self) -> list[SimulatedSocket]:
        """Return both ends."""
        (near,) = (one for one in self.network.links("bots", "bots") if one.name.endswith("<"))
        assert near.peer is not None
        return [near, near.peer]


class Ear(asyncio.Protocol):
    """An end of a connection that notes all it is told."""

    def __init__(self) -> None:
        self.heard = b""
        self.flow: list[str] = []
        self.lost: list[Exception | None] = []
        self.wire: asyncio.Transport
        self._came = asyncio.Event()

    async def whole(self, text: bytes) -> None:
        """Wait until all of a text was heard."""
        while self.heard != text:
            self._came.clear()
            await self._came.wait()

    def connection_made(self, transport: Any) -> None:
        self.wire = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self._came.set()

    def pause_writing(self) -> None:
        self.flow.append("pause")

    def resume_writing(self) -> None:
        self.flow.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


def test_writes_are_cut_and_joined_and_stay_what_they_were() -> None:
    """A stream keeps its bytes, not its writes."""
    scene = Scene()

    async def talk() -> None:
        await scene.connect()
        for number in range(2000):
            scene.client.wire.write(b"line %d\n" % number)
            if number % 10 == 0:
                await asyncio.sleep(0.001)
        await asyncio.sleep(1)

    scene.run(talk())

    assert scene.server.heard == b"".join(b"line %d\n" % n for n in range(2000))
    assert scene.network.counts["cut in two"] > 10
    assert scene.network.counts["joined"] > 30
    assert scene.network.counts["held back"] > 10


def test_who_does_not_read_makes_the_other_wait() -> None:
    """The kernel holds so much; then the writer is paused, and goes on when that was read."""
    scene = Scene()
    everything = bytes(range(256)) * 20_000

    async def talk() -> None:
        await scene.connect()
        scene.server.wire.pause_reading()
        scene.client.wire.write(everything)
        await asyncio.sleep(5)
        assert scene.client.flow == ["pause"]
        capacity = scene.ends()[1].capacity
        assert scene.client.wire.get_write_buffer_size() == len(everything) - capacity
        scene.server.wire.resume_reading()
        await asyncio.sleep(5)

    scene.run(talk())

    assert scene.server.heard == everything
    assert scene.client.flow == ["pause", "resume"]
    assert scene.client.wire.get_write_buffer_size() == 0


def test_a_half_open_connection_says_nothing() -> None:
    """What is lost on the way is not told to anybody."""
    scene = Scene()

    async def talk() -> None:
        await scene.connect()
        for end in scene.ends():
            scene.network.lose(end)
        scene.client.wire.write(b"is anybody there?")
        scene.server.wire.abort()
        await asyncio.sleep(3600)

    scene.run(talk())

    assert (scene.server.heard, scene.client.heard, scene.client.lost) == (b"", b"", [])


def test_a_reset_is_told_to_both() -> None:
    """As a router does that has forgotten a connection."""
    scene = Scene()

    async def talk() -> None:
        await scene.connect()
        for end in scene.ends():
            scene.network.reset(end)
        await asyncio.sleep(1)

    scene.run(talk())

    for ear in (scene.client, scene.server):
        assert [type(error) for error in ear.lost] == [ConnectionResetError]


def test_who_closes_with_something_unread_resets() -> None:
    """As Linux has it: the other end must not believe that all was heard."""
    scene = Scene()

    async def talk() -> None:
        await scene.connect()
        scene.server.wire.pause_reading()
        scene.client.wire.write(b"unheard")
        await asyncio.sleep(1)
        scene.server.wire.close()
        await asyncio.sleep(1)

    scene.run(talk())

    assert [type(error) for error in scene.client.lost] == [ConnectionResetError]


@pytest.mark.parametrize(
    ("weather", "least_s", "most_s"),
    [(Weather(5000.0, 3.0), 0.001, 4.0), (Weather(1060.0), 59, 61)],
)
def test_bad_weather_delays(weather: Weather, least_s: float, most_s: float) -> None:
    """A slow way takes seconds; one that is parted all the time until it is whole again."""
    scene = Scene()

    async def talk() -> float:
        await scene.connect()
        begun_s = scene.loop.now
        scene.network.weather["bots"] = weather
        scene.client.wire.write(b"late")
        scene.client.wire.write(b"r")
        await scene.server.whole(b"later")
        return scene.loop.now - begun_s

    assert least_s < scene.run(talk()) < most_s


def test_the_order_of_those_that_are_ready_is_drawn() -> None:
    """Two connections at the same moment: either may be first."""

    def first(seed: int) -> str:
        scene, order = Scene(seed), list[str]()

        def hear(name: str, _data: bytes) -> None:
            order.append(name)

        async def talk() -> None:
            await scene.connect()
            for ear, name in ((scene.client, "client"), (scene.server, "server")):
                ear.data_received = partial(hear, name)  # type: ignore[method-assign]  # a spy
            for end in scene.ends():
                end.take_data(b"now")
            await asyncio.sleep(1)

        scene.run(talk())
        return order[0]

    assert {first(seed) for seed in range(20)} == {"client", "server"}


def test_the_dead_do_nothing_any_more() -> None:
    """A life that is killed runs no further, no ``finally`` either; its sockets are closed."""
    scene, done = Scene(), list[str]()

    async def live() -> None:
        try:
            await scene.connect()
            await asyncio.sleep(100)
        finally:
            done.append("finally")

    async def kill() -> None:
        context = contextvars.copy_context()
        context.run(LIFE.set, 1)
        task = scene.loop.create_task(live(), context=context)
        await asyncio.sleep(1)
        scene.loop.kill(1)
        scene.network.kill(1)
        await asyncio.sleep(1000)
        assert not task.done()

    scene.run(kill())

    assert done == []
    assert scene.network.links("bots", "bots") == []


def test_the_libraries_clients_work_there() -> None:
    """aiohttp as server and client, and the client of websockets."""
    scene = Scene()

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=await request.text())

    async def echo(request: web.Request) -> web.WebSocketResponse:
        wire = web.WebSocketResponse()
        await wire.prepare(request)
        async for message in wire:
            await wire.send_str(message.data * 2)
        return wire

    async def ask() -> tuple[str, str]:
        app = web.Application()
        app.add_routes([web.post("/", hello), web.get("/ws", echo)])
        runner = web.AppRunner(app)
        await runner.setup()
        listening = await scene.loop.create_server(runner.server, "127.0.0.1", 0)
        host, port = listening.sockets[0].getsockname()
        connector = aiohttp.TCPConnector(
            socket_factory=lambda info: cast(socket.socket, scene.network.socket(info[0]))
        )
        async with (
            aiohttp.ClientSession(connector=connector) as http,
            http.post(f"http://{host}:{port}/", data="you there?" * 1000) as response,
        ):
            said = await response.text()
        async with connect(f"ws://{host}:{port}/ws", proxy=None) as wire:
            await wire.send("ha")
            heard = await wire.recv()
        await runner.cleanup()
        return said, str(heard)

    assert scene.run(ask()) == ("you there?" * 1000, "haha")
