"""Slow and stalled readers: fresh prices, bounded memory, nobody else delayed."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from small_catalogue import event
from web_server_fixture import RawWs, Server, open_server, raw_ws, until

from gateway.config import Limits
from gateway.streams.hub import Listener


def request(method: str, id: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def stall(ws: RawWs) -> None:
    """Stop reading from the socket."""
    ws.reader._transport.pause_reading()  # type: ignore[attr-defined]


def resume(ws: RawWs, house: Server) -> None:
    """Read again; how fast what waits comes through is up to the kernel."""
    house.clock.follow_kernel()
    ws.reader._transport.resume_reading()  # type: ignore[attr-defined]


async def listener_of(house: Server, ws: RawWs) -> Listener:
    """Return the server's end of a fresh connection."""
    ws.send(request("update"))
    await ws.json()
    return house.streams.listeners[-1]


async def test_who_asked_for_it_gets_the_events_of_a_turn_in_one_frame(house: Server) -> None:
    """Beside one who did not, and who hears the same."""
    async with raw_ws(house) as plain, raw_ws(house) as ws:
        await listener_of(house, plain)
        (await listener_of(house, ws)).coalesces = True
        house.streams.publish(*(event("orders", n) for n in range(3)))
        assert [told["params"]["seq"] for told in await ws.json()] == [0, 1, 2]
        assert [(await plain.json())["params"]["seq"] for _ in range(3)] == [0, 1, 2]
        house.streams.publish(event("orders", 3))
        assert (await ws.json())["params"]["seq"] == 3


async def test_a_stalled_reader_of_arrays_misses_nothing(house: Server) -> None:
    """What waited for it comes in frames of their own, in its order."""
    async with raw_ws(house, receive_buffer=4096) as ws:
        (await listener_of(house, ws)).coalesces = True
        stall(ws)
        for number in range(0, 1000, 4):
            house.streams.publish(*(event("orders", number + n, size=500) for n in range(4)))
        resume(ws, house)
        seen: list[int] = []
        while len(seen) < 1000:
            told = await ws.json()
            array = told if isinstance(told, list) else [told]
            seen += [one["params"]["seq"] for one in array]
        assert seen == list(range(1000))


async def test_a_stalled_reader_gets_the_newest_price_when_it_reads_again() -> None:
    """Latest events replace one another once it is far behind; lossless ones all arrive."""
    limits = Limits(queue_messages=1200)
    async with (
        open_server(limits=limits) as house,
        raw_ws(house, receive_buffer=4096) as ws,
    ):
        listener = await listener_of(house, ws)
        stall(ws)
        for number in range(5000):
            house.streams.publish(event("tick", number, latest=True, size=200))
            if number % 10 == 0:
                house.streams.publish(event("orders", number // 10))
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert listener.outbox.messages <= 501
        resume(ws, house)
        ticks: list[int] = []
        orders: list[int] = []
        while not ticks or ticks[-1] < 4999 or len(orders) < 500:
            params = (await ws.json())["params"]
            (ticks if params["channel"] == "tick" else orders).append(params["seq"])
        assert orders == list(range(500))
        assert ticks == sorted(ticks)
        assert len(ticks) < 3000


async def test_a_stalled_reader_over_its_bounds_is_closed_and_others_hear_all() -> None:
    """4000 slow_consumer; the neighbour loses nothing and waits for nobody."""
    limits = Limits(queue_messages=500)
    async with (
        open_server(limits=limits) as house,
        raw_ws(house, receive_buffer=4096) as slow,
        raw_ws(house) as quick,
    ):
        await listener_of(house, slow)
        await listener_of(house, quick)
        stall(slow)
        for number in range(2000):
            house.streams.publish(event("orders", number, size=500))
            if number % 10 == 9:
                for expected in range(number - 9, number + 1):
                    assert (await quick.json())["params"]["seq"] == expected
        assert len(house.streams.listeners) == 1
        resume(slow, house)
        assert await slow.close_code() == 4000


async def test_a_reader_that_takes_nothing_for_long_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even when what waits for it is little."""
    monkeypatch.setattr("gateway.rpc.websocket.connection.STALLED_S", 0.1)
    async with open_server() as house, raw_ws(house, receive_buffer=4096) as ws:
        await listener_of(house, ws)
        stall(ws)
        house.streams.publish(*(event("orders", n, size=2000) for n in range(300)))
        await until(lambda: not house.streams.listeners)
        resume(ws, house)
        assert await ws.close_code() == 4000


async def test_who_does_not_read_its_answers_is_not_read(house: Server) -> None:
    """Requests stay in the client's socket; nothing piles up with us; later all are answered."""
    async with raw_ws(house, receive_buffer=4096) as ws:
        listener = await listener_of(house, ws)
        stall(ws)
        for number in range(200):
            ws.send(request("big", id=number, size=50_000))
        await asyncio.sleep(0.05)
        assert listener.outbox.messages <= house.limits.max_in_flight
        assert (await house.rpc("sum", a=1))["result"] == 1
        resume(ws, house)
        assert [(await ws.json())["id"] for _ in range(200)] == list(range(200))


async def test_answers_go_before_the_events_that_waited(house: Server) -> None:
    """A slow reader still learns soon what became of its order."""
    async with raw_ws(house, receive_buffer=4096) as ws:
        await listener_of(house, ws)
        ws.send(request("wait", id="order"))
        await house.doings.entered.wait()
        stall(ws)
        for number in range(600):
            house.streams.publish(event("orders", number, size=1000))
            await asyncio.sleep(0)
        house.doings.open.set()
        await house.doings.left.wait()
        await asyncio.sleep(0.01)
        resume(ws, house)
        seen: list[object] = []
        while len(seen) < 601:
            message = await ws.json()
            seen.append(message.get("id", "event"))
        assert 0 < seen.index("order") < 590


async def test_frames_of_one_turn_leave_in_one_write(
    house: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first at once, the rest of the turn together."""
    async with raw_ws(house) as ws:
        listener: Any = await listener_of(house, ws)
        transport, sizes = listener._sender._transport, []

        class Counting:
            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

            def write(self, data: bytes) -> None:
                sizes.append(len(data))
                transport.write(data)

        monkeypatch.setattr(listener._sender, "_transport", Counting())
        for number in range(50):
            house.streams.publish(event("orders", number))
        assert len(sizes) == 1
        assert [(await ws.json())["params"]["seq"] for _ in range(50)] == list(range(50))
        assert len(sizes) == 2
        for number in range(200):
            house.streams.publish(event("orders", number, size=1000))
        assert 3 <= len(sizes) - 2 <= 5


async def test_events_after_the_end_go_nowhere(house: Server) -> None:
    """deliver and end may come at any time, in any order, more than once."""
    async with raw_ws(house) as ws:
        listener = await listener_of(house, ws)
        listener.end(1001, "over")
        listener.end(4000, "over again")
        one = event("orders", 1)
        listener.deliver([one], one.frame)
        assert await ws.close_code() == 1001
        assert house.streams.listeners == []
        ws.send(b"", 8)
        assert await ws.ended()
        listener.deliver([one], one.frame)


async def test_a_large_answer_arrives_whole(house: Server) -> None:
    """Up to max_response_bytes, to a reader that reads."""
    async with raw_ws(house) as ws:
        ws.send(request("big", size=8_000_000))
        opcode, payload = await ws.frame()
        assert opcode == 1
        assert len(orjson.loads(payload)["result"]) == 8_000_000
