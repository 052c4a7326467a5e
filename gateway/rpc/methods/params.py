"""Types of params, with what each accepts and is read as; cursors of long answers.

Clients of MetaTrader are used to its integers and upper-case names, so words are read in any case,
with or without MetaTrader's prefix, and as MetaTrader's number. Numbers may be JSON numbers or
strings and are read as decimals. Times are UTC milliseconds or ISO 8601 with an offset; anything
that could be seconds is refused, since a wrong guess would be off by fifty years.

A cursor is a moment on the broker's clock, in milliseconds, and how many items of that moment have
been told already: items that come in later, or an offset that is learnt meanwhile, neither shift
nor repeat a page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from ea_bridge.model import Order, Position
from gateway.errors import InvalidParams
from gateway.schemas import enums as shapes
from gateway.schemas.convert import enums
from gateway.trading.requests import CLIENT_ORDER_ID

_CURSOR = re.compile(r"c(-?[0-9]{1,14})\.([0-9]{1,9})", re.ASCII)
MAX_SKIP = 1_000_000

Listed = TypeVar("Listed", Order, Position)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Beginning of a page. ``str()`` gives the text that clients hand back."""

    at_ms: int
    skip: int = 0

    def __str__(self) -> str:
        return f"c{self.at_ms}.{self.skip}"


def read_cursor(text: str, first_ms: int, last_ms: int) -> Cursor:
    """Read a cursor.

    Raises:
        InvalidParams: it is none of ours, or of another span of time.

    """
    # bounded digits and a place within the span: a cursor is text of a caller like any other
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise InvalidParams(errors=[{"field": "cursor", "reason": "not a cursor of ours"}])
    cursor = Cursor(int(match[1]), int(match[2]))
    if not first_ms <= cursor.at_ms <= last_ms or cursor.skip > MAX_SKIP:
        raise InvalidParams(
            errors=[{"field": "cursor", "reason": "it belongs to other params: from, to"}]
        )
    return cursor


MAX_LISTED = 5000
"""Open orders or positions in a page."""


def page_by_ticket(items: Iterable[Listed], limit: int | None, after: int | None) -> list[Listed]:
    """Return those with the lowest tickets, after the page before."""
    # an EA of an earlier version knows nothing of pages and gives all
    found = [item for item in items if item.ticket > (after or 0)]
    return sorted(found, key=lambda item: item.ticket)[:limit]


