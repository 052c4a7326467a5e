"""Typed methods: positions. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from typing import Literal

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Number, Omitted, order_id


class PositionsMethods(MethodsBase):
    """See ``gateway.rpc.methods.positions``."""

    async def get_positions(
        self,
        *,
        symbol: str | Omitted | None = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> list[schemas.Position]:
        """Return the open positions, all or those of a symbol, oldest first.

        For changes subscribe to `positions`, for floating profit to `pnl`.
        """
        result: list[schemas.Position] = await self._call(
            "get_positions", symbol=symbol, ticket=ticket, terminal=terminal
        )
        return result

    async def close_position(
        self,
        *,
        ticket: int,
        volume: Number | Omitted | None = OMITTED,
        deviation: int | Omitted | None = OMITTED,
        max_deviation_points: int | Omitted | None = OMITTED,
        type_filling: Literal["fok", "ioc", "return", "boc"] | int | Omitted | None = OMITTED,
        comment: str | Omitted = OMITTED,
        client_order_id: str | Omitted | None = OMITTED,
        ttl_ms: int | Omitted | None = OMITTED,
        deadline_ms: int | Omitted | None = OMITTED,
        normalize: bool | Omitted = OMITTED,
        validate_only: bool | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.OrderReceipt:
        """Close a position at market, all of it or a part.

        On MetaTrader 4 what is left after a part gets a new ticket: `order.position` of the
        answer. For `data.outcome` of errors see `place_order`.
        """
        result: schemas.OrderReceipt = await self._call(
            "close_position",
            ticket=ticket,
            volume=volume,
            deviation=deviation,
            max_deviation_points=max_deviation_points,
            type_filling=type_filling,
            comment=comment,
            client_order_id=order_id(client_order_id),
            ttl_ms=ttl_ms,
            deadline_ms=deadline_ms,
            normalize=normalize,
            validate_only=validate_only,
            terminal=terminal,
        )
        return result

    async def close_by(
        self,
        *,
        position: int,
        position_by: int,
        comment: str | Omitted = OMITTED,
        client_order_id: str | Omitted | None = OMITTED,
        ttl_ms: int | Omitted | None = OMITTED,
        deadline_ms: int | Omitted | None = OMITTED,
        validate_only: bool | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.OrderReceipt:
        """Close two opposite positions of a symbol against each other, which saves one spread.

        What is left of the larger one stays open. Netting accounts have no opposite positions.
        """
        result: schemas.OrderReceipt = await self._call(
            "close_by",
            position=position,
            position_by=position_by,
            comment=comment,
            client_order_id=order_id(client_order_id),
            ttl_ms=ttl_ms,
            deadline_ms=deadline_ms,
            validate_only=validate_only,
            terminal=terminal,
        )
        return result
