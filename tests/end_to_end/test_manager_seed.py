"""Endpoints 1 to 8: the bodies that the published documentation shows, word for word; and who may
connect, disconnect and log in.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
import pytest_asyncio
from answered import Answered
from manager_house import OPERATOR_PASSWORD, PASSWORD, ManagerHouse, open_house
from product import until

from ea_bridge.mt4_manager.emulator import LOGIN, SERVER
from gateway.credentials.passwords import FREE_TRIES
from gateway.mt4_manager import OperatorRole

LISTED = "http://127.0.0.1:7402"
"""An origin whose pages may call ``/rpc``."""
CONNECT = {"server": SERVER, "login": LOGIN, "password": PASSWORD}

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-manager")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManagerHouse]:
    folder = tmp_path_factory.mktemp("seed") / "home"
    async with open_house(folder, origins=[LISTED]) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def house(running: ManagerHouse) -> ManagerHouse:
    """Linked and connected."""
    await running.begin_anew()
    return running


async def test_health(house: ManagerHouse) -> None:
    """Nobody has to log in to see whether API and service are there."""
    health = {"status": "ok", "service": "mt4-manager-api", "version": "1.0.0"}
    assert await house.get("health", role=None) == health
    service = {"status": "ok", "service": "mt4-service", "connected": True}
    assert await house.get("test/service-health", role=None) == service


async def test_who_starts_it_is_told_where_it_is(house: ManagerHouse) -> None:
    """The ready line has the address; a name and a password are the demo's alone."""
    assert house.product.ready.as_event()["manager"] == {"url": f"{house.url}/api"}


