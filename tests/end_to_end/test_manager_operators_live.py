"""Operators of a gateway that runs: their rights, paces and successors, the trail, long lists."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from manager_house import OPERATOR_PASSWORD, PASSWORD, ManagerHouse, open_house
from product import until

from ea_bridge.mt4_manager.emulator import LOGIN, SERVER, Population, build_manager
from gateway.http.rate_limit import RateLimiter
from gateway.mt4_manager import OperatorRole, access
from gateway.mt4_manager.api import answers
from gateway.storage.store import StoreError

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-manager")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManagerHouse]:
    async with open_house(tmp_path_factory.mktemp("live") / "home", max_amount=1000.0) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def house(running: ManagerHouse) -> ManagerHouse:
    """Linked and connected."""
    await running.begin_anew()
    return running


async def trail(house: ManagerHouse) -> list[dict[str, Any]]:
    """Return the audit trail."""
    gateway = house.product.gateway
    await gateway.audit.written()
    rows = gateway.ledger.reader.all("SELECT entry FROM audit ORDER BY n")
    return [json.loads(row["entry"]) for row in rows]


async def test_a_role_that_is_taken_away_ends_at_once(house: ManagerHouse) -> None:
    """With the next request, and for a change that waits for its turn at the journal."""
    operators = house.manager.operators
    path, body = "accounts/100001/deposit", {"amount": 1}
    assert (await house.ask("POST", path, body, role=OperatorRole.OPERATOR)).status == 200
    operators.set_role("operator", OperatorRole.READ)
    try:
        refused = await house.ask("POST", path, body, role=OperatorRole.OPERATOR)
        assert refused.status == 403
        assert (await house.ask("GET", "test/ping", role=OperatorRole.OPERATOR)).status == 200
    finally:
        operators.set_role("operator", OperatorRole.OPERATOR)


async def test_rights_are_looked_at_right_before_the_bytes(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role that goes while the row is written stops the change, which is then not sent."""
    journal, operators = house.manager.journal, house.manager.operators
    begin = journal.begin

    async def slow(entry: Any) -> Any:
        begun = await begin(entry)
        operators.set_role("operator", OperatorRole.READ)
        return begun

    monkeypatch.setattr(journal, "begin", slow)
    before = house.server.books.accounts[100_001].user.balance
    try:
        sent = {"Idempotency-Key": "rights"}
        path, body = "accounts/100001/deposit", {"amount": 1}
        refused = await house.ask("POST", path, body, role=OperatorRole.OPERATOR, headers=sent)
        assert refused.status == 401
    finally:
        operators.set_role("operator", OperatorRole.OPERATOR)
    assert house.server.books.accounts[100_001].user.balance == before
    entry = journal.find("operator", "rights")
    assert entry is not None
    assert entry.state == "not_sent"


async def test_no_more_than_the_configuration_says(house: ManagerHouse) -> None:
    """``max_amount`` bounds each booking, in and out."""
    for how, amount in (("deposit", 1000.01), ("withdraw", 5000), ("credit", -2000)):
        refused = await house.ask("POST", f"accounts/100001/{how}", {"amount": amount})
        assert refused.status == 403
        assert "max_amount" in refused.detail


async def test_no_more_is_moved_by_changing_what_was_booked(house: ManagerHouse) -> None:
    """Nor by an administrator, who may change the records of a booking and delete them."""
    booked = await house.ask("POST", "accounts/100001/deposit", {"amount": 900})
    order = booked.body["order"]
    change, gone = f"admin/trades/{order}/modify", {"orders": [order], "fix_balance": True}
    refused = await house.ask("PUT", change, {"profit": 2000.0})
    assert (refused.status, "max_amount" in refused.detail) == (403, True)
    key = {"Idempotency-Key": "to-1800"}
    assert (await house.ask("PUT", change, {"profit": 1800.0}, headers=key)).status == 200
    refused = await house.ask("POST", "admin/trades/delete", gone)
    assert (refused.status, "max_amount" in refused.detail) == (403, True)
    assert (await house.ask("PUT", change, {"profit": 820.0})).status == 200
    assert (await house.ask("PUT", change, {"profit": 1800.0}, headers=key)).status == 200  # again
    assert (await house.ask("PUT", change, {"profit": 900.0})).status == 200
    assert (await house.ask("POST", "admin/trades/delete", gone)).status == 200


async def test_an_amount_of_nothing_allows_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """0 is no way to write that there is no limit."""
    home = tmp_path_factory.mktemp("none") / "home"
    async with open_house(home, max_amount=0) as house:
        refused = await house.ask("POST", "accounts/100001/deposit", {"amount": 0.01})
        assert (refused.status, "max_amount" in refused.detail) == (403, True)


