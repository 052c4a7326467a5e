"""A gateway with an emulated MT4 server, and somebody who pays 10 in, under a key or without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from manager_house import ManagerHouse, open_house

from ea_bridge.mt4_manager.emulator import Population, build_manager
from gateway.mt4_manager import changes


@pytest_asyncio.fixture(name="running", scope="module", loop_scope="module")
async def running_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManagerHouse]:
    server = build_manager(password="the manager's at the server", population=Population(users=9))
    async with open_house(tmp_path_factory.mktemp("unknown") / "home", server) as opened:
        yield opened


@pytest_asyncio.fixture(name="house", loop_scope="module")
async def linked_house(running: ManagerHouse, monkeypatch: pytest.MonkeyPatch) -> ManagerHouse:
    """Linked and connected; what is not found is given up at once, what is not answered soon."""
    monkeypatch.setattr(changes, "SETTLE_S", 0)
    await running.begin_anew()
    return running


async def deposit(house: ManagerHouse, key: str, **headers: str) -> Any:
    """Pay 10 in."""
    keys = {"Idempotency-Key": key} if key else {}
    return await house.ask(
        "POST", "accounts/100001/deposit", {"amount": 10}, headers=keys | headers
    )


def balance(house: ManagerHouse) -> float:
    """Return what the books say."""
    user = house.server.books.accounts[100_001].user
    return user.balance


def states(house: ManagerHouse, key: str) -> str:
    """Return what the journal says of a key."""
    entry = house.manager.journal.find("admin", key)
    assert entry is not None
    return entry.state
