"""Events on /ws, with an agent and the drop-in: the suite of the emulated terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agent_parts import chained_product
from product import Product, sawtooth
from test_streams_live import *  # noqa: F403 (all that are there, and will be)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("agent-streams"),
    pytest.mark.long,
]

del test_a_terminal_that_restarts  # noqa: F821 (it restarts the emulated one)


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # type: ignore[no-redef]  # instead of the suite's
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """The suite's market, behind agent, drop-in, a second gateway."""
    folder = tmp_path_factory.mktemp("agent-streams")
    async with chained_product(folder, speed=60.0, tick_files=sawtooth(folder)) as one:
        yield one
