"""What an Idempotency-Key stands for: one request of one operator, however it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from answered import Answered
from manager_house import ManagerHouse, open_house

from gateway.mt4_manager import OperatorRole
from gateway.mt4_manager.api import OPERATIONS
from gateway.mt4_manager.api.operation import canonical_request

LOGIN = 100_001
DEPOSIT = f"/api/accounts/{LOGIN}/deposit"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-manager")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManagerHouse]:
    async with open_house(tmp_path_factory.mktemp("keys") / "home") as opened:
        yield opened


async def post(
    house: ManagerHouse,
    body: str,
    path: str = DEPOSIT,
    *,
    method: str = "POST",
    role: OperatorRole = OperatorRole.ADMIN,
    key: str = "",
) -> Answered:
    """Send a body as it is written."""
    headers = {
        "Authorization": f"Bearer {house.bearers[role]}",
        "Content-Type": "application/json",
    } | ({"Idempotency-Key": key} if key else {})
    url = f"{house.url}{path}"
    async with house.http.request(method, url, data=body, headers=headers) as response:
        return Answered(response.status, await response.json(), response.headers)


def balance(house: ManagerHouse) -> float:
    """Return what the books say."""
    found: float = house.server.books.accounts[LOGIN].user.balance
    return found


async def test_a_key_is_its_operators_own(house: ManagerHouse) -> None:
    """Two operators with the same key have made two requests, one after the other or at once."""
    before = balance(house)
    for key in ("1", "2"):
        both = (OperatorRole.OPERATOR, OperatorRole.ADMIN)
        first, second = await asyncio.gather(
            *(post(house, '{"amount": 7}', role=role, key=key) for role in both)
        )
        assert (first.status, second.status) == (200, 200)
        assert first.body["order"] != second.body["order"]
        other = await post(house, '{"amount": 8}', role=OperatorRole.OPERATOR, key=key)
        assert other.status == 422
    assert balance(house) == before + 28
    assert (await post(house, '{"amount": 8}', role=OperatorRole.OPERATOR, key="3")).status == 200
    assert (await post(house, '{"amount": 9}', role=OperatorRole.ADMIN, key="3")).status == 200


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ('{"amount": 1}', '{"amount": 1.0}'),
        ('{"amount": 10.5}', '{ "amount" : 1.05e1 }'),
        ('{"amount": 1}', '{"comment": "", "amount": 1}'),
        ('{"amount": 1, "comment": "\\u00d6"}', '{"comment":"Ö","amount":1}'),
    ],
)
async def test_how_a_request_is_written_does_not_count(
    house: ManagerHouse, first: str, again: str
) -> None:
    """Programs write numbers and texts in different ways; it is the same request."""
    before = balance(house)
    done = await post(house, first, key=f"written {again}".replace(" ", "-").replace("Ö", "O"))
    repeated = await post(house, again, key=f"written {again}".replace(" ", "-").replace("Ö", "O"))
    assert repeated.status == 200, repeated
    assert repeated.body == done.body
    assert repeated.headers["Idempotency-Replayed"] == "true"
    assert balance(house) == before + done.body["amount"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (DEPOSIT, '{"amount": 2}'),
        (DEPOSIT, '{"amount": 1, "comment": "x"}'),
        (DEPOSIT.replace("deposit", "withdraw"), '{"amount": 1}'),
        (DEPOSIT.replace(str(LOGIN), str(LOGIN + 1)), '{"amount": 1}'),
    ],
)
async def test_another_request_is_another(house: ManagerHouse, path: str, body: str) -> None:
    """What differs in meaning is refused under a key that is taken."""
    assert (await post(house, '{"amount": 1}', key="meaning")).status == 200
    before = balance(house)
    refused = await post(house, body, path, key="meaning")
    assert refused.status == 422
    assert refused.detail[0]["type"] == "key_reused"
    assert balance(house) == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", DEPOSIT, '{"amount": 1, "amount": 1000}'),
        ("POST", DEPOSIT, '{"amount": 1, "\\u0061mount": 1}'),
        ("PUT", f"/api/users/{LOGIN}", '{"leverage": 10, "leverage": 20}'),
        ("POST", "/api/admin/trades/lookup", '{"orders": [1], "orders": [2]}'),
    ],
)
async def test_no_member_is_there_twice(
    house: ManagerHouse, method: str, path: str, body: str
) -> None:
    """What looked at it before may have read the first one; we would read the last."""
    before: Any = (balance(house), house.server.books.accounts[LOGIN].user.leverage)
    refused = await post(house, body, path, method=method)
    assert refused.status == 422
    assert refused.detail == [
        {"type": "unexpected", "loc": ["body"], "msg": "There is a member twice"}
    ]
    assert (balance(house), house.server.books.accounts[LOGIN].user.leverage) == before


@pytest.mark.parametrize("login", ["100_001", "100001.0", "%20100001", "+100001", "100001%0a"])
async def test_an_account_is_named_by_digits(house: ManagerHouse, login: str) -> None:
    """And by nothing that a reader makes an integer of somehow."""
    before = balance(house)
    refused = await post(house, '{"amount": 1}', f"/api/accounts/{login}/deposit")
    assert refused.status == 422
    assert refused.detail[0]["loc"] == ["path", "login"]
    assert balance(house) == before


async def test_a_member_of_a_later_version_makes_no_other_request() -> None:
    """What it is by default is not part of what was asked."""
    deposit = next(one for one in OPERATIONS if one.name == "deposit")
    sent = deposit.read(DEPOSIT, b'{"amount": 1, "comment": ""}')
    assert (
        canonical_request(deposit, sent) == b'["deposit", {"login": 100001}, {}, {"amount": 1.0}]'
    )
