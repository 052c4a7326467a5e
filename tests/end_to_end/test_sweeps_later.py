"""What a silent program's switch does where it cannot do it at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from product import Json, WsClient, product, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.model.trade import MAX_LEASE_MS
from gateway.rpc.methods import orders
from gateway.trading.kill_switch import service as kill_switch_service
from gateway.trading.orders import place

FAR = 0.5
"""Where an order to buy EURUSD waits for ever."""


@pytest.fixture(autouse=True)
def patient_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy for some seconds is no dead gateway."""
    monkeypatch.setattr(kill_switch_service, "LEASE_MS", MAX_LEASE_MS)


async def wait(client: WsClient) -> int:
    """Place an order that is not met; return its ticket."""
    receipt = await client.call(
        "place_order", symbol="EURUSD", side="buy", type="limit", volume=0.01, price=FAR
    )
    return int(receipt["order"]["order"])


async def fired(listener: WsClient) -> Json:
    """Wait for what the lost connection has brought about."""
    event = await listener.event("terminal", lambda one: one["data"].get("cause") == "disconnect")
    told: Json = event["data"]
    return told


async def test_a_broker_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """Nothing can be ended without it, and nothing that is armed is given up for that."""
    async with product(tmp_path) as running:
        listener, program = await running.ws(), await running.ws()
        await listener.call("subscribe", channels=["terminal"])
        await program.call("cancel_all_orders")
        order = await wait(program)
        await program.call("set_cancel_on_disconnect", enabled=True, scope="terminal", grace_ms=0)
        session = running.gateway.registry.get("main")
        assert session is not None
        switches = running.main.machine.handler.broker.switches
        switches.connected = False
        await until(lambda: session.broker is False)
        await program.close()
        firing = running.gateway.trading.kill_switch.disconnects._firing
        await until(lambda: bool(firing))
        switches.connected = True
        assert (await fired(listener))["cancelled"] == [order]


async def test_another_account_is_left_alone(tmp_path: Path) -> None:
    """The terminal comes back logged in elsewhere: what was armed waits for its own account."""
    async with product(tmp_path) as running:
        token, machine = running.main.token, running.main.machine
        listener, program = await running.ws(), await running.ws()
        await listener.call("subscribe", channels=["terminal"])
        await program.call("cancel_all_orders")
        order = await wait(program)
        await program.call("set_cancel_on_disconnect", enabled=True, scope="terminal", grace_ms=0)
        await running.unplug()
        await until(lambda: running.gateway.registry.get("main") is None)
        await program.close()
        firing = running.gateway.trading.kill_switch.disconnects._firing
        await until(lambda: bool(firing))
        other = build_terminal(seed=7)
        await running.link("main", other, token=token)
        late = await running.ws(token)
        kept = await wait(late)
        assert kept in {one.ticket for one in other.handler.broker.orders()}
        await running.unplug()
        await running.link("main", machine, token=token)
        assert (await fired(listener))["cancelled"] == [order]
        assert kept in {one.ticket for one in other.handler.broker.orders()}


async def test_what_is_armed_is_about_one_account(tmp_path: Path) -> None:
    """The terminal is logged in elsewhere before anything is due: all are told that nothing is
    armed there, the EA least of all, and the other account is left alone.
    """
    async with product(tmp_path) as running:
        token, machine = running.main.token, running.main.machine
        disconnects = running.gateway.trading.kill_switch.disconnects
        listener, program = await running.ws(), await running.ws()
        await listener.call("subscribe", channels=["terminal"])
        await program.call("cancel_all_orders")
        order = await wait(program)
        await program.call("set_cancel_on_disconnect", enabled=True, scope="terminal", grace_ms=0)
        await program.call("cancel_all_after", timeout_ms=600_000)
        await until(lambda: machine.handler.lease.get().lease_ms > 0)

        await running.unplug()
        other = build_terminal(seed=7)
        await running.link("main", other, token=token)
        await listener.event("terminal", lambda one: one["data"].get("cause") == "account")
        assert (await program.call("get_cancel_on_disconnect"))["enabled"] is False
        session = running.gateway.registry.get("main")
        assert session is not None
        leases = running.gateway.trading.kill_switch.leases
        await until(lambda: leases._told.get("main") == (session, None))
        assert (session.lease_ms, other.handler.lease.get().lease_ms) == (0, 0)
        kept = await wait(await running.ws(token))
        await program.close()
        await until(lambda: bool(disconnects._firing))

        await running.unplug()
        await running.link("main", machine, token=token)
        assert (await fired(listener))["cancelled"] == [order]
        await until(lambda: machine.handler.lease.get().lease_ms > 0)
        assert kept in {one.ticket for one in other.handler.broker.orders()}


