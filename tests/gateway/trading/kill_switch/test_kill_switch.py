"""A halt holds at once, for every caller, over restarts, until the right person lifts it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted_answers import ORDER, POSITION
from scripted_terminal import Scene

from gateway.auth.caller import Scope
from gateway.credentials.lease import Tier
from gateway.errors import Forbidden, GatewayError, InternalError, KillSwitchActive
from gateway.home.ledger import TABLES, open_ledger, open_ledger_store
from gateway.runtime import ConsoleView
from gateway.storage.ledger import DATABASE, Ledger
from gateway.storage.store import StoreError
from gateway.trading.kill_switch import halts
from gateway.trading.kill_switch.halts import EVERYWHERE, Halt
from gateway.trading.kill_switch.switch import KillSwitch, SwitchChanged

BUY: dict[str, Any] = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
REDUCTIONS: list[tuple[str, dict[str, Any]]] = [
    ("close_position", {"ticket": POSITION.ticket}),
    ("cancel_order", {"ticket": ORDER.ticket}),
    ("modify_order", {"ticket": POSITION.ticket, "target": "position", "sl": 1.0835}),
]


@pytest.fixture(name="ledger")
def open_the_ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture(name="switch")
def make_switch(ledger: Ledger, scene: Scene) -> KillSwitch:
    """The switch of the scene's terminal."""
    switch = KillSwitch(ledger)
    scene.safeguards.switch = switch
    scene.guarded.switch = switch.of("mt5-a")
    return switch


def halt(terminal: str = "mt5-a", **more: Any) -> Halt:
    return Halt(**{"terminal": terminal, "armed_by": "cli", "since_ms": 5, **more})


async def refusal(scene: Scene, method: str, **params: Any) -> dict[str, Any]:
    """Return the data of the 2104 that a call is answered with."""
    with pytest.raises(KillSwitchActive) as refused:
        await scene.ask(method, **params)
    return refused.value.data


async def test_a_halt_stops_new_orders(scene: Scene, switch: KillSwitch) -> None:
    """2104, not sent; by whom and since when; and nothing reaches the terminal."""
    answer = await scene.ask("set_trading_enabled", enabled=False, reason="enough")
    assert answer["trading_enabled"] is False
    data = await refusal(scene, "place_order", **BUY, client_order_id="grid-1")
    assert data == {
        "armed_by": "token A1b2C3d4E5f6",
        "since": scene.now_ms,
        "reason": "enough",
        "everywhere": False,
        "reductions": True,
        "outcome": "not_sent",
        "client_order_id": "grid-1",
    }
    assert scene.script.sent == []
    answer = await scene.ask("set_trading_enabled", enabled=True)
    assert answer == {"trading_enabled": True, "halts": []}
    await scene.ask("place_order", **BUY)
    assert len(scene.script.sent) == 1


async def test_it_needs_no_terminal(scene: Scene, switch: KillSwitch) -> None:
    """Halting works while the terminal is offline, and is what a caller hears of first."""
    scene.disconnect()
    await scene.ask("set_trading_enabled", enabled=False)
    await refusal(scene, "place_order", **BUY)
    await refusal(scene, "place_order", **BUY, validate_only=True)
    assert (await scene.ask("get_trading_enabled"))["trading_enabled"] is False


@pytest.mark.parametrize(("method", "params"), REDUCTIONS)
async def test_what_reduces_goes_on(
    method: str, params: dict[str, Any], scene: Scene, switch: KillSwitch
) -> None:
    """Closing, cancelling and tightening, unless the halt was to freeze all."""
    await scene.ask("set_trading_enabled", enabled=False)
    await scene.ask(method, **params)
    assert len(scene.script.sent) == 1
    await scene.ask("set_trading_enabled", enabled=False, reductions=False)
    assert (await refusal(scene, method, **params))["outcome"] == "not_sent"
    assert len(scene.script.sent) == 1


async def test_a_stop_that_moves_away_is_no_reduction(scene: Scene, switch: KillSwitch) -> None:
    await scene.ask("set_trading_enabled", enabled=False)
    await refusal(scene, "modify_order", ticket=POSITION.ticket, target="position", sl=1.07)
    await refusal(scene, "modify_order", ticket=ORDER.ticket, target="order", price=1.081)


