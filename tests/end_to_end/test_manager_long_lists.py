"""Lists that come in pieces: how many at a time, and until when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from manager_house import ManagerHouse, open_house

from gateway.mt4_manager import OperatorRole
from gateway.mt4_manager import api as manager_api
from gateway.mt4_manager.api import answers

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-manager")]


@dataclass
class Halt:
    """The server answers the first piece of a list, and the others when it is told to."""

    asked: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    """Offsets of those that wait."""
    over: asyncio.Event = field(default_factory=asyncio.Event)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManagerHouse]:
    async with open_house(tmp_path_factory.mktemp("lists") / "home") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def halt(house: ManagerHouse, monkeypatch: pytest.MonkeyPatch) -> Halt:
    halt, ask = Halt(), house.manager.link.ask

    async def halting(command: Any, params: Any, **options: Any) -> Any:
        if offset := getattr(params, "offset", 0):
            halt.asked.put_nowait(offset)
            await halt.over.wait()
        return await ask(command, params, **options)

    monkeypatch.setattr(house.manager.link, "ask", halting)
    monkeypatch.setattr(answers, "PIECE", 20)
    return halt


def begin(house: ManagerHouse, role: OperatorRole = OperatorRole.READ) -> asyncio.Task[Any]:
    """Ask for all users."""
    return asyncio.create_task(house.ask("GET", "users/", role=role))


async def test_an_operator_has_so_many_at_a_time(
    house: ManagerHouse, halt: Halt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More are refused, and short ones are not; others have their own; afterwards there is room.

    Whoever asks for long lists and reads none of them would fill the memory.
    """
    monkeypatch.setattr(manager_api, "MAX_LONG_LISTS", 2)
    for _ in range(2):
        lists = [begin(house), begin(house)]
        for _ in lists:
            await halt.asked.get()
        refused = await house.ask("GET", "users/", role=OperatorRole.READ)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert "long lists" in refused.detail
        assert (await house.get("users/?limit=20", role=OperatorRole.READ))["total"] > 20
        lists.append(begin(house, OperatorRole.ADMIN))
        await halt.asked.get()
        halt.over.set()
        for done in await asyncio.gather(*lists):
            assert done.status == 200
            assert len(done.body["users"]) == done.body["total"]
        halt.over.clear()
        while not halt.asked.empty():
            halt.asked.get_nowait()


async def test_a_list_ends_with_its_token(house: ManagerHouse, halt: Halt) -> None:
    """An operator who is removed meanwhile does not get the rest of it, nor half a list that looks
    whole.
    """
    headers = {"Authorization": f"Bearer {house.bearers[OperatorRole.OPERATOR]}"}
    async with house.http.get(f"{house.url}/api/users/", headers=headers) as response:
        assert response.status == 200
        await halt.asked.get()
        got = await response.content.readany()
        house.manager.operators.remove("operator")
        halt.over.set()
        with pytest.raises(aiohttp.ClientError):
            got += await response.content.read()
    with pytest.raises(json.JSONDecodeError):
        json.loads(got)
    total = len(house.server.books.accounts)
    assert got.count(b'"login"') < total
