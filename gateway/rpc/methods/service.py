"""The gateway itself."""

from __future__ import annotations

import logging
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ea_bridge.session import SessionState
from gateway import API_VERSION
from gateway import schemas as shapes
from gateway.auth import tickets
from gateway.credentials.device import device_words
from gateway.credentials.lease import Tier
from gateway.errors import InvalidParams
from gateway.http.websocket_frames import CloseCode
from gateway.rpc.catalogue import Call, method
from gateway.runtime import ConsoleView
from gateway.schemas import convert
from gateway.trading.session import TradingSession, round_trip_ms

logger = logging.getLogger(__name__)
SERVER_NAME = "mt-gateway"
DEFAULT_HEARTBEAT_MS = 15_000
COALESCE = "coalesce"
"""Feature: see :class:`gateway.streams.outbox.Coalescer`."""
TIERS: dict[Tier, shapes.service.Tier] = {
    Tier.FULL: "full",
    Tier.REDUCE: "reduce",
    Tier.READ: "read",
    Tier.NONE: "none",
}


class ClientName(BaseModel):
    """The program that calls, for logs."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(max_length=64)
    version: str = Field("", max_length=64)


class ApiRange(BaseModel):
    """The versions of the protocol that a client speaks."""

    model_config = ConfigDict(extra="forbid", strict=True)

    min: int = Field(ge=1)
    max: int = Field(ge=1)


@method(scope=None, of_terminal=False)
async def ping(
    call: Call,
    *,
    t: Annotated[shapes.service.PingEcho | None, Field(description="Comes back.")] = None,
) -> shapes.Pong:
    """Answer at once; with the state of the terminal's link and its last round trip.

    The gateway answers by itself. On `/ws` this also tells it that the program is alive, which
    the pongs of a WebSocket library do not.
    """
    terminal = call.terminal
    return {
        "t": t,
        "time": call.daemon.now_ms(),
        "terminals": {terminal.name: _ping_of(terminal.session)},
    }


@method(scope=None, transports=("ws",), of_terminal=False, raises=(InvalidParams,))
async def hello(
    call: Call,
    *,
    auth_token: Annotated[
        str | None,
        Field(
            max_length=256,
            description="For clients that cannot set the `Authorization` header: then `hello` is "
            "the first message. Ignored where the connection is open already.",
        ),
    ] = None,
    client: Annotated[ClientName | None, Field(description="Who calls, for logs.")] = None,
    api: Annotated[
        ApiRange | None, Field(description="The versions that you speak; 1 if absent.")
    ] = None,
    features: Annotated[
        list[Annotated[str, Field(max_length=32)]] | None,
        Field(
            max_length=32,
            description="Features that this connection is to have, and no others; unknown ones "
            "are left out. Absent: as it is, at first none. `coalesce`: events that are sent "
            "together come as one JSON array, in one frame; one alone as it is.",
        ),
    ] = None,
    session_id: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Your name for this run: for logs, and to come back by within the grace "
            "of `set_cancel_on_disconnect`.",
        ),
    ] = None,
    heartbeat_ms: Annotated[
        int | None,
        Field(ge=1000, le=60_000, description="How long nothing may come; 15000 if absent."),
    ] = None,
) -> shapes.HelloResult:
    """Open a connection, or learn what an open one can do.

    A client that sends the `Authorization` header need not call it. One that cannot sends it
    first, within 5 seconds; before it every other method is refused. A token that is not let in
    is answered with -32001, and the connection is closed with 4501; a version that we don't speak
    with -32602, and 4503. When the token's rights end, the connection is closed with 4506; the
    reason of the close frame is the `reason` that error -32001 would have, such as `expired`.
    """
    wanted = api or ApiRange(min=API_VERSION, max=API_VERSION)
    listener = call.listener
    if not wanted.min <= API_VERSION <= wanted.max:
        if listener is not None:
            # after the answer, or the client would never learn which versions there are
            call.after_answer.append(
                lambda: listener.end(CloseCode.UNSUPPORTED_VERSION, "unsupported_version")
            )
        raise InvalidParams(
            "This gateway speaks another version of the protocol",
            errors=[{"field": "api", "reason": "unsupported_version"}],
            supported=[API_VERSION],
        )
    if listener is not None and heartbeat_ms is not None:
        listener.heartbeat_s = heartbeat_ms / 1000
        # the timer that runs may be set for longer than the client now waits
        call.streams.retime(listener)
    if listener is not None and features is not None:
        listener.coalesces = COALESCE in features
    beat_ms = DEFAULT_HEARTBEAT_MS if listener is None else round(listener.heartbeat_s * 1000)
    _note(call, client, session_id)
    if listener is not None and session_id:
        safeguards, name = call.safeguards, call.terminal.name
        safeguards.disconnects.hello(listener, name, session_id)
        # once more: only now is it known which session's timers this call starts anew
        safeguards.heard(name, call.caller.tid, listener)
    return {
        "api": API_VERSION,
        "server": _server(call),
        "features": [COALESCE] if listener is not None and listener.coalesces else [],
        "scopes": _scopes(call),
        "heartbeat_ms": beat_ms,
        "time": call.daemon.now_ms(),
        "limits": _limits(call),
        "terminals": [_terminal(call)],
    }


def welcome(call: Call) -> shapes.Welcome:
    """Return what a connection is told when it has signed in."""
    told = call.terminal.hello
    listener = call.listener
    return {
        "api": API_VERSION,
        "server": _server(call),
        "terminal": _terminal(call),
        "account": None
        if told is None or not told.login
        else {
            "login": told.login,
            "server": told.server,
            "company": told.company,
            "currency": told.currency,
            "margin_mode": told.mode or None,
            "trade_mode": told.trade or None,
        },
        "scopes": _scopes(call),
        "limits": _limits(call),
        "heartbeat_ms": DEFAULT_HEARTBEAT_MS
        if listener is None
        else round(listener.heartbeat_s * 1000),
        "time": call.daemon.now_ms(),
    }


def _server(call: Call) -> shapes.ServerIdentity:
    return {"name": SERVER_NAME, "version": call.daemon.version, "boot": call.daemon.boot}


def _terminal(call: Call) -> shapes.TerminalState:
    terminal, told = call.terminal, call.terminal.hello
    return {
        "id": terminal.name,
        "platform": None if told is None else terminal.platform,
        "login": None if told is None else told.login,
        "server": None if told is None else told.server,
        "state": terminal.state.value,
    }


def _note(call: Call, client: ClientName | None, session_id: str | None) -> None:
    """Log who calls: quoted, since a caller may write what it likes."""
    if client is not None:
        logger.info(
            "terminal %s: client %r %r, session %r",
            call.caller.terminal,
            client.name,
            client.version,
            session_id,
        )


@method(scope=None, of_terminal=False)
async def get_server_info(call: Call) -> shapes.ServerInfo:
    """Return what the gateway is, its limits, how it tells the broker's time, and its console.

    The gateway answers by itself, so this works while the terminal is offline. `console` tells
    what the token may do while the console is silent, and until when.
    """
    daemon, terminal = call.daemon, call.terminal
    told, now = terminal.hello, call.daemon.now_ms()
    return {
        "name": SERVER_NAME,
        "version": daemon.version,
        "api": daemon.api,
        "boot": daemon.boot,
        "time": now,
        "started": daemon.started_ms,
        "uptime_ms": now - daemon.started_ms,
        "rpc_url": daemon.rpc_url,
        "ws_url": daemon.ws_url,
        "scopes": _scopes(call),
        "limits": _limits(call),
        "terminals": [
            {
                "id": terminal.name,
                "platform": None if told is None else terminal.platform,
                "login": None if told is None else told.login,
                "server": None if told is None else told.server,
                "state": terminal.state.value,
                "clock": convert.broker_offset(terminal.clock),
            }
        ],
        "console": _console(daemon.console(call.caller.tid)),
    }


def _console(view: ConsoleView | None) -> shapes.ConsoleInfo | None:
    if view is None:
        return None
    return {
        "url": view.url,
        "connected": view.connected,
        "last_sync": view.last_sync_ms,
        "problem": view.problem or None,
        "clock_suspect": view.clock_suspect,
        "tier": TIERS[view.tier],
        "tier_reason": view.reason or None,
        "tier_ends": view.tier_ends_ms,
        "lease_ends": view.lease_ends_ms,
        "device": view.device,
        "device_words": device_words(view.device),
    }


@method(scope=None, transports=("http",), of_terminal=False)
async def get_ws_ticket(call: Call) -> shapes.WsTicket:
    """Return a ticket that opens `/ws` once: for web pages, which can send no header there.

    It is good for 5 seconds, for the origin that asked and for the rights that the token has now:
    ask for one right before each connection. A page must be of an origin in `api.allowed_origins`.
    On the handshake a wrong ticket is answered with 401 and -32001: `malformed`, `unknown` (also
    when it was used, or asked for by another origin) or `expired`.
    """
    ticket = call.tickets.issue(call.caller, call.origin)
    return {
        "ticket": ticket,
        "expires_ms": round(tickets.LIFETIME_S * 1000),
        "subprotocol": tickets.SUBPROTOCOL + ticket,
    }


def _ping_of(session: TradingSession | None) -> shapes.service.TerminalPing:
    if session is None:
        return {"state": SessionState.DISCONNECTED.value, "rtt_ms": None, "age_ms": None}
    return {
        "state": session.state.value,
        "rtt_ms": round_trip_ms(session),
        "age_ms": round(session.silence_s * 1000),
    }


def _scopes(call: Call) -> list[shapes.service.Scope]:
    return sorted(scope.value for scope in call.caller.scopes)


def _limits(call: Call) -> shapes.ClientLimits:
    limits, trading = call.daemon.limits, call.terminal.limits()
    rate = trading.orders_per_second
    return {
        "max_message_bytes": limits.max_message_bytes,
        "max_response_bytes": limits.max_response_bytes,
        "max_batch": limits.max_batch,
        "max_in_flight": limits.max_in_flight,
        "max_websockets": limits.max_websockets,
        "max_channels": limits.max_channels,
        "queue_bytes": limits.queue_bytes,
        "queue_messages": limits.queue_messages,
        "orders_per_second": None if rate is None else float(rate),
        "order_burst": None if rate is None else trading.order_burst,
        "max_orders_per_minute": trading.max_orders_per_minute,
    }
