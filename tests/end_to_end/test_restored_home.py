"""A home that was restored from a backup, and a terminal that remembers more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from product import HttpClient, Product, Refused, daemon, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.protocol.messages import Cmd, Res
from gateway.trading.journal import AccountKey

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


async def tickets(client: HttpClient) -> list[int]:
    return [one["ticket"] for one in await client.call("get_positions")]


async def looked_through(house: Product) -> None:
    hello = house.gateway.registry.facts("main").hello  # type: ignore[union-attr]
    account = AccountKey(hello.login, hello.server)
    await until(lambda: house.gateway.trading.reconcile._used_ids.knows(account))


async def run_with_backup(home: Path, backup: Path, machine: EmulatedTerminal) -> str:
    """Send orders before and after a backup, and restore it; return the token."""
    async with daemon(home) as house:
        token = (await house.link("main", machine)).token
        client = await house.http(token)
        await client.call("place_order", client_order_id="before", **BUY)
    shutil.copytree(home, backup)
    async with daemon(home) as house:
        await house.link("main", machine, token=token)
        client = await house.http(token)
        await client.call("place_order", client_order_id="open", **BUY)
        done = await client.call("place_order", client_order_id="closed", **BUY)
        ticket = done["order"]["order"]
        await client.call("close_position", ticket=ticket, client_order_id="close")
        pending = {"symbol": "EURUSD", "type": "buy_limit", "volume": 0.1, "price": 1.0}
        await client.call("place_order", client_order_id="pending", **pending)
    shutil.rmtree(home)
    shutil.copytree(backup, home)
    return token


@pytest.mark.parametrize("platform", ["mt5", "mt4"])
async def test_an_order_is_not_sent_again_after_a_restore(
    tmp_path: Path, platform: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever became of it: its tag is in the terminal. Ids from before the backup give their
    first answer, and new ones are sent.
    """
    machine = build_terminal(platform=platform)
    token = await run_with_backup(tmp_path / "home", tmp_path / "backup", machine)
    async with daemon(tmp_path / "home") as house:
        await house.link("main", machine, token=token)
        client = await house.http(token)
        before = await tickets(client)
        for name in ("open", "closed", "open"):
            with pytest.raises(Refused) as refused:
                await client.call("place_order", client_order_id=name, **BUY)
            data = refused.value.data
            assert refused.value.code == 2102
            assert (data["reason"], data["outcome"]) == ("journal_restored", "unknown")
            assert data["order"] > 0
            assert data["duplicate"] is True
        pending = {"symbol": "EURUSD", "type": "buy_limit", "volume": 0.1, "price": 1.0}
        with pytest.raises(Refused, match="journal_restored"):
            await client.call("place_order", client_order_id="pending", **pending)
        assert (await client.call("place_order", client_order_id="before", **BUY))["duplicate"]
        assert await tickets(client) == before
        fresh = await client.call("place_order", client_order_id="fresh", **BUY)
        assert fresh["duplicate"] is False
        assert len(await tickets(client)) == len(before) + 1
    assert "orders of a gateway are not in this journal" in caplog.text


async def test_a_home_that_was_not_restored_looks_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look at the past for all orders of a run, however often the terminal links; and nothing
    is said.
    """
    machine = build_terminal()
    async with daemon(tmp_path) as house:
        token = (await house.link("main", machine)).token
        client = await house.http(token)
        await client.call("place_order", client_order_id="first", **BUY)
    asked: list[str] = []
    execute = machine.execute

    def noted(cmd: Cmd, *, waited_ms: float = 0.0) -> list[Res]:
        asked.append(cmd.op)
        return execute(cmd, waited_ms=waited_ms)

    monkeypatch.setattr(machine, "execute", noted)
    async with daemon(tmp_path) as house:
        running = await house.link("main", machine, token=token)
        await looked_through(house)
        client = await house.http(token)
        for number in range(5):
            await client.call("place_order", client_order_id=f"more-{number}", **BUY)
        session = house.gateway.registry.get("main")
        assert session is not None
        session.close("shutdown")
        await house.live("main", but_not=session)
        await client.call("place_order", client_order_id="at-last", **BUY)
        assert running.link
    assert asked.count("history_orders_get") == 1
    assert "not in this journal" not in caplog.text
