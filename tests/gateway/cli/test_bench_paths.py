"""Paths of ``bench``: its clients and its terminal do with a real gateway what they measure."""

from __future__ import annotations

import asyncio
import json
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path

import pytest

from ea_bridge.protocol.codec import Decoder
from ea_bridge.protocol.messages import Ticks
from gateway.cli.bench import paths
from gateway.cli.bench.bench_daemon import CONFIG, TERMINAL, gateway_kind
from gateway.cli.bench.bench_terminal import LINE_TICKS, run_bench_terminal, run_echo, tick_line
from gateway.cli.bench.clients import (
    ConnectionCut,
    HttpLoadClient,
    LineTransport,
    LoadClient,
    WsLoadClient,
    _frame_end,
    alone,
    crowded,
    hear,
)
from gateway.cli.bench.paths import bars_svg
from gateway.home.home import KEY_FILE, Home
from gateway.streams.outbox import text_frame


def test_the_line_of_ticks_is_one_of_the_bridge() -> None:
    """With a stamp and a number in place."""
    line = tick_line().replace(b"@", b"1764007200123").replace(b"#", b"320")
    message = Decoder().decode(line.rstrip())
    assert isinstance(message, Ticks)
    assert len(message.d) == LINE_TICKS
    assert message.d[-1][4:6] == (1.5, 320)


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_frames_are_found_however_they_are_cut(length: int) -> None:
    """An end is told only once all of a frame is there."""
    frame = text_frame(b"x" * length)
    for missing in {1, 2, length, length + 1}:
        assert _frame_end(frame[: len(frame) - missing], 0) is None or not missing
    assert _frame_end(b"ab" + frame + b"c", 2) == (2 + len(frame) - length, 2 + len(frame))


def test_a_chart_is_well_formed() -> None:
    """Whatever the names are; the longest bar is as long as there is room."""
    root = ET.fromstring(bars_svg("A < B", {"a&b": 1.0, "c": 4.0}))  # noqa: S314  # our own
    widths = [float(bar.attrib["width"]) for bar in root if bar.get("x") and bar.get("width")]
    assert widths == [105.0, 420.0]


def _calls(port: int, token: str, echo: int) -> int:
    clients: list[LoadClient] = [
        LineTransport(echo),
        WsLoadClient(port, token),
        HttpLoadClient(port, token, 8),
    ]
    for client in clients:
        with closing(client):
            for text in (paths.PING, paths.ACCOUNT):
                assert len(alone(client, text, 3)) == 3
                assert crowded(client, text, 20, 8) > 0
    return len(clients)


def _heard(port: int, token: str) -> bool:
    readers = [WsLoadClient(port, token) for _ in range(2)]
    for reader in readers:
        told = json.loads(reader.ask((paths.SUBSCRIBE % "tick:EURUSD").encode()))
        assert told["result"]["subscribed"][0]["live"]
    while not (heard := hear(readers, 0.05)).events:
        assert not heard.closed
    for reader in readers:
        reader.close()
    return not heard.missing


def _bars(port: int, token: str) -> int:
    request = {"jsonrpc": "2.0", "id": 1, "method": "get_history_prices"}
    params = paths._span(None) | {"limit": 3000}
    with closing(WsLoadClient(port, token)) as asking:
        answer = json.loads(asking.ask(json.dumps(request | {"params": params}).encode()))
    return len(answer["result"]["bars"])


async def test_clients_and_terminal_work_with_a_real_gateway(tmp_path: Path) -> None:
    """Calls, events and history; and a wrong token is told."""
    loop = asyncio.get_running_loop()
    linked, echoing = loop.create_future(), loop.create_future()
    with Home(tmp_path, KEY_FILE) as home:
        token, _ = home.issuer.create(TERMINAL)
        gateway = gateway_kind(journal=True)(home, CONFIG)
        async with gateway.run() as ready, asyncio.TaskGroup() as tg:
            assert ready.rpc is not None
            port = int(ready.rpc.rpartition(":")[2].partition("/")[0])
            terminal = tg.create_task(
                run_bench_terminal(token, ready.bridge, 1000.0, lambda: linked.set_result(None))
            )
            echo = tg.create_task(run_echo(echoing.set_result))
            await linked
            assert await asyncio.to_thread(_calls, port, token, await echoing) == 3
            assert await asyncio.to_thread(_heard, port, token)
            assert await asyncio.to_thread(_bars, port, token) == 3000
            with pytest.raises(ConnectionCut, match="401"):
                await asyncio.to_thread(WsLoadClient, port, "mtg_wrong")
            terminal.cancel()
            echo.cancel()


@pytest.mark.long
def test_a_short_bench_of_all(tmp_path: Path) -> None:
    """All parts in their processes; nothing is left on the disk."""
    facts = paths.measure("all", 1, tmp_path)
    assert facts["fanout"]["deliveries_per_s"] > 0
    assert facts["ingest"]["ticks_per_s"] > 0
    assert facts["history"]["bars"] > 500_000
    assert "ws ping" in paths.table(facts)
    assert "ws ping" in paths.chart(facts)
    assert list(tmp_path.iterdir()) == []
