"""``doctor`` before a terminal with the EA: each of the switches is named by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from ea_product import ea_product, running_ea
from linked_ea import Compile
from product import Product, until
from test_doctor import examine, patience, problems

__all__ = ["patience"]
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-doctor")]

SWITCHES = {
    "connected": ("broker", "log in"),
    "autotrading": ("autotrading", "press AutoTrading"),
    "mql_trade_allowed": ("ea_trading", "F7"),
    "trade_allowed": ("account_trading", "trading password"),
    "trade_expert": ("expert_trading", "ask the broker"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["mt5", "mt4"])
async def linked(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile, request: pytest.FixtureRequest
) -> AsyncIterator[Product]:
    """A daemon, and one terminal with the EA."""
    platform = request.param
    folder = tmp_path_factory.mktemp(f"ea-doctor-{platform}")
    async with ea_product(folder, compile_ea(platform), platform=platform) as one:
        yield one


async def turn(one: Product, switch: str, *, on: bool) -> None:
    """Turn a switch of the terminal, and wait until the daemon has heard of it."""
    session = one.gateway.registry.get("main")
    assert session is not None
    await running_ea(one).terminal.switch(**{switch: on})
    await until(lambda: session.broker is (on or switch != "connected"))
    trades = on or switch not in ("autotrading", "mql_trade_allowed")
    await until(lambda: session.autotrading is trades)


async def test_the_ea_is_the_one_that_came_along(linked: Product) -> None:
    """All is on, and the version is what ``install-ea`` would put there."""
    found = await examine(linked, linked.main.token)
    assert problems(found) == set()
    assert found["ea"]["verdict"] == "ok"


@pytest.mark.parametrize("switch", SWITCHES)
async def test_a_switch_is_off(linked: Product, switch: str) -> None:
    """It alone is a problem, and the remedy says where it is."""
    finding, remedy = SWITCHES[switch]
    await turn(linked, switch, on=False)
    try:
        found = await examine(linked, linked.main.token)
    finally:
        await turn(linked, switch, on=True)
    assert problems(found) == {finding}
    assert remedy in found[finding]["remedy"]
