"""The manager API over the real peer: HTTP, daemon, bridge, ctypes, the class of mtmanapi."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from manager_house import MANAGER, OPERATOR_PASSWORD, PEER, ManagerHouse
from manager_library import CREDENTIALS, Fake, compile_library
from msgspec.structs import asdict
from product import Product, daemon, until

from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.endpoint.link import PeerLink
from ea_bridge.mt4_manager.endpoint import ManagerConversation
from ea_bridge.mt4_manager.peer.manager_peer import ManagerPeer
from ea_bridge.mt4_manager.peer.records import TextCodec
from gateway.mt4_manager import OperatorRole

ANN = {"group": "demo", "name": "Ann Ö", "password": "Secret12", "leverage": 100, "id": "P-77"}

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("e2e-manager-library"),
]


@asynccontextmanager
async def linked(product: Product, fake: Fake, folder: Path, token: str) -> AsyncIterator[None]:
    """Keep the peer linked while the context lasts."""
    peer, pin = ManagerPeer(fake.path, folder, TextCodec()), DevicePin()
    host, _, port = product.ready.bridge.rpartition(":")
    link = PeerLink(
        lambda ready: ManagerConversation(peer, token, pin, ready, lambda _: None),
        host,
        int(port),
    )
    tasks = [asyncio.create_task(link.run()), asyncio.create_task(peer.supervise())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await peer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManagerHouse]:
    """A daemon with the peer; its server is the library's, and connected."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "peer").mkdir()
    fake: Any = Fake(compile_library(folder))
    fake.do("clear")
    async with daemon(folder / "home", manager=MANAGER) as product:
        manager = product.gateway.manager
        assert manager is not None
        bearers = {}
        for role in (OperatorRole.READ, OperatorRole.ADMIN):
            operator = await manager.operators.add(role.value, OPERATOR_PASSWORD, role)
            bearers[role] = manager.tokens.issue(operator)
        token = product.home.issuer.create(PEER)[0]
        async with linked(product, fake, folder / "peer", token), aiohttp.ClientSession() as http:
            house = ManagerHouse(product, fake, token, http, bearers)
            await until(lambda: manager.registry.get(PEER) is not None)
            answered = await house.ask("POST", "test/connect", asdict(CREDENTIALS))
            assert answered.status == 200, answered
            yield house
    fake.check()


@pytest_asyncio.fixture(loop_scope="module")
async def login(house: ManagerHouse) -> int:
    """A new account with 100 in it."""
    made = await house.ask("POST", "users/", ANN)
    assert made.status == 201, made
    found: int = made.body["user"]["login"]
    await pay(house, found, 100.0)
    return found


def library(house: ManagerHouse) -> Fake:
    """What the tests turn in the library's server."""
    assert isinstance(house.server, Fake)
    return house.server


async def pay(house: ManagerHouse, login: int, amount: float, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    path, body = f"accounts/{login}/deposit", {"amount": amount, "comment": "in"}
    return await house.ask("POST", path, body, headers=headers)


async def balance(house: ManagerHouse, login: int) -> float:
    found: float = (await house.get(f"users/{login}"))["user"]["balance"]
    return found


async def test_every_question_has_its_answer(house: ManagerHouse, login: int) -> None:
    """From the library's records, as the emulated server's are."""
    order = library(house).open_trade(login)
    for path, count in (
        ("test/ping", None),
        ("test/server-time", None),
        ("users/?search=ann", "users"),
        (f"users/{login}", None),
        (f"accounts/{login}/margin", None),
        ("accounts/margins", "margins"),
        ("trades/open", "trades"),
        (f"trades/open/{login}", "trades"),
        ("groups/", "groups"),
        ("groups/online", "online"),
        ("groups/demo", None),
        ("symbols/", "symbols"),
        ("symbols/EURUSD", None),
        ("symbols/EURUSD/price", None),
        ("server/config", None),
    ):
        body = await house.get(path)
        assert body["status"] == "ok", path
        assert count is None or body[count], path
    told = await house.get("test/server-time")
    assert told["server_time_str"] == "2026-03-07 16:43:34 UTC"
    found = await house.ask("POST", "admin/trades/lookup", {"orders": [order]})
    assert found.body["trades"][0]["login"] == login
    past = await house.ask("POST", f"trades/history/{login}", {"from": 0, "to": 2**31 - 1})
    assert [row["profit"] for row in past.body["trades"]] == [100.0]


async def test_a_user_is_made_and_changed(house: ManagerHouse, login: int) -> None:
    """With all that he has, his id among it; his passwords stay with the server."""
    changed = await house.ask("PUT", f"users/{login}", {"city": "Köln"})
    set_ = await house.ask("PUT", f"users/{login}/password", {"password": "Another12"})

    user = (await house.get(f"users/{login}"))["user"]
    assert (changed.status, set_.status) == (200, 200)
    assert (user["name"], user["id"], user["city"]) == ("Ann Ö", "P-77", "Köln")
    assert library(house).user(login).password == b"Another12"
    assert "Secret12" not in str(user)


async def test_a_text_that_the_server_cannot_hold_is_refused(
    house: ManagerHouse, login: int
) -> None:
    """Of a character that its code page lacks."""
    refused = await house.ask("PUT", f"users/{login}", {"city": "東京"})

    assert refused.status == 422


async def test_money_is_booked_once_with_a_key(house: ManagerHouse, login: int) -> None:
    """However often it is asked for."""
    first = await pay(house, login, 10.0, key=f"k-{login}")
    again = await pay(house, login, 10.0, key=f"k-{login}")

    assert (first.status, again.status) == (200, 200)
    assert first.body["order"] == again.body["order"]
    assert await balance(house, login) == 110.0


async def test_a_booking_that_the_server_took_with_it_is_found(
    house: ManagerHouse, login: int
) -> None:
    """The server is lost in the middle of the call. What became of it is in its history, by a
    clock that is months behind ours.
    """
    library(house).do("lose_after")
    asking = asyncio.create_task(pay(house, login, 10.0))
    await until(lambda: library(house).do("is_up") == 0)
    library(house).do("server", 1)
    answered = await asking

    assert answered.status == 200, answered
    assert await balance(house, login) == 110.0


async def test_a_booking_that_was_refused_is_not_made_later(
    house: ManagerHouse, login: int
) -> None:
    """More than there is."""
    body = {"amount": 1000.0, "comment": ""}
    refused = await house.ask("POST", f"accounts/{login}/withdraw", body)

    assert refused.status == 409
    assert await balance(house, login) == 100.0


async def test_operators_without_the_role_change_nothing(house: ManagerHouse, login: int) -> None:
    """Whatever peer there is."""
    body = {"amount": 1.0, "comment": ""}
    refused = await house.ask("POST", f"accounts/{login}/deposit", body, role=OperatorRole.READ)

    assert refused.status == 403
    assert await balance(house, login) == 100.0
