"""The life of orders, with the EA of MetaTrader 5: the suite of the emulated terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ea_product import ea_product
from linked_ea import Compile
from product import Product, sawtooth
from test_trading_life import *  # noqa: F403 (all that are there, and will be)
from test_trading_life import HIGH, LOW

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-life")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
) -> AsyncIterator[Product]:
    """The same market, before an EA."""
    folder = tmp_path_factory.mktemp("ea-life")
    ticks = sawtooth(folder, LOW, HIGH)
    async with ea_product(folder, compile_ea("mt5"), speed=60.0, tick_files=ticks) as one:
        yield one
