"""What stops trading, with a real daemon and a terminal: halts, sweeps, and programs that fall
silent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from product import Client, Product, Refused, daemon, until
from safety_scene import (  # noqa: F401 (a fixture)
    enter,
    fired,
    listen,
    patient_terminals,
    tickets,
    wait,
)

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-safety")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A hedging account."""
    folder = tmp_path_factory.mktemp("safety")
    async with daemon(folder, trading={"orders_per_second": "none"}) as one:
        await one.link("main", build_terminal())
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def client(running: Product) -> AsyncIterator[Client]:
    """``/rpc``, on an account with nothing open."""
    client = await running.http()
    await client.call("set_trading_enabled", enabled=True)
    await client.call("cancel_all_orders")
    await client.call("close_all_positions")
    yield client
    await running.close_clients()


async def test_a_sweep_takes_what_is_meant(client: Client) -> None:
    """By symbol, magic and side; the others stay."""
    kept = {await wait(client, magic=7), await wait(client, side="sell", magic=8)}
    gone = await wait(client, side="sell", magic=7)
    mine = {"symbol": "EURUSD", "magic": 7, "side": "sell", "client_order_id": "sweep-1"}
    swept = await client.call("cancel_all_orders", **mine)
    assert swept == {
        "cancelled": [gone],
        "closed": [],
        "failed": [],
        "paper": False,
        "duplicate": False,
    }
    assert await client.call("cancel_all_orders", **mine) == {**swept, "duplicate": True}
    assert await tickets(client, "get_orders") == kept
    long, short = await enter(client), await enter(client, side="sell")
    assert (await client.call("close_all_positions", side="buy"))["closed"] == [long]
    assert await tickets(client, "get_positions") == {short}


async def test_a_sweep_takes_all(client: Client) -> None:
    """More than are sent at once; each is named once, and nothing is left."""
    orders = {await wait(client) for _ in range(18)}
    positions = {await enter(client, side=side) for side in ("buy", "sell") for _ in range(2)}
    swept = await client.call("cancel_all_orders")
    assert sorted(swept["cancelled"]) == sorted(orders)
    assert await tickets(client, "get_orders") == set()
    assert await tickets(client, "get_positions") == positions
    swept = await client.call("close_all_positions")
    assert sorted(swept["closed"]) == sorted(positions)
    assert swept["failed"] == []
    assert await tickets(client, "get_positions") == set()
    assert (await client.call("close_all_positions"))["closed"] == []


async def test_what_may_be_gone_is_told_and_not_sent_again(
    running: Product, client: Client
) -> None:
    """A result that was lost: its position is in `failed`, unknown; the others are closed."""
    opened = {await enter(client) for _ in range(3)}
    running.main.machine.faults.cut_after_ack = 1
    swept = await client.call("close_all_positions")
    await running.live("main")
    unknown = [one for one in swept["failed"] if one["outcome"] == "unknown"]
    assert {one["name"] for one in unknown} <= {"order_unresolved"}
    assert unknown
    assert {one["ticket"] for one in swept["failed"]} | set(swept["closed"]) == opened


async def test_halted_one_still_gets_out(client: Client) -> None:
    """A halt stops what is new; sweeping goes on, unless the halt freezes all."""
    await wait(client)
    await enter(client)
    await client.call("set_trading_enabled", enabled=False)
    with pytest.raises(Refused) as refused:
        await enter(client)
    assert (refused.value.code, refused.value.data["outcome"]) == (2104, "not_sent")
    await client.call("set_trading_enabled", enabled=False, reductions=False)
    frozen = await client.call("close_all_positions")
    assert [one["name"] for one in frozen["failed"]] == ["kill_switch_active"]
    await client.call("set_trading_enabled", enabled=True)
    await client.call("set_trading_enabled", enabled=False)
    assert len((await client.call("cancel_all_orders"))["cancelled"]) == 1
    assert len((await client.call("close_all_positions"))["closed"]) == 1


@pytest.fixture(scope="module")
def mt4() -> EmulatedTerminal:
    """MetaTrader 4, where the gateway itself keeps stop-limit orders."""
    return build_terminal(platform="mt4")


