"""Safety: what stops trading, by hand or when a program falls silent."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

from pydantic import Field

from gateway import shapes
from gateway.auth.caller import Scope
from gateway.catalogue import Call, method
from gateway.errors import (
    Forbidden,
    Frozen,
    InternalError,
    OrderNotFound,
    PositionNotFound,
    PriceChanged,
    UnsupportedFilling,
)
from gateway.store import StoreError
from gateway.trading import flatten
from gateway.trading.kill_switch.halts import EVERYWHERE, MAX_REASON, Halt
from gateway.trading.placing import DEFAULT_DEVIATION

from .orders import EVERY_TRADE
from .params import ClientOrderId, Magic, Points, Side, Symbol
from .wishes import handling

logger = logging.getLogger(__name__)

_OfSymbol = Annotated[Symbol | None, Field(description="Those of a symbol; of all if absent.")]
_OfMagic = Annotated[
    Magic | None,
    Field(description="Those with this magic, 0: those made by hand; with any if absent."),
]
_OfSide = Annotated[Side | None, Field(description="Those of a side; of both if absent.")]


@method(scope=Scope.READ)
async def get_trading_enabled(call: Call) -> shapes.TradingEnabled:
    """Return whether new orders are let through, and which halts stand in the way.

    The gateway answers by itself, so this works while the terminal is offline.
    """
    return _state(call)


@method(scope=Scope.TRADE, mutates=True, reduces=True, raises=(Forbidden,))
async def set_trading_enabled(
    call: Call,
    *,
    enabled: Annotated[bool, Field(description="False halts trading, true lifts the halt.")],
    everywhere: Annotated[
        bool,
        Field(description="All terminals of this gateway; needs the scope `admin`."),
    ] = False,
    reductions: Annotated[
        bool,
        Field(
            description="With a halt: whether closing positions, cancelling orders and tightening "
            "stops stay possible. False freezes those too."
        ),
    ] = True,
    reason: Annotated[
        str,
        Field(
            max_length=MAX_REASON,
            pattern=r"^[^\x00-\x1f\x7f]*$",
            description="For the people who meet the halt; it stands in every refusal.",
        ),
    ] = "",
) -> shapes.TradingEnabled:
    """Halt trading at once, or lift the halt.

    A halt holds from this call on: an order whose bytes are not written yet is refused with 2104
    `kill_switch_active`, outcome `not_sent`. It is latched: it outlives the gateway, and lasts
    until it is lifted. Every program's orders are stopped, not only the caller's.

    What is stopped is new exposure. Closing a position, cancelling an order and moving a stop
    loss closer to the market go on, so that you can get out, unless `reductions` is false. What
    the terminal does by itself (stops, pending orders that are there already, a person's clicks)
    no gateway can stop: see `cancel_all_orders` and `close_all_positions`.

    A halt that was made with a token of the scope `admin`, or by `mt-gateway halt`, is lifted in
    the same ways alone. The answer says which halts are left.
    """
    by_admin = Scope.ADMIN in call.caller.scopes
    if everywhere and not by_admin:
        raise Forbidden("Halting all terminals needs a token with the scope admin", scope="admin")
    terminal = EVERYWHERE if everywhere else call.terminal.name
    switch = call.terminal.desk.switch.switch
    try:
        if enabled:
            await switch.resume(terminal, by_admin=by_admin)
        else:
            halt = Halt(
                terminal=terminal,
                armed_by=f"token {call.caller.tid}",
                since_ms=call.daemon.now_ms(),
                reason=reason,
                reductions=reductions,
                by_admin=by_admin,
            )
            await switch.halt(halt)
    except StoreError as error:
        logger.critical("the kill switch was not written: %s", error)
        held = "" if enabled else "Trading is halted until the gateway ends, but "
        raise InternalError(f"{held}the gateway cannot write its ledger: see its log") from error
    return _state(call)


@method(
    scope=Scope.TRADE, mutates=True, reduces=True, raises=(*EVERY_TRADE, OrderNotFound, Frozen)
)
async def cancel_all_orders(
    call: Call,
    *,
    symbol: _OfSymbol = None,
    magic: _OfMagic = None,
    side: _OfSide = None,
    client_order_id: ClientOrderId | None = None,
) -> shapes.Swept:
    """Cancel all pending orders, or those of a symbol, a magic or a side.

    Those that were made by hand or by other programs as well. An order that is filled meanwhile
    is neither cancelled nor failed: its position stays. What could not be cancelled is in
    `failed`, with its reason; the call itself fails only if nothing was tried.

    It goes on while trading is halted, and while the console is silent.
    """
    swept = flatten.Swept()
    with handling(call, client_order_id, None, None).before_sending():
        await flatten.cancel_orders(call.terminal, _chosen(symbol, magic, side), swept)
    return told(swept)


@method(
    scope=Scope.TRADE,
    mutates=True,
    reduces=True,
    raises=(*EVERY_TRADE, PositionNotFound, PriceChanged, UnsupportedFilling),
)
async def close_all_positions(
    call: Call,
    *,
    symbol: _OfSymbol = None,
    magic: _OfMagic = None,
    side: _OfSide = None,
    deviation: Annotated[
        Points, Field(description="Points that each price may have moved.")
    ] = DEFAULT_DEVIATION,
    client_order_id: ClientOrderId | None = None,
) -> shapes.Swept:
    """Close all positions at market, or those of a symbol, a magic or a side.

    Those that were opened by hand or by other programs as well. Pending orders stay: cancel them
    first with `cancel_all_orders`, or they may open new positions. What could not be closed is in
    `failed`, with its reason; the call itself fails only if nothing was tried.

    It goes on while trading is halted, and while the console is silent.
    """
    swept = flatten.Swept()
    chosen = _chosen(symbol, magic, side)
    with handling(call, client_order_id, None, None).before_sending():
        await flatten.close_positions(call.terminal, chosen, swept, deviation)
    return told(swept)


def told(swept: flatten.Swept) -> shapes.Swept:
    """Return what a sweep has done, as clients see it."""
    return {
        "cancelled": swept.cancelled,
        "closed": swept.closed,
        "failed": [
            {
                "kind": one.kind,
                "ticket": one.ticket,
                "code": one.error.code,
                "name": one.error.name(),
                "message": one.error.message,
                "outcome": one.error.outcome,
            }
            for one in swept.failed
        ],
        "duplicate": False,
    }


def _chosen(
    symbol: str | None, magic: int | None, side: Literal["buy", "sell"] | None
) -> flatten.Chosen:
    return flatten.Chosen(symbol=symbol, magic=magic, side=side)


def _state(call: Call) -> shapes.TradingEnabled:
    found = call.terminal.desk.switch.switch.over(call.terminal.name)
    return {
        "trading_enabled": not found,
        "halts": [
            {
                "everywhere": one.terminal == EVERYWHERE,
                "armed_by": one.armed_by,
                "since": one.since_ms,
                "reason": one.reason,
                "reductions": one.reductions,
                "by_admin": one.by_admin,
            }
            for one in found
        ],
    }
