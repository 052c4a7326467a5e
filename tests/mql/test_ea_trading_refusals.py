"""Refusals, with the EA of MetaTrader 5: the suite of the emulated terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from ea_product import BrokerSwitches, running_ea, shared_ea
from product import Client, Product
from test_trading_refusals import *  # noqa: F403 (all that are there, and will be)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-refusals")]

del test_a_closed_market_says_so  # noqa: F821 (it links a terminal of its own: the emulated one)

running = shared_ea("ea-refusals")
"""A hedging account of MetaTrader 5."""


@pytest_asyncio.fixture(loop_scope="module", params=["/rpc", "/ws"])  # type: ignore[no-redef]  # instead of the suite's
async def client(
    running: Product, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    """One of the doors. No call overtakes what its test has told the broker before."""
    client = await running.client(request.param)
    terminal, ask = running_ea(running).terminal, client.ask

    async def ask_after_it(method: str, params: dict[str, Any]) -> Any:
        await terminal.do("script")
        return await ask(method, params)

    monkeypatch.setattr(client, "ask", ask_after_it)
    yield client
    await running.close_clients()


@pytest.fixture  # type: ignore[no-redef]  # instead of the suite's
def broker(running: Product) -> Iterator[BrokerSwitches]:
    """The broker's own switches; on again at the end."""
    broker = BrokerSwitches(running_ea(running).terminal)
    yield broker
    switches = broker.switches
    switches.connected = switches.autotrading = True
    switches.server_autotrading = switches.trade_allowed = True
    broker.script.refusals.clear()