async def test_what_is_armed_anew_is_about_the_other_account(tmp_path: Path) -> None:
    """The program goes on there, and has said so: the account before is none of its business."""
    async with product(tmp_path) as running:
        token, machine = running.main.token, running.main.machine
        listener, program = await running.ws(), await running.ws()
        await listener.call("subscribe", channels=["terminal"])
        await program.call("cancel_all_orders")
        kept = await wait(program)
        await program.call("set_cancel_on_disconnect", enabled=True, grace_ms=0)
        await running.unplug()
        other = build_terminal(seed=7)
        await running.link("main", other, token=token)
        order = await wait(program)
        await program.call("set_cancel_on_disconnect", enabled=True, grace_ms=0)
        assert (await program.call("get_cancel_on_disconnect"))["enabled"] is True
        await program.close()
        assert (await fired(listener))["cancelled"] == [order]
        await running.unplug()
        await running.link("main", machine, token=token)
        assert kept in {one.ticket for one in machine.handler.broker.orders()}
        assert running.gateway.trading.kill_switch.disconnects.armed("main") == []


async def test_what_is_armed_before_the_login_is_about_the_account_after_it(
    tmp_path: Path,
) -> None:
    """A terminal that is in no account says 0, which is none that it will ever come back to."""
    async with product(tmp_path) as running:
        blank = build_terminal(seed=7)
        broker = blank.handler.broker
        broker._template = replace(broker._template, login=0)
        token = (await running.link("late", blank)).token
        listener, program = await running.ws(token), await running.ws(token)
        await listener.call("subscribe", channels=["terminal"])
        await program.call("set_cancel_on_disconnect", enabled=True, grace_ms=0)
        await running.unplug()
        await running.link("late", build_terminal(seed=7), token=token)
        order = await wait(program)
        assert (await program.call("get_cancel_on_disconnect"))["enabled"] is True
        await program.close()
        assert (await fired(listener))["cancelled"] == [order]


@pytest.mark.parametrize("is_sent", [False, True])
async def test_an_order_that_is_under_way_is_swept_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_sent: bool
) -> None:
    """Its connection is lost before it is sent, or before its ticket is told by a broker who has
    rewritten its comment.
    """
    reached, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow(*args: Any) -> Any:
        receipt = await place(*args) if is_sent else None
        reached.set()
        await may_go_on.wait()
        return receipt or await place(*args)

    async with product(tmp_path) as running:
        listener, program = await running.ws(), await running.ws()
        await listener.call("subscribe", channels=["terminal"])
        await program.call("cancel_all_orders")
        await program.call("set_cancel_on_disconnect", enabled=True, grace_ms=0)
        broker = running.main.machine.handler.broker
        running.main.machine.faults.rewrite_comment = 1
        monkeypatch.setattr(orders, "place", slow)
        waiting = asyncio.create_task(wait(program))
        await reached.wait()
        await program.close()
        disconnects = running.gateway.trading.kill_switch.disconnects
        await until(lambda: bool(disconnects._firing))
        await asyncio.sleep(2 * kill_switch_service.RETRY_S)
        assert disconnects._firing
        may_go_on.set()
        assert len((await fired(listener))["cancelled"]) == 1
        assert broker.orders() == []
        await asyncio.gather(waiting, return_exceptions=True)
