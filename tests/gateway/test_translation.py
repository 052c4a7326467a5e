"""From MetaTrader's nouns to what clients receive."""

from __future__ import annotations

import typing
from enum import IntEnum, IntFlag
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import TypeAdapter
from scripted_answers import ACCOUNT, DEAL, EURUSD, ORDER, POSITION

from ea_bridge import model
from gateway import shapes, translation
from gateway.clock import BrokerClock
from gateway.shapes import words as declared
from gateway.translation import words
from gateway.translation.words import OptionMode, OptionRight

CLOCK = BrokerClock()

PAIRS = [
    (words.ACCOUNT_TRADE_MODE, declared.AccountTradeMode, model.AccountTradeMode),
    (words.MARGIN_MODE, declared.MarginMode, model.MarginMode),
    (words.STOPOUT_MODE, declared.StopoutMode, model.StopoutMode),
    (words.ORDER_TYPE, declared.OrderType, model.OrderType),
    (words.ORDER_STATE, declared.OrderState, model.OrderState),
    (words.ORDER_FILLING, declared.OrderFilling, model.OrderFilling),
    (words.ORDER_TIME, declared.OrderTime, model.OrderTime),
    (words.ORDER_REASON, declared.OrderReason, model.OrderReason),
    (words.POSITION_TYPE, declared.PositionType, model.PositionType),
    (words.POSITION_REASON, declared.PositionReason, model.PositionReason),
    (words.DEAL_TYPE, declared.DealType, model.DealType),
    (words.DEAL_ENTRY, declared.DealEntry, model.DealEntry),
    (words.DEAL_REASON, declared.DealReason, model.DealReason),
    (words.SYMBOL_TRADE_MODE, declared.SymbolTradeMode, model.SymbolTradeMode),
    (words.SYMBOL_EXECUTION, declared.SymbolExecution, model.SymbolExecution),
    (words.SYMBOL_CALC_MODE, declared.SymbolCalcMode, model.SymbolCalcMode),
    (words.SYMBOL_SWAP_MODE, declared.SymbolSwapMode, model.SymbolSwapMode),
    (words.SYMBOL_GTC_MODE, declared.SymbolGtcMode, model.SymbolGtcMode),
    (words.SYMBOL_CHART_MODE, declared.SymbolChartMode, model.SymbolChartMode),
    (words.OPTION_MODE, declared.OptionMode, OptionMode),
    (words.OPTION_RIGHT, declared.OptionRight, OptionRight),
    (words.DAY_OF_WEEK, declared.DayOfWeek, model.DayOfWeek),
    (words.BOOK_TYPE, declared.BookType, model.BookType),
    (words.FILLING_FLAG, declared.OrderFilling, model.FillingFlag),
    (words.EXPIRATION_FLAG, declared.ExpirationFlag, model.ExpirationFlag),
    (words.ORDER_FLAG, declared.OrderFlag, model.OrderFlag),
    (words.TIMEFRAME, declared.Timeframe, model.Timeframe),
]


def literals(alias: Any) -> set[str]:
    """The words that a declared type lists."""
    parts = typing.get_args(alias) if typing.get_origin(alias) is not typing.Literal else (alias,)
    return {
        word
        for part in parts
        if typing.get_origin(part) is typing.Literal
        for word in typing.get_args(part)
    }


@pytest.mark.parametrize(
    ("table", "alias", "enum"), PAIRS, ids=[enum.__name__ for _, _, enum in PAIRS]
)
def test_every_number_has_its_declared_word(
    table: dict[int, str], alias: Any, enum: type[IntEnum] | type[IntFlag]
) -> None:
    """The schema's words, the table's and MetaTrader's members are the same."""
    assert set(table) == {int(member) for member in enum}
    assert set(table.values()) <= literals(alias)
    if enum is not model.FillingFlag:
        assert set(table.values()) == literals(alias)
    for number, word in table.items():
        assert words.code(table, word) == number


