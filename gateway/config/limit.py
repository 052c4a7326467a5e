"""A bound that may be lifted: 0 allows nothing, and none is ``None``."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

NONE = "none"
"""Lifts a limit, where a file says it in words; TOML has no null."""


def _lifted(value: Any) -> Any:
    return None if value == NONE else value


Amount = Annotated[float | None, BeforeValidator(_lifted)]
Count = Annotated[int | None, BeforeValidator(_lifted)]


def is_limit(field: FieldInfo) -> bool:
    """Whether a setting is a bound that may be lifted."""
    return type(None) in get_args(field.annotation)