MAX_NUMBER = Decimal(10) ** 12
MAX_DIGITS = 32
MIN_MS = 100_000_000_000
"""March 1973 in milliseconds; the year 5138 in seconds. Smaller integers could be either."""
MAX_MS = 4_102_444_800_000
"""The year 2100."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?", re.ASCII)


# --- words ---------------------------------------------------------------------------------


def _reader(table: Mapping[int, str], prefix: str) -> Callable[[Any], Any]:
    by_name = {name.lower(): name for name in table.values()}

    def read(given: Any) -> Any:
        # true is an int in Python, and would be read as MetaTrader's number 1: a sell
        if isinstance(given, bool):
            return given
        if isinstance(given, int):
            return table.get(given, given)
        if isinstance(given, str):
            name = given.strip().lower().removeprefix(prefix)
            return by_name.get(name, given)
        return given

    return read


def _word_schema(table: Mapping[int, str], **keywords: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            **keywords,
            "anyOf": [
                {"type": "string", "enum": list(table.values())},
                {"type": "integer", "enum": list(table), "description": "MetaTrader's number."},
            ],
        }
    )


def _only(table: Mapping[int, str], *names: str) -> dict[int, str]:
    return {number: name for number, name in table.items() if name in names}


_SIDES = _only(enums.ORDER_TYPE, "buy", "sell")
SideParam = TypeAliasType(
    "SideParam",
    Annotated[
        Literal["buy", "sell"],
        BeforeValidator(_reader(_SIDES, "order_type_")),
        _word_schema(_SIDES),
    ],
)

_KINDS = ("market", "limit", "stop", "stop_limit")
_TYPES = {number: name for number, name in enums.ORDER_TYPE.items() if name != "close_by"}


def _read_type(given: Any) -> Any:
    if isinstance(given, str) and given.strip().lower() in _KINDS:
        return given.strip().lower()
    return _reader(_TYPES, "order_type_")(given)


OrderTypeParam = TypeAliasType(
    "OrderTypeParam",
    Annotated[
        Literal[
            "market",
            "limit",
            "stop",
            "stop_limit",
            "buy",
            "sell",
            "buy_limit",
            "sell_limit",
            "buy_stop",
            "sell_stop",
            "buy_stop_limit",
            "sell_stop_limit",
        ],
        BeforeValidator(_read_type),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "enum": [*_KINDS, *_TYPES.values()]},
                    {
                        "type": "integer",
                        "enum": list(_TYPES),
                        "description": "MetaTrader's number.",
                    },
                ]
            }
        ),
    ],
)

TargetParam = TypeAliasType("TargetParam", Literal["order", "position"])
FillingParam = TypeAliasType(
    "FillingParam",
    Annotated[
        Literal["fok", "ioc", "return", "boc"],
        BeforeValidator(_reader(enums.ORDER_FILLING, "order_filling_")),
        _word_schema(enums.ORDER_FILLING),
    ],
)
LifetimeParam = TypeAliasType(
    "LifetimeParam",
    Annotated[
        Literal["gtc", "day", "specified", "specified_day"],
        BeforeValidator(_reader(enums.ORDER_TIME, "order_time_")),
        _word_schema(enums.ORDER_TIME),
    ],
)
TickKindParam = TypeAliasType(
    "TickKindParam",
    Annotated[
        Literal["all", "info", "trade"],
        BeforeValidator(_reader(enums.COPY_TICKS, "copy_ticks_")),
        _word_schema(enums.COPY_TICKS),
    ],
)


def _read_timeframe(given: Any) -> Any:
    if isinstance(given, str):
        return given.strip().upper().removeprefix("TIMEFRAME_").removeprefix("PERIOD_")
    if isinstance(given, int) and not isinstance(given, bool):
        return enums.TIMEFRAME.get(given, given)
    return given


TimeframeParam = TypeAliasType(
    "TimeframeParam",
    Annotated[
        shapes.Timeframe,
        BeforeValidator(_read_timeframe),
        _word_schema(
            enums.TIMEFRAME,
            description="Period of the bars. MetaTrader 4 has M1 M5 M15 M30 H1 H4 D1 W1 MN1 "
            "alone. Also read: `PERIOD_H1`, `TIMEFRAME_H1`, MetaTrader's number.",
        ),
    ],
)


# --- numbers -------------------------------------------------------------------------------


def read_decimal(given: Any) -> Decimal:
    """Read a JSON number or a string as a decimal.

    A JSON number is read at the 15 significant digits that a double keeps, so that the sum of
    0.1 and 0.2 means 0.3; a string is read exactly.
    """
    if isinstance(given, float) and math.isfinite(given):
        number = Decimal(format(given, ".15g"))
    elif isinstance(given, int) and not isinstance(given, bool):
        number = Decimal(given)
    elif isinstance(given, str) and len(given) <= MAX_DIGITS and _NUMBER.fullmatch(given):
        number = _decimal(given)
    else:
        raise PydanticCustomError("number", "Input should be a number, or a string that is one")
    if abs(number) > MAX_NUMBER:
        raise PydanticCustomError("number", "Input should be at most 1e12 in size")
    return number


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise PydanticCustomError("number", "Input should be a number") from None


_NUMBER_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$"},
    ]
}

Volume = TypeAliasType(
    "Volume",
    Annotated[
        Decimal,
        BeforeValidator(read_decimal),
        Field(gt=0),
        WithJsonSchema({**_NUMBER_SCHEMA, "description": "In lots; a number or a string."}),
    ],
)
Price = TypeAliasType(
    "Price",
    Annotated[
        Decimal,
        BeforeValidator(read_decimal),
        Field(ge=0),
        WithJsonSchema(_NUMBER_SCHEMA),
    ],
)

StopParam = TypeAliasType("StopParam", Price | Literal["keep"])


# --- times ---------------------------------------------------------------------------------


def read_time(given: Any) -> int:
    """Read a time as UTC milliseconds.

    Integers from 100000000000 (1973) on are milliseconds; 0 is the beginning of 1970; what lies
    between could be seconds and is refused. Strings are ISO 8601 with an offset or ``Z``.
    """
    if isinstance(given, str):
        return _in_range(_read_iso(given))
    if isinstance(given, bool) or not isinstance(given, int):
        raise PydanticCustomError(
            "time", "Input should be UTC milliseconds, an integer, or ISO 8601 with an offset"
        )
    if 0 < given < MIN_MS:
        raise PydanticCustomError(
            "time",
            "Input looks like seconds: give UTC milliseconds, or ISO 8601 for dates before 1973",
        )
    return _in_range(given)


def _in_range(ms: int) -> int:
    if not 0 <= ms < MAX_MS:
        raise PydanticCustomError("time", "Input should lie between 1970 and 2100")
    return ms


def _read_iso(text: str) -> int:
    # cut: no time is longer, and an error would have to read all of it
    try:
        moment = datetime.fromisoformat(text[:40])
    except ValueError:
        hint = "Input should be ISO 8601, as 2026-03-01T00:00Z"
        raise PydanticCustomError("time", hint) from None
    # whose zone would it be: the program's, the broker's, or this machine's?
    if moment.tzinfo is None:
        raise PydanticCustomError(
            "time", "Input lacks its offset from UTC: write 2026-03-01T00:00Z or ...+02:00"
        )
    return round(moment.timestamp() * 1000)


Time = TypeAliasType(
    "Time",
    Annotated[
        int,
        BeforeValidator(read_time),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "description": "UTC milliseconds."},
                    {
                        "type": "string",
                        "format": "date-time",
                        "description": "ISO 8601 with an offset or `Z`.",
                    },
                ]
            }
        ),
    ],
)


# --- texts ---------------------------------------------------------------------------------

Symbol = TypeAliasType(
    "Symbol",
    Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            pattern=r"^[^\x00-\x1f\x7f]+$",
            description="The broker's name of the symbol, or that without its prefix or suffix, "
            "in any case: `EURUSD` is `EURUSD.r` where that is the only one.",
        ),
    ],
)
Ticket = TypeAliasType(
    "Ticket", Annotated[int, Field(gt=0, lt=2**63, description="MetaTrader's ticket.")]
)
ClientOrderId = TypeAliasType(
    "ClientOrderId",
    Annotated[
        str,
        Field(
            pattern=CLIENT_ORDER_ID,
            description="Your name for this request; the gateway makes one if absent. The same "
            "request with the same name is carried out once, for good. It is echoed in the answer "
            "and in errors, and a tag of it stands in the order's comment.",
        ),
    ],
)
Comment = TypeAliasType(
    "Comment",
    Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^[^\x00-\x1f\x7f]*$",
            description="Kept with the order after the gateway's tag of 10 characters; cut so "
            "that both fit MetaTrader's 31. Brokers may overwrite it.",
        ),
    ],
)
Magic = TypeAliasType(
    "Magic",
    Annotated[
        int,
        Field(
            ge=0,
            lt=2**63,
            description="The mark of your program; 0 for none. At most 2147483647 on MetaTrader "
            "4.",
        ),
    ],
)
Points = TypeAliasType(
    "Points", Annotated[int, Field(ge=0, le=1_000_000, description="In points of the symbol.")]
)
TtlMs = TypeAliasType(
    "TtlMs",
    Annotated[
        int,
        Field(
            gt=0,
            le=600_000,
            description="Milliseconds for which it is worth sending; 5000 if neither this nor "
            "`deadline_ms` is given. Later: 2103 `deadline_exceeded`, not sent.",
        ),
    ],
)
DeadlineMs = TypeAliasType(
    "DeadlineMs",
    Annotated[
        int,
        BeforeValidator(read_time),
        WithJsonSchema(
            {
                "type": "integer",
                "description": "The same as a moment, UTC milliseconds; the earlier one counts.",
            }
        ),
    ],
)
ValidateOnly = Annotated[
    bool,
    Field(description="Run every check, and the terminal's own `OrderCheck`; send nothing."),
]
Normalize = Annotated[
    bool,
    Field(
        description="Move prices and volume that lie off the symbol's grid onto it (volume down, "
        "prices to the nearest tick) instead of refusing them; the answer says which."
    ),
]
AfterTicket = TypeAliasType(
    "AfterTicket",
    Annotated[
        int,
        Field(
            ge=0, lt=2**63, description="Only higher tickets: the last ticket of the page before."
        ),
    ],
)
ListLimit = TypeAliasType(
    "ListLimit",
    Annotated[int, Field(gt=0, le=MAX_LISTED, description="Most in one answer; all if absent.")],
)
CursorText = TypeAliasType(
    "CursorText",
    Annotated[str, Field(max_length=64, description="`next_cursor` of the page before this one.")],
)