def test_unknown_numbers_are_told_not_hidden() -> None:
    """A newer terminal may know more; the schema allows for it."""
    assert translation.word(words.ORDER_TYPE, 99) == "other_99"
    assert translation.word(words.ORDER_TYPE, -1) == "other_-1"
    assert translation.flags(words.FILLING_FLAG, 1 | 8) == ["fok", "other_8"]
    assert translation.retcode_name(19999) == "other_19999"
    strange = translation.position(replace(POSITION, type=9, reason=77), CLOCK)
    TypeAdapter(shapes.Position).validate_python(strange, strict=True)
    assert (strange["type"], strange["reason"]) == ("other_9", "other_77")


MT4_MONEY = frozenset({"profit", "swap", "commission"})
"""Of MetaTrader 4's closed trades alone; clients get them as positions."""
NOUNS = [
    (ACCOUNT, shapes.AccountInfo, translation.account_info(ACCOUNT, "mt5"), frozenset()),
    (EURUSD, shapes.SymbolInfo, translation.symbol_info(EURUSD, CLOCK, "mt5"), frozenset()),
    (POSITION, shapes.Position, translation.position(POSITION, CLOCK), frozenset()),
    (
        ORDER,
        shapes.Order,
        translation.order(ORDER, CLOCK),
        {"_msc", "profit", "swap", "commission"},
    ),
    (DEAL, shapes.Deal, translation.deal(DEAL, CLOCK), frozenset()),
]


@pytest.mark.parametrize(
    ("noun", "shape", "told", "dropped"), NOUNS, ids=[shape.__name__ for _, shape, _, _ in NOUNS]
)
def test_nothing_of_a_noun_is_lost(
    noun: Any, shape: Any, told: dict[str, Any], dropped: frozenset[str]
) -> None:
    """Every property of MetaTrader's is a field of the shape under its own name; milliseconds
    are the one form of times."""
    TypeAdapter(shape).validate_python(told, strict=True)
    names = {
        name
        for name in noun.__struct_fields__
        if name not in dropped and not name.endswith("_msc")
    }
    assert names <= set(told)
    assert set(told) == set(shape.__annotations__)


def test_zeros_that_mean_none_are_null() -> None:
    """Prices, ids and times."""
    told = translation.order(model.Order(ticket=1, type=0, symbol="X"), CLOCK)
    for name in ("sl", "tp", "price_open", "time_setup", "broker_time_done", "position_id"):
        assert told[name] is None  # type: ignore[literal-required]  # of the shape
    held = translation.position(replace(POSITION, sl=0.0, tp=0.0), CLOCK)
    assert (held["sl"], held["tp"]) == (None, None)
    tick = translation.tick("X", model.Tick(1_000, 0.0, 0.0), CLOCK)
    assert (tick["bid"], tick["ask"], tick["last"], tick["volume"]) == (None, None, None, None)


def test_times_keep_their_milliseconds() -> None:
    """Where the terminal gives them; seconds otherwise."""
    told = translation.position(replace(POSITION, time=5, time_msc=5_123), CLOCK)
    assert told["broker_time"] == 5_123
    told = translation.position(replace(POSITION, time=5, time_msc=0), CLOCK)
    assert told["broker_time"] == 5_000


def test_volume_of_a_tick_goes_with_its_deal() -> None:
    """The exact volume where there is one."""
    tick = model.Tick(1_000, 1.0, 2.0, 1.5, 3, 56, 3.5)
    assert translation.tick("X", tick, CLOCK)["volume"] == 3.5
    assert translation.tick("X", replace_tick(tick, 0.0), CLOCK)["volume"] == 3.0


def replace_tick(tick: model.Tick, volume_real: float) -> model.Tick:
    """The same tick with another exact volume."""
    return model.Tick(
        tick.time_msc, tick.bid, tick.ask, tick.last, tick.volume, tick.flags, volume_real
    )
