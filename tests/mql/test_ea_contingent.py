"""Trailing stops and linked orders, with the EA of MetaTrader 5: the suite of the emulated one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ea_product import ea_product
from linked_ea import Compile
from product import Product, sawtooth
from test_contingent_orders import *  # noqa: F403 (all that are there, and will be)
from test_contingent_orders import HIGH, LOW

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-life")]

del test_a_held_order_outlives_the_daemon  # noqa: F821 (it links a terminal of its own)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
) -> AsyncIterator[Product]:
    """The same market, before an EA."""
    folder = tmp_path_factory.mktemp("ea-contingent")
    ticks = sawtooth(folder, LOW, HIGH)
    async with ea_product(folder, compile_ea("mt5"), speed=60.0, tick_files=ticks) as running:
        yield running
