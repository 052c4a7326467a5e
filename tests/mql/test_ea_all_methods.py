"""Every method, with the EAs: the suite of the emulated terminals."""

from __future__ import annotations

import pytest
import pytest_asyncio
from ea_product import shared_ea
from product import Client, Product
from test_all_methods import *  # noqa: F403 (all that are there, and will be)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-methods")]

# those that ask no terminal
del test_every_method_is_tested_here  # noqa: F821
del test_the_document_names_every_method  # noqa: F821
del test_the_checker_checks  # noqa: F821
del test_hello_is_for_ws_alone  # noqa: F821
del test_a_ticket_is_for_rpc_alone  # noqa: F821

hedging = shared_ea("ea-hedging", quirks={"blind": 1, "stale": 1})
"""MetaTrader 5, hedging."""
netting = shared_ea("ea-netting", netting=True)
"""MetaTrader 5 on a netting account."""
mt4 = shared_ea("ea-mt4", "mt4", quirks={"blind": 1})
"""MetaTrader 4."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["/rpc", "/ws"])  # type: ignore[no-redef]  # instead of the suite's
async def client(hedging: Product, request: pytest.FixtureRequest) -> Client:
    """One of the doors."""
    return await hedging.client(request.param)
