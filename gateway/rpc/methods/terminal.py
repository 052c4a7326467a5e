"""The terminal, its clock and its EA."""

from __future__ import annotations

from ea_bridge import commands
from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.session import SessionState
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.errors import TerminalDisconnected, Timeout
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert


@method(scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
async def get_terminal_info(call: Call) -> shapes.TerminalInfo:
    """Return what the terminal tells of itself: build, folders, switches, ping to the broker.

    `trade_allowed` is the AutoTrading button; whether the account may trade is in
    `get_account_info`.
    """
    terminal = await call.terminal.request(commands.TERMINAL_GET, commands.NoParams())
    return convert.terminal_info(terminal, call.terminal.platform)


@method(scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
async def get_server_time(call: Call) -> shapes.ServerTime:
    """Return the broker's time, and how far it lies from UTC.

    MetaTrader types the broker's wall clock as if it were UTC. The gateway learns the offset from
    fresh quotes; `offset` says how sure it is. `last_quote_time` stands still without quotes.
    """
    now = await call.terminal.request(commands.CLOCK_GET, commands.NoParams())
    return convert.server_time(now, call.terminal.clock)


@method(scope=Scope.READ)
async def get_ea_status(call: Call) -> shapes.EaStatus:
    """Return the state of the link to the terminal's EA.

    The gateway answers by itself, so this works while the terminal is offline: then `state` is
    `disconnected` and the rest is what was known last. Before the first contact it is null.
    """
    terminal, session = call.terminal, call.terminal.session
    facts, hello = terminal.facts, terminal.hello
    subscribed = call.streams.subscriptions(call.caller, call.listener)
    silence_ms = None if session is None else round(session.silence_s * 1000)
    return {
        "terminal": terminal.name,
        "connected": terminal.state is SessionState.READY,
        "state": terminal.state.value,
        "platform": None if hello is None else terminal.platform,
        "ea_version": None if hello is None else hello.ea,
        "build": None if hello is None else hello.build,
        "login": None if hello is None else hello.login,
        "server": None if hello is None else hello.server,
        "company": None if hello is None else hello.company,
        "capabilities": [] if hello is None else sorted(parse_caps(hello.caps)),
        "state_since": None if facts is None else facts.since_ms,
        "last_heartbeat": None if silence_ms is None else call.daemon.now_ms() - silence_ms,
        "rtt_ms": terminal.round_trip_ms,
        "broker_connected": None if session is None else session.broker,
        "autotrading": None if session is None else session.autotrading,
        "paper": terminal.is_paper,
        "subscriptions": len(subscribed["subscriptions"]),
    }