async def test_orders_that_the_gateway_keeps_go_too(
    running: Product, mt4: EmulatedTerminal
) -> None:
    """A sweep takes them with the others."""
    other = await running.link("mt4", mt4)
    program = await running.http(other.token)
    await program.call("cancel_all_orders")
    receipt = await program.call(
        "place_order",
        symbol="EURUSD",
        type="buy_stop_limit",
        volume=0.01,
        price=5.0,
        stoplimit=4.9,
    )
    kept, sent = receipt["order"]["order"], await wait(program)
    swept = await program.call("cancel_all_orders")
    assert sorted(swept["cancelled"]) == sorted([kept, sent])
    assert await tickets(program, "get_orders") == set()


# --- programs that fall silent ------------------------------------------------------------------


async def test_a_halt_is_told(running: Product, client: Client) -> None:
    """And that it was lifted; to all who listen to the terminal."""
    listener = await listen(running)
    await client.call("set_trading_enabled", enabled=False)
    told = await fired(listener, "halt")
    assert told["trading_enabled"] is False
    assert told["armed_by"].startswith("token ")
    await client.call("set_trading_enabled", enabled=True)
    assert (await fired(listener, "resume"))["trading_enabled"] is True


async def test_a_program_that_says_nothing_is_taken_for_dead(
    running: Product, client: Client
) -> None:
    """The timer fires once: orders go, positions stay; then it is off."""
    order, position = await wait(client), await enter(client)
    listener = await listen(running)
    program = await running.ws()
    count = await program.call("cancel_all_after", timeout_ms=1000)
    assert count["fires_at"] > 0
    told = await fired(listener, "timer")
    assert (told["cancelled"], told["closed"], told["failed"]) == ([order], [], [])
    assert await tickets(client, "get_positions") == {position}
    assert running.gateway.trading.kill_switch.dead_man.armed("main") == []


async def test_whoever_talks_is_alive(running: Product, client: Client) -> None:
    """Any call where the timer was set starts it anew; calls elsewhere do not."""
    on_ws, other = await running.ws(), await running.ws()
    dead_man = running.gateway.trading.kill_switch.dead_man
    for program, others in ((on_ws, (client, other)), (client, (on_ws, other))):
        await program.call("cancel_all_after", timeout_ms=60_000, action="cancel_and_close")
        [(armed, timer)] = dead_man._timers.values()
        assert (armed.action, armed.own, armed.within_ms) == ("cancel_and_close", False, 60_000)
        begun_s = timer._due_s
        for one in others:
            await one.call("ping")
        assert timer._due_s == begun_s
        await program.call("ping")
        assert timer._due_s > begun_s
        off = await program.call("cancel_all_after", timeout_ms=0)
        assert off == {"fires_at": None, "timeout_ms": 0, "action": "cancel_orders"}
        assert dead_man.armed("main") == []
    with pytest.raises(Refused) as refused:
        await client.call("cancel_all_after", timeout_ms=999)
    assert refused.value.data["errors"][0]["field"] == "timeout_ms"


async def test_a_lost_connection_does_not_stop_its_timer(running: Product) -> None:
    """Its program does, by the name of its run; or by setting one on a new connection."""
    dead_man = running.gateway.trading.kill_switch.dead_man
    first = await running.ws()
    await first.call("hello", session_id="run-1")
    await first.call("cancel_all_after", timeout_ms=60_000)
    await first.close()
    [(_, timer)] = dead_man._timers.values()
    begun_s = timer._due_s
    again = await running.ws()
    await again.call("hello", session_id="run-1")
    assert timer._due_s > begun_s
    await again.close()
    nameless = await running.ws()
    await nameless.call("cancel_all_after", timeout_ms=30_000)
    assert [one.within_ms for one in dead_man.armed("main")] == [30_000]
    await nameless.call("cancel_all_after", timeout_ms=0)


