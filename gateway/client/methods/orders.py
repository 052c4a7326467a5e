"""Typed methods: orders. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from typing import Literal

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Number, Omitted, Time, order_id
from gateway.schemas.enums import Side


class OrdersMethods(MethodsBase):
    """See ``gateway.rpc.methods.orders``."""

    async def get_orders(
        self,
        *,
        symbol: str | Omitted | None = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> list[schemas.Order]:
        """Return the pending orders, all or those of a symbol, oldest first.

        Those that the gateway keeps itself, since the platform has no such orders, are among them
        with `emulated` true. For changes subscribe to `orders`.
        """
        result: list[schemas.Order] = await self._call(
            "get_orders", symbol=symbol, ticket=ticket, terminal=terminal
        )
        return result

    async def get_order_info(
        self, ticket: int, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.Order:
        """Return one order by its ticket, pending or past; `state` tells which."""
        result: schemas.Order = await self._call(
            "get_order_info", ticket=ticket, terminal=terminal
        )
        return result

    async def place_order(
        self,
        *,
        symbol: str,
        volume: Number,
        side: Side | int | Omitted | None = OMITTED,
        type: Literal[
            "market",
            "limit",
            "stop",
            "stop_limit",
            "buy",
            "sell",
            "buy_limit",
            "sell_limit",
            "buy_stop",
            "sell_stop",
            "buy_stop_limit",
            "sell_stop_limit",
        ]
        | int
        | Omitted = OMITTED,
        price: Number | Omitted | None = OMITTED,
        sl: Number | Omitted | None = OMITTED,
        tp: Number | Omitted | None = OMITTED,
        stoplimit: Number | Omitted | None = OMITTED,
        deviation: int | Omitted | None = OMITTED,
        max_deviation_points: int | Omitted | None = OMITTED,
        magic: int | Omitted = OMITTED,
        comment: str | Omitted = OMITTED,
        type_filling: Literal["fok", "ioc", "return", "boc"] | int | Omitted | None = OMITTED,
        type_time: Literal["gtc", "day", "specified", "specified_day"]
        | int
        | Omitted
        | None = OMITTED,
        expiration: Time | Omitted | None = OMITTED,
        client_order_id: str | Omitted | None = OMITTED,
        ttl_ms: int | Omitted | None = OMITTED,
        deadline_ms: int | Omitted | None = OMITTED,
        normalize: bool | Omitted = OMITTED,
        validate_only: bool | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.OrderReceipt:
        """Send a new order: at market, or one that waits.

        Prices and volume must lie on the symbol's grid; they are refused with the grid in the
        error's data, never rounded silently. A symbol may be named without the broker's prefix or
        suffix; the answer says which was taken. The filling mode is chosen from what the symbol
        allows; the answer says which was taken, and which were tried.

        MetaTrader 4 has no stop-limit orders: the gateway keeps them itself (`order.emulated`),
        and when the price is reached it sends the limit order in their place. That works while the
        gateway runs and the terminal is linked, and while the token may trade.

        Every error of a trade says in `data.outcome` what is known: `not_sent` (nothing happened,
        sending again is safe), `rejected` (the broker said no) or `unknown` (2102: the order may
        have been executed; the gateway finds out, and `get_order` tells what). The gateway itself
        never sends an order twice: a call that is repeated with its `client_order_id` is answered
        as the first one was, with `duplicate` true, however much later. So make the id once,
        outside of what repeats the call. An id is free again only after `not_sent`; with other
        params it is refused (2101).
        """
        result: schemas.OrderReceipt = await self._call(
            "place_order",
            symbol=symbol,
            volume=volume,
            side=side,
            type=type,
            price=price,
            sl=sl,
            tp=tp,
            stoplimit=stoplimit,
            deviation=deviation,
            max_deviation_points=max_deviation_points,
            magic=magic,
            comment=comment,
            type_filling=type_filling,
            type_time=type_time,
            expiration=expiration,
            client_order_id=order_id(client_order_id),
            ttl_ms=ttl_ms,
            deadline_ms=deadline_ms,
            normalize=normalize,
            validate_only=validate_only,
            terminal=terminal,
        )
        return result

    async def modify_order(
        self,
        *,
        ticket: int,
        target: Literal["order", "position"] | Omitted | None = OMITTED,
        price: Number | Omitted | None = OMITTED,
        stoplimit: Number | Omitted | None = OMITTED,
        sl: Number | Omitted | None = OMITTED,
        tp: Number | Omitted | None = OMITTED,
        type_time: Literal["gtc", "day", "specified", "specified_day"]
        | int
        | Omitted
        | None = OMITTED,
        expiration: Time | Omitted | None = OMITTED,
        client_order_id: str | Omitted | None = OMITTED,
        ttl_ms: int | Omitted | None = OMITTED,
        deadline_ms: int | Omitted | None = OMITTED,
        normalize: bool | Omitted = OMITTED,
        validate_only: bool | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.OrderReceipt:
        """Change a pending order, or the stop loss and take profit of a position.

        What is absent stays as it is. If everything is as asked for already, `changed` is false. A
        position has `sl` and `tp` alone. While the console is silent, a position's stop loss can
        still be added or moved closer to the market, with its take profit as it is.
        """
        result: schemas.OrderReceipt = await self._call(
            "modify_order",
            ticket=ticket,
            target=target,
            price=price,
            stoplimit=stoplimit,
            sl=sl,
            tp=tp,
            type_time=type_time,
            expiration=expiration,
            client_order_id=order_id(client_order_id),
            ttl_ms=ttl_ms,
            deadline_ms=deadline_ms,
            normalize=normalize,
            validate_only=validate_only,
            terminal=terminal,
        )
        return result

    async def cancel_order(
        self,
        *,
        ticket: int,
        client_order_id: str | Omitted | None = OMITTED,
        ttl_ms: int | Omitted | None = OMITTED,
        deadline_ms: int | Omitted | None = OMITTED,
        validate_only: bool | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.OrderReceipt:
        """Remove a pending order.

        One that was filled meanwhile is not there any more: 2009 `order_not_found`; its position
        stays.
        """
        result: schemas.OrderReceipt = await self._call(
            "cancel_order",
            ticket=ticket,
            client_order_id=order_id(client_order_id),
            ttl_ms=ttl_ms,
            deadline_ms=deadline_ms,
            validate_only=validate_only,
            terminal=terminal,
        )
        return result

    async def order_check(
        self,
        symbol: str,
        volume: Number,
        *,
        side: Side | int | Omitted | None = OMITTED,
        type: Literal[
            "market",
            "limit",
            "stop",
            "stop_limit",
            "buy",
            "sell",
            "buy_limit",
            "sell_limit",
            "buy_stop",
            "sell_stop",
            "buy_stop_limit",
            "sell_stop_limit",
        ]
        | int
        | Omitted = OMITTED,
        price: Number | Omitted | None = OMITTED,
        sl: Number | Omitted | None = OMITTED,
        tp: Number | Omitted | None = OMITTED,
        stoplimit: Number | Omitted | None = OMITTED,
        deviation: int | Omitted | None = OMITTED,
        max_deviation_points: int | Omitted | None = OMITTED,
        magic: int | Omitted = OMITTED,
        comment: str | Omitted = OMITTED,
        type_filling: Literal["fok", "ioc", "return", "boc"] | int | Omitted | None = OMITTED,
        type_time: Literal["gtc", "day", "specified", "specified_day"]
        | int
        | Omitted
        | None = OMITTED,
        expiration: Time | Omitted | None = OMITTED,
        normalize: bool | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.CheckResult:
        """Tell whether an order would pass, and the account after it (MetaTrader's `OrderCheck`).

        Takes what `place_order` takes, makes its every check and sends nothing. An order that
        would be refused, by the gateway or the broker, is a result with `passes` false, its
        retcode and the `error` of `place_order`; what lies off the symbol's grid is an error, as
        there. MetaTrader 4 has no such check.
        """
        result: schemas.CheckResult = await self._call(
            "order_check",
            symbol=symbol,
            volume=volume,
            side=side,
            type=type,
            price=price,
            sl=sl,
            tp=tp,
            stoplimit=stoplimit,
            deviation=deviation,
            max_deviation_points=max_deviation_points,
            magic=magic,
            comment=comment,
            type_filling=type_filling,
            type_time=type_time,
            expiration=expiration,
            normalize=normalize,
            terminal=terminal,
        )
        return result
