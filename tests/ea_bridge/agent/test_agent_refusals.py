"""Refusals, with an agent: the suite of the emulated terminal.

Over a package in memory: behind the drop-in the second gateway finds out by itself what became of
an order, and is not done within the time of this suite.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agent_parts import agent_product
from product import Client, Json, Product, until
from test_trading_refusals import *  # noqa: F403 (all that are there, and will be)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("agent-refusals"),
    pytest.mark.long,
]

del test_a_closed_market_says_so  # noqa: F821 (it links a terminal of its own: the emulated one)


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # type: ignore[no-redef]  # instead of the suite's
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A hedging account of MetaTrader 5."""
    async with agent_product(tmp_path_factory.mktemp("agent-refusals")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module", params=["/rpc", "/ws"])  # type: ignore[no-redef]  # instead of the suite's
async def client(
    running: Product, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    """One of the doors. No call overtakes what its test has done to the broker's switches: what
    ``/ws`` told may be of a switch that was turned before."""
    client = await running.client(request.param)
    switches, ask = running.main.machine.handler.broker.switches, client.ask

    def is_seen() -> bool:
        session = running.gateway.registry.get("main")
        return session is not None and (
            (session.broker, session.autotrading) == (switches.connected, switches.autotrading)
            and session.trade_allowed in (None, switches.trade_allowed)
        )

    async def ask_after_it(method: str, params: Json) -> Json:
        await until(is_seen)
        return await ask(method, params)

    monkeypatch.setattr(client, "ask", ask_after_it)
    yield client
    await running.close_clients()
