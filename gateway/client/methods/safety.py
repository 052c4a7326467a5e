"""Typed methods: safety. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from typing import Literal

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted, order_id
from gateway.schemas.enums import Side


class SafetyMethods(MethodsBase):
    """Groups of the reference: safety, subscriptions, service."""

    async def get_trading_enabled(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.TradingEnabled:
        """Return whether new orders are let through, and which halts stand in the way.

        The gateway answers by itself, so this works while the terminal is offline. While the
        gateway drains (`mt-gateway drain`) trading is not enabled, though no halt may be there.
        """
        result: schemas.TradingEnabled = await self._call("get_trading_enabled", terminal=terminal)
        return result

    async def set_trading_enabled(
        self,
        *,
        enabled: bool,
        everywhere: bool | Omitted = OMITTED,
        reductions: bool | Omitted = OMITTED,
        reason: str | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.TradingEnabled:
        """Halt trading at once, or lift the halt.

        A halt holds from this call on: an order whose bytes are not written yet is refused with
        2104 `kill_switch_active`, outcome `not_sent`. It is latched: it outlives the gateway, and
        lasts until it is lifted. Every program's orders are stopped, not only the caller's.

        What is stopped is new exposure. Closing a position, cancelling an order and moving a stop
        loss closer to the market go on, so that you can get out, unless `reductions` is false.
        What the terminal does by itself (stops, pending orders that are there already, a person's
        clicks) no gateway can stop: see `cancel_all_orders` and `close_all_positions`.

        A halt that was made with a token of the scope `admin`, or by `mt-gateway halt`, is lifted
        in the same ways alone. The answer says which halts are left.
        """
        result: schemas.TradingEnabled = await self._call(
            "set_trading_enabled",
            enabled=enabled,
            everywhere=everywhere,
            reductions=reductions,
            reason=reason,
            terminal=terminal,
        )
        return result

    async def cancel_all_orders(
        self,
        *,
        symbol: str | Omitted | None = OMITTED,
        magic: int | Omitted | None = OMITTED,
        side: Side | int | Omitted | None = OMITTED,
        client_order_id: str | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.Swept:
        """Cancel all pending orders, or those of a symbol, a magic or a side.

        Those that were made by hand or by other programs as well. An order that is filled
        meanwhile is neither cancelled nor failed: its position stays. What could not be cancelled
        is in `failed`, with its reason; the call itself fails only if nothing was tried.

        It goes on while trading is halted, and while the console is silent.
        """
        result: schemas.Swept = await self._call(
            "cancel_all_orders",
            symbol=symbol,
            magic=magic,
            side=side,
            client_order_id=order_id(client_order_id),
            terminal=terminal,
        )
        return result

    async def close_all_positions(
        self,
        *,
        symbol: str | Omitted | None = OMITTED,
        magic: int | Omitted | None = OMITTED,
        side: Side | int | Omitted | None = OMITTED,
        deviation: int | Omitted = OMITTED,
        client_order_id: str | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.Swept:
        """Close all positions at market, or those of a symbol, a magic or a side.

        Those that were opened by hand or by other programs as well. Pending orders stay: cancel
        them first with `cancel_all_orders`, or they may open new positions. What could not be
        closed is in `failed`, with its reason; the call itself fails only if nothing was tried.

        It goes on while trading is halted, and while the console is silent.
        """
        result: schemas.Swept = await self._call(
            "close_all_positions",
            symbol=symbol,
            magic=magic,
            side=side,
            deviation=deviation,
            client_order_id=order_id(client_order_id),
            terminal=terminal,
        )
        return result

    async def cancel_all_after(
        self,
        *,
        timeout_ms: int,
        action: Literal["cancel_orders", "cancel_and_close"] | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.Countdown:
        """Start a dead man's switch: it cancels orders, or also closes positions, when calls stop.

        Every call where it was set starts it anew, be it this one, `ping` or any other: on the
        same `/ws` connection (or a later one with the same `session_id` in `hello`), or, if it was
        set over `/rpc`, over `/rpc` with the same token. Calls elsewhere do not, and pongs of a
        WebSocket library never. When none has come for `timeout_ms` it fires: all pending orders
        of the terminal are cancelled and, with `cancel_and_close`, all positions closed, whoever
        made them; `terminal` tells what became of them. Then it is off until it is set again.

        A lost connection does not stop its timer; setting one on a new connection of the token
        does. It is about the account that the terminal is logged in to now: while it is logged in
        to another one nothing is done, and `terminal` says so. Set it again there.

        It outlives the gateway: one that is started again counts from its start. Should the
        gateway die or hang, the EA does the same by itself after 5 s without a heartbeat, where it
        can (`lease` among its capabilities).
        """
        result: schemas.Countdown = await self._call(
            "cancel_all_after", timeout_ms=timeout_ms, action=action, terminal=terminal
        )
        return result

    async def get_subscriptions(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.Subscriptions:
        """List what this connection hears; over ``/rpc``, what the token has subscribed to."""
        result: schemas.Subscriptions = await self._call("get_subscriptions", terminal=terminal)
        return result

    async def ping(self, *, t: int | str | Omitted | None = OMITTED) -> schemas.Pong:
        """Answer at once; with the state of the terminal's link and its last round trip.

        The gateway answers by itself. On `/ws` this also tells it that the program is alive, which
        the pongs of a WebSocket library do not.
        """
        result: schemas.Pong = await self._call("ping", t=t)
        return result

    async def get_server_info(self) -> schemas.ServerInfo:
        """Return what the gateway is, its limits, how it tells the broker's time, and its console.

        The gateway answers by itself, so this works while the terminal is offline. `console` tells
        what the token may do while the console is silent, and until when.
        """
        result: schemas.ServerInfo = await self._call("get_server_info")
        return result

    async def get_ws_ticket(self) -> schemas.WsTicket:
        """Return a ticket that opens `/ws` once: for web pages, which can send no header there.

        It is good for 5 seconds, for the origin that asked and for the rights that the token has
        now: ask for one right before each connection. A page must be of an origin in
        `api.allowed_origins`. On the handshake a wrong ticket is answered with 401 and -32001:
        `malformed`, `unknown` (also when it was used, or asked for by another origin) or
        `expired`.
        """
        result: schemas.WsTicket = await self._call("get_ws_ticket")
        return result
