"""The life of orders in a market that moves, with an agent: the suite of the emulated terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agent_parts import chained_product
from product import Product, sawtooth
from test_trading_life import *  # noqa: F403 (all that are there, and will be)
from test_trading_life import HIGH, LOW

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("agent-life"),
    pytest.mark.long,
]

SPEED = 10.0
"""Behind two gateways an order takes longer, and must not be overtaken by the market."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # type: ignore[no-redef]  # instead of the suite's
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """The suite's market, slower, behind agent, drop-in, a second gateway."""
    folder = tmp_path_factory.mktemp("agent-life")
    ticks = sawtooth(folder, LOW, HIGH)
    async with chained_product(folder, speed=SPEED, tick_files=ticks) as one:
        yield one
