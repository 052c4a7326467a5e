"""Typed methods: calculations. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Number, Omitted
from gateway.schemas.enums import Side


class CalculationsMethods(MethodsBase):
    """See ``gateway.rpc.methods.calculations``."""

    async def order_calc_margin(
        self,
        symbol: str,
        volume: Number,
        *,
        side: Side | int | Omitted | None = OMITTED,
        type: Side | int | Omitted | None = OMITTED,
        price: Number | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.Margin:
        """Return the margin that a position would need by itself, in the account's currency.

        Positions that are there already, and what they would save, are not counted.
        """
        result: schemas.Margin = await self._call(
            "order_calc_margin",
            symbol=symbol,
            volume=volume,
            side=side,
            type=type,
            price=price,
            terminal=terminal,
        )
        return result

    async def order_calc_profit(
        self,
        symbol: str,
        volume: Number,
        price_open: Number,
        price_close: Number,
        *,
        side: Side | int | Omitted | None = OMITTED,
        type: Side | int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.Profit:
        """Return what a position would bring between two prices, in the account's currency.

        Without commission and swap; converted at today's rates.
        """
        result: schemas.Profit = await self._call(
            "order_calc_profit",
            symbol=symbol,
            volume=volume,
            price_open=price_open,
            price_close=price_close,
            side=side,
            type=type,
            terminal=terminal,
        )
        return result
