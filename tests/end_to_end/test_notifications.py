"""Notifications of the whole product: what happens at a terminal comes to a local receiver."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace
from product import Client, Product, Refused, daemon, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.model import TradeRetcode
from gateway.home.home import Home
from gateway.notify import service
from gateway.notify.secrets import NotifySecrets

SECRET = "s3cret-of-the-webhook"
BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
EVENTS = ("order_filled", "order_rejected", "order_unknown", "margin_call", "halt", "limit_hit")


class Notes:
    """A receiver of webhooks that checks signatures and drops what it has had."""

    def __init__(self) -> None:
        self.port = 0
        self.by_id: dict[str, dict[str, Any]] = {}
        self.news = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        seconds, given = (
            part.partition("=")[2] for part in request.headers["Mt-Gateway-Signature"].split(",")
        )
        signed = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, "sha256").hexdigest()
        if not hmac.compare_digest(signed, given):
            return web.Response(status=400)
        note = json.loads(body)
        self.by_id.setdefault(note["id"], note)
        self.news.set()
        return web.Response()

    async def event(self, name: str, **data: Any) -> dict[str, Any]:
        """Return a note of an event with these figures; wait for it."""
        async with asyncio.timeout(60):
            while True:
                self.news.clear()
                for note in self.by_id.values():
                    if note["event"] == name and data.items() <= note["data"].items():
                        return note
                await self.news.wait()


@asynccontextmanager
async def receiving(notes: Notes) -> AsyncIterator[None]:
    """Run the receiver, at the port that it had before."""
    app = web.Application()
    app.router.add_post("/hook", notes.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", notes.port, reuse_address=True).start()
    notes.port = runner.addresses[0][1]
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def telling(folder: Path, notes: Notes, token: str) -> AsyncIterator[Product]:
    """Run a gateway that tells all it can, and one terminal."""
    url = f"http://127.0.0.1:{notes.port}/hook"
    settings = {"events": list(EVENTS), "webhook_url": url}
    async with daemon(folder, trading={"max_lot": 80}, notify=settings) as running:
        await running.link("main", build_terminal(), token=token)
        yield running


async def refused(client: Client, **order: Any) -> None:
    with pytest.raises(Refused):
        await client.call("place_order", **{**BUY, **order})


async def test_what_happens_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fills, refusals, limits, unknown orders, halts; those too that happen while nobody
    receives, or after which the gateway ended."""
    monkeypatch.setattr(service, "FIRST_WAIT_S", 0.05)
    with Home(tmp_path) as home:
        NotifySecrets(home.store, home.box).set("webhook", SECRET)
        token = home.issuer.create("main")[0]
    notes = Notes()
    async with receiving(notes), telling(tmp_path, notes, token) as running:
        client = await running.http()
        broker = running.main.machine.handler.broker
        # fills are heard first, then the account
        await until(lambda: running.gateway.trading.streams.subscribed()["account"] == 1)

        # this broker calls for margin as soon as a position is there
        broker._template = replace(broker._template, margin_so_call=1e9)
        bought = await client.call("place_order", **BUY)
        assert (await notes.event("margin_call"))["data"]["call"] == 1e9
        fill = await notes.event("order_filled", order=bought["order"]["order"])
        assert (fill["terminal"], fill["data"]["symbol"]) == ("main", "EURUSD")
        await client.call("close_position", ticket=bought["order"]["position"])
        await notes.event("order_filled", entry="out")

        await refused(client, volume=70, client_order_id="too-much-money")
        rejected = await notes.event("order_rejected", client_order_id="too-much-money")
        assert (rejected["data"]["retcode"], rejected["data"]["volume"]) == (10019, 70.0)

        await refused(client, volume=90)
        assert (await notes.event("limit_hit"))["data"]["rule"] == "max_lot"

    # nobody receives any more
    async with telling(tmp_path, notes, token) as running:
        client = await running.http()
        broker = running.main.machine.handler.broker
        broker.script.refusals.append(TradeRetcode.TIMEOUT)
        await refused(client, client_order_id="who-knows")
        await client.call("set_trading_enabled", enabled=False, reason="news at two")
    async with receiving(notes), telling(tmp_path, notes, token):
        unknown = await notes.event("order_unknown", client_order_id="who-knows", state="unknown")
        assert "0.1 EURUSD" in unknown["text"]
        await notes.event("halt", cause="halt")
