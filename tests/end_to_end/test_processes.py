"""The commands as processes, beside what ``tests/gateway/cli`` tests of them: an end while there
is work under way, and a beginning after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import websockets
from commands import Command, run, running
from product import Refused, WsClient, open_http, open_ws

READY = {
    *("event", "rpc", "ws", "bridge", "auth_token", "terminal", "home", "live_page"),
    *("console", "device", "console_email", "console_password", "manager", "account"),
}


def arguments(folder: Path, *options: str) -> tuple[str, ...]:
    """Those of a demo on free ports."""
    home = str(folder / "home")
    return (
        "demo",
        "--port",
        "0",
        "--bridge-port",
        "0",
        "--console-port",
        "0",
        "--home",
        home,
        *options,
    )


def call(demo: Command, token: str) -> int:
    """Make a call by the command ``call``; return its exit code."""
    url = demo.ready["rpc"].removesuffix("/rpc")
    return run("call", "get_account_balance", "--url", url, MT_GATEWAY_TOKEN=token).returncode


@pytest.mark.parametrize(
    ("platform", "number"), [("mt5", signal.SIGTERM), ("mt4", signal.SIGINT)], ids=["mt5", "mt4"]
)
async def test_a_demo_from_start_to_end(tmp_path: Path, platform: str, number: int) -> None:
    """One line when calls are answered and the terminal is linked; a signal ends it all, though
    connections are open and calls under way: they are told 1001, and nothing is left behind."""
    options = arguments(tmp_path, "--platform", platform)
    with running(tmp_path / "log.txt", *options, kind=subprocess.Popen) as demo:
        ready = demo.ready
        assert set(ready) == READY
        for url in (ready["rpc"], ready["ws"], f"//{ready['bridge']}"):
            assert urlsplit(url).hostname == "127.0.0.1"
            assert urlsplit(url).port
        async with open_http(ready["rpc"], ready["auth_token"]) as client:
            status = await client.call("get_ea_status")
            assert (status["connected"], status["platform"]) == (True, platform)
            listener = await open_ws(ready["ws"], ready["auth_token"])
            await listener.call("subscribe", channels=["tick:EURUSD", "positions"])
            under_way = asyncio.Event()
            busy = asyncio.create_task(_call_until_the_end(listener, under_way))
            await under_way.wait()
            await asyncio.to_thread(demo.end, number)
        assert (await listener.closed())[0] == 1001
        await busy
        await listener.close()
        assert demo.log.read_text() == ""
    left = {one.name for one in (tmp_path / "home").iterdir()}
    assert left.isdisjoint({"run.json", "token"})


async def _call_until_the_end(client: WsClient, under_way: asyncio.Event) -> None:
    with contextlib.suppress(ConnectionError, websockets.ConnectionClosed, Refused):
        while True:
            await client.call("get_positions")
            under_way.set()


def test_a_demo_after_a_crash(tmp_path: Path) -> None:
    """After a kill -9 a demo starts in the same home as if nothing had been: with the same token,
    so that what was pasted still works, and without a word of complaint."""
    with running(tmp_path / "first.txt", *arguments(tmp_path)) as demo:
        before = demo.ready["auth_token"]
        assert call(demo, before) == 0
        demo.process.kill()
        demo.process.wait()
    with running(tmp_path / "second.txt", *arguments(tmp_path)) as demo:
        assert demo.ready["auth_token"] == before
        assert call(demo, before) == 0
        demo.end()
        assert demo.log.read_text() == ""
