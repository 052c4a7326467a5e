"""Which of the broker's symbols a caller means, and which filling mode it gets."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import EURUSD, NOW_MS
from scripted_terminal import CATALOGUE, Scene

from ea_bridge.commands import SymbolParams
from ea_bridge.errors import CommandFailed, CommandTimeout
from ea_bridge.model import OrderFilling, SymbolName, TradeSession
from gateway.errors import AmbiguousSymbol, GatewayError, SymbolNotFound, Timeout
from gateway.trading.filling import FillingMemory
from gateway.trading.symbols import CONTRACT_S, affixes, candidates

BUY: dict[str, Any] = {"side": "buy", "volume": 0.1}


@pytest.mark.parametrize(
    ("name", "listed", "expected"),
    [
        ("EURUSD", ["EURUSD.r", "GBPUSD.r"], ["EURUSD.r"]),
        ("GBPUSD", ["EURUSDm", "GBPUSDm"], ["GBPUSDm"]),
        ("EURUSD", ["mEURUSD", "mGBPUSD"], ["mEURUSD"]),
        ("US30", ["EURUSD.r", "US30.r", "US300"], ["US30.r"]),
        ("eurusd", ["EURUSD", "EURUSD.r"], ["EURUSD"]),
        ("eurusd", ["EURUSD.r"], ["EURUSD.r"]),
        ("EURUSD", ["EURUSD.r", "EURUSD.m"], ["EURUSD.r", "EURUSD.m"]),
        ("EURUSD", ["EURUSD-ecn", "GBPUSD"], ["EURUSD-ecn"]),
        ("GOLD", ["EURUSD.r", "GOLDMINI"], []),
        ("EUR", ["EURUSD", "EURUSD.r"], []),
        ("EURUSD.r", ["EURUSD"], []),
        ("US30", ["US30.cash"], []),
        ("EURUSD", [], []),
    ],
)
def test_candidates(name: str, listed: list[str], expected: list[str]) -> None:
    """Another case before affixes; affixes are those of the broker's pairs, and no others."""
    assert candidates(name, listed) == expected


def test_affixes_are_short() -> None:
    """What is longer than an affix is another instrument."""
    assert affixes(["EURUSD", "EURUSD.r", "EURUSD_OPTION_MAY"]) == {("", ".r")}


def broker(scene: Scene, *names: str) -> None:
    """Let the broker have these symbols alone."""

    def symbol(params: SymbolParams) -> Any:
        if params.symbol not in names:
            return CommandFailed("symbol_get", 4301)
        return replace(EURUSD, name=params.symbol)

    scene.script.answers["symbol_get"] = symbol
    scene.script.answers["symbols_get"] = [SymbolName(name=name) for name in names]


async def test_the_answer_says_what_was_taken(scene: Scene) -> None:
    """The broker's name, and the caller's; the list is asked for once."""
    broker(scene, "EURUSD.r", "GBPUSD.r")
    receipt = await scene.ask("place_order", symbol="EURUSD", **BUY)
    assert receipt["order"]["symbol"] == "EURUSD.r"
    assert receipt["order"]["symbol_requested"] == "EURUSD"
    assert scene.script.sent[0].symbol == "EURUSD.r"
    asked = len(scene.script.asked_for("symbols_get"))
    await scene.ask("place_order", symbol="EURUSD", **BUY)
    assert len(scene.script.asked_for("symbols_get")) == asked
    assert len(scene.script.sent) == 2


async def test_the_very_name_comes_first(scene: Scene) -> None:
    """Whatever else fits."""
    broker(scene, "EURUSD", "EURUSD.r")
    receipt = await scene.ask("place_order", symbol="EURUSD", **BUY)
    assert (receipt["order"]["symbol"], receipt["order"]["symbol_requested"]) == (
        "EURUSD",
        "EURUSD",
    )
    assert "symbols_get" not in scene.script.ops()


