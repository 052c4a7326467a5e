"""MetaTrader's integers and our words, both ways.

The words are MetaTrader's names in lower case; :data:`EXCEPTIONS` lists the few that read better
otherwise. :mod:`gateway.schemas.enums` declares them for the schema; a test keeps the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from typing import Final

from ea_bridge import model

# by enum first: members of different enums are equal, and hash the same, if their numbers are
EXCEPTIONS: Final[Mapping[type[IntEnum], Mapping[IntEnum, str]]] = {
    model.MarginMode: {
        model.MarginMode.RETAIL_NETTING: "netting",
        model.MarginMode.RETAIL_HEDGING: "hedging",
    },
    model.SymbolTradeMode: {
        model.SymbolTradeMode.LONGONLY: "long_only",
        model.SymbolTradeMode.SHORTONLY: "short_only",
        model.SymbolTradeMode.CLOSEONLY: "close_only",
    },
}


class OptionMode(IntEnum):
    """``SYMBOL_OPTION_MODE``: when an option may be exercised."""

    EUROPEAN = 0
    AMERICAN = 1


class OptionRight(IntEnum):
    """``SYMBOL_OPTION_RIGHT``."""

    CALL = 0
    PUT = 1


class Words(dict[int, str]):
    """Words of numbers; ``other_<number>`` of one that we don't know."""

    def __missing__(self, number: int) -> str:
        return f"other_{number}"


def _words(enum: type[IntEnum]) -> Words:
    exceptions = EXCEPTIONS.get(enum, {})
    return Words((int(one), exceptions.get(one, one.name.lower())) for one in enum)


def _flag_words(flags: type[IntFlag]) -> Words:
    return Words((int(flag), str(flag.name).lower()) for flag in flags)


ACCOUNT_TRADE_MODE: Final = _words(model.AccountTradeMode)
MARGIN_MODE: Final = _words(model.MarginMode)
STOPOUT_MODE: Final = _words(model.StopoutMode)
ORDER_TYPE: Final = _words(model.OrderType)
ORDER_STATE: Final = _words(model.OrderState)
ORDER_FILLING: Final = _words(model.OrderFilling)
ORDER_TIME: Final = _words(model.OrderTime)
ORDER_REASON: Final = _words(model.OrderReason)
POSITION_TYPE: Final = _words(model.PositionType)
POSITION_REASON: Final = _words(model.PositionReason)
DEAL_TYPE: Final = _words(model.DealType)
DEAL_ENTRY: Final = _words(model.DealEntry)
DEAL_REASON: Final = _words(model.DealReason)
SYMBOL_TRADE_MODE: Final = _words(model.SymbolTradeMode)
SYMBOL_EXECUTION: Final = _words(model.SymbolExecution)
SYMBOL_CALC_MODE: Final = _words(model.SymbolCalcMode)
SYMBOL_SWAP_MODE: Final = _words(model.SymbolSwapMode)
SYMBOL_GTC_MODE: Final = _words(model.SymbolGtcMode)
SYMBOL_CHART_MODE: Final = _words(model.SymbolChartMode)
OPTION_MODE: Final = _words(OptionMode)
OPTION_RIGHT: Final = _words(OptionRight)
DAY_OF_WEEK: Final = _words(model.DayOfWeek)
BOOK_TYPE: Final = _words(model.BookType)
FILLING_FLAG: Final = _flag_words(model.FillingFlag)
EXPIRATION_FLAG: Final = _flag_words(model.ExpirationFlag)
ORDER_FLAG: Final = _flag_words(model.OrderFlag)
COPY_TICKS: Final = _words(model.CopyTicks)
TIMEFRAME: Final = {int(member): member.name for member in model.Timeframe}


def flags(table: Words, mask: int) -> list[str]:
    """Return the words of the bits that are set, lowest first."""
    bits = (1 << bit for bit in range(mask.bit_length()))
    return [table[bit] for bit in bits if mask & bit]


def code(table: Mapping[int, str], name: str) -> int:
    """Return the number of a word.

    Raises:
        KeyError: the word is not in the table.

    """
    for number, known in table.items():
        if known == name:
            return number
    raise KeyError(name)
