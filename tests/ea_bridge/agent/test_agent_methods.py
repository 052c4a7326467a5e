"""Every method, with an agent and the drop-in: the suite of the emulated terminals."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agent_parts import chained_product
from product import Client, Product
from test_all_methods import *  # noqa: F403 (all that are there, and will be)
from test_all_methods import READS
from test_all_methods import test_a_read_answers as read_answers

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("agent-methods"),
    pytest.mark.long,
]

# those that ask no terminal
del test_every_method_is_tested_here  # noqa: F821
del test_the_document_names_every_method  # noqa: F821
del test_the_checker_checks  # noqa: F821
del test_hello_is_for_ws_alone  # noqa: F821
del test_a_ticket_is_for_rpc_alone  # noqa: F821
del test_a_netting_account_answers  # noqa: F821 (it asks for the sessions, too)

LACKS = {"get_sessions", "get_server_time"}
"""The package tells neither sessions nor the server's own clock."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")  # type: ignore[no-redef]  # instead of the suite's
async def hedging(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """MetaTrader 5, hedging."""
    async with chained_product(tmp_path_factory.mktemp("agent-hedging")) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["/rpc", "/ws"])  # type: ignore[no-redef]  # instead of the suite's
async def client(hedging: Product, request: pytest.FixtureRequest) -> Client:
    """One of the doors."""
    return await hedging.client(request.param)


@pytest.mark.parametrize("method", [method for method in READS if method not in LACKS])  # type: ignore[no-redef]  # instead of the suite's
async def test_a_read_answers(client: Client, method: str) -> None:
    """What the package can tell is told as by an EA."""
    await read_answers(client, method)