async def test_an_ambiguous_name_is_refused(scene: Scene) -> None:
    """Nobody guesses: the candidates are named."""
    broker(scene, "EURUSD.r", "EURUSD.m")
    with pytest.raises(AmbiguousSymbol) as refused:
        await scene.ask("place_order", symbol="EURUSD", **BUY)
    assert refused.value.data["candidates"] == ["EURUSD.r", "EURUSD.m"]
    assert refused.value.data["outcome"] == "not_sent"
    assert not scene.script.sent


async def test_a_name_that_the_broker_has_given_up(scene: Scene) -> None:
    """What was learnt is looked at anew when it is not there any more, or after a while."""
    broker(scene, "EURUSD.r")
    await scene.ask("place_order", symbol="EURUSD", **BUY)
    broker(scene, "EURUSD.m")
    names = scene.state.symbols
    now_s = names.monotonic_s()
    names.monotonic_s = lambda: now_s + CONTRACT_S
    receipt = await scene.ask("place_order", symbol="EURUSD", **BUY)
    assert receipt["order"]["symbol"] == "EURUSD.m"
    broker(scene, "EURUSD", "EURUSD.m")
    names.monotonic_s = lambda: now_s + 1000
    receipt = await scene.ask("place_order", symbol="EURUSD", **BUY)
    assert receipt["order"]["symbol"] == "EURUSD"


async def test_nothing_fits(scene: Scene) -> None:
    """Then the nearest names are suggested, as before."""
    broker(scene, "EURUSD")
    with pytest.raises(SymbolNotFound) as refused:
        await scene.ask("place_order", symbol="EURUDS", **BUY)
    assert refused.value.data["did_you_mean"] == ["EURUSD"]


LOOKS: list[tuple[str, dict[str, Any]]] = [
    ("get_ohlc", {}),
    ("get_history_prices", {"from": NOW_MS - 60_000}),
    ("get_history_ticks", {}),
    ("get_market_book", {}),
    ("get_symbol_info", {}),
    ("get_sessions", {}),
    ("symbol_select", {}),
    ("order_calc_margin", BUY),
    ("order_calc_profit", {**BUY, "price_open": 1.08, "price_close": 1.09}),
    ("order_check", BUY),
    ("place_order", BUY),
    ("get_positions", {}),
    ("get_orders", {}),
    ("get_history_orders", {}),
    ("get_trailing_stops", {}),
    ("cancel_all_orders", {}),
    ("close_all_positions", {}),
]


@pytest.mark.parametrize(("method", "params"), LOOKS, ids=[name for name, _ in LOOKS])
async def test_a_name_is_understood_by_every_method(
    scene: Scene, method: str, params: dict[str, Any]
) -> None:
    """After the name was looked for, the terminal is asked by the broker's own alone."""
    broker(scene, "EURUSD.m", "GBPUSD.m")
    scene.script.answers["sessions_get"] = [
        TradeSession(day=day, from_s=0, to_s=86_400) for day in range(7)
    ]
    scene.script.answers["trails_get"] = []
    await scene.ask(method, symbol="eurusd", **params)
    asked = {
        getattr(asked, "symbol", None)
        for op, asked in scene.script.asked
        if op not in ("symbol_get", "symbols_get")
    }
    assert "eurusd" not in asked
    assert "EURUSD.m" in {getattr(asked, "symbol", None) for _, asked in scene.script.asked}


EXACT = {"get_native", "copy_rates", "copy_ticks"}
"""Methods for programs of the package MetaTrader5, to which a symbol is its broker's name."""


def test_every_method_with_a_symbol_is_tested_here() -> None:
    """``subscribe`` and ``unsubscribe`` have a test of their own."""
    named = {name for name in CATALOGUE if "symbol" in CATALOGUE[name].params.model_fields}
    assert named - {"subscribe", "unsubscribe"} - EXACT == {name for name, _ in LOOKS}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("get_native", {"kind": "symbol"}),
        ("copy_rates", {"timeframe": "M1", "start": 0, "count": 1}),
        ("copy_ticks", {"count": 1}),
    ],
)
async def test_a_native_method_asks_for_the_name_as_it_is(
    scene: Scene, method: str, params: dict[str, Any]
) -> None:
    """Another spelling is another symbol to the program, and there is none of that name."""
    broker(scene, "EURUSD.m")
    with suppress(GatewayError):
        await scene.ask(method, symbol="EURUSD", **params)
    asked = {getattr(asked, "symbol", None) for _, asked in scene.script.asked} - {None}
    assert asked == {"EURUSD"}


