"""Refusals, with an agent: the suite of the emulated terminal.

Over a package in memory: behind the drop-in the second gateway finds out by itself what became of
an order, and is not done within the time of this suite.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agent_parts import agent_product
from product import Product
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
