"""How a daemon tells a console of its audit trail, whatever the console answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.auth.console_clock import Clocks
from gateway.console_link.http import ConsoleHttp
from gateway.console_link.witness import PATH, NoTrail, WitnessLink
from gateway.credentials.daemon_api import TrailTold
from gateway.credentials.device import DeviceKey
from gateway.home.home import Home


async def test_what_is_not_ours_proves_nothing_and_ends_nothing(tmp_path: Path) -> None:
    """A console that holds another device's word, or an altered one, is asked again."""
    other = DeviceKey(Ed25519PrivateKey.generate()).sign_checkpoint(7, bytes(32), 0)
    asked, again = 0, asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 3:
            again.set()
        return web.json_response(text=TrailTold(newest=other).model_dump_json())

    async def met() -> None:
        """The console knows this device."""

    app = web.Application()
    app.router.add_get(PATH, answer)
    async with TestServer(app) as server:
        with Home(tmp_path) as home:
            url = str(server.make_url("")).rstrip("/")
            async with ConsoleHttp(url, home.device, Clocks()) as http:
                link = WitnessLink(http, home.device, NoTrail(), met, 0.01)
                running = asyncio.create_task(link.run())
                try:
                    await asyncio.wait_for(again.wait(), 60)
                    assert not running.done()
                finally:
                    running.cancel()
                    await asyncio.wait((running,))
