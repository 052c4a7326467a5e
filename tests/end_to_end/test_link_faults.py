"""What goes wrong between terminal and gateway, and what a caller is told of it.

One rule above all: of a trade whose outcome is not known nothing is guessed. 2102 means "look
before you retry"; 1002 with ``not_sent`` means that nothing happened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from typing import Any

import pytest
import pytest_asyncio
from product import TIMEOUT_S, Client, Product, Refused, product, until
from published_shapes import CATALOGUE

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.session import TerminalSession
from ea_bridge.simulation.faults import EmulatedFaults

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-faults")]

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
ALWAYS = 1000
"""More often than a test lasts."""
BOTH_DOORS = pytest.mark.parametrize("door", ["/rpc", "/ws"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A hedging account of MetaTrader 5 that misbehaves when told to."""
    async with product(tmp_path_factory.mktemp("faults"), speed=10.0) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def clean(running: Product) -> AsyncIterator[None]:
    """Every test begins with a terminal that behaves and has no positions."""
    yield
    await running.live("main")
    await running.settled("main", "EURUSD")
    client = await running.http()
    for one in await client.call("get_positions"):
        await client.call("close_position", ticket=one["ticket"])
    await running.close_clients()


@pytest.fixture
def faults(running: Product) -> Iterator[EmulatedFaults]:
    """The terminal's faults; what was not used up ends with the test."""
    faults = running.main.machine.faults
    yield faults
    for field in fields(EmulatedFaults):
        setattr(faults, field.name, 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> float:
    """Wait for answers of terminals for less than a second, instead of ten."""
    waits_s = 0.6
    assert TerminalSession.request.__kwdefaults__ is not None
    monkeypatch.setitem(TerminalSession.request.__kwdefaults__, "timeout_s", waits_s)
    return waits_s


async def refused(client: Client, method: str, **params: Any) -> Refused:
    """Make a call that must be refused."""
    with pytest.raises(Refused) as caught:
        await client.call(method, **params)
    return caught.value


async def tag_of(client: Client) -> list[str]:
    """The comments of the open positions: each begins with the tag of its order's id."""
    return [one["comment"] for one in await client.call("get_positions")]


# --- trades ------------------------------------------------------------------------------------


@BOTH_DOORS
async def test_a_link_cut_before_the_ack(
    running: Product, faults: EmulatedFaults, door: str
) -> None:
    """The command left and no ack came: 2102, not acked. This time nothing had happened."""
    client, before = await running.client(door), running.gateway.registry.get("main")
    faults.cut_before_ack = 1
    error = await refused(client, "place_order", **BUY, client_order_id=f"cut-{door[1:]}")
    assert (error.code, error.data["outcome"]) == (2102, "unknown")
    assert error.data["acked"] is False
    assert (error.data["client_order_id"], error.data["retryable"]) == (f"cut-{door[1:]}", False)
    assert error.data["check_after_ms"] > 0
    await running.live("main", but_not=before)
    assert await tag_of(client) == []


@BOTH_DOORS
async def test_a_link_cut_after_the_ack(
    running: Product, faults: EmulatedFaults, door: str
) -> None:
    """The command was taken and the link broke: 2102, acked. The position turns up, and whoever
    listens is told of it after the reconnect."""
    client, before = await running.client(door), running.gateway.registry.get("main")
    listener = await running.ws()
    await listener.call("subscribe", channels=["positions", "deals"])
    faults.cut_after_ack = 1
    error = await refused(client, "place_order", **BUY, client_order_id=f"cut-2-{door[1:]}")
    assert (error.code, error.data["outcome"], error.data["acked"]) == (2102, "unknown", True)
    await running.live("main", but_not=before)
    opened = await listener.change("positions", "add")
    assert (await listener.change("deals", "add"))["position_id"] == opened["ticket"]
    [position] = await client.call("get_positions")
    assert position["ticket"] == opened["ticket"]


@BOTH_DOORS
@pytest.mark.usefixtures("impatient")
async def test_a_result_is_lost(running: Product, faults: EmulatedFaults, door: str) -> None:
    """No answer in time: 2102, although the order was filled; the link lives on."""
    client, session = await running.client(door), running.gateway.registry.get("main")
    listener = await running.ws()
    await listener.call("subscribe", channels=["positions"])
    faults.lose_result = 1
    error = await refused(client, "place_order", **BUY, client_order_id=f"lost-{door[1:]}")
    assert (error.code, error.data["outcome"], error.data["acked"]) == (2102, "unknown", True)
    opened = await listener.change("positions", "add")
    assert [one["ticket"] for one in await client.call("get_positions")] == [opened["ticket"]]
    assert running.gateway.registry.get("main") is session


@pytest.mark.long
@BOTH_DOORS
async def test_a_result_is_lost_for_ten_seconds(
    running: Product, faults: EmulatedFaults, door: str
) -> None:
    """The same with the real time-out."""
    client = await running.client(door)
    faults.lose_result = 1
    begun = asyncio.get_running_loop().time()
    error = await refused(client, "place_order", **BUY)
    assert error.code == 2102
    assert 9.5 < asyncio.get_running_loop().time() - begun < 15
    assert len(await client.call("get_positions")) == 1


async def test_a_late_result_is_still_a_result(running: Product, faults: EmulatedFaults) -> None:
    """An answer that takes long but comes in time is the answer; others are served meanwhile."""
    client, other = await running.http(), await running.ws()
    faults.delay_result_ms = 1500
    placing = asyncio.create_task(client.call("place_order", **BUY))
    await other.call("get_account_info")
    assert not placing.done()
    receipt = await placing
    assert receipt["order"]["state"] == "filled"
    assert receipt["timing_ms"]["terminal"] >= 1499


@BOTH_DOORS
async def test_a_call_tells_how_long_the_terminal_took(
    running: Product, faults: EmulatedFaults, door: str
) -> None:
    """Of an order as its receipt has it; of one call what it waited for, not of those beside it,
    and not that of the one before."""
    client = await running.client(door)
    faults.delay_result_ms = 700
    waiting = asyncio.create_task(client.ask("place_order", BUY, timing=True))
    account = (await client.ask("get_account_info", {}, timing=True))["timing_ms"]
    assert not waiting.done()
    answer = await waiting
    told, receipt = answer["timing_ms"], answer["result"]["timing_ms"]
    assert told["terminal"] >= receipt["terminal"] >= 699
    assert told["queue"] + told["terminal"] <= told["whole"]
    assert account["queue"] + account["terminal"] <= account["whole"] < 699
    timing = (await client.ask("ping", {}, timing=True))["timing_ms"]
    assert (timing["queue"], timing["terminal"]) == (None, None)


@pytest.mark.usefixtures("impatient")
async def test_a_result_that_comes_too_late_is_noted(
    running: Product, faults: EmulatedFaults, caplog: pytest.LogCaptureFixture
) -> None:
    """After a 2102 the answer may come after all: the log says how it ended."""
    client = await running.http()
    faults.delay_result_ms = 900
    error = await refused(client, "place_order", **BUY)
    assert error.code == 2102
    await until(lambda: "has ended after all: done" in caplog.text)


async def test_nothing_is_sent_twice(running: Product, faults: EmulatedFaults) -> None:
    """Neither an unknown outcome nor a reconnect makes the gateway send an order again."""
    client = await running.http()
    for fault in ("cut_before_ack", "cut_after_ack"):
        before = running.gateway.registry.get("main")
        setattr(faults, fault, 1)
        await refused(client, "place_order", **BUY)
        await running.live("main", but_not=before)
        await running.settled("main", "EURUSD")
    history = await client.call("get_history_orders", kind="orders", symbol="EURUSD", limit=5000)
    made = [one for one in history["orders"] if one["comment"].startswith("g")]
    positions = await client.call("get_positions")
    assert len(positions) == 1
    assert [one["position_id"] for one in made].count(positions[0]["ticket"]) == 1


# --- the link ----------------------------------------------------------------------------------


async def test_an_offline_terminal(running: Product) -> None:
    """While the terminal is offline calls are 1002 with since when, trades ``not_sent``; what the
    gateway knows by itself it still answers; subscriptions are kept and begin when it is back."""
    client, listener = await running.http(), await running.ws()
    await listener.call("subscribe", channels=["terminal"])
    await listener.event("terminal", lambda one: one["type"] == "snapshot")
    first = running.terminals["main"]
    first.link.stop()
    down = await listener.event("terminal")
    assert (down["data"]["event"], down["data"]["state"]) == ("link", "disconnected")
    for method, params in (
        ("get_account_info", {}),
        ("get_ohlc", {"symbol": "EURUSD"}),
        ("place_order", BUY),
        ("close_position", {"ticket": 1}),
    ):
        error = await refused(client, method, **params)
        assert (error.code, error.data["terminal"]) == (1002, "main"), method
        assert error.data["retryable"] is True
        assert abs(error.data["since"] - down["data"]["time"]) < 1000
        outcome = "not_sent" if CATALOGUE[method].mutates else None
        assert error.data.get("outcome") == outcome, method
    status = await client.call("get_ea_status")
    assert (status["connected"], status["state"]) == (False, "disconnected")
    assert status["login"] is not None
    assert (await client.call("ping"))["terminals"]["main"]["state"] == "disconnected"
    assert (await client.call("get_server_info"))["terminals"][0]["state"] == "disconnected"
    told = await listener.call("subscribe", channels=["tick:EURUSD", "positions"])
    assert [one["live"] for one in told["subscribed"]] == [False, False]
    await running.link("main", first.machine, token=first.token)
    up = await listener.event("terminal")
    assert up["data"]["state"] == "ready"
    for channel in ("tick:EURUSD", "positions"):
        assert (await listener.event(channel))["type"] == "snapshot"
    await client.call("get_account_info")


async def test_a_terminal_that_was_never_here(running: Product) -> None:
    """A token whose terminal never came: 1002, and nothing is claimed of its kind."""
    token, _ = running.home.issuer.create("never")
    client = await running.http(token)
    error = await refused(client, "get_account_info")
    assert (error.code, error.data["since"]) == (1002, None)
    status = await client.call("get_ea_status")
    assert (status["platform"], status["state"]) == (None, "disconnected")
    assert (await client.call("get_server_info"))["terminals"][0]["platform"] is None


async def test_the_newest_link_wins(running: Product) -> None:
    """A second link with the same token replaces the first, which stays away: the terminal is
    not torn between two. Calls go on, to the new one."""
    first = running.terminals["main"]
    client = await running.http()
    before = (await client.call("get_account_info"))["login"]
    second = await running.link("main", build_terminal(seed=0), token=first.token)
    session = running.gateway.registry.get("main")
    assert session is not None
    await until(lambda: not first.link.ready.is_set())
    assert (await client.call("get_account_info"))["login"] == before
    await asyncio.sleep(1.0)  # long enough for the first to have come back, had it tried
    assert running.gateway.registry.get("main") is session
    second.link.stop()
    first.link.stop()
    await running.link("main", first.machine, token=first.token)


async def test_a_wrong_proof_opens_nothing(running: Product) -> None:
    """An EA that has the token's id and not its secret is refused; its terminal stays offline."""
    token, _ = running.home.issuer.create("liar")
    machine = build_terminal(faults=EmulatedFaults(wrong_proof=ALWAYS))
    linking = asyncio.create_task(running.link("liar", machine, token=token))
    await until(lambda: machine.faults.wrong_proof < ALWAYS)
    error = await refused(await running.http(token), "get_account_info")
    assert error.code == 1002
    assert not linking.done()
    linking.cancel()


async def test_strangers_on_the_bridge_disturb_nobody(running: Product) -> None:
    """Garbage, half a line, a second hello and silence on the bridge's port: each stranger is
    dropped, and the terminal that is linked does not notice."""
    host, _, port = running.ready.bridge.rpartition(":")
    session = running.gateway.registry.get("main")
    hello = b'{"t":"hello","proto":"1","tid":"AAAAAAAA","cnonce":"x"}\n'
    waited_for = [b"", b'{"t":"hel', hello + hello]
    cut_at_once = [b"\x00\xff garbage\n" * 50, b"[" * 100_000 + b"\n" * 20]
    said = [*waited_for, *cut_at_once]
    strangers = [await asyncio.open_connection(host, int(port)) for _ in said]
    for (_, writer), what in zip(strangers, said, strict=True):
        writer.write(what)
    client = await running.ws()
    for _ in range(20):
        await client.call("get_account_info")
    assert running.gateway.registry.get("main") is session
    for reader, _ in strangers[len(waited_for) :]:
        with contextlib.suppress(ConnectionResetError):
            assert b"welcome" not in await asyncio.wait_for(reader.read(), TIMEOUT_S)
    for _, writer in strangers:
        writer.close()


async def test_garbage_from_a_linked_terminal(running: Product, faults: EmulatedFaults) -> None:
    """A line that is no JSON, from a terminal that is linked, is put up with."""
    client, session = await running.http(), running.gateway.registry.get("main")
    faults.garbage = 1
    await until(lambda: not faults.garbage)
    await client.call("get_account_info")
    assert running.gateway.registry.get("main") is session


async def test_a_first_tick_without_prices(running: Product, faults: EmulatedFaults) -> None:
    """Some brokers' first tick has prices of 0: subscribers get null, never a price of 0."""
    listener = await running.ws()
    faults.zero_first_tick = 1
    await listener.call("subscribe", channels=["tick:EURUSD"])
    first = await listener.event("tick:EURUSD", lambda one: one["type"] == "update")
    assert (first["data"]["bid"], first["data"]["ask"]) == (None, None)
    second = await listener.event("tick:EURUSD", lambda one: one["type"] == "update")
    assert second["data"]["ask"] >= second["data"]["bid"] > 1


async def test_deals_that_lag_behind(running: Product, faults: EmulatedFaults) -> None:
    """A history that does not know the deal yet is asked again: the caller gets the deal."""
    client = await running.http()
    receipt = await client.call("place_order", **BUY)
    faults.deals_lag = 2
    history = await client.call(
        "get_history_orders", kind="deals", position=receipt["order"]["position"]
    )
    assert [one["ticket"] for one in history["deals"]] == [receipt["order"]["deal"]]
    assert faults.deals_lag == 0