async def test_status_ping_and_time(house: ManagerHouse) -> None:
    """The time is told twice: as seconds, and as those seconds in UTC."""
    assert await house.get("test/status") == {"status": "ok", "connected": True}
    assert await house.get("test/ping") == {"status": "ok", "ping": True}
    clock = await house.get("test/server-time")
    documented = {"status", "server_time", "server_time_str"}
    assert set(clock) == documented | {"broker_time", "broker_time_str", "utc_offset_s"}
    assert abs(clock["server_time"] - time.time()) < 60
    told = datetime.strptime(clock["server_time_str"] + "+0000", "%Y-%m-%d %H:%M:%S UTC%z")
    assert told.timestamp() == clock["server_time"]
    assert clock["utc_offset_s"] in (2 * 3600, 3 * 3600), "that of most brokers, by season"
    assert clock["broker_time"] == clock["server_time"] + clock["utc_offset_s"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", clock["broker_time_str"])


async def test_connect_and_disconnect(house: ManagerHouse) -> None:
    """All MT4 operations fail between the two; what was told is kept, and comes back by itself."""
    gone = await house.ask("POST", "test/disconnect")
    assert (gone.status, gone.body) == (200, {"status": "ok", "message": "Disconnected"})
    assert await house.get("test/status") == {"status": "ok", "connected": False}
    assert (await house.get("test/service-health", role=None))["connected"] is False
    for path in ("users/", "test/ping", "symbols/EURUSD/price", "accounts/margins"):
        refused = await house.ask("GET", path)
        assert refused.status == 503
        assert "RET_NO_CONNECT" in refused.detail
        assert "POST its server, login and password to /api/test/connect" in refused.detail
        assert refused.headers["Retry-After"] == "5"
    await house.manager.supervision.look()
    assert not house.server.connected  # a disconnect stays
    back = await house.ask("POST", "test/connect", CONNECT)
    message = {"status": "ok", "message": "Connected and logged in successfully"}
    assert (back.status, back.body) == (200, message)
    house.server.lose_connection()
    await until(lambda: house.server.connected)  # its next heartbeat tells


async def test_a_connect_that_fails_changes_nothing(house: ManagerHouse) -> None:
    """A wrong password is a 400, an address without a server a 503; the old connection is back
    at once, though the server's API leaves it first.
    """
    for change, status in (({"password": "wrong"}, 400), ({"server": "127.0.0.1:444"}, 503)):
        refused = await house.ask("POST", "test/connect", CONNECT | change)
        assert refused.status == status
        assert "wrong" not in str(refused.body)
        assert (status != 503) or "answers at 127.0.0.1:444: check its" in refused.detail
        await until(lambda: house.server.connected)
    assert await house.get("test/status") == {"status": "ok", "connected": True}


async def test_a_login_by_form(house: ManagerHouse) -> None:
    """OAuth2's form; the token opens what its operator may do, and nothing else does."""
    form = {"username": "Read", "password": OPERATOR_PASSWORD, "grant_type": "password"}
    answered = await house.ask("POST", "auth/login", form=form, role=None)
    assert answered.status == 200
    assert set(answered.body) == {"access_token", "token_type"}
    assert answered.body["token_type"] == "bearer"
    bearer = answered.body["access_token"]
    assert (await house.ask("GET", "test/ping", bearer=bearer)).status == 200
    assert (await house.ask("POST", "test/disconnect", bearer=bearer)).status == 403
    peer = await house.ask("GET", "test/ping", bearer=house.token)  # a token of a terminal
    assert peer.status == 401
    rpc = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    async with house.http.post(
        f"{house.url}/rpc", json=rpc, headers={"Authorization": f"Bearer {bearer}"}
    ) as response:
        assert response.status == 401


async def test_a_login_that_fails(house: ManagerHouse) -> None:
    """A wrong password and an unknown name look the same, and are slowed down alike; a right
    one is never refused, whatever strangers have tried with the name.
    """
    seen = {}
    for name in ("operator", "nobody"):
        form = {"username": name, "password": "wrong"}
        tries: list[Answered] = []
        while not tries or tries[-1].status == 401:  # a try may take longer than the first waits
            tries.append(await house.ask("POST", "auth/login", form=form, role=None))
        assert len(tries) > FREE_TRIES + 1
        assert tries[-1].status == 429
        assert int(tries[-1].headers["Retry-After"]) >= 1
        seen[name] = tries[0].body, tries[-1].body
    assert seen["operator"] == seen["nobody"]
    right = {"username": "nobody", "password": OPERATOR_PASSWORD}
    assert (await house.ask("POST", "auth/login", form=right, role=None)).status in (401, 429)
    right["username"] = "operator"
    assert (await house.ask("POST", "auth/login", form=right, role=None)).status == 200
    form = {"username": "operator", "password": "wrong"}  # and then it begins anew
    assert (await house.ask("POST", "auth/login", form=form, role=None)).status == 401


@pytest.mark.parametrize(
    "form",
    [
        {"username": "read"},
        {"username": "read", "password": "x", "more": "y"},
        {"username": "", "password": "x"},
        {"username": "read", "password": "x" * 2000},
    ],
)
async def test_a_form_that_is_none(house: ManagerHouse, form: dict[str, str]) -> None:
    """What is wrong with it is told without saying back what was typed."""
    refused = await house.ask("POST", "auth/login", form=form, role=None)
    assert refused.status == 422
    assert {"type", "loc", "msg"} == set(refused.detail[0])
    as_json = await house.ask("POST", "auth/login", {"username": "a", "password": "b"}, role=None)
    assert as_json.status == 415


async def test_no_page_may_call_and_no_token_in_a_url(house: ManagerHouse) -> None:
    """Bearer tokens in a header are all that counts; also pages that may call ``/rpc`` may not."""
    for headers in (
        {"Origin": LISTED},
        {"Origin": "http://127.0.0.1:7403"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Cookie": "a=b"},
    ):
        for path, role in (("test/ping", OperatorRole.ADMIN), ("health", None)):
            refused = await house.ask("GET", path, headers=headers, role=role)
            assert refused.status == 403
    asked = {"Origin": LISTED, "Access-Control-Request-Method": "GET"}
    assert (await house.ask("OPTIONS", "test/ping", headers=asked)).status in (403, 405)
    leaked = await house.ask("GET", f"test/ping?access_token={house.bearers[OperatorRole.READ]}")
    assert leaked.status == 401


async def test_what_there_is_not(house: ManagerHouse) -> None:
    """A path that is none is a 404, a method that is none a 405."""
    assert (await house.ask("GET", "test/nothing")).status == 404
    refused = await house.ask("DELETE", "users/")
    assert refused.status == 405
    assert refused.headers["Allow"] == "GET, POST"


async def test_without_a_peer(house: ManagerHouse) -> None:
    """Nothing is connected, and everything else is a 503."""
    session = house.manager.registry.get("mt4")
    assert session is not None
    house.manager.registry._live.clear()
    try:
        assert await house.get("test/status") == {"status": "ok", "connected": False}
        assert (await house.get("test/service-health", role=None))["connected"] is False
        assert (await house.ask("GET", "users/")).status == 503
    finally:
        house.manager.registry._live["mt4"] = session
