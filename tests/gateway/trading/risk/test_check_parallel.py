"""Many orders at once against one limit: never past it, and all of it can be used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from market_of_one import WORTH, GrowingAccount
from msgspec.structs import replace
from scripted_answers import ACCOUNT, DONE
from scripted_terminal import CATALOGUE, Scene

from ea_bridge.commands import Command
from ea_bridge.errors import CommandFailed
from ea_bridge.model import TradeRequest, TradeResult
from ea_bridge.model.struct import Struct
from gateway.errors import LimitExceeded, RiskLimit
from gateway.trading.limits import TradingLimits
from gateway.trading.risk.counters import SETTLE_S, Reservation

RUSH = 100
BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
LIMIT = {"symbol": "EURUSD", "type": "buy_limit", "volume": 0.1, "price": 1.08}


@dataclass(frozen=True)
class Cap:
    """A limit that seven of the orders fill."""

    rule: str
    limits: TradingLimits
    order: dict[str, object]


FITTING = 7
CAPS = [
    Cap("max_open_lots", TradingLimits(max_open_lots=Decimal("0.75")), BUY),
    Cap("max_open_lots", TradingLimits(max_open_lots=Decimal("0.7")), LIMIT),
    Cap("max_positions", TradingLimits(max_positions=7), BUY),
    Cap("max_pending_orders", TradingLimits(max_pending_orders=7), LIMIT),
    Cap("max_notional", TradingLimits(max_notional=Decimal(str(0.75 * WORTH))), BUY),
]


def names(cap: Cap) -> str:
    return f"{cap.rule}-{cap.order.get('type', 'market')}"


@pytest.mark.parametrize("cap", CAPS, ids=names)
async def test_a_hundred_at_once_fill_a_limit(cap: Cap, scene: Scene) -> None:
    """A terminal that answers in order: exactly as many pass as fit; the others hear numbers."""
    account = GrowingAccount(scene)
    refused = await account.rush(cap.limits, RUSH, **cap.order)
    assert len(account.positions) + len(account.orders) == FITTING
    assert len(refused) == RUSH - FITTING
    for error in refused:
        assert isinstance(error, RiskLimit)
        assert error.data["rule"] == cap.rule
        assert error.data["value"] > error.data["limit"]
        assert error.data["outcome"] == "not_sent"
    lists = len(scene.script.asked_for("positions_get"))
    assert lists < RUSH, "those who come at once share the answers"


SEEDS = [
    *range(3),
    *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 60)),
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cap", CAPS, ids=names)
async def test_none_passes_a_limit_whatever_comes_late(cap: Cap, seed: int, scene: Scene) -> None:
    """Facts and results out of order, some orders refused by the broker: the limit holds at every
    moment. Once all is quiet, what is left of it can be used up, and no more.
    """
    account = GrowingAccount(scene, seed=seed, most_steps=2 + 5 * (seed % 7), refuses=20)
    await account.rush(cap.limits, 30, **cap.order)
    assert len(account.positions) + len(account.orders) <= FITTING
    account._refuses = 0
    for _ in range(FITTING):
        await account.rush(cap.limits, 1, **cap.order)
    assert len(account.positions) + len(account.orders) == FITTING


async def test_a_list_may_lag_behind_a_result(scene: Scene) -> None:
    """Some terminals list a position a moment after they have confirmed it."""
    account = GrowingAccount(scene)
    limits = TradingLimits(max_open_lots=Decimal("0.2"))
    scene.script.answers["positions_get"] = []
    assert not await account.rush(limits, 2, **BUY)
    (error,) = await account.rush(limits, 1, **BUY)
    assert error.data["value"] == pytest.approx(0.3)
    clock = scene.state.risk.counters(scene.guarded).reservations
    now_s = clock._monotonic_s()
    clock._monotonic_s = lambda: now_s + SETTLE_S
    assert not await account.rush(limits, 1, **BUY), "after that the list is the truth"


async def test_a_position_that_is_closed_at_once_leaves_room(scene: Scene) -> None:
    """Whether the lists have ever shown it or not."""
    account = GrowingAccount(scene)
    limits = TradingLimits(max_positions=1)
    for looks in range(4):
        assert not await account.rush(limits, 1, **BUY)
        for _ in range(looks):
            assert await account.rush(limits, 1, **BUY)
        (held,) = account.positions
        if looks < 2:
            close = CATALOGUE["close_position"]
            await close.answer(scene.call(), {"ticket": held.ticket})
        account.positions.clear()  # the others by their stop loss


async def test_what_failed_leaves_room(scene: Scene) -> None:
    """What the broker refused takes nothing of a limit; what is unknown does."""
    account = GrowingAccount(scene, refuses=100)
    limits = TradingLimits(max_open_lots=Decimal("0.1"))
    for _ in range(3):
        (error,) = await account.rush(limits, 1, **BUY)
        assert error.data["outcome"] == "rejected"
    account._refuses = 0
    assert not await account.rush(limits, 1, **BUY)
    (error,) = await account.rush(limits, 1, **BUY)
    assert error.data["rule"] == "max_open_lots"


@pytest.mark.parametrize(
    ("rule", "limits", "error"),
    [
        ("max_orders_per_minute", TradingLimits(max_orders_per_minute=7), RiskLimit),
        ("max_orders_per_day", TradingLimits(max_orders_per_day=7), RiskLimit),
        ("max_identical_orders", TradingLimits(max_identical_orders=7), RiskLimit),
        (
            "max_symbol_orders",
            TradingLimits(max_symbol_orders=7, symbol_window_s=60.0),
            RiskLimit,
        ),
        (
            "orders_per_second",
            TradingLimits(orders_per_second=Decimal("0.001"), order_burst=7),
            LimitExceeded,
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_a_hundred_at_once_against_a_pace(
    rule: str, limits: TradingLimits, error: type[Exception], scene: Scene
) -> None:
    """Counts hold as well when all come at once."""
    account = GrowingAccount(scene, seed=3, most_steps=9)
    refused = await account.rush(limits, RUSH, **BUY)
    assert len(account.positions) == FITTING
    assert {(type(one), one.data["rule"]) for one in refused} == {(error, rule)}


async def test_margin_on_its_way_counts(scene: Scene) -> None:
    """Two orders that the free margin suffices for, one by one, and not together."""
    account = GrowingAccount(scene)
    scene.script.answers["account_get"] = replace(ACCOUNT, margin_free=7 * 108.55)
    refused = await account.rush(TradingLimits(check_margin=True), 8, **BUY)
    assert len(account.positions) == FITTING
    assert [one.data["rule"] for one in refused] == ["free_margin"]


# --- netting ------------------------------------------------------------------------------------


@pytest.fixture
def netting() -> Scene:
    """An account whose symbols have one position each."""
    return Scene(mode="netting")


@pytest.mark.parametrize(
    ("held", "side", "volume", "passes"),
    [
        (0.5, "buy", 0.5, True),
        (0.5, "buy", 0.51, False),
        (0.5, "sell", 1.5, True),
        (0.5, "sell", 1.51, False),
        (-0.5, "buy", 1.5, True),
        (-0.5, "sell", 0.51, False),
    ],
)
async def test_a_netting_position_counts_with_its_sign(
    netting: Scene, held: float, side: str, volume: float, passes: bool
) -> None:
    """What turns a position around may be as large as both ends allow."""
    account = GrowingAccount(netting)
    start = {"symbol": "EURUSD", "side": "buy" if held > 0 else "sell", "volume": abs(held)}
    assert not await account.rush(TradingLimits(), 1, **start)
    limits = TradingLimits(max_open_lots=Decimal("1.0"))
    order = {"symbol": "EURUSD", "side": side, "volume": volume}
    refused = await account.rush(limits, 1, **order)
    assert not refused if passes else refused[0].data["rule"] == "max_open_lots"


async def test_a_netting_symbol_has_one_position(netting: Scene) -> None:
    """More of a symbol that is open is no further position."""
    account = GrowingAccount(netting)
    limits = TradingLimits(max_positions=1)
    assert not await account.rush(limits, 3, **BUY)
    (error,) = await account.rush(limits, 1, **{**BUY, "symbol": "GBPUSD"})
    assert (error.data["rule"], error.data["value"]) == ("max_positions", 2)


async def test_an_order_that_adds_nothing_is_not_held_to_a_limit(netting: Scene) -> None:
    """A limit that was set too late does not keep anybody from reducing."""
    account = GrowingAccount(netting)
    assert not await account.rush(TradingLimits(), 1, **{**BUY, "volume": 2.0})
    limits = TradingLimits(max_open_lots=Decimal("1.0"))
    assert not await account.rush(limits, 1, **{**BUY, "side": "sell"})
    (error,) = await account.rush(limits, 1, **BUY)
    assert error.data["rule"] == "max_open_lots"


async def test_an_order_under_way_the_other_way_makes_no_room(netting: Scene) -> None:
    """It may come to nothing, and then a limit that is exceeded would be exceeded further."""
    account = GrowingAccount(netting)
    assert not await account.rush(TradingLimits(), 1, **{**BUY, "volume": 2.0})
    sale = Reservation(
        client_order_id="a", symbol="EURUSD", volume=Decimal(5), buys=False, waits=False
    )
    netting.state.risk.counters(netting.guarded).reservations.hold(sale)
    (error,) = await account.rush(TradingLimits(max_open_lots=Decimal("1.0")), 1, **BUY)
    assert error.data["rule"] == "max_open_lots"


SALE = {"symbol": "EURUSD", "side": "sell", "volume": 2.0}
ONE_LOT = TradingLimits(max_open_lots=Decimal("1.0"))


@dataclass(frozen=True)
class HeldTrade:
    """A trade at the terminal, which has not begun with it."""

    came: asyncio.Event
    goes_on: asyncio.Event


def hold_up(
    scene: Scene, answer: Callable[[TradeRequest], TradeResult | CommandFailed]
) -> HeldTrade:
    """Hold the next trade up at the terminal, which then answers so."""
    held = HeldTrade(asyncio.Event(), asyncio.Event())
    ask = scene.script.request

    async def request(command: Command[Any, Any], params: Struct, **rest: Any) -> Any:
        if command.op == "order_send":
            scene.script.request = ask  # type: ignore[method-assign]  # the next one goes on
            held.came.set()
            await held.goes_on.wait()
            scene.script.answers["order_send"] = answer
        return await ask(command, params, **rest)

    scene.script.request = request  # type: ignore[method-assign]  # the way is longer
    return held


@pytest.mark.parametrize("is_closed", [True, False])
async def test_no_order_counts_on_a_position_that_a_close_is_under_way_for(
    netting: Scene, is_closed: bool
) -> None:
    """A sale of two lots turns a lot round, and is beyond the limit once that is closed."""
    account = GrowingAccount(netting)
    assert not await account.rush(ONE_LOT, 1, **{**BUY, "volume": 1.0})
    (position,) = account.positions

    def close(request: TradeRequest) -> TradeResult | CommandFailed:
        if not is_closed:
            return CommandFailed("order_send", 4756, 10006)
        account.positions.clear()
        return replace(DONE, order=2000, position=position.ticket, volume=request.volume)

    trade = netting.script.answers["order_send"]
    held = hold_up(netting, close)
    closing = asyncio.create_task(
        CATALOGUE["close_position"].answer(netting.call(), {"ticket": position.ticket})
    )
    await held.came.wait()
    (error,) = await account.rush(ONE_LOT, 1, **SALE)
    assert (error.data["rule"], error.data["value"]) == ("max_open_lots", 2.0)
    # what comes of it is known: a lot may be sold again once it is closed, or two if it is not
    held.goes_on.set()
    await asyncio.wait([closing])
    assert (closing.exception() is None) is is_closed
    netting.script.answers["order_send"] = trade
    order = {**SALE, "volume": 1.0} if is_closed else SALE
    assert not await account.rush(ONE_LOT, 1, **order)


async def test_a_close_that_lists_do_not_show_yet_counts(netting: Scene) -> None:
    """Some terminals list a position a moment longer than there is one."""
    account = GrowingAccount(netting)
    assert not await account.rush(ONE_LOT, 1, **{**BUY, "volume": 1.0})
    (position,) = account.positions
    answer = replace(DONE, order=2000, position=position.ticket, volume=1.0)
    trade = netting.script.answers["order_send"]
    netting.script.answers["order_send"] = answer
    await CATALOGUE["close_position"].answer(netting.call(), {"ticket": position.ticket})
    netting.script.answers["order_send"] = trade
    (error,) = await account.rush(ONE_LOT, 1, **SALE)
    assert error.data["rule"] == "max_open_lots"
    clock = netting.state.risk.counters(netting.guarded).reservations
    now_s = clock._monotonic_s()
    clock._monotonic_s = lambda: now_s + SETTLE_S
    assert not await account.rush(ONE_LOT, 1, **SALE), "after that the list is the truth"
