"""Trailing stops and linked orders, with an agent and the drop-in: the suite of the emulated."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agent_parts import chained_product
from product import Product, sawtooth
from test_contingent_orders import *  # noqa: F403 (all that are there, and will be)
from test_contingent_orders import HIGH, LOW

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("agent-contingent"),
    pytest.mark.long,
]

del test_a_held_order_outlives_the_daemon  # noqa: F821 (it links a terminal of its own)


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # type: ignore[no-redef]  # instead of the suite's
async def one(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """The suite's market, behind agent, drop-in, a second gateway."""
    folder = tmp_path_factory.mktemp("agent-contingent")
    ticks = sawtooth(folder, LOW, HIGH)
    async with chained_product(folder, speed=60.0, tick_files=ticks) as product:
        yield product
