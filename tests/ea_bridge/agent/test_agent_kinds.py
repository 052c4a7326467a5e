"""Netting accounts, with an agent and the drop-in: the suite of the emulated terminals."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agent_parts import chained_product
from product import Product
from test_trading_kinds import *  # noqa: F403 (all that are there, and will be)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("agent-kinds"),
    pytest.mark.long,
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # type: ignore[no-redef]  # instead of the suite's
async def netting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """MetaTrader 5 on a netting account."""
    async with chained_product(tmp_path_factory.mktemp("agent-kinds"), netting=True) as one:
        yield one
