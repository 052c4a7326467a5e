"""One id, one order: over the real doors, through lost answers, and after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from product import Client, Product, Refused, daemon, product, until

from ea_bridge.emulator.factory import build_terminal

BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.01}


async def end_of(client: Client, client_order_id: str) -> dict[str, Any]:
    """Ask until an outcome is known."""
    async with asyncio.timeout(20):
        while True:
            record: dict[str, Any] = await client.call(
                "get_order", client_order_id=client_order_id
            )
            if record["outcome"] not in ("unknown", "pending"):
                return record
            await asyncio.sleep(0.02)


async def lose(running: Product, client: Client, client_order_id: str, *faults: str) -> None:
    """Place an order whose answer is lost."""
    for fault in faults:
        setattr(running.main.machine.faults, fault, 1)
    with pytest.raises(Refused) as refused:
        await client.call("place_order", **BUY, client_order_id=client_order_id)
    assert (refused.value.name, refused.value.data["outcome"]) == ("order_unresolved", "unknown")


async def test_repeated_calls_make_one_order(tmp_path: Path) -> None:
    """At once, one after the other, through both doors."""
    async with product(tmp_path) as running:
        http, ws = await running.http(), await running.ws()
        doors = [http, ws, http, ws, http]
        calls = (one.call("place_order", **BUY, client_order_id="a") for one in doors)
        answers = await asyncio.gather(*calls)
        answers.append(await http.call("place_order", **BUY, client_order_id="a"))
        assert sorted(one["duplicate"] for one in answers) == [False] + [True] * 5
        assert len({one["order"]["order"] for one in answers}) == 1
        assert len(await http.call("get_positions")) == 1
        with pytest.raises(Refused) as refused:
            await http.call("place_order", **{**BUY, "side": "sell"}, client_order_id="a")
        assert refused.value.code == 2101
        assert refused.value.data["original"]["params"]["side"] == "buy"


async def test_an_id_outlives_the_daemon(tmp_path: Path) -> None:
    """The next daemon knows it, before the terminal is back and after; nothing is sent again."""
    machine = build_terminal()
    async with daemon(tmp_path) as first:
        token = (await first.link("main", machine)).token
        client = await first.http()
        told = await client.call("place_order", **BUY, client_order_id="a")
    async with daemon(tmp_path) as second:
        client = await second.http(token)
        again = await client.call("place_order", **BUY, client_order_id="a")
        assert again == {**told, "duplicate": True}
        record = await client.call("get_order", client_order_id="a")
        assert (record["outcome"], record["now"], record["result"]) == ("done", None, told)
        await second.link("main", machine, token=token)
        assert await client.call("place_order", **BUY, client_order_id="a") == again
        [position] = await client.call("get_positions")
        assert position["ticket"] == told["order"]["position"]
        record = await client.call("get_order", client_order_id="a")
        assert [one["ticket"] for one in record["now"]["positions"]] == [position["ticket"]]


@pytest.mark.parametrize(
    "faults",
    [("cut_after_ack",), ("crash_after", "lose_memory", "rewrite_comment")],
    ids=["by the table", "in the account"],
)
@pytest.mark.parametrize("platform", ["mt5", "mt4"])
async def test_a_lost_answer_is_found(tmp_path: Path, platform: str, faults: list[str]) -> None:
    """The event says so, and a repeated call is answered as the first would have been."""
    async with product(tmp_path, platform=platform) as running:
        client, ws = await running.http(), await running.ws()
        await ws.call("subscribe", channels=["orders"])
        await lose(running, client, "a", *faults)
        event = await ws.event("orders", lambda one: one["data"].get("op") == "settled")
        assert event["data"]["client_order_id"] == "a"
        assert event["data"]["outcome"] == "done"
        receipt = await client.call("place_order", **BUY, client_order_id="a")
        [position] = await client.call("get_positions")
        assert receipt["duplicate"] is True
        assert receipt["order"]["position"] == position["ticket"]
        assert receipt["order"]["avg_price"] == position["price_open"]
        assert receipt == {**event["data"]["result"], "duplicate": True}


async def test_what_never_arrived_may_be_sent(tmp_path: Path) -> None:
    """The terminal says that it has not seen it: the same id is carried out, once."""
    async with product(tmp_path) as running:
        client = await running.http()
        await lose(running, client, "a", "cut_before_ack")
        record = await end_of(client, "a")
        assert (record["outcome"], record["reconciled"]) == ("not_sent", True)
        receipt = await client.call("place_order", **BUY, client_order_id="a")
        assert receipt["duplicate"] is False
        assert len(await client.call("get_positions")) == 1


async def test_the_next_daemon_finds_out(tmp_path: Path) -> None:
    """One that ended before the terminal was back leaves it to the next."""
    machine = build_terminal()
    async with daemon(tmp_path) as first:
        linked = await first.link("main", machine)
        client = await first.http()
        machine.faults.cut_after_ack = 1
        asking = asyncio.create_task(client.ask("place_order", {**BUY, "client_order_id": "a"}))
        await until(lambda: machine.faults.cut_after_ack == 0)
        linked.link.stop()
        answer = await asking
        assert answer["error"]["data"]["outcome"] == "unknown"
    async with daemon(tmp_path) as second:
        client = await second.http(linked.token)
        assert (await client.call("get_order", client_order_id="a"))["outcome"] == "unknown"
        await second.link("main", machine, token=linked.token)
        record = await end_of(client, "a")
        assert (record["outcome"], record["reconciled"]) == ("done", True)
        assert len(await client.call("get_positions")) == 1
