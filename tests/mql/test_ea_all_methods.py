"""Every method, with the EAs: the suite of the emulated terminals."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ea_product import ea_product
from linked_ea import Compile
from product import Client, Product
from test_all_methods import *  # noqa: F403 (all that are there, and will be)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-methods")]

# those that ask no terminal
del test_every_method_is_tested_here  # noqa: F821
del test_the_document_names_every_method  # noqa: F821
del test_the_checker_checks  # noqa: F821
del test_hello_is_for_ws_alone  # noqa: F821
del test_a_ticket_is_for_rpc_alone  # noqa: F821


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hedging(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
) -> AsyncIterator[Product]:
    """MetaTrader 5, hedging."""
    async with ea_product(tmp_path_factory.mktemp("ea-hedging"), compile_ea("mt5")) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["/rpc", "/ws"])
async def client(hedging: Product, request: pytest.FixtureRequest) -> Client:
    """One of the doors."""
    return await hedging.client(request.param)


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