@pytest.mark.parametrize("action", ["cancel_orders", "cancel_and_close"])
async def test_a_lost_connection_takes_its_orders_with_it(
    running: Product, client: Client, action: str
) -> None:
    """Those that were placed on it, also before it asked for that; no others."""
    other = {await wait(client), await enter(client)}
    listener = await listen(running)
    program = await running.ws()
    order, position = await wait(program), await enter(program)
    rule = await program.call("set_cancel_on_disconnect", enabled=True, action=action, grace_ms=0)
    assert rule["session_id"] is None
    assert await program.call("get_cancel_on_disconnect") == rule
    later = await wait(program)
    await program.close()
    told = await fired(listener, "disconnect")
    assert sorted(told["cancelled"]) == sorted([order, later])
    assert told["closed"] == ([position] if action == "cancel_and_close" else [])
    left = await tickets(client, "get_orders") | await tickets(client, "get_positions")
    assert left - {position} == other


async def test_a_rule_may_be_about_the_whole_terminal(running: Product, client: Client) -> None:
    """Whoever placed the order."""
    order = await wait(client)
    listener = await listen(running)
    program = await running.ws()
    await program.call("set_cancel_on_disconnect", enabled=True, scope="terminal", grace_ms=0)
    await program.close()
    assert (await fired(listener, "disconnect"))["cancelled"] == [order]


async def test_who_comes_back_in_time_goes_on(running: Product, client: Client) -> None:
    """With the same session: its rule and its orders are the new connection's."""
    listener = await listen(running)
    first = await running.ws()
    await first.call("hello", session_id="run-7")
    rule = await first.call("set_cancel_on_disconnect", enabled=True, grace_ms=60_000)
    assert rule["session_id"] == "run-7"
    order = await wait(first)
    await first.close()
    safety = running.gateway.trading.kill_switch
    second = await running.ws()
    await until(lambda: any(one.timer for one in safety.disconnects._armed.values()))
    await second.call("hello", session_id="run-7")
    assert await second.call("get_cancel_on_disconnect") == rule
    assert await tickets(client, "get_orders") == {order}
    await second.call("set_cancel_on_disconnect", enabled=True, grace_ms=0)
    await second.close()
    assert (await fired(listener, "disconnect"))["cancelled"] == [order]


async def test_one_session_has_one_connection(running: Product) -> None:
    """The older one, half open perhaps, is closed with 4505, which is no disconnect."""
    first = await running.ws()
    await first.call("hello", session_id="run-8")
    await first.call("set_cancel_on_disconnect", enabled=True, grace_ms=0)
    second = await running.ws()
    await second.call("hello", session_id="run-8")
    assert await first.closed() == (4505, "replaced")
    assert (await second.call("get_cancel_on_disconnect"))["enabled"]
    await second.call("logout")


@pytest.mark.parametrize("way", ["logout", "disarm"])
async def test_who_leaves_in_order_leaves_its_orders(
    running: Product, client: Client, way: str
) -> None:
    """``logout``, or asking for it no more."""
    program = await running.ws()
    order = await wait(program)
    await program.call("set_cancel_on_disconnect", enabled=True, grace_ms=0)
    if way == "logout":
        assert await program.call("logout") == {"closing": True}
        assert await program.closed() == (1000, "logout")
    else:
        await program.call("set_cancel_on_disconnect", enabled=False)
        await program.close()
    assert running.gateway.trading.kill_switch.disconnects.armed("main") == []
    assert await tickets(client, "get_orders") == {order}


async def test_what_is_only_for_connections_is_not_for_calls(client: Client) -> None:
    """-32004 over ``/rpc``."""
    for method in ("logout", "get_cancel_on_disconnect"):
        with pytest.raises(Refused) as refused:
            await client.call(method)
        assert refused.value.code == -32004


async def test_a_terminal_that_is_away_is_swept_when_it_is_back(
    running: Product, client: Client
) -> None:
    """What was armed stays armed until it is done."""
    order = await wait(client)
    listener = await listen(running)
    program = await running.ws()
    await program.call("set_cancel_on_disconnect", enabled=True, scope="terminal", grace_ms=0)
    running.main.machine.faults.cut_before_ack = 1
    await program.close()
    assert (await fired(listener, "disconnect"))["cancelled"] == [order]
    await running.live("main")
