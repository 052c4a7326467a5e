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
from gateway import schemas as shapes
from gateway.broker_time.clock import BrokerClock
from gateway.schemas import convert
from gateway.schemas import enums as declared
from gateway.schemas.convert import enums
from gateway.schemas.convert.enums import OptionMode, OptionRight

CLOCK = BrokerClock()

PAIRS = [
    (enums.ACCOUNT_TRADE_MODE, declared.AccountTradeMode, model.AccountTradeMode),
    (enums.MARGIN_MODE, declared.MarginMode, model.MarginMode),
    (enums.STOPOUT_MODE, declared.StopoutMode, model.StopoutMode),
    (enums.ORDER_TYPE, declared.OrderType, model.OrderType),
    (enums.ORDER_STATE, declared.OrderState, model.OrderState),
    (enums.ORDER_FILLING, declared.OrderFilling, model.OrderFilling),
    (enums.ORDER_TIME, declared.OrderTime, model.OrderTime),
    (enums.ORDER_REASON, declared.OrderReason, model.OrderReason),
    (enums.POSITION_TYPE, declared.PositionType, model.PositionType),
    (enums.POSITION_REASON, declared.PositionReason, model.PositionReason),
    (enums.DEAL_TYPE, declared.DealType, model.DealType),
    (enums.DEAL_ENTRY, declared.DealEntry, model.DealEntry),
    (enums.DEAL_REASON, declared.DealReason, model.DealReason),
    (enums.SYMBOL_TRADE_MODE, declared.SymbolTradeMode, model.SymbolTradeMode),
    (enums.SYMBOL_EXECUTION, declared.SymbolExecution, model.SymbolExecution),
    (enums.SYMBOL_CALC_MODE, declared.SymbolCalcMode, model.SymbolCalcMode),
    (enums.SYMBOL_SWAP_MODE, declared.SymbolSwapMode, model.SymbolSwapMode),
    (enums.SYMBOL_GTC_MODE, declared.SymbolGtcMode, model.SymbolGtcMode),
    (enums.SYMBOL_CHART_MODE, declared.SymbolChartMode, model.SymbolChartMode),
    (enums.OPTION_MODE, declared.OptionMode, OptionMode),
    (enums.OPTION_RIGHT, declared.OptionRight, OptionRight),
    (enums.DAY_OF_WEEK, declared.DayOfWeek, model.DayOfWeek),
    (enums.BOOK_TYPE, declared.BookType, model.BookType),
    (enums.FILLING_FLAG, declared.OrderFilling, model.FillingFlag),
    (enums.EXPIRATION_FLAG, declared.ExpirationFlag, model.ExpirationFlag),
    (enums.ORDER_FLAG, declared.OrderFlag, model.OrderFlag),
    (enums.TIMEFRAME, declared.Timeframe, model.Timeframe),
]


def literals(alias: Any) -> set[str]:
    """The words that a declared type lists."""
    type_ = alias.__value__
    parts = typing.get_args(type_) if typing.get_origin(type_) is not typing.Literal else (type_,)
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
        assert enums.code(table, word) == number


def test_unknown_numbers_are_told_not_hidden() -> None:
    """A newer terminal may know more; the schema allows for it."""
    assert enums.ORDER_TYPE[99] == "other_99"
    assert enums.ORDER_TYPE[-1] == "other_-1"
    assert convert.flags(enums.FILLING_FLAG, 1 | 8) == ["fok", "other_8"]
    assert convert.retcode_name(19999) == "other_19999"
    strange = convert.position(replace(POSITION, type=9, reason=77), CLOCK)
    TypeAdapter(shapes.Position).validate_python(strange, strict=True)
    assert (strange["type"], strange["reason"]) == ("other_9", "other_77")


MT4_MONEY = frozenset({"profit", "swap", "commission"})
"""Of MetaTrader 4's closed trades alone; clients get them as positions."""
NOUNS = [
    (ACCOUNT, shapes.AccountInfo, convert.account_info(ACCOUNT, "mt5"), frozenset()),
    (EURUSD, shapes.SymbolInfo, convert.symbol_info(EURUSD, CLOCK, "mt5"), frozenset()),
    (POSITION, shapes.Position, convert.position(POSITION, CLOCK), frozenset()),
    (
        ORDER,
        shapes.Order,
        convert.order(ORDER, CLOCK),
        {"_msc", "profit", "swap", "commission"},
    ),
    (DEAL, shapes.Deal, convert.deal(DEAL, CLOCK), frozenset()),
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
    told = convert.order(model.Order(ticket=1, type=0, symbol="X"), CLOCK)
    for name in ("sl", "tp", "price_open", "time_setup", "broker_time_done", "position_id"):
        assert told[name] is None  # type: ignore[literal-required]  # of the shape
    held = convert.position(replace(POSITION, sl=0.0, tp=0.0), CLOCK)
    assert (held["sl"], held["tp"]) == (None, None)
    tick = convert.tick("X", model.Tick(1_000, 0.0, 0.0), CLOCK)
    assert (tick["bid"], tick["ask"], tick["last"], tick["volume"]) == (None, None, None, None)


def test_times_keep_their_milliseconds() -> None:
    """Where the terminal gives them; seconds otherwise."""
    told = convert.position(replace(POSITION, time=5, time_msc=5_123), CLOCK)
    assert told["broker_time"] == 5_123
    told = convert.position(replace(POSITION, time=5, time_msc=0), CLOCK)
    assert told["broker_time"] == 5_000


def test_volume_of_a_tick_goes_with_its_deal() -> None:
    """The exact volume where there is one."""
    tick = model.Tick(1_000, 1.0, 2.0, 1.5, 3, 56, 3.5)
    assert convert.tick("X", tick, CLOCK)["volume"] == 3.5
    assert convert.tick("X", replace_tick(tick, 0.0), CLOCK)["volume"] == 3.0


def replace_tick(tick: model.Tick, volume_real: float) -> model.Tick:
    """The same tick with another exact volume."""
    return model.Tick(
        tick.time_msc, tick.bid, tick.ask, tick.last, tick.volume, tick.flags, volume_real
    )
