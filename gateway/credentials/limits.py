"""The bounds of trading that a token's record can carry, whoever issues it."""

from __future__ import annotations

import json
import re
from typing import Final

from pydantic import ValidationError

from .record import Count, Lots, TradeLimits

MAX_SYMBOLS = 200
MAX_SYMBOL = 32
MAX_LIMITS_BYTES = 4_000
"""Of all limits as JSON: a record has to fit into an envelope."""

_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,8})?", re.ASCII)
_THOUSANDS: Final = re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+", re.ASCII)
_COUNT: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class LimitsError(ValueError):
    """No record can carry these limits; the message says why, and what to write instead."""


def read_number(text: str) -> Lots:
    """Return lots or money as a record has them; a comma is a decimal point, too.

    Raises:
        LimitsError: it is no decimal number from 0 on, or nobody can tell how large it is: 1,000
            is one to some and a thousand to others.

    """
    if _THOUSANDS.fullmatch(text.strip()):
        raise LimitsError("write a number such as 0.5, or 1000 without a comma")
    number = text.strip().replace(",", ".")
    if not _NUMBER.fullmatch(number):
        raise LimitsError("write a number such as 0.5")
    return number


def read_count(text: str) -> Count:
    """Return a whole number from 0 on; raises :class:`LimitsError` for anything else."""
    if not _COUNT.fullmatch(text.strip()):
        raise LimitsError("write a whole number such as 30")
    return int(text)


def read_symbols(text: str) -> tuple[str, ...]:
    """Return the symbols between commas, each once.

    Raises:
        LimitsError: there is none, are too many, or one has too many letters.

    """
    symbols = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    return _checked_symbols(symbols)


def checked_limits(limits: TradeLimits) -> TradeLimits:
    """Return limits that a record can carry.

    Raises:
        LimitsError: one is out of range, or they are too long together.

    """
    try:
        limits = TradeLimits.model_validate(limits.model_dump(warnings=False))
    except ValidationError:
        raise LimitsError("a limit is out of range") from None
    if limits.allowed_symbols is not None:
        _checked_symbols(limits.allowed_symbols)
    if len(json.dumps(limits.model_dump())) > MAX_LIMITS_BYTES:
        raise LimitsError("these symbols have too many letters; name fewer")
    return limits


def _checked_symbols(symbols: tuple[str, ...]) -> tuple[str, ...]:
    if not symbols:
        # on a form it looked like a field that is left empty, which allows all
        raise LimitsError("name at least one symbol such as EURUSD")
    if len(symbols) > MAX_SYMBOLS or any(
        not 0 < len(one) <= MAX_SYMBOL or not one.isprintable() for one in symbols
    ):
        raise LimitsError(
            f"name at most {MAX_SYMBOLS} symbols of at most {MAX_SYMBOL} characters, "
            "with commas between"
        )
    return symbols
