"""Dates in queries: ``2026-05-01``, or a time of that day in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

_PATTERN = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z?)?$"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _checked(text: str) -> str:
    try:
        _moment(text)
    except ValueError:
        raise PydanticCustomError(
            "date", "give a date that there is, such as 2026-05-01"
        ) from None
    return text


Date = Annotated[str, Field(pattern=_PATTERN), AfterValidator(_checked)]


def span_of(first: str | None, last: str | None) -> tuple[int | None, int | None]:
    """Return the time between two dates in UTC milliseconds, both included."""
    from_ms = None if first is None else _ms(_moment(first))
    if last is None:
        return from_ms, None
    end = _moment(last)
    is_day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", last) is not None
    step = timedelta(days=1) if is_day else timedelta(seconds=1)
    return from_ms, _ms(end) + int(step.total_seconds() * 1000) - 1


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
