"""What a broken limit becomes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gateway.errors import RiskLimit

Number = Decimal | int | float | None


def over(
    rule: str, what: str, *, limit: Number, value: Number, unit: str = "", **data: Any
) -> RiskLimit:
    """Return the error of a number that is over a limit.

    Args:
        rule: the name of the check.
        what: the number, as the message begins.
        limit: the most that is allowed.
        value: what it would be; ``None`` if nobody knows.
        unit: of both.

    """
    is_now = "is not known" if value is None else f"would be {_text(value)}{unit}"
    return RiskLimit(
        f"{what} {is_now}, and the limit is {_text(limit)}{unit}",
        rule=rule,
        limit=_plain(limit),
        value=_plain(value),
        **data,
    )


def _text(number: Number) -> str:
    return format(number.normalize(), "f") if isinstance(number, Decimal) else f"{number}"


def _plain(number: Number) -> int | float | None:
    return float(number) if isinstance(number, Decimal) else number
