"""Lossless streams outlive the gateway: who comes back to the next one has missed nothing."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from product import Json, Product, WsClient, daemon, open_ws

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.model import OrderType, TradeAction, TradeRequest
from gateway.streams.kept import StreamBook

pytestmark = [pytest.mark.asyncio, pytest.mark.xdist_group("e2e-streams")]

CHANNELS = ("orders", "positions", "deals", "terminal")
BY_HAND = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, type=OrderType.BUY)


def comment(event: Json) -> str:
    """Of the deal that an event is about."""
    return str(event["data"]["deal"]["comment"])


def buy(machine: EmulatedTerminal, text: str) -> None:
    """Buy by hand, at the terminal."""
    machine.handler.send(TradeRequest(**{**_members(BY_HAND), "comment": text}))


def _members(request: TradeRequest) -> Json:
    return {name: getattr(request, name) for name in request.__struct_fields__}


async def listen(running: Product, token: str, since: Json) -> tuple[WsClient, Json]:
    """Subscribe to all lossless channels from where each was left off; return the entries."""
    client = await open_ws(running.ready.ws or "", token)
    wanted = [{"channel": one, "since": since[one]} for one in CHANNELS if one in since]
    wanted += [{"channel": one} for one in CHANNELS if one not in since]
    told = await client.call("subscribe", channels=wanted)
    return client, {entry["channel"]: entry for entry in told["subscribed"]}


async def heard(client: WsClient, texts: list[str]) -> tuple[list[str], Json]:
    """Hear deals until the last of some comes; return them, and where each channel is."""
    deals: list[str] = []
    since: Json = {}
    while texts[-1] not in deals:
        event = await client.event()
        since[event["channel"]] = {"epoch": event["epoch"], "seq": event["seq"]}
        if event["channel"] == "deals":
            assert event["type"] == "update"
            deals.append(comment(event))
    return deals, since


async def test_a_restart_is_no_hole(tmp_path: Path) -> None:
    """Deals before it, while nobody ran, and after it: each is told once, three lives long."""
    machine, token = build_terminal(), ""
    since: Json = {}
    numbers = map(str, itertools.count(1))
    waiting: list[str] = []
    epochs = set()
    for life in range(3):
        async with daemon(tmp_path) as running:
            linked = None
            if life != 1:  # in one of them somebody listens before the terminal is back
                linked = await running.link("main", machine, token=token)
                token = linked.token
            client, entries = await listen(running, token, since)
            if life:
                goes_on = {channel: one["recovered"] for channel, one in entries.items()}
                assert goes_on == {one: one != "terminal" for one in CHANNELS}
            if linked is None:
                await running.link("main", machine, token=token)
            waiting.append(next(numbers))
            buy(machine, waiting[-1])
            deals, since = await heard(client, waiting)
            assert deals == waiting
            epochs.add(since["deals"]["epoch"])
            await client.close()
            waiting = [next(numbers)]
            buy(machine, waiting[0])  # the client is away, the gateway is not
            other, _ = await listen(running, token, since)
            await heard(other, waiting)
            await other.close()
        waiting.append(next(numbers))
        buy(machine, waiting[-1])  # nobody is there
    assert len(epochs) == 3


async def test_after_a_kill_it_is_said_that_something_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was written at its end: none of it is told again, and the state is."""
    machine = build_terminal()
    async with daemon(tmp_path) as running:
        token = (await running.link("main", machine)).token
        client, _ = await listen(running, token, {})
        buy(machine, "1")
        _, since = await heard(client, ["1"])
        monkeypatch.setattr(StreamBook, "put", lambda *_: None)
    monkeypatch.undo()
    async with daemon(tmp_path) as running:
        await running.link("main", machine, token=token)
        client, entries = await listen(running, token, since)
        assert set(since) == {"positions", "deals", "orders", "terminal"}
        for entry in entries.values():
            told = entry["recovered"], entry["reason"], entry["replayed"]
            assert told == (False, "epoch_changed", 0)
        assert (await client.event("positions"))["type"] == "snapshot"


async def test_another_run_of_the_ea_is_told_as_a_gap(tmp_path: Path) -> None:
    """It was started anew while the gateway was down: what it did before it nobody has counted."""
    machine = build_terminal()
    async with daemon(tmp_path) as running:
        token = (await running.link("main", machine)).token
        client, _ = await listen(running, token, {})
        buy(machine, "1")
        _, since = await heard(client, ["1"])
    machine.restart()
    async with daemon(tmp_path) as running:
        client, entries = await listen(running, token, since)
        assert entries["deals"]["recovered"]
        await running.link("main", machine, token=token)
        gap = await client.event("deals")
        assert (gap["type"], gap["data"]["reason"]) == ("gap", "ea_restarted")
