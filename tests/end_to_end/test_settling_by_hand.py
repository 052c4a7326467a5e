"""A person settles what nobody knows: by the command line, over the real doors, in the trail."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from commands import run
from product import Client, Product, Refused, daemon

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import TradeRequest, TradeRetcode
from gateway.auth.caller import Scope

BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.01}


async def lose(machine: EmulatedTerminal, client: Client, client_order_id: str) -> None:
    """Place an order that the broker leaves open, and does not execute."""
    machine.handler.broker.script.refusals.append(TradeRetcode.TIMEOUT)
    with pytest.raises(Refused) as refused:
        await client.call("place_order", **BUY, client_order_id=client_order_id)
    assert refused.value.data["outcome"] == "unknown"


async def settle(running: Product, token: str, *words: str) -> CompletedProcess[str]:
    """Run the command, as a person does."""
    where = {"MT_GATEWAY_URL": (running.ready.rpc or "").removesuffix("/rpc")}
    return await asyncio.to_thread(run, "settle", *words, **where, MT_GATEWAY_TOKEN=token)


async def test_a_person_opens_the_symbol_again(tmp_path: Path) -> None:
    """10012, not executed, on a link that stays up: settled, told, open, and in the trail."""
    machine = build_terminal()
    async with daemon(tmp_path) as running:
        token = running.home.issuer.create("main", scopes=[Scope.ADMIN])[0]
        await running.link("main", machine, token=token)
        client, ws = await running.http(token), await running.ws(token)
        await ws.call("subscribe", channels=["orders"])
        await lose(machine, client, "a")
        with pytest.raises(Refused) as closed:
            await client.call("place_order", **BUY, client_order_id="b")
        assert closed.value.code == 2105
        done = await settle(running, token, "a", "--not-executed")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "a: rejected; not checked: what was not executed shows nowhere\n"
        event = await ws.event("orders", lambda one: one["data"].get("op") == "settled")
        assert event["data"]["settlement"]["outcome"] == "rejected"
        bought = await client.call("place_order", **BUY, client_order_id="b")
        assert len(await client.call("get_positions")) == 1
        await lose(machine, client, "c")
        ticket = bought["order"]["order"]
        refused = await settle(running, token, "c", "--executed", str(ticket))
        assert refused.returncode == 1
        assert refused.stderr == "mt-gateway: c is not settled: it is the order of b\n"
        assert (await client.call("get_order", client_order_id="c"))["outcome"] == "unknown"
        wrong = await settle(running, token, "c")
        assert wrong.returncode == 2
        trader = running.home.issuer.create("trader", scopes=[Scope.TRADE])[0]
        forbidden = await settle(running, trader, "c", "--not-executed")
        assert forbidden.returncode == 1
        assert "--scope admin" in forbidden.stderr
    exported = run("audit", "export", "--home", str(running.home.folder))
    entries = [json.loads(line) for line in exported.stdout.splitlines()]
    assert entries, exported.stderr
    rows = [one["entry"] for one in entries]
    settled = [one for one in rows if (one.get("settlement") or {}).get("by")]
    assert [(one["object"], one["state"]) for one in settled] == [("a", "rejected")]


async def test_what_was_executed_is_settled_by_its_ticket(tmp_path: Path) -> None:
    """The terminal shows the order: the caller gets the receipt that was lost."""
    machine = build_terminal()
    async with daemon(tmp_path) as running:
        token = running.home.issuer.create("main", scopes=[Scope.ADMIN])[0]
        await running.link("main", machine, token=token)
        client = await running.http(token)
        await lose(machine, client, "a")
        now_s = machine.handler.clock().tsrv
        assert now_s is not None
        placed = machine.handler.broker.send(
            TradeRequest(action=1, symbol="EURUSD", volume=0.01, type=0, comment="by phone"),
            now_s * 1000,
        )
        record = await client.call(
            "settle_order", client_order_id="a", executed=True, ticket=placed.order
        )
        assert record["settlement"]["checked"] is True
        receipt = await client.call("place_order", **BUY, client_order_id="a")
        assert receipt["duplicate"] is True
        assert receipt["order"]["avg_price"] == placed.price
