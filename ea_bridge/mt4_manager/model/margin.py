"""``MarginLevel``: how an account stands."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from ea_bridge.model.struct import Struct

from .fields import Int, Login, Text16


class MarginLevel(Struct, frozen=True, kw_only=True):
    """An account's margin at the market's prices.

    ``balance`` is balance *and* credit, ``volume`` that of open positions in lots times 100,
    ``margin_level`` equity by margin in percent, 0 without margin. ``margin_type`` is a
    :class:`~.enums.MarginType`, ``level_type`` a :class:`~.enums.LevelType`.
    """

    login: Login
    group: Text16 = ""
    leverage: Int = 0
    balance: float = 0.0
    equity: float = 0.0
    volume: Int = 0
    margin: float = 0.0
    margin_free: float = 0.0
    margin_level: float = 0.0
    margin_type: Int = 0
    level_type: Int = 0


class MarginsFilter(Struct, frozen=True, kw_only=True):
    """Which accounts: of groups, as :class:`~.group.GroupFilter` has it, or at a level."""

    group: str | None = None
    level_type: Int | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] | None = None
