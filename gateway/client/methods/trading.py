"""Typed methods: trading. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Number, Omitted, Time, order_id
from gateway.schemas.enums import Side


class TradingMethods(MethodsBase):
    """Groups of the reference: positions, orders, journal, contingent."""

    async def get_positions(
        self,
        *,
        symbol: str | Omitted | None = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        limit: int | Omitted | None = OMITTED,
        after: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> list[schemas.Position]:
        """Return the open positions, all or those of a symbol, oldest first.

        For changes subscribe to `positions`, for floating profit to `pnl`. With `limit` they come
        in pages by their tickets, as those of `get_orders`.
        """
        result: list[schemas.Position] = await self._call(
            "get_positions",
            symbol=symbol,
            ticket=ticket,
            limit=limit,
            after=after,
            terminal=terminal,
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

    async def get_orders(
        self,
        *,
        symbol: str | Omitted | None = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        limit: int | Omitted | None = OMITTED,
        after: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> list[schemas.Order]:
        """Return the pending orders, all or those of a symbol, oldest first.

        Those that the gateway keeps itself, since the platform has no such orders, are among them
        with `emulated` true. For changes subscribe to `orders`.

        With `limit` they come in pages by their tickets, lowest first: ask again with the last
        ticket as `after`, until a page has fewer. None is lost or told twice, whatever comes and
        goes meanwhile. Without it more than an answer holds is refused with 3003
        `range_too_large`.
        """
        result: list[schemas.Order] = await self._call(
            "get_orders", symbol=symbol, ticket=ticket, limit=limit, after=after, terminal=terminal
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
        sl: Number | Literal["keep"] | Omitted | None = OMITTED,
        tp: Number | Literal["keep"] | Omitted | None = OMITTED,
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

    async def get_order(
        self, client_order_id: str, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.OrderRecord:
        """Tell what became of a request by its `client_order_id`; this is authoritative.

        It works while the terminal is offline, and for good: the journal forgets nothing. After an
        `order_unresolved` (2102) ask here before anything else. 2009 `order_not_found`: nothing
        was ever sent under that id for the account that the terminal is logged in to.
        """
        result: schemas.OrderRecord = await self._call(
            "get_order", client_order_id=client_order_id, terminal=terminal
        )
        return result

    async def settle_order(
        self,
        *,
        client_order_id: str,
        executed: bool,
        ticket: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.OrderRecord:
        """Settle by hand what became of a request whose outcome is unknown.

        For a person who has looked at the terminal, or asked the broker: the gateway finds nearly
        everything out by itself, and what it cannot tell keeps its symbol closed to new orders.
        From here on the request is `done` or `rejected`, also for whoever repeats it, the symbol
        is open, and `orders` tells it.

        Refused is what is not unknown, a ticket that belongs to another request, and, while the
        terminal is linked, one that it does not show or that is of another symbol, type or volume;
        `settlement` says what was looked at. Should the terminal tell otherwise within a day, that
        counts: `orders` tells it once more, with `settlement.time_contradicted`. All of it stands
        in the audit trail.
        """
        result: schemas.OrderRecord = await self._call(
            "settle_order",
            client_order_id=client_order_id,
            executed=executed,
            ticket=ticket,
            terminal=terminal,
        )
        return result

    async def set_trailing_stop(
        self,
        *,
        ticket: int,
        distance: int | Omitted = OMITTED,
        step: int | Omitted = OMITTED,
        activation: int | Omitted = OMITTED,
        break_even: int | Omitted = OMITTED,
        break_even_offset: int | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.TrailingStop:
        """Let the stop loss of a position follow the market, go to break-even, or both.

        The EA does it on every tick, also while the gateway is down, and its stop only ever comes
        closer to the market. All numbers are in points of the symbol. What was set before is
        replaced. Saying it again is safe, whatever became of the first time. While the console is
        silent, a stop can be set, but not loosened.
        """
        result: schemas.TrailingStop = await self._call(
            "set_trailing_stop",
            ticket=ticket,
            distance=distance,
            step=step,
            activation=activation,
            break_even=break_even,
            break_even_offset=break_even_offset,
            terminal=terminal,
        )
        return result

    async def remove_trailing_stop(
        self, *, ticket: int, terminal: str | Omitted | None = OMITTED
    ) -> schemas.TrailingStopRemoved:
        """Remove the trailing stop of a position; its stop loss stays where it is.

        It is no error if it did not follow.
        """
        result: schemas.TrailingStopRemoved = await self._call(
            "remove_trailing_stop", ticket=ticket, terminal=terminal
        )
        return result

    async def get_trailing_stops(
        self,
        *,
        symbol: str | Omitted | None = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> list[schemas.TrailingStop]:
        """Return the stops that follow the market, all, of a symbol, or of a position.

        A new stop loss is told on the channel `positions`, as any other.
        """
        result: list[schemas.TrailingStop] = await self._call(
            "get_trailing_stops", symbol=symbol, ticket=ticket, terminal=terminal
        )
        return result

    async def link_oco(
        self, *, tickets: Sequence[int], terminal: str | Omitted | None = OMITTED
    ) -> schemas.OcoLink:
        """Let the first of some pending orders that ends cancel the others.

        A fill counts, also of a part. The gateway does it: while it runs and the terminal is
        linked at once, else as soon as they are back; in a fast market more than one may be
        filled. Linking the same orders again returns the link there is. If one of them does not
        wait any more, nothing is linked: 2009 names it.
        """
        result: schemas.OcoLink = await self._call("link_oco", tickets=tickets, terminal=terminal)
        return result

    async def unlink_oco(
        self, *, id: str, terminal: str | Omitted | None = OMITTED
    ) -> schemas.OcoLink:
        """Remove the link between OCO orders; the orders themselves stay.

        A link whose orders are being cancelled, or are gone, stays as it is: look at `state`.
        """
        result: schemas.OcoLink = await self._call("unlink_oco", id=id, terminal=terminal)
        return result

    async def get_oco_links(
        self, *, past: int | Omitted = OMITTED, terminal: str | Omitted | None = OMITTED
    ) -> list[schemas.OcoLink]:
        """Return which orders cancel one another, oldest first, then those that are over.

        The gateway answers by itself, so this works while the terminal is offline.
        """
        result: list[schemas.OcoLink] = await self._call(
            "get_oco_links", past=past, terminal=terminal
        )
        return result
