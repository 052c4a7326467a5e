"""Typed methods: history. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from typing import Literal

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted, Time


class HistoryMethods(MethodsBase):
    """See ``gateway.rpc.methods.history``."""

    async def get_history_orders(
        self,
        *,
        kind: Literal["orders", "positions", "deals", "orders_deals"] | Omitted = OMITTED,
        from_: Time | Omitted | None = OMITTED,
        to: Time | Omitted | None = OMITTED,
        symbol: str | Omitted | None = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        position: int | Omitted | None = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.History:
        """Return past orders, deals, closed positions, or orders with deals, oldest first.

        Orders count by the time they ended, deals by their own, positions by the time they were
        closed; both ends are included. While `next_cursor` is not null there is more: ask again
        with the same params and that `cursor`.

        Positions are put together from their deals: average prices, and the sums of profit, swap,
        commission and fee. One that is still open is not among them. Right after a fill some
        terminals do not know the deal yet: asked for by `ticket` or `position`, it is waited for a
        little.

        MetaTrader 4 has no deals: `deals` and `orders_deals` are not supported there, its closed
        trades are `positions`, and `unavailable` lists what they lack.
        """
        result: schemas.History = await self._call(
            "get_history_orders",
            kind=kind,
            from_=from_,
            to=to,
            symbol=symbol,
            ticket=ticket,
            position=position,
            limit=limit,
            cursor=cursor,
            terminal=terminal,
        )
        return result
