"""Cut a list into the page that was asked for."""

from __future__ import annotations

from typing import TypeVar

from ea_bridge.mt4_manager.model import Page

T = TypeVar("T")


def bounds(total: int, offset: int, limit: int | None) -> slice:
    """Return which of so many rows are asked for."""
    return slice(offset, total if limit is None else offset + limit)


def cut(rows: list[T], offset: int, limit: int | None) -> Page[T]:
    """Return the rows from ``offset`` on, at most ``limit``."""
    return Page(total=len(rows), rows=rows[bounds(len(rows), offset, limit)])