async def test_it_is_looked_up_right_before_the_bytes(
    scene: Scene, switch: KillSwitch, tmp_path: Path
) -> None:
    """Another process halts while an order is on its way: its bytes are never written."""

    def halt_elsewhere() -> None:
        store = open_ledger_store(tmp_path)
        with store.transaction() as connection:
            halts.arm(connection, halt())
        store.close()

    scene.script.on_the_way = halt_elsewhere
    data = await refusal(scene, "place_order", **BUY)
    assert data["outcome"] == "not_sent"
    assert data["armed_by"] == "cli"
    assert scene.script.sent == []


async def test_it_outlives_the_gateway(ledger: Ledger, switch: KillSwitch, tmp_path: Path) -> None:
    """What was answered is on the disk: a switch made anew finds it."""
    await switch.halt(halt("mt5-a", reason="rest"))
    again = open_ledger(tmp_path)
    try:
        assert KillSwitch(again).over("mt5-a") == [halt("mt5-a", reason="rest")]
    finally:
        again.close()


async def test_halts_of_one_and_of_all(switch: KillSwitch) -> None:
    """A halt of all halts each; lifting one leaves the other."""
    await switch.halt(halt("mt5-a"))
    assert not switch.over("mt5-b")
    await switch.halt(halt(EVERYWHERE))
    assert [one.terminal for one in switch.over("mt5-a")] == ["mt5-a", EVERYWHERE]
    assert [one.terminal for one in switch.over("mt5-b")] == [EVERYWHERE]
    await switch.resume("mt5-a", by_admin=True)
    with pytest.raises(KillSwitchActive):
        switch.of("mt5-a").check(Tier.FULL)
    await switch.resume(EVERYWHERE, by_admin=True)
    switch.of("mt5-a").check(Tier.FULL)
    assert await switch.resume(EVERYWHERE, by_admin=True) is None


async def test_only_a_person_lifts_a_persons_halt(scene: Scene, switch: KillSwitch) -> None:
    """A token that may trade neither lifts it, nor halts other terminals."""
    await switch.halt(halt("mt5-a", by_admin=True))
    wishes: list[dict[str, Any]] = [{"enabled": True}, {"enabled": False, "everywhere": True}]
    for params in wishes:
        with pytest.raises(Forbidden) as refused:
            await scene.ask("set_trading_enabled", **params)
        assert refused.value.data["scope"] == "admin"
    await refusal(scene, "place_order", **BUY)
    state = await scene.ask("set_trading_enabled", scope=Scope.ADMIN, enabled=True)
    assert state["trading_enabled"]
    state = await scene.ask(
        "set_trading_enabled", scope=Scope.ADMIN, enabled=False, everywhere=True
    )
    assert state["halts"][0]["everywhere"]


async def test_halts_of_all_are_none_of_one_person_among_several(
    scene: Scene, switch: KillSwitch
) -> None:
    """A console's tokens are of several people: none of them stops or starts the others'."""
    scene.console = ConsoleView(
        url="https://console.test",
        connected=True,
        last_sync_ms=None,
        problem="",
        clock_suspect=False,
        tier=Tier.FULL,
        reason="",
        tier_ends_ms=None,
        lease_ends_ms=None,
        device="d",
    )
    await switch.halt(halt(EVERYWHERE, by_admin=True))
    for enabled in (True, False):
        with pytest.raises(Forbidden, match="resume"):
            await scene.ask(
                "set_trading_enabled", scope=Scope.ADMIN, enabled=enabled, everywhere=True
            )
    assert switch.over("mt5-a") == [halt(EVERYWHERE, by_admin=True)]


async def test_who_comes_second_only_makes_it_stricter(switch: KillSwitch) -> None:
    """The first one's name and time stay, unless a person takes it over."""
    await switch.halt(halt(armed_by="token a", since_ms=1))
    await switch.halt(halt(armed_by="token b", since_ms=2, reductions=False))
    await switch.halt(halt(armed_by="token b", since_ms=3))
    assert switch.over("mt5-a") == [halt(armed_by="token a", since_ms=1, reductions=False)]
    await switch.halt(halt(armed_by="cli", since_ms=4, by_admin=True))
    taken = halt(armed_by="cli", since_ms=1, by_admin=True, reductions=False)
    assert switch.over("mt5-a") == [taken]


