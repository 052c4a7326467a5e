"""The limits of a token on the command line: options, and how they are read and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from gateway.cli.output import CliError

if TYPE_CHECKING:
    from gateway.credentials.record import TradeLimits

NONE = "none"
"""Lifts a limit."""


def _option(name: str, words: str) -> Any:
    return typer.Option(name, help=words, metavar="LIMIT")


MaxLot = Annotated[str | None, _option("--max-lot", "Lots of one order, such as 0.5.")]
MaxOpenLots = Annotated[
    str | None,
    _option("--max-open-lots", "Lots of all positions and pending orders of the account."),
]
MaxOrders = Annotated[
    str | None, _option("--max-orders-per-minute", "New orders in any 60 seconds, such as 30.")
]
MaxDailyLoss = Annotated[
    str | None,
    _option(
        "--max-daily-loss",
        "Loss of the broker's day, in the account's currency, at which new orders stop.",
    ),
]
Collar = Annotated[
    str | None,
    _option(
        "--collar-bps",
        "How far an order's prices may lie from the last tick: 100 is one percent.",
    ),
]
Symbols = Annotated[
    str | None,
    _option("--allowed-symbols", "The only symbols that may be traded: EURUSD,XAUUSD."),
]


class Given(NamedTuple):
    """The options as they were typed; ``None`` for one that was not."""

    max_lot: str | None
    max_open_lots: str | None
    max_orders_per_min: str | None
    max_daily_loss: str | None
    collar_bps: str | None
    allowed_symbols: str | None

    def read(self) -> dict[str, Any]:
        """Return what was typed as members of a record's limits; ``None`` for what is lifted.

        Raises:
            CliError: names the option that cannot be read, and what to write.

        """
        return {
            name: _read(name, text) for name, text in self._asdict().items() if text is not None
        }


def words(limits: TradeLimits) -> str:
    """Return limits in the words of their options; ``none`` if there are none."""
    told = {name: getattr(limits, name) for name in Given._fields}
    parts = [f"{_word(name)} {_text(value)}" for name, value in told.items() if value is not None]
    return "; ".join(parts) or NONE


def _read(name: str, text: str) -> Any:
    from gateway.credentials.record import LimitsError, read_count, read_number, read_symbols

    if text.strip().lower() == NONE:
        return None
    readers: dict[str, Callable[[str], Any]] = {
        "max_orders_per_min": read_count,
        "collar_bps": read_count,
        "allowed_symbols": read_symbols,
    }
    try:
        return readers.get(name, read_number)(text)
    except LimitsError as error:
        raise CliError(f"--{_word(name)} {text!r}: {error}, or none for no limit") from None


def _word(name: str) -> str:
    return name.replace("per_min", "per_minute").replace("_", "-")


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
