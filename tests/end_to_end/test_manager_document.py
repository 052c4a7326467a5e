"""The OpenAPI document of the manager API says what is answered, and nothing else."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import requests
from described import Attack
from manager_house import ManagerHouse, open_house
from product import TIMEOUT_S

from gateway.mt4_manager import OperatorRole
from gateway.mt4_manager.api import MAX_BYTES, OPERATIONS
from gateway.mt4_manager.api.operation import OPENAPI, REFERENCE

LATER = {"login", "disconnect"}
"""A login costs time on purpose; without a connection all others say only that."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-manager")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManagerHouse]:
    async with open_house(tmp_path_factory.mktemp("manager") / "home") as opened:
        yield opened


async def test_the_document_has_every_operation(house: ManagerHouse) -> None:
    """All 34 are described, and nobody needs a token to read that."""
    document = await house.get("openapi.json", role=None)
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert described == {(one.method, one.path) for one in OPERATIONS}
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS) == 34
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": house.url}]
    schemas = document["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/([\w.]+)", str(document))) <= schemas.keys()
    told = set(schemas["UserRecord"]["properties"]) | set(schemas["Group"]["properties"])
    secrets = {"password", "password_investor", "password_phone", "otp_secret", "smtp_password"}
    assert not told & secrets


async def test_every_operation_wants_its_role(house: ManagerHouse) -> None:
    """Not one forgets to look; three are open to everybody."""
    below = {
        OperatorRole.READ: None,
        OperatorRole.OPERATOR: OperatorRole.READ,
        OperatorRole.ADMIN: OperatorRole.OPERATOR,
    }
    opened = set()
    for operation in OPERATIONS:
        if operation.role is None:
            opened.add(operation.name)
            continue
        path = re.sub(r"{(\w+)}", "1", operation.path).removeprefix("/api/")
        body: dict[str, Any] | None = {} if operation.request_model is not None else None
        answered = await house.ask(operation.method, path, body, role=None)
        assert answered.status == 401, operation.name
        assert answered.headers["WWW-Authenticate"] == "Bearer"
        less = below[operation.role]
        if less is not None:
            refused = await house.ask(operation.method, path, body, role=less)
            assert refused.status == 403, operation.name
    assert opened == {"health", "login", "service_health"}


async def test_a_body_over_the_limit_is_refused_as_one(house: ManagerHouse) -> None:
    """It is nobody's failure here, and is not logged as one."""
    refused = await house.ask("POST", "accounts/1/deposit", {"comment": "x" * MAX_BYTES})
    assert refused.status == 413
    assert refused.detail == "The body is over the limit"


async def test_the_reference_is_a_page_that_runs_nothing(house: ManagerHouse) -> None:
    """It shows every operation, has no script, and may load nothing."""
    page = await house.ask("GET", "reference", role=None)
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy
    assert "<script" not in page.body
    assert "http-equiv" not in page.body
    for operation in OPERATIONS:
        assert f'id="{operation.name}"' in page.body
    assert {OPENAPI, REFERENCE} == {"/api/openapi.json", "/api/reference"}


def _wait_until_connected(house: ManagerHouse) -> None:
    """A connect that was refused has taken the peer from its server; it is led back by itself."""
    until_s = time.monotonic() + TIMEOUT_S
    while not requests.get(f"{house.url}/api/test/service-health", timeout=TIMEOUT_S).json()[
        "connected"
    ]:
        assert time.monotonic() < until_s
        time.sleep(0.05)


async def _run(house: ManagerHouse, examples: int) -> Counter[int]:
    document = await house.get("openapi.json", role=None)
    del document["security"]  # the header is given to every call, so never wrong
    attack = Attack(
        document=document,
        headers={"Authorization": f"Bearer {house.bearers[OperatorRole.ADMIN]}"},
        left_out=LATER,
        real={"login": 100_001},
        before=lambda: _wait_until_connected(house),
    )
    return await attack.run(right=examples, wrong=examples // 2)


async def test_nothing_that_is_described_fails_or_surprises(house: ManagerHouse) -> None:
    """No status, type or answer that the document does not have, and nothing breaks inside."""
    found = await _run(house, 2)
    assert found[200] > 20, found
    assert found[422] > 10, found
    assert not found[401]


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_nothing_that_is_described_fails_or_surprises_in_the_long_run(
    house: ManagerHouse,
) -> None:
    """The same, longer."""
    found = await _run(house, 200)
    assert sum(found.values()) > 5_000
