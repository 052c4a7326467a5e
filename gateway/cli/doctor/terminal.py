"""The terminal: its last refusal, and the switches that let it trade, told apart.

The gateway tells of linked terminals alone. One that was never let in leaves a refusal in the
home's audit trail; and one whose MetaTrader lets it not dial at all leaves nothing anywhere.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.cli.doctor.finding import Finding, all_skipped, ok, problem, skipped, warning
from gateway.cli.doctor.gateway import GatewayAnswers
from gateway.cli.install_ea.installation import is_older, shipped_version
from gateway.cli.output import utc_minute
from gateway.schemas import AccountInfo, EaStatus, ServerInfo, TerminalInfo
from gateway.storage.ledger import DATABASE

MAX_ENTRIES = 5000
"""Of the trail, from its end, that are looked through."""
MAX_ROUND_TRIP_MS = 50.0
SWITCHES = ("autotrading", "ea_trading", "account_trading", "expert_trading")
"""AutoTrading button; the EA's own; the account's; the broker's, for programs."""
LIVE = ("ea", "broker", *SWITCHES, "round_trip", "broker_time")
"""What can be seen of a linked terminal only."""

_DIAL = {
    "mt5": "allow 127.0.0.1 under Tools > Options > Expert Advisors > Allow WebRequest",
    "mt4": "allow DLL imports under Tools > Options > Expert Advisors and in the EA's settings",
}
"""What lets an EA dial, by platform. Where it is missing nothing reaches the gateway."""
_INPUT = "put the right token into the EA's input auth_token (F7 on its chart)"
_COMPILE = "run mt-gateway install-ea, and compile the EA: F7 in MetaEditor"
_REMEDIES = {
    "busy": "wait: it tries again by itself",
    "device_pending": "approve this machine; see approval",
    "unknown": _INPUT,
    "expired": _INPUT,
    "revoked": _INPUT,
    "account_disabled": "ask who runs the console",
    "device_revoked": "approve this machine again; see device",
    "refused": "a person said no to this machine: remove the EA, or approve the machine",
    "proto": f"the EA and the gateway are of versions too far apart: {_COMPILE}",
}
"""By the reason why a terminal was turned away."""


@dataclass(frozen=True, slots=True)
class TerminalRefusal:
    """A terminal was not let in."""

    tid: str
    """Id of the token that it showed; nobody has checked that it holds it."""
    reason: str
    """As in :data:`ea_bridge.protocol.messages.DENIALS`."""
    at_ms: int
    """UTC."""


def examine(heard: GatewayAnswers, refusal: TerminalRefusal | None = None) -> Iterator[Finding]:
    """Look at the terminal that the token opens.

    Args:
        heard: from the gateway.
        refusal: of the terminal's last try, if it was turned away.

    """
    if heard.server is None or heard.ea is None:
        yield from all_skipped(("terminal", *LIVE), "see gateway and token")
        return
    yield link(heard.ea, refusal)
    if heard.ea["state"] != "ready":
        yield from all_skipped(LIVE, "see terminal")
        return
    yield version(heard.ea)
    yield broker(heard.ea)
    yield from switches(heard)
    yield round_trip(heard.ea)
    yield broker_time(heard.server)


def link(ea: EaStatus, refusal: TerminalRefusal | None = None) -> Finding:
    """The EA has dialled in, and is heard of."""
    name = ea["terminal"]
    known = name
    if ea["platform"] is not None:
        known = f"{name}: {ea['platform']} build {ea['build']}, {ea['login']} on {ea['server']}"
    if ea["state"] == "ready":
        return ok("terminal", known)
    if ea["state"] == "stale":
        busy = "see whether the terminal hangs: close what keeps it busy, or restart it"
        return problem("terminal", f"{known}: silent for seconds", busy)
    if refusal is not None:
        return turned_away(known, refusal)
    if ea["platform"] is None:
        found = f"{name} was never seen: no EA has dialled with this token"
        return problem("terminal", found, _first_start())
    start = f"start MetaTrader with the EA on a chart, and {_DIAL[ea['platform']]}"
    return problem(
        "terminal",
        f"{known}: not linked any more",
        f"{start}; the terminal's tab Experts tells what the EA tries",
    )


def turned_away(known: str, refusal: TerminalRefusal) -> Finding:
    """An EA has dialled, and was not let in."""
    at = utc_minute(refusal.at_ms / 1000)
    found = f"{known}: an EA with the token {refusal.tid} was turned away ({refusal.reason}, {at})"
    return problem("terminal", found, _REMEDIES.get(refusal.reason, "see token"))


def version(ea: EaStatus) -> Finding:
    """The EA is the one that came with this gateway."""
    there, ours = ea["ea_version"] or "", shipped_version()
    found = f"version {there or 'unknown'}"
    if is_older(there, ours):
        return warning("ea", f"{found}; {ours} came with this gateway", _COMPILE)
    if is_older(ours, there):
        upgrade = "upgrade mt-gateway to the version that the EA came with"
        return warning("ea", f"{found}, newer than {ours} of this gateway", upgrade)
    return ok("ea", found)


