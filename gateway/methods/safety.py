"""Safety: what stops trading, by hand or when a program falls silent."""

from __future__ import annotations

import logging
from typing import Annotated

from pydantic import Field

from gateway import shapes
from gateway.auth.caller import Scope
from gateway.catalogue import Call, method
from gateway.errors import Forbidden, InternalError
from gateway.store import StoreError
from gateway.trading.kill_switch.halts import EVERYWHERE, MAX_REASON, Halt

logger = logging.getLogger(__name__)


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
