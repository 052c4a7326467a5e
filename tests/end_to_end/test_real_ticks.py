"""The packaged real ticks of EURUSD, through the whole product, as fast as it goes."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import websockets
from demo_process import Demo, running_demo
from product import TIMEOUT_S, Json, open_http

Row = tuple[int, str, str, int]

TICKS = 10_000
WEEK_MS = 7 * 86_400_000
"""By whole weeks the recorded ticks are moved towards now."""


def recorded() -> list[Row]:
    """The packaged file: time, bid, ask, flags."""
    packed = files("ea_bridge.simulation") / "data" / "ticks" / "EURUSD.csv.gz"
    header, *lines = gzip.decompress(packed.read_bytes()).decode("ascii").splitlines()
    assert header == "time_msc,bid,ask,flags"
    rows = (line.split(",") for line in lines)
    return [(int(time), bid, ask, int(flags)) for time, bid, ask, flags in rows]


def digest(ticks: list[Row]) -> str:
    """Of prices, flags, and the milliseconds since the first tick, in their order."""
    begin = ticks[0][0]
    lines = (f"{time - begin},{bid},{ask},{flags}\n" for time, bid, ask, flags in ticks)
    return hashlib.sha256("".join(lines).encode("ascii")).hexdigest()


async def heard(socket: websockets.ClientConnection, count: int) -> list[Json]:
    """All updates up to the one that is number ``count``; nothing is done that would take time."""
    told: list[Json] = []
    begun: int | None = None
    while not told or told[-1]["seq"] < (begun or 0) + count:
        event = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT_S))["params"]
        begun = event["seq"] - (event["type"] == "update") if begun is None else begun
        if event["type"] == "update":
            told.append(event)
    return told


async def heard_to_the_end(socket: websockets.ClientConnection, last: Row) -> list[Json]:
    """All updates up to that of the last tick, whatever was merged before, the first ones too."""
    told: list[Json] = []
    while not told or (told[-1]["data"]["broker_time"] - last[0]) % WEEK_MS:
        event = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT_S))["params"]
        if event["type"] == "update":
            told.append(event)
    return told


def as_recorded(events: list[Json]) -> list[Row]:
    """Events in the form of the file."""
    ticks = (one["data"] for one in events)
    return [
        (one["broker_time"], f"{one['bid']:.5f}", f"{one['ask']:.5f}", one["flags"])
        for one in ticks
    ]


async def test_all_of_them_arrive_in_order(tmp_path: Path) -> None:
    """At ``--speed max`` every packaged tick arrives on /ws, once, in order, unchanged."""
    file = recorded()
    assert len(file) == TICKS
    with running_demo(tmp_path / "home", "--speed", "max") as demo:
        socket = await listening(demo)
        await socket.send(request("subscribe", channels=["tick.all:EURUSD"]))
        assert json.loads(await socket.recv())["result"]["failed"] == []
        told = await heard(socket, TICKS)
        assert len(told) == TICKS
        assert all(after["seq"] == before["seq"] + 1 for before, after in pairwise(told))
        assert digest(as_recorded(told)) == digest(file)
        await socket.close()


async def test_the_vendors_form_over_rpc(tmp_path: Path) -> None:
    """Subscribed to over /rpc in the vendor's form they arrive as well. This channel merges
    prices for those who fall far behind, and then the numbers say how many: each tick that comes
    is the one of the file that its number says, and the last one always comes."""
    file = recorded()
    with running_demo(tmp_path / "home", "--speed", "max") as demo:
        socket = await listening(demo)
        async with open_http(demo.rpc, demo.auth_token) as client:
            await client.call("subscribe", type="tick", symbol="EURUSD")
            told = await heard_to_the_end(socket, file[-1])
            first = told[-1]["seq"] - TICKS + 1
            shift = as_recorded(told)[-1][0] - file[-1][0]
            chosen = [file[one["seq"] - first] for one in told]
            assert as_recorded(told) == [(time + shift, *rest) for time, *rest in chosen]
            info = await client.call("get_symbol_info", symbol="EURUSD")
        assert (f"{info['bid']:.5f}", f"{info['ask']:.5f}") == file[-1][1:3]
        await socket.close()


async def listening(demo: Demo) -> websockets.ClientConnection:
    """A connection that reads as fast as it can."""
    header = {"Authorization": f"Bearer {demo.auth_token}"}
    socket = await websockets.connect(
        demo.ws, additional_headers=header, compression=None, proxy=None, max_queue=None
    )
    assert json.loads(await socket.recv())["method"] == "welcome"
    return socket


def request(method: str, **params: object) -> str:
    """A request in JSON."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