async def test_who_halts_again_can_say_why(switch: KillSwitch) -> None:
    """The newest reason counts, with its name; silence drops none, nor does a program's word a
    person's."""
    await switch.halt(halt(armed_by="token a", since_ms=1, reason="first"))
    await switch.halt(halt(armed_by="token b", since_ms=2, reason="second"))
    second = halt(armed_by="token b", since_ms=1, reason="second")
    assert switch.over("mt5-a") == [second]
    await switch.halt(halt(armed_by="cli", since_ms=3, by_admin=True))
    person = replace(second, armed_by="cli", by_admin=True)
    assert switch.over("mt5-a") == [person]
    await switch.halt(halt(armed_by="token a", since_ms=4, reason="third"))
    assert switch.over("mt5-a") == [person]
    await switch.halt(halt(armed_by="cli", since_ms=5, by_admin=True, reason="news"))
    assert switch.over("mt5-a") == [replace(person, reason="news")]


async def test_every_turn_is_told_once(switch: KillSwitch, tmp_path: Path) -> None:
    """Whoever made it, and whether or not anybody trades meanwhile."""
    told: asyncio.Queue[SwitchChanged] = asyncio.Queue()
    switch.on_turn(told.put_nowait)
    watching = asyncio.create_task(switch.watch())
    try:
        await switch.halt(halt())
        assert await told.get() == SwitchChanged("halt", halt(), by=halt().armed_by)
        store = open_ledger_store(tmp_path)
        with store.transaction() as connection:
            halts.lift(connection, "mt5-a", by_admin=True)
        store.close()
        async with asyncio.timeout(20):
            assert await told.get() == SwitchChanged("resume", halt(), by="cli")
        assert told.empty()
    finally:
        watching.cancel()


