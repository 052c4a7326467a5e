"""The OpenAPI document of the accounts API says what is answered, and nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from accounts_house import SEED_EXAMPLE, AccountsHouse, open_house
from described import Attack

from gateway.accounts.api import OPENAPI, OPERATIONS
from gateway.auth.caller import Scope

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-accounts")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AccountsHouse]:
    async with open_house(tmp_path_factory.mktemp("accounts") / "home") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def house(running: AccountsHouse) -> AccountsHouse:
    """With nothing registered."""
    await running.begin_anew()
    return running


async def test_the_document_is_for_everybody_and_has_every_operation(house: AccountsHouse) -> None:
    """All that is served is described, with the words of its description of its own."""
    answered = await house.ask("GET", OPENAPI, token="")
    assert answered.status == 200
    document = answered.body
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": house.url}]
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert described == {(one.method, one.path) for one in OPERATIONS}
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)
    for schema in document["components"]["schemas"].values():
        assert "password_encrypted" not in schema.get("properties", {})
    answer = document["components"]["schemas"]["AccountResponse"]["properties"]
    assert "password" not in answer
    refs = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert refs <= document["components"]["schemas"].keys()


async def test_every_operation_wants_an_admin(house: AccountsHouse) -> None:
    """Not one forgets to look at the token; the document alone is for everybody."""
    trader = house.product.home.issuer.create("trader", scopes=[Scope.TRADE])[0]
    for operation in OPERATIONS:
        path = operation.path.replace("{account_id}", "1")
        body: dict[str, Any] | None = {} if operation.request_model is not None else None
        for token, status in (("", 401), (trader, 403)):
            refused = await house.ask(operation.method, path, body, token=token)
            assert refused.status == status, operation.name


async def _run(house: AccountsHouse, examples: int) -> Counter[int]:
    document = (await house.ask("GET", OPENAPI)).body
    del document["security"]  # the header is given to every call, so never wrong
    account = await house.register()
    await house.register(SEED_EXAMPLE)
    attack = Attack(
        document=document,
        headers={"Authorization": f"Bearer {house.admin}"},
        left_out=["delete_account"],
        real={"account_id": account["id"]},
    )
    return await attack.run(right=examples, wrong=examples // 2)


async def test_nothing_that_is_described_fails_or_surprises(house: AccountsHouse) -> None:
    """No status, type or answer that the document does not have, and nothing breaks inside."""
    found = await _run(house, 2)
    assert found[200] > 20, found
    assert found[422] > 10, found
    assert not found[401]


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_nothing_that_is_described_fails_or_surprises_in_the_long_run(
    house: AccountsHouse,
) -> None:
    """The same, longer."""
    found = await _run(house, 400)
    assert sum(found.values()) > 5_000
