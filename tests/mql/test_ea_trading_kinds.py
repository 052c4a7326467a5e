"""Netting accounts and MetaTrader 4, with the EAs: the suite of the emulated terminals."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ea_product import ea_product
from linked_ea import Compile
from product import Product
from test_trading_kinds import *  # noqa: F403 (all that are there, and will be)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-kinds")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def netting(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
) -> AsyncIterator[Product]:
    """MetaTrader 5 on a netting account."""
    folder = tmp_path_factory.mktemp("ea-netting")
    async with ea_product(folder, compile_ea("mt5"), netting=True) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mt4(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
) -> AsyncIterator[Product]:
    """MetaTrader 4."""
    folder = tmp_path_factory.mktemp("ea-mt4")
    async with ea_product(folder, compile_ea("mt4"), platform="mt4") as one:
        yield one