def _first_start() -> str:
    return (
        "run mt-gateway install-ea, put the EA on a chart with this token, and "
        f"{_DIAL['mt5']} (MetaTrader 4: allow DLL imports). The gateway cannot see what keeps an "
        "EA from dialling; the terminal's tab Experts tells"
    )


def broker(ea: EaStatus) -> Finding:
    """The terminal is connected to the broker."""
    if ea["broker_connected"]:
        return ok("broker", "connected")
    login = "in the terminal log in under File > Login to Trade Account; see its Journal tab"
    return problem("broker", "the terminal is not connected to the broker", login)


def switches(heard: GatewayAnswers) -> Iterator[Finding]:
    """Each switch that must be on before an order is taken."""
    assert heard.server is not None  # examine has looked
    assert heard.ea is not None
    if "trade" not in heard.server["scopes"]:
        yield from all_skipped(SWITCHES, "not needed: the token only reads")
    elif heard.terminal is None or heard.account is None:
        yield problem(
            SWITCHES[0],
            f"the terminal did not tell: {heard.silence}",
            "try again; if it stays so, restart the terminal",
        )
        yield from all_skipped(SWITCHES[1:], "see autotrading")
    else:
        yield button(heard.terminal)
        yield ea_trading(heard.ea, heard.terminal)
        yield from account(heard.account)


def button(terminal: TerminalInfo) -> Finding:
    """AutoTrading in the terminal's toolbar."""
    if terminal["trade_allowed"]:
        return ok("autotrading", "the terminal's button is on")
    press = "press AutoTrading (Algo Trading) in the terminal's toolbar, or Ctrl+E"
    return problem("autotrading", "the terminal's AutoTrading button is off", press)


def ea_trading(ea: EaStatus, terminal: TerminalInfo) -> Finding:
    """The EA's own switch; the EA tells of both together, so the button must be on to see it."""
    if ea["autotrading"]:
        return ok("ea_trading", "the EA may trade")
    if not terminal["trade_allowed"]:
        return skipped("ea_trading", "see autotrading")
    tick = "press F7 on the EA's chart and tick Allow Algo Trading (live trading) under Common"
    return problem("ea_trading", "the EA's own trading switch is off", tick)


def account(account: AccountInfo) -> Iterator[Finding]:
    """What the broker allows: the account to trade at all, and programs to trade on it."""
    if account["trade_allowed"]:
        yield ok("account_trading", "the account may trade")
    else:
        yield problem(
            "account_trading",
            "the account may not trade",
            "log in with the trading password, not the investor's; else ask the broker",
        )
    if account["trade_expert"]:
        yield ok("expert_trading", "the broker lets programs trade")
    else:
        yield problem(
            "expert_trading",
            "the broker does not let programs trade on this account",
            "ask the broker to allow Expert Advisors",
        )


def round_trip(ea: EaStatus) -> Finding:
    """How long a message takes to the EA and back."""
    took_ms = ea["rtt_ms"]
    if took_ms is None:
        return skipped("round_trip", "not measured yet")
    found = f"{took_ms:.1f} ms to the EA and back"
    if took_ms <= MAX_ROUND_TRIP_MS:
        return ok("round_trip", found)
    relieve = "give the EA a chart of its own, and close what keeps terminal or machine busy"
    return warning("round_trip", found, relieve)


def broker_time(server: ServerInfo) -> Finding:
    """How sure the gateway is of the broker's time zone."""
    (terminal,) = server["terminals"]
    offset = terminal["clock"]
    hours = offset["broker_utc_offset_s"] / 3600
    found = f"UTC{hours:+g} h, confidence {offset['confidence']}"
    if offset["confidence"] == "high":
        return ok("broker_time", found)
    wait = "wait for quotes, from which it is measured; the market may be closed"
    return warning("broker_time", found, wait)


# --- refusals, from the audit trail ------------------------------------------------------------


def last_refusal(home: Path, tid: str) -> TerminalRefusal | None:
    """Return how the last try of a terminal ended, if it was turned away; else the last of one
    with a token that nobody knows: it may be the same terminal, with an old token in its inputs.

    Reads what is there, and writes nothing; ``None`` also where it cannot be read.

    Args:
        home: of the gateway.
        tid: id of the token that the terminal should have.

    """
    unknown = None
    for entry in _newest(home / DATABASE):
        event = entry.get("event")
        # it was let in since: an older refusal says nothing any more
        if event == "terminal_linked" and entry.get("actor") == tid:
            break
        if event != "terminal_refused":
            continue
        refusal = TerminalRefusal(
            str(entry.get("object", "")), str(entry.get("reason")), int(entry.get("ts", 0))
        )
        if refusal.tid == tid:
            return refusal
        # the newest of them: the trail is read from its end
        if unknown is None and refusal.reason == "unknown":
            unknown = refusal
    return unknown


def _newest(database: Path) -> Iterator[dict[str, Any]]:
    query = "SELECT entry FROM audit ORDER BY n DESC LIMIT ?"
    try:
        with closing(
            # read only, by SQL of its own: the ledger's own opening makes and migrates
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        ) as reader:
            rows = reader.execute(query, (MAX_ENTRIES,)).fetchall()
    except sqlite3.Error:
        return  # there is none; or the finding database tells what is wrong with the home
    for (text,) in rows:
        try:
            yield orjson.loads(text)
        except ValueError:
            continue
