"""Two people of one console on one machine, who call their terminals by the same name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from console_site import Linked, Person, linked, site
from product import Running, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.session import TerminalSession
from ea_bridge.token import parse_token

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-two-users")]

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}


@dataclass
class Side:
    """One of them, with a terminal of the name ``main``."""

    person: Person
    running: Running
    login: int


@dataclass
class House:
    """The machine that they share."""

    daemon: Linked
    ann: Side
    bob: Side

    def session(self, side: Side) -> TerminalSession | None:
        """The live session of somebody's terminal."""
        tid = parse_token(side.running.token)
        found = [one for one in self.daemon.gateway.registry.sessions() if one.hello.tid == tid]
        return found[0] if found else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Both are linked, each approved by his own user; the tests go on from one another."""
    folder: Path = tmp_path_factory.mktemp("two-users")
    async with site(folder / "console") as one, linked(folder / "home", one.url) as daemon:
        sides = []
        for n, name in enumerate(("ann", "bob"), start=1):
            person = await one.person(name)
            running = await daemon.terminal(person, "main", build_terminal(seed=n))
            login = running.machine.handler.account().login
            sides.append(Side(person, running, login))
        house = House(daemon, *sides)
        for side in sides:

            def is_linked(side: Side = side) -> bool:
                return house.session(side) is not None

            await until(is_linked)
        yield house


async def test_each_reaches_his_own_account(house: House) -> None:
    """Over both doors, whoever came first."""
    assert house.ann.login != house.bob.login
    for side in (house.ann, house.bob, house.ann):
        for door in ("/rpc", "/ws"):
            client = await house.daemon.client(door, side.running.token)
            assert (await client.call("get_account_info"))["login"] == side.login


async def test_neither_sees_what_the_other_does(house: House) -> None:
    """An order is in one account, and only its owner hears of it."""
    ann = await house.daemon.ws(house.ann.running.token)
    bob = await house.daemon.ws(house.bob.running.token)
    for client in (ann, bob):
        await client.call("subscribe", channels=["positions", "tick:EURUSD"])
        await client.event("positions", lambda event: event["type"] == "snapshot")
    before = len(await ann.call("get_positions"))
    receipt = await bob.call("place_order", **BUY)
    opened = await bob.change("positions", "add")
    assert opened["ticket"] == receipt["order"]["position"]
    await ann.event("tick:EURUSD")
    assert len(await ann.call("get_positions")) == before
    heard = [one for one in ann.events if one["channel"] == "positions"]
    assert heard == []
    await bob.call("close_position", ticket=opened["ticket"])


async def test_metrics_tell_each_of_his_own_terminals(house: House) -> None:
    """However the other's is called on this machine."""
    url = (house.daemon.ready.rpc or "").removesuffix("/rpc") + "/metrics"
    for side, other in ((house.ann, house.bob), (house.bob, house.ann)):
        mine, session = house.session(side), house.session(other)
        assert mine is not None
        assert session is not None
        bearer = {"Authorization": f"Bearer {side.running.token}"}
        async with aiohttp.ClientSession(headers=bearer) as http, http.get(url) as response:
            text = await response.text()
        assert f'terminal="{mine.terminal}"' in text
        assert f'terminal="{session.terminal}"' not in text


async def test_the_links_do_not_throw_each_other_out(house: House) -> None:
    """One that breaks and comes back finds its own place; the other session is the same."""
    ann, bob = house.session(house.ann), house.session(house.bob)
    assert ann is not None
    assert ann is not bob
    house.bob.running.link.cut()
    await until(lambda: house.session(house.bob) not in (None, bob))
    assert house.session(house.ann) is ann
    client = await house.daemon.http(house.bob.running.token)
    await until(lambda: getattr(house.session(house.bob), "broker", None) is not None)
    assert (await client.call("get_account_info"))["login"] == house.bob.login


async def test_the_end_of_one_is_not_the_end_of_the_other(house: House) -> None:
    """A revocation ends its own user's connections and link alone."""
    ann = await house.daemon.ws(house.ann.running.token)
    bob = await house.daemon.ws(house.bob.running.token)
    await house.bob.person.revoke(house.bob.running.token)
    assert (await bob.closed())[0] == 4506
    await until(lambda: house.session(house.bob) is None)
    assert (await ann.call("get_account_info"))["login"] == house.ann.login
    receipt = await ann.call("place_order", **BUY)
    await ann.call("close_position", ticket=receipt["order"]["position"])
