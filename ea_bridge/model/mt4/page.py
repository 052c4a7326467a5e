"""A part of a long list, with the length of the whole."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from msgspec import Meta

from ea_bridge.model.struct import Struct

T = TypeVar("T")


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """Rows ``offset .. offset+limit-1`` of what a question asked for.

    ``total`` counts all that fit the question, whatever part of them is in ``rows``. A page that
    is too long for one line comes in parts, each of them a page with the same ``total``.
    """

    total: Annotated[int, Meta(ge=0)]
    rows: list[T]
