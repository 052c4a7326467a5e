"""Safety: what stops trading, by hand or when a program falls silent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.errors import (
    AmbiguousSymbol,
    Forbidden,
    Frozen,
    InternalError,
    InvalidParams,
    OrderNotFound,
    PositionNotFound,
    PriceChanged,
    UnsupportedFilling,
)
from gateway.rpc.catalogue import Call, method
from gateway.storage.store import StoreError
from gateway.streams import Listener
from gateway.trading import flatten
from gateway.trading.kill_switch.dead_man import SESSION, Armed, timer_name
from gateway.trading.kill_switch.halts import EVERYWHERE, MAX_REASON, Halt
from gateway.trading.kill_switch.switch import DrainStage
from gateway.trading.requests import DEFAULT_DEVIATION, OrderFilter

from .order_params import options_of
from .orders import EVERY_TRADE
from .params import ClientOrderId, Magic, Points, SideParam, Symbol

logger = logging.getLogger(__name__)

MIN_TIMEOUT_MS = 1000
MAX_TIMEOUT_MS = 86_400_000
MAX_GRACE_MS = 600_000
NORMAL_CLOSURE = 1000

HaltReason = TypeAliasType(
    "HaltReason", Annotated[str, Field(max_length=MAX_REASON, pattern=r"^[^\x00-\x1f\x7f]*$")]
)
_Action = Annotated[
    shapes.safety.Action,
    Field(description="`cancel_orders` leaves positions; `cancel_and_close` closes them too."),
]
_OfSymbol = Annotated[Symbol | None, Field(description="Those of a symbol; of all if absent.")]
_OfMagic = Annotated[
    Magic | None,
    Field(description="Those with this magic, 0: those made by hand; with any if absent."),
]
_OfSide = Annotated[SideParam | None, Field(description="Those of a side; of both if absent.")]


@method(scope=Scope.READ)
async def get_trading_enabled(call: Call) -> shapes.TradingEnabled:
    """Return whether new orders are let through, and which halts stand in the way.

    The gateway answers by itself, so this works while the terminal is offline. While the gateway
    drains (`mt-gateway drain`) trading is not enabled, though no halt may be there.
    """
    return _state(call)


@method(scope=Scope.TRADE, mutates=True, reduces=True, raises=(Forbidden,))
async def set_trading_enabled(
    call: Call,
    *,
    enabled: Annotated[bool, Field(description="False halts trading, true lifts the halt.")],
    everywhere: Annotated[
        bool,
        Field(
            description="All terminals of this gateway; needs the scope `admin`, and a token that "
            "the gateway made: a console's are of several people."
        ),
    ] = False,
    reductions: Annotated[
        bool,
        Field(
            description="With a halt: whether closing positions, cancelling orders and tightening "
            "stops stay possible. False freezes those too."
        ),
    ] = True,
    reason: Annotated[
        HaltReason,
        Field(description="For the people who meet the halt; it stands in every refusal."),
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
    # a console has several people, and one must not halt the terminals of another
    if everywhere and call.daemon.console(call.caller.tid) is not None:
        raise Forbidden(
            "Other people's terminals may be on this gateway: `mt-gateway halt` and `resume` are "
            "for all, /api/v1/kill-switch for all of yours"
        )
    terminal = EVERYWHERE if everywhere else call.terminal.name
    switch = call.safeguards.switch
    try:
        if enabled:
            await switch.resume(terminal, by_admin=by_admin, by=f"token {call.caller.tid}")
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
    scope=Scope.TRADE,
    mutates=True,
    reduces=True,
    raises=(*EVERY_TRADE, OrderNotFound, Frozen, AmbiguousSymbol),
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
    swept = flatten.SweepResult()
    with options_of(call, client_order_id, None, None).before_sending():
        chosen = await _chosen(call, symbol, magic, side)
        await flatten.cancel_orders(call.terminal, call.state, chosen, swept)
    return flatten.sweep_view(swept)


@method(
    scope=Scope.TRADE,
    mutates=True,
    reduces=True,
    raises=(*EVERY_TRADE, PositionNotFound, PriceChanged, UnsupportedFilling, AmbiguousSymbol),
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
    swept = flatten.SweepResult()
    with options_of(call, client_order_id, None, None).before_sending():
        chosen = await _chosen(call, symbol, magic, side)
        await flatten.close_positions(call.terminal, call.state, chosen, swept, deviation)
    return flatten.sweep_view(swept)


@method(scope=Scope.TRADE, mutates=True, reduces=True, raises=(InternalError,))
async def cancel_all_after(
    call: Call,
    *,
    timeout_ms: Annotated[
        int,
        Field(ge=0, le=MAX_TIMEOUT_MS, description="From 1000 on, or 0 to switch the timer off."),
    ],
    action: _Action = "cancel_orders",
) -> shapes.Countdown:
    """Start a dead man's switch: it cancels orders, or also closes positions, when calls stop.

    Every call where it was set starts it anew, be it this one, `ping` or any other: on the same
    `/ws` connection (or a later one with the same `session_id` in `hello`), or, if it was set
    over `/rpc`, over `/rpc` with the same token. Calls elsewhere do not, and pongs of a WebSocket
    library never. When none has come for `timeout_ms` it fires: all pending orders of the
    terminal are cancelled and, with `cancel_and_close`, all positions closed, whoever made them;
    `terminal` tells what became of them. Then it is off until it is set again.

    A lost connection does not stop its timer; setting one on a new connection of the token does.
    It is about the account that the terminal is logged in to now: while it is logged in to
    another one nothing is done, and `terminal` says so. Set it again there.

    It outlives the gateway: one that is started again counts from its start. Should the gateway
    die or hang, the EA does the same by itself after 5 s without a heartbeat, where it can
    (`lease` among its capabilities).
    """
    if 0 < timeout_ms < MIN_TIMEOUT_MS:
        reason = f"give at least {MIN_TIMEOUT_MS}, or 0 to switch the timer off"
        raise InvalidParams(errors=[{"field": "timeout_ms", "reason": reason}])
    terminal, tid, safeguards = call.terminal.name, call.caller.tid, call.safeguards
    session = safeguards.disconnects.session(call.listener, terminal) if call.listener else ""
    if not timeout_ms:
        safeguards.dead_man.off(terminal, tid, session)
        return {"fires_at": None, "timeout_ms": 0, "action": action}
    armed = Armed(
        terminal=terminal,
        tid=tid,
        name=timer_name(session),
        action=action,
        own=False,
        within_ms=timeout_ms,
        account=call.terminal.account,
    )
    with _written():
        await safeguards.dead_man.set(armed, safeguards.disconnects.live(terminal, tid))
    fires_at = call.daemon.now_ms() + timeout_ms
    return {"fires_at": fires_at, "timeout_ms": timeout_ms, "action": action}


@method(scope=Scope.TRADE, mutates=True, reduces=True, transports=("ws",), raises=(InternalError,))
async def set_cancel_on_disconnect(
    call: Call,
    *,
    enabled: Annotated[bool, Field(description="False: the orders stay when it is lost.")],
    scope: Annotated[
        shapes.safety.DisconnectScope,
        Field(
            description="`connection`: the orders that were placed on this connection, and their "
            "positions. `terminal`: all of the terminal, whoever made them."
        ),
    ] = "connection",
    action: _Action = "cancel_orders",
    grace_ms: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_GRACE_MS,
            description="Coming back within so many milliseconds, with the `session_id` that was "
            "given to `hello`, disarms it.",
        ),
    ] = 2000,
) -> shapes.DisconnectRule:
    """Have orders cancelled when this connection is lost.

    Lost is a connection that ends in any way but `logout`, also when the token is revoked; what
    the gateway's own end does is told below. Whoever says `hello` on another connection with the
    same `session_id` within the grace goes on where the lost one stood: its orders and this rule
    are the new connection's, and should the old one still be there it is closed with 4505. Say
    `hello` first, and then this.

    It is about the account that the terminal is logged in to now: while it is logged in to
    another one nothing is done, and `terminal` says so. Ask for it again there.

    It outlives the gateway: one that is started again waits for the grace and 5 s more. As it
    cannot know which orders of before were whose, a rule of the scope `connection` that it has
    found means all of those that came through the gateway, also when its program is back and is
    lost again; of later orders it means its own alone. Should the gateway die or hang, the EA
    cancels by itself after 5 s without a heartbeat, where it can (`lease` among its
    capabilities): what came through the gateway, or all.
    """
    connection, name = _connection(call), call.terminal.name
    disconnects = call.safeguards.disconnects
    if enabled:
        armed = Armed(
            terminal=name,
            tid=call.caller.tid,
            name=f"{SESSION} {disconnects.session(connection, name)}",
            action=action,
            own=scope == "connection",
            within_ms=grace_ms,
            account=call.terminal.account,
        )
        with _written():
            await disconnects.set(connection, name, armed)
    else:
        disconnects.off(connection)
    return _rule(call)


@method(scope=Scope.READ, transports=("ws",))
async def get_cancel_on_disconnect(call: Call) -> shapes.DisconnectRule:
    """Return what becomes of orders when this connection is lost.

    After a login to another account it is off there, until it is asked for again.
    """
    return _rule(call)


@method(scope=None, transports=("ws",), of_terminal=False)
async def logout(call: Call) -> shapes.Farewell:
    """Leave in order: the connection is closed after the answer, and its orders stay.

    What `set_cancel_on_disconnect` has asked for is off; the timer of `cancel_all_after`, which
    is the token's, runs on.
    """
    connection = _connection(call)
    call.safeguards.disconnects.off(connection)
    call.after_answer.append(lambda: connection.end(NORMAL_CLOSURE, "logout"))
    return {"closing": True}


def _connection(call: Call) -> Listener:
    assert call.listener is not None, "the front lets these in on /ws alone"
    return call.listener


def _rule(call: Call) -> shapes.DisconnectRule:
    connection, disconnects = _connection(call), call.safeguards.disconnects
    armed = disconnects.of(connection)
    if armed is not None and armed.account not in (None, call.terminal.account):
        armed = None  # it is about the account that the terminal was logged in to
    return {
        "enabled": armed is not None,
        "scope": "connection" if armed is None or armed.own else "terminal",
        "action": "cancel_orders" if armed is None else armed.action,
        "grace_ms": 0 if armed is None else armed.within_ms,
        "session_id": disconnects.name_of(connection),
    }


@contextmanager
def _written() -> Iterator[None]:
    """Around what goes into the ledger and holds all the same."""
    try:
        yield
    except StoreError as error:
        logger.critical("the kill switch was not written: %s", error)
        raise InternalError(
            "It holds until the gateway ends, but the gateway cannot write its ledger: see its log"
        ) from error


async def _chosen(
    call: Call, symbol: str | None, magic: int | None, side: Literal["buy", "sell"] | None
) -> OrderFilter:
    if symbol is not None:
        # where it is not known which symbol is meant, nothing would be found, and all seem well
        symbol = await call.state.symbols.surely(call.terminal, symbol)
    return OrderFilter(symbol=symbol, magic=magic, side=side)


def _state(call: Call) -> shapes.TradingEnabled:
    switch = call.safeguards.switch
    found = switch.over(call.terminal.name)
    return {
        "trading_enabled": not found and switch.drain.stage is DrainStage.OPEN,
        "halts": [
            {
                "everywhere": halt.terminal == EVERYWHERE,
                "armed_by": halt.armed_by,
                "since": halt.since_ms,
                "reason": halt.reason,
                "reductions": halt.reductions,
                "by_admin": halt.by_admin,
            }
            for halt in found
        ],
    }
