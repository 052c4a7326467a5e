"""What stops trading goes on where the gateway itself hangs or ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from product import daemon, open_ws, until
from safety_scene import fired, listen, patient_terminals, wait  # noqa: F401 (a fixture)

from ea_bridge.emulator.factory import build_terminal
from gateway.home.ledger import open_ledger_store
from gateway.trading.kill_switch import disconnects
from gateway.trading.kill_switch import service as kill_switch_service

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-safety")]


async def test_the_ea_gets_out_when_the_gateway_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is armed is told to the EA with a lease; a gateway that comes back hears of it."""
    monkeypatch.setattr(kill_switch_service, "LEASE_MS", 2000)
    async with daemon(tmp_path) as running:
        machine = build_terminal()
        await running.link("main", machine)
        client = await running.ws()
        await client.call("cancel_all_orders")
        order = await wait(client)
        await client.call("cancel_all_after", timeout_ms=60_000)
        session = running.gateway.registry.get("main")
        assert session is not None
        await until(lambda: session.lease_ms == 2000)
        assert machine.handler.lease._lease.lease_ms == 2000
        session._liveness.stop()  # the gateway hangs: its heartbeats stay away, the link stays
        await until(lambda: not machine.handler.broker.orders())
        listener = await listen(running)
        running.main.link.cut()
        await running.live("main", but_not=session)
        assert (await fired(listener, "lease"))["cancelled"] == [order]


async def test_what_is_armed_outlives_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart is no program's end; but who does not come back after it is gone."""
    monkeypatch.setattr(disconnects, "RESTART_GRACE_S", 0.2)
    machine = build_terminal()
    async with daemon(tmp_path) as running:
        await running.link("main", machine)
        token = running.main.token
        client = await running.ws()
        await client.call("cancel_all_orders")
        await client.call("hello", session_id="run-9")
        await client.call("set_cancel_on_disconnect", enabled=True, grace_ms=60_000)
        await client.call("cancel_all_after", timeout_ms=60_000)
        order = await wait(client)
    assert [one.ticket for one in machine.handler.broker.orders()] == [order]
    store = open_ledger_store(tmp_path)
    with store.transaction() as ledger:
        ledger.execute("UPDATE armed SET within_ms = 100 WHERE name = 'session run-9'")
    store.close()
    async with daemon(tmp_path) as running:
        [armed] = running.gateway.trading.kill_switch.disconnects.armed("main")
        assert (armed.name, armed.own) == ("session run-9", True)
        assert running.gateway.trading.kill_switch.dead_man.armed("main")[0].within_ms == 60_000
        listener = await open_ws(running.ready.ws or "", token)
        await listener.call("subscribe", channels=["terminal"])
        await running.link("main", machine, token=token)
        assert (await fired(listener, "disconnect"))["cancelled"] == [order]
        await listener.close()


async def test_who_is_back_after_a_restart_still_has_its_orders(tmp_path: Path) -> None:
    """Lost again, it takes them with it; those that others have placed since then stay."""
    machine = build_terminal()
    async with daemon(tmp_path) as running:
        await running.link("main", machine)
        token = running.main.token
        client = await running.ws()
        await client.call("cancel_all_orders")
        await client.call("hello", session_id="run-9")
        await client.call("set_cancel_on_disconnect", enabled=True, grace_ms=0)
        before = await wait(client)
    async with daemon(tmp_path) as running:
        listener = await open_ws(running.ready.ws or "", token)
        await listener.call("subscribe", channels=["terminal"])
        client = await open_ws(running.ready.ws or "", token)
        await client.call("hello", session_id="run-9")
        assert (await client.call("get_cancel_on_disconnect"))["enabled"]
        await running.link("main", machine, token=token)
        others = [await wait(listener), await wait(await running.http(token))]
        own = await wait(client)
        await client.close()
        assert sorted((await fired(listener, "disconnect"))["cancelled"]) == [before, own]
        assert [one.ticket for one in machine.handler.broker.orders()] == others
        await listener.close()