async def test_who_could_not_lift_a_halt_has_not_lifted_it(
    switch: KillSwitch, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its try is not noted as what the command line does later."""
    told: asyncio.Queue[SwitchChanged] = asyncio.Queue()
    switch.on_turn(told.put_nowait)
    await switch.halt(halt(armed_by="token a"))
    assert (await told.get()).kind == "halt"

    async def full(work: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(ledger, "write", full)
    with pytest.raises(StoreError):
        await switch.resume("mt5-a", by_admin=True, by="token b")
    monkeypatch.undo()
    store = open_ledger_store(tmp_path)
    with store.transaction() as connection:
        halts.lift(connection, "mt5-a", by_admin=True)
    store.close()
    switch.refresh()
    turned = await told.get()
    assert (turned.kind, turned.by) == ("resume", "cli")


async def test_a_halt_that_cannot_be_written_holds_all_the_same(
    scene: Scene, switch: KillSwitch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the gateway ends; and the caller is told so."""

    async def full(work: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(ledger, "write", full)
    with pytest.raises(InternalError) as failed:
        await scene.ask("set_trading_enabled", enabled=False)
    assert "until the gateway ends" in failed.value.message
    assert "disk" not in failed.value.message
    await refusal(scene, "place_order", **BUY)


async def test_who_cannot_read_the_halts_sends_nothing_new(
    scene: Scene, switch: KillSwitch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing goes on; trading goes on by itself once the ledger can be read again."""

    def broken() -> None:
        raise StoreError("the disk reports errors")

    with monkeypatch.context() as patch:
        patch.setattr(ledger.reader, "data_version", broken)
        assert (await refusal(scene, "place_order", **BUY))["armed_by"] == "gateway"
        await scene.ask("close_position", ticket=POSITION.ticket)
    await scene.ask("place_order", **BUY)


async def test_a_halt_that_is_written_but_not_read_holds_too(
    scene: Scene,
    switch: KillSwitch,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Its row cannot be read for a moment: the answer says that trading is halted, and what
    reduces is frozen; later the row alone holds it, and who removes that lifts it."""

    def broken() -> None:
        raise StoreError("the disk reports errors")

    with monkeypatch.context() as patch:
        patch.setattr(ledger.reader, "data_version", broken)
        told = await scene.ask("set_trading_enabled", enabled=False, reductions=False)
        assert not told["trading_enabled"]
        await refusal(scene, "close_position", ticket=POSITION.ticket)
    await refusal(scene, "place_order", **BUY)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as other, other:
        other.execute("DELETE FROM halts")
    await scene.ask("place_order", **BUY)


def test_the_table_is_among_the_ledgers() -> None:
    """Or no home had it."""
    assert halts.TABLE in TABLES


async def test_a_halt_in_force_is_no_way_around_validation(scene: Scene) -> None:
    """Params are checked first: what is wrong in a call is told whether or not trading is on."""
    await scene.ask("set_trading_enabled", enabled=False)
    with pytest.raises(GatewayError) as refused:
        await scene.ask("place_order", **BUY, no_such_param=1)
    assert refused.value.code == -32602


async def test_a_halt_during_a_resume_holds(
    switch: KillSwitch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is lifted is the halt before it, also where the disk does not take the new one."""
    await switch.halt(halt())
    write = ledger.write
    resuming = asyncio.create_task(switch.resume("mt5-a", by_admin=True))
    await asyncio.sleep(0)  # its write waits for the end of this turn

    async def fails(*_: Any, **__: Any) -> Any:
        raise StoreError("the disk reports errors")

    monkeypatch.setattr(ledger, "write", fails)
    with pytest.raises(StoreError):
        await switch.halt(halt(reason="again"))
    monkeypatch.setattr(ledger, "write", write)
    lifted = await resuming
    assert lifted is not None
    assert lifted.reason == ""
    assert [one.reason for one in switch.over("mt5-a")] == ["again"]
    await switch.resume("mt5-a", by_admin=True)
    assert switch.over("mt5-a") == []


async def test_a_halt_that_the_disk_has_not_taken_is_lifted_by_nobody_else(
    switch: KillSwitch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's not by a token, one of this machine not by the console."""

    async def fails(*_: Any, **__: Any) -> Any:
        raise StoreError("the disk reports errors")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "write", fails)
        with pytest.raises(StoreError):
            await switch.halt(halt(by_admin=True))
    with pytest.raises(Forbidden):
        await switch.resume("mt5-a", by_admin=False, by="token A1b2C3d4E5f6")
    with pytest.raises(Forbidden):
        await switch.resume("mt5-a", by_admin=True, by=halts.BY_CONSOLE)
    assert switch.over("mt5-a") == [halt(by_admin=True)]
    await switch.resume("mt5-a", by_admin=True)
    assert switch.over("mt5-a") == []


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_halt_that_the_disk_has_refused_is_written_with_the_next(
    switch: KillSwitch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """It is not forgotten for one that is less strict and that the console, say, may lift."""
    write, calls = ledger.write, 0

    async def fails_once(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise StoreError("the disk reports errors")
        return await write(*args, **options)

    monkeypatch.setattr(ledger, "write", fails_once)
    frozen = halt(reductions=False, by_admin=True)
    from_afar = halt(armed_by=halts.BY_CONSOLE, by_admin=True)
    asked = [asyncio.ensure_future(switch.halt(frozen))]
    if not at_once:
        await asyncio.wait(asked)
    asked.append(asyncio.ensure_future(switch.halt(from_afar)))
    first, _ = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(first, StoreError)
    assert switch.over("mt5-a") == [frozen]
    if at_once:
        await switch.halt(from_afar)
    with pytest.raises(Forbidden):
        await switch.resume("mt5-a", by_admin=True, by=halts.BY_CONSOLE)
    assert switch.over("mt5-a") == KillSwitch(ledger).over("mt5-a") == [frozen]
    await switch.resume("mt5-a", by_admin=True)
    assert switch.over("mt5-a") == KillSwitch(ledger).over("mt5-a") == []


@pytest.mark.parametrize("lifts", [False, True])
async def test_a_call_that_is_given_up_while_it_writes_counts_once_it_is_written(
    switch: KillSwitch, ledger: Ledger, lifts: bool
) -> None:
    """Its row is written all the same, and looked at after the commit, also if it is ours."""
    if lifts:
        await switch.halt(halt())
    work = switch.resume("mt5-a", by_admin=True) if lifts else switch.halt(halt("mt5-b"))
    asked = asyncio.ensure_future(work)
    await asyncio.sleep(0)  # its write waits for the end of this turn
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await ledger.write(lambda connection: connection.execute("SELECT 1").fetchone())
    assert switch.over("mt5-a") == []
    assert switch.over("mt5-b") == ([] if lifts else [halt("mt5-b")])
    await switch.resume("mt5-b", by_admin=True)
    assert switch.over("mt5-b") == []
