"""Which orders and positions are meant, where more than one is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from ea_bridge.model import Order, Position

from .client_ids import is_tagged
from .refusals import BUYS

Action = Literal["cancel_orders", "cancel_and_close"]
"""What is done with them: their orders cancelled; and then their positions closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which orders and positions are meant; by default all, by whomever they were made."""

    symbol: str | None = None
    magic: int | None = None
    side: Literal["buy", "sell"] | None = None
    tags: Collection[str] | None = None
    """Of the comments of those that are meant; see :func:`.client_ids.tag`."""
    tickets: Collection[int] = ()
    """Beside those with one of the tags."""
    tagged: bool = False
    """Only those that came through a gateway, as far as their comment tells."""

    def takes(self, one: Order | Position) -> bool:
        """Whether it is one of them."""
        side = "buy" if one.type in BUYS else "sell"
        return (
            self.symbol in (None, one.symbol)
            and self.magic in (None, one.magic)
            and self.side in (None, side)
            and (self.tags is None or self._is_known(one))
            and (not self.tagged or is_tagged(one.comment))
        )

    def _is_known(self, one: Order | Position) -> bool:
        own = {one.ticket, one.identifier} if isinstance(one, Position) else {one.ticket}
        tag = one.comment.partition(" ")[0]
        return not own.isdisjoint(self.tickets) or (bool(tag) and tag in (self.tags or ()))
