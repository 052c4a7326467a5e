"""A terminal that does not have its history whole, or is held up by it, and what callers hear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from typing import Any

import pytest
import pytest_asyncio
from product import Product, Refused, product

from ea_bridge.commands import ORDER_SEND
from ea_bridge.errors import OutcomeUnknown
from ea_bridge.model import TradeAction, TradeRequest
from ea_bridge.session import TerminalSession
from ea_bridge.simulation.faults import EmulatedFaults
from gateway.trading.terminal import GuardedTerminal

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-history")]

FOR_GOOD = 10**6
ASKED: dict[str, dict[str, Any]] = {
    "get_ohlc": {"count": 10},
    "get_history_ticks": {"limit": 10},
    "get_history_prices": {"limit": 10},
}
LISTS = {"get_ohlc": "bars", "get_history_ticks": "ticks", "get_history_prices": "bars"}
BUY = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, price=2.0)
HELD_MS = 4000
"""Longer than the daemon's looks at a silent terminal are apart."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A terminal that misbehaves when told to."""
    async with product(tmp_path_factory.mktemp("history"), speed=10.0) as one:
        yield one


@pytest.fixture
def faults(running: Product) -> Iterator[EmulatedFaults]:
    """The terminal's faults; what was not used up ends with the test."""
    faults = running.main.machine.faults
    yield faults
    for field in fields(EmulatedFaults):
        setattr(faults, field.name, 0)


def params(method: str) -> dict[str, Any]:
    """What is asked for of EURUSD."""
    asked = {"symbol": "EURUSD", **ASKED[method]}
    if method == "get_history_prices":
        asked["from"] = round(time.time() * 1000) - 3_600_000
    return asked


@pytest.mark.parametrize("method", ASKED)
async def test_a_history_says_whether_it_is_whole(
    running: Product, faults: EmulatedFaults, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """One that is being loaded is waited for; what never comes is no secret."""
    client = await running.http()
    whole = await client.call(method, **params(method))
    assert (whole["complete"], whole["reason"]) == (True, None)
    faults.history_loading = 1
    waited = await client.call(method, **params(method))
    assert (waited["complete"], faults.history_loading) == (True, 0)
    monkeypatch.setattr("gateway.rpc.methods.market.LOADING_S", 0.3)
    faults.history_loading = FOR_GOOD
    part = await client.call(method, **params(method))
    assert (part["complete"], part["reason"]) == (False, "loading")
    assert len(part[LISTS[method]]) < len(whole[LISTS[method]])
    await running.close_clients()


async def test_a_terminal_that_loads_ticks_is_silent_and_stays_linked(
    running: Product, faults: EmulatedFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are answered when it is back, an order that came meanwhile is not carried out after
    its time, and the link is the same.
    """
    monkeypatch.setattr("ea_bridge.session.liveness.STALE_S", 0.2)
    monkeypatch.setattr("ea_bridge.session.liveness.DEAD_S", 0.5)
    session = running.gateway.registry.get("main")
    assert isinstance(session, TerminalSession)
    client = await running.http()
    opened = len(await client.call("get_positions"))
    faults.slow_ticks_ms = HELD_MS
    asking = asyncio.create_task(client.call("get_history_ticks", symbol="EURUSD", limit=5))
    await asyncio.wait({asking}, timeout=0.3)
    faults.slow_ticks_ms = 0
    with pytest.raises(OutcomeUnknown):
        await session.request(ORDER_SEND, BUY, timeout_s=0.2)
    other = await (await running.http()).call("get_account_info")
    assert other["balance"] > 0
    assert len((await asking)["ticks"]) == 5
    assert len(await client.call("get_positions")) == opened
    assert running.gateway.registry.get("main") is session
    await running.close_clients()


async def test_who_waits_for_ticks_in_vain_learns_that_they_are_loaded(
    running: Product, faults: EmulatedFaults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3002 says that asking again will help, and when."""
    assert GuardedTerminal.request.__kwdefaults__ is not None
    session = running.gateway.registry.get("main")
    client = await running.http()
    faults.slow_ticks_ms = 1000
    with monkeypatch.context() as patch:
        patch.setitem(GuardedTerminal.request.__kwdefaults__, "timeout_s", 0.3)
        with pytest.raises(Refused) as refused:
            await client.call("get_history_ticks", symbol="EURUSD")
    assert (refused.value.code, refused.value.name) == (3002, "history_loading")
    assert refused.value.data["retry_after_ms"] > 0
    faults.slow_ticks_ms = 0
    told = await client.call("get_history_ticks", symbol="EURUSD", limit=5)
    assert len(told["ticks"]) == 5
    assert running.gateway.registry.get("main") is session
    await running.close_clients()