async def test_a_successor_comes_in_a_header(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of answers and of errors alike, close to the end; it opens what the old one opened."""
    fresh = await house.ask("GET", "test/ping", role=OperatorRole.READ)
    assert "X-Access-Token" not in fresh.headers
    monkeypatch.setattr(access, "REFRESH_S", access.LIFETIME_S)
    told = [
        (await house.ask(method, path, role=OperatorRole.READ)).headers["X-Access-Token"]
        for method, path in (("GET", "test/ping"), ("POST", "test/disconnect"), ("GET", "users/0"))
    ]
    assert len(set(told)) == 1
    assert (await house.ask("GET", "test/ping", bearer=told[0])).status == 200


async def test_an_operator_has_a_pace(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks more often than the configuration allows is told when to come again; others do
    not wait for him.
    """
    rate = house.manager.api._services.rate
    monkeypatch.setattr(rate, "_per_second", 0.01)
    monkeypatch.setattr(rate, "_limiter", RateLimiter(3, 0.01, time.monotonic, max_callers=8))
    statuses = [
        (await house.ask("GET", "test/ping", role=OperatorRole.READ)).status for _ in range(4)
    ]
    assert statuses == [200, 200, 200, 429]
    refused = await house.ask("GET", "test/ping", role=OperatorRole.READ)
    assert int(refused.headers["Retry-After"]) > 1
    assert (await house.ask("GET", "test/ping", role=OperatorRole.ADMIN)).status == 200


async def test_a_long_list_comes_in_pieces(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says the same as a short one; where the server is lost meanwhile it is cut off."""
    whole = await house.get("users/?limit=100000")
    monkeypatch.setattr(answers, "PIECE", 7)
    pieces = await house.ask("GET", "users/?limit=100000")
    assert pieces.body == whole
    assert pieces.headers["Transfer-Encoding"] == "chunked"
    assert pieces.headers["Cache-Control"] == "no-store"
    asked = 0
    real = house.server._answers["users_request"]

    def lost(params: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:
            house.server.lose_connection()
            house.server._check_connected()
        return real(params)

    monkeypatch.setitem(house.server._answers, "users_request", lost)
    with pytest.raises(aiohttp.ClientPayloadError):
        await house.ask("GET", "users/?limit=100000")


async def test_changes_are_in_the_trail_and_secrets_nowhere(
    house: ManagerHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """Who did what, to what, and what came of it; refusals too."""
    caplog.set_level(logging.DEBUG)
    new = {"group": "demoforex", "name": "Zed Hidden", "password": "Secret12", "leverage": 100}
    made = await house.ask("POST", "users/", new, role=OperatorRole.OPERATOR)
    login = made.body["user"]["login"]
    await house.ask("PUT", f"users/{login}/password", {"password": "Secret99"})
    await house.ask("POST", f"accounts/{login}/deposit", {"amount": 3, "comment": "first"})
    await house.ask("POST", f"accounts/{login}/withdraw", {"amount": 4})
    await house.ask("POST", "test/disconnect", role=OperatorRole.READ)
    await house.ask("POST", "test/disconnect")
    connect = {"server": SERVER, "login": LOGIN, "password": PASSWORD}
    await house.ask("POST", "test/connect", connect)
    form = {"username": "admin", "password": OPERATOR_PASSWORD}
    bearer = (await house.ask("POST", "auth/login", form=form, role=None)).body["access_token"]
    lines = [
        (one["event"], one.get("actor"), one.get("object"), one.get("outcome"))
        for one in await trail(house)
    ]
    for wanted in (
        ("manager_change", "manager:operator", "create_user", "done"),
        ("manager_change", "manager:admin", "set_user_password", "done"),
        ("manager_change", "manager:admin", "deposit", "sending"),
        ("manager_change", "manager:admin", "deposit", "done"),
        ("manager_change", "manager:admin", "withdraw", "refused"),
        ("manager_refused", "manager:read", "disconnect", "refused"),
        ("manager_disconnect", "manager:admin", None, None),
        ("manager_connect", "manager:admin", None, "done"),
        ("manager_login", "manager:admin", None, None),
    ):
        assert wanted in lines, wanted
    files = b"".join(
        one.read_bytes() for one in house.product.home.folder.rglob("*") if one.is_file()
    )
    told = files + caplog.text.encode()
    for secret in ("Secret12", "Secret99", PASSWORD, OPERATOR_PASSWORD, bearer, house.token):
        assert secret.encode() not in told
    assert "Zed Hidden" not in str(await trail(house))  # who somebody is stays out of it


async def test_the_connection_is_kept_for_the_next_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A gateway that starts anew connects the peer by itself, with the sealed password; after a
    disconnect it does not.
    """
    folder = tmp_path_factory.mktemp("kept") / "home"
    server = build_manager(password=PASSWORD, population=Population(users=3))
    async with open_house(folder, server):
        assert server.connected
    server.lose_connection()
    async with open_house(folder, server, again=True, told=False) as house:
        await until(lambda: server.connected)
        await house.ask("POST", "test/disconnect")
    async with open_house(folder, server, again=True, told=False) as house:
        assert await house.get("test/status") == {"status": "ok", "connected": False}
        await house.manager.supervision.look()
        assert not server.connected


async def test_a_database_that_cannot_be_read_is_told_as_the_api_describes(
    house: ManagerHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose token it is cannot be looked up: that says nothing against the token."""

    def fail(_: str) -> None:
        raise StoreError("the disk reports errors")

    monkeypatch.setattr(house.manager.tokens, "admit", fail)
    answered = await house.ask("GET", "test/ping")
    assert answered.status == 500
    assert "database" in answered.body["detail"]
    monkeypatch.undo()
    await house.get("test/ping")
