"""The life of orders, with an agent and the drop-in: the suite of the emulated terminal.

Without its tests that have to be quicker than the market: ``test_agent_life.py`` has those.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agent_parts import chained_product
from product import Product, sawtooth
from test_trading_life import *  # noqa: F403 (all that are there, and will be)
from test_trading_life import HIGH, LOW

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("agent-chain")]

del test_a_pending_order_is_met_by_the_market  # noqa: F821
del test_the_market_meets_a_stop  # noqa: F821
del test_a_pending_order_expires  # noqa: F821


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # type: ignore[no-redef]  # instead of the suite's
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A market that hardly moves, behind agent, drop-in, a second gateway."""
    folder = tmp_path_factory.mktemp("agent-chain")
    async with chained_product(folder, tick_files=sawtooth(folder, LOW, HIGH)) as one:
        yield one
