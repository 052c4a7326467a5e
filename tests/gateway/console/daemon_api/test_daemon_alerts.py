"""Alerts on the stream of a daemon."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from console_fixtures import Clock, approve, person
from daemon_fixtures import Daemon

from gateway.console.hook_template import HookTemplate
from gateway.console.pages.context import iso
from gateway.console.service import Console
from gateway.credentials.daemon_api import AlertOutcome, TerminalDescription, TerminalReport
from gateway.credentials.record import TradeLimits

pytestmark = pytest.mark.alike

FACTS = TerminalDescription(
    platform="mt5", login=5_012_345, server="Demo", company="B", fp="ab" * 32
)


async def _next(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    while True:
        message = await socket.receive(timeout=30)
        if message.type is aiohttp.WSMsgType.TEXT:
            said: dict[str, Any] = json.loads(message.data)
            return said


async def test_a_daemon_is_told_alerts_only_if_it_takes_them(
    daemon: Daemon, console: Console, clock: Clock
) -> None:
    """An older daemon would not understand them; one that asks for them says what became."""
    ann = await person(console)
    token = (await console.tokens.create(ann.id, "swing"))[1]
    await approve(console, token, daemon.machine)
    online = TerminalReport(tid=token.tid, state="online", since=clock(), terminal=FACTS)
    await console.reports.report(daemon.machine.did, [online])
    template = HookTemplate(size="0.1")
    secret, _ = await console.hooks.create(ann.id, "tv", token.tid, template)
    message = json.dumps({"symbol": "EURUSD", "side": "buy", "time": iso(clock())}).encode()
    async with daemon.stream() as socket:
        assert (await _next(socket))["t"] == "hb"
        aid, _ = await console.hooks.receive(secret, message, "")
        for lots in ("1", "2"):
            await console.tokens.update_limits(ann.id, token.tid, TradeLimits(max_lot=lots))
            assert (await _next(socket))["t"] == "evt"
    async with daemon.stream("?alerts=1") as socket:
        assert (await _next(socket))["t"] == "hb"
        told = await _next(socket)
        assert (told["t"], told["again"]) == ("alert", False)
        await socket.send_str(AlertOutcome(aid=aid, outcome="checked").model_dump_json())
        async with asyncio.timeout(30):
            while (await console.hooks.alerts(ann.id))[0].status != "checked":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        later = message.replace(b"buy", b"sell")
        await console.hooks.receive(secret, later, "")
        assert (await _next(socket))["t"] == "alert"