@pytest.mark.parametrize("method", ["cancel_all_orders", "close_all_positions"])
async def test_a_sweep_does_not_take_silence_for_nothing(scene: Scene, method: str) -> None:
    """A name that the terminal does not explain now would fit no position, and all seem closed."""
    broker(scene, "EURUSD.m", "GBPUSD.m")
    understood = scene.script.answers["symbol_get"]
    scene.script.answers["symbol_get"] = CommandTimeout("symbol_get", 10.0)
    with pytest.raises(Timeout) as caught:
        await scene.ask(method, symbol="eurusd")
    assert caught.value.data["outcome"] == "not_sent"
    scene.script.answers["symbol_get"] = understood
    await scene.ask(method, symbol="eurusd")


async def test_what_was_learnt_belongs_to_the_account_that_was_asked(scene: Scene) -> None:
    """The terminal is logged in elsewhere while it tells: there the name may mean another one."""
    broker(scene, "EURUSD.m", "GBPUSD.m")
    listed = scene.script.answers["symbols_get"]

    def switching(_: Any) -> Any:
        scene.hello = scene.script.hello = replace(scene.hello, login=999)
        return listed

    scene.script.answers["symbols_get"] = switching
    await scene.ask("get_symbol_info", symbol="EURUSD")
    broker(scene, "EURUSD", "EURUSD.m")
    found = await scene.ask("get_symbol_info", symbol="EURUSD")
    assert found["name"] == "EURUSD"


async def test_what_names_no_symbol_requests_none(scene: Scene) -> None:
    """A position is closed by its ticket."""
    receipt = await scene.ask("close_position", ticket=9123456789)
    assert (receipt["order"]["symbol"], receipt["order"]["symbol_requested"]) == ("EURUSD", None)


async def test_a_position_is_closed_in_its_own_symbol_alone(scene: Scene) -> None:
    """One of a symbol that the broker lists no more is closed in no other one."""
    broker(scene, "EURUSD.m", "GBPUSD.m")
    await scene.ask("get_symbol_info", symbol="EURUSD")
    with pytest.raises(SymbolNotFound) as caught:
        await scene.ask("close_position", ticket=9123456789)
    assert caught.value.data["outcome"] == "not_sent"
    assert scene.script.sent == []


# --- filling ------------------------------------------------------------------------------------


def test_what_was_accepted_comes_first() -> None:
    """By symbol and kind of order; the others keep their order."""
    memory = FillingMemory()
    modes = [OrderFilling.FOK, OrderFilling.IOC, OrderFilling.RETURN]
    assert memory.first("EURUSD", modes) == modes
    memory.accepted("EURUSD", OrderFilling.RETURN)
    assert memory.first("EURUSD", modes) == [
        OrderFilling.RETURN,
        OrderFilling.FOK,
        OrderFilling.IOC,
    ]
    assert memory.first("GBPUSD", modes) == modes
    assert memory.first("EURUSD", modes[:2]) == modes[:2], "what is not allowed is not tried"


async def test_a_refused_filling_is_not_tried_first_again(scene: Scene) -> None:
    """One second try, once; from then on the mode that the broker takes comes first."""
    done = scene.script.answers["order_send"]

    def takes_ioc(request: Any) -> Any:
        if request.type_filling == OrderFilling.FOK:
            return CommandFailed("order_send", 4756, 10030)
        return done(request)

    scene.script.answers["order_send"] = takes_ioc
    first = await scene.ask("place_order", symbol="EURUSD", **BUY)
    assert first["filling"] == {"chosen": "ioc", "tried": ["fok", "ioc"]}
    second = await scene.ask("place_order", symbol="EURUSD", **BUY)
    assert second["filling"] == {"chosen": "ioc", "tried": ["ioc"]}
    assert len(scene.script.sent) == 3
