"""The packaged real ticks of EURUSD, through the whole product, as fast as it goes."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from demo_process import running_demo
from product import Json, WsClient, open_http, open_ws

TICKS = 10_000


def recorded() -> list[tuple[int, str, str, int]]:
    """The packaged file: time, bid, ask, flags."""
    packed = files("ea_bridge.emulator") / "data" / "ticks" / "EURUSD.csv.gz"
    header, *lines = gzip.decompress(packed.read_bytes()).decode("ascii").splitlines()
    assert header == "time_msc,bid,ask,flags"
    rows = (line.split(",") for line in lines)
    return [(int(time), bid, ask, int(flags)) for time, bid, ask, flags in rows]


def digest(ticks: list[tuple[int, str, str, int]]) -> str:
    """Of prices, flags, and the milliseconds since the first tick, in their order."""
    begin = ticks[0][0]
    lines = (f"{time - begin},{bid},{ask},{flags}\n" for time, bid, ask, flags in ticks)
    return hashlib.sha256("".join(lines).encode("ascii")).hexdigest()


async def heard(socket: WsClient, count: int) -> list[Json]:
    """All updates, as many as there must be."""
    told: list[Json] = []
    while len(told) < count:
        event = await socket.event()
        if event["type"] == "update":
            told.append(event)
    return told


@pytest.mark.parametrize("door", ["/ws", "/rpc"])
async def test_all_of_them_arrive_in_order(tmp_path: Path, door: str) -> None:
    """At ``--speed max`` every packaged tick arrives on /ws, once, in order, unchanged.

    So it is on ``tick.all``, subscribed to over /ws, and on ``tick``, subscribed to over /rpc in
    the vendor's form: merging is for those who fall behind, and this client does not.
    """
    file = recorded()
    assert len(file) == TICKS
    with running_demo(tmp_path / "home", "--speed", "max") as demo:
        socket = await open_ws(demo.ws, demo.auth_token)
        if door == "/ws":
            await socket.call("subscribe", channels=["tick.all:EURUSD"])
        else:
            async with open_http(demo.rpc, demo.auth_token) as client:
                await client.call("subscribe", type="tick", symbol="EURUSD")
        told = await heard(socket, TICKS)
        assert all(after["seq"] == before["seq"] + 1 for before, after in pairwise(told))
        ticks = [
            (
                one["data"]["broker_time"],
                f"{one['data']['bid']:.5f}",
                f"{one['data']['ask']:.5f}",
                one["data"]["flags"],
            )
            for one in told
        ]
        assert digest(ticks) == digest(file)
        info = await socket.call("get_symbol_info", symbol="EURUSD")
        assert (f"{info['bid']:.5f}", f"{info['ask']:.5f}") == file[-1][1:3]
        await socket.close()
