"""Events on /ws, with the EA of MetaTrader 5: the suite of the emulated terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ea_product import ea_product
from linked_ea import Compile
from product import Product, sawtooth
from test_streams_live import *  # noqa: F403 (all that are there, and will be)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-streams")]

del test_a_terminal_that_restarts  # noqa: F821 (see test_ea_scenarios.py for the EA's own)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
) -> AsyncIterator[Product]:
    """A market with 120 ticks of EURUSD a second, and a minute each second."""
    folder = tmp_path_factory.mktemp("ea-streams")
    ticks = sawtooth(folder)
    async with ea_product(folder, compile_ea("mt5"), speed=60.0, tick_files=ticks) as one:
        yield one
