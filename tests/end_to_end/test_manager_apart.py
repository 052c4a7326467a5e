"""The manager's peer and the terminals of one gateway: neither is ever taken for the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from commands import run
from manager_house import PEER, ManagerHouse, open_house
from product import TIMEOUT_S, Refused, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.emulator.link import LinkRefused as TerminalRefused
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.endpoint.link import LinkRefused
from ea_bridge.mt4_manager.emulator import ManagerLink

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-manager")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManagerHouse]:
    async with open_house(tmp_path_factory.mktemp("apart") / "home") as opened:
        yield opened


@pytest.fixture(scope="module")
def terminal() -> EmulatedTerminal:
    return build_terminal(watch=["EURUSD"])


def address(house: ManagerHouse) -> tuple[str, int]:
    host, _, port = house.product.ready.bridge.rpartition(":")
    return host, int(port)


async def test_bots_reach_their_terminal_and_not_the_manager(
    house: ManagerHouse, terminal: EmulatedTerminal
) -> None:
    """The peer's token opens no terminal; a terminal's token is no operator's."""
    main = await house.product.link("main", terminal)
    bot = await house.product.http(main.token)
    assert (await bot.call("get_account_info"))["login"] == terminal.handler.account().login
    stray = await house.product.http(house.token)
    with pytest.raises(Refused) as refused:
        await stray.call("get_account_info")
    assert refused.value.name == "terminal_disconnected"
    answered = await house.ask("GET", "users/", bearer=main.token)
    assert answered.status == 401
    assert (await house.get("users/?limit=1"))["total"] == len(house.server.books.accounts)
    await house.product.close_clients()


async def test_a_peer_comes_in_by_its_own_role_only(
    house: ManagerHouse, terminal: EmulatedTerminal
) -> None:
    """A terminal with the peer's token, a peer with a terminal's: both stay outside."""
    token = house.product.home.issuer.create("other")[0]
    ea = EmulatedLink(terminal, *address(house), house.token)
    peer = ManagerLink(house.server, *address(house), token)
    with pytest.raises(TerminalRefused) as terminals:
        await asyncio.wait_for(ea.run(), TIMEOUT_S)
    with pytest.raises(LinkRefused) as managers:
        await asyncio.wait_for(peer.run(), TIMEOUT_S)
    for refused in (terminals, managers):
        assert "not for a peer of that role" in str(refused.value)
    assert (await house.get("test/ping"))["ping"]


async def test_a_revoked_token_ends_the_peers_link(house: ManagerHouse) -> None:
    """At once, and it stays outside; the API says that nobody is there. (The last test here.)"""
    home = str(house.product.home.folder)
    done = await asyncio.to_thread(run, "token", "revoke", PEER, "--home", home)
    assert done.returncode == 0, done.stderr
    await until(lambda: house.manager.registry.get(PEER) is None)
    answered = await house.ask("GET", "test/ping")
    assert (answered.status, answered.headers["Retry-After"]) == (503, "5")
    assert (await house.get("test/status")) == {"status": "ok", "connected": False}
