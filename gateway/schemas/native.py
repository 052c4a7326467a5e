"""MetaTrader's own records, as the MetaTrader5 package has them.

Nothing is translated: numbers of enumerations, 0 for what is not set, times in seconds and
milliseconds of the broker's wall clock.
"""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypeAliasType, TypedDict

from .enums import Incomplete, shape

NativeKind = TypeAliasType(
    "NativeKind",
    Literal[
        "account",
        "terminal",
        "symbol",
        "symbols",
        "tick",
        "book",
        "positions",
        "orders",
        "history_orders",
        "history_deals",
    ],
)
NativeValue = TypeAliasType("NativeValue", bool | int | float | str | None)


@shape
class NativeRecords(TypedDict):
    """Records of one kind, a row each."""

    kind: NativeKind
    fields: list[str]
    """Names of a row's values, MetaTrader's own."""
    rows: list[list[NativeValue]]
    """Null: this platform does not know the field."""
    next: int | None
    """Give it as ``after`` for the next page; null on the last."""


@shape
class PackedRows(TypedDict):
    """Bars or ticks as bytes: records of 60 bytes, one after another, little-endian.

    A bar is ``time`` (int64, seconds), ``open``, ``high``, ``low``, ``close`` (float64),
    ``tick_volume`` (uint64), ``spread`` (int32), ``real_volume`` (uint64). A tick is ``time``
    (int64, seconds), ``bid``, ``ask``, ``last`` (float64), ``volume`` (uint64), ``time_msc``
    (int64), ``flags`` (uint32), ``volume_real`` (float64).
    """

    count: int
    data: str
    """The bytes in base64."""
    complete: bool
    """Whether this is all that the broker has of what was asked for."""
    reason: Incomplete | None
    """Why it is not complete; see ``get_ohlc``."""
