"""``status``: gateway, terminal and link to the console, in words."""

from __future__ import annotations

import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import sqlite3
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.home import home_option
from gateway.cli.output import CliError, utc_minute, visible
from gateway.cli.target import TOKEN, AuthToken, Home, Target, Url, find_target, run_async

if TYPE_CHECKING:
    from gateway.schemas import ConsoleInfo, EaStatus, ServerInfo, TradingEnabled
TERMINALS = "terminals.json"
"""That of :mod:`gateway.home.terminals_file`."""
ALLOWED = {
    "full": "all that the token may do",
    "reduce": "only closing, cancelling and tightening stops",
    "read": "only reading",
    "none": "nothing",
}
"""By tier."""
REASONS = {
    "lease_expired": "the console was not reached for too long",
    "clock_suspect": "the clock of the gateway's machine went back",
    "missed_event": "the console's newest word is being fetched",
    "console_unasked": "the console is being asked for the first time since the start",
}
"""Reasons that it is less than all for."""


def status(
    *,
    url: Url = None,
    auth_token: AuthToken = None,
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell whether the gateway runs, and how the terminal is. Exit code 1: not all is well.

    Without a token it tells the owner of the home which terminals are there.
    """
    target = find_target(url, auth_token, home)
    if target.auth_token is None and target.home is not None:
        _of_home(target, target.home, as_json=as_json)
        return

    from gateway.client.once import call_once
    from gateway.errors import GatewayError

    async def ask() -> tuple[ServerInfo, EaStatus, TradingEnabled]:
        return (
            await call_once(target.url, target.token, "get_server_info"),
            await call_once(target.url, target.token, "get_ea_status"),
            await call_once(target.url, target.token, "get_trading_enabled"),
        )

    try:
        server, ea, trading = run_async(ask())
    except GatewayError as error:
        raise CliError(error.message) from error
    facts, console = _facts(target, server, ea, trading), server["console"]
    whole = {"server": server, "ea": ea, "trading": trading}
    sys.stdout.write((json.dumps(whole, indent=2) if as_json else _table(facts)) + "\n")
    is_held_back = console is not None and (console["problem"] or console["tier"] != "full")
    is_held_back = is_held_back or not trading["trading_enabled"]
    if ea["state"] != "ready" or not ea["broker_connected"] or is_held_back:
        raise typer.Exit(1)


def _of_home(target: Target, home: Path, *, as_json: bool) -> None:
    """Tell the owner of a home which terminals are there, without a token of any of them."""

    terminals, halts = terminals_in(home), halts_in(home)
    if as_json:
        whole = {"url": target.url, "terminals": terminals, "halts": halts}
        sys.stdout.write(json.dumps(whole, indent=2) + "\n")
    else:
        rows = {"gateway": f"at {target.url}, home {home}"}
        rows |= {
            f"terminal {nth}": f"{terminal['terminal']}: {terminal['state']} since "
            f"{utc_minute(terminal['since'] / 1000)}, {terminal['platform']}, "
            f"{terminal['login']} on {terminal['server']}"
            for nth, terminal in enumerate(terminals, 1)
        }
        if not terminals:
            rows["terminals"] = "none has linked since the gateway started"
        rows["trading"] = "; ".join(_halted(halt, home) for halt in halts) or "enabled"
        rows["more"] = f"of one terminal: set {TOKEN} to its token"
        sys.stdout.write(_table(rows) + "\n")
    if halts or not terminals or any(terminal["state"] != "ready" for terminal in terminals):
        raise typer.Exit(1)


def terminals_in(home: Path) -> list[dict[str, Any]]:
    """Return the terminals of the gateway that runs in a home, as it has told."""
    try:
        told: list[dict[str, Any]] = json.loads((home / TERMINALS).read_text("utf-8"))["terminals"]
    except (OSError, ValueError):
        return []
    return told


def halts_in(home: Path) -> list[dict[str, Any]]:
    """Return the halts that lie in the ledger of a home."""
    from gateway.storage.store import LEDGER
    from gateway.trading.kill_switch.halts import find_all

    try:
        with closing(
            # read only: to look must make no ledger
            sqlite3.connect(f"{(home / LEDGER).absolute().as_uri()}?mode=ro", uri=True)
        ) as ledger:
            ledger.row_factory = sqlite3.Row
            return [asdict(halt) for halt in find_all(ledger)]
    except sqlite3.Error as error:
        raise CliError(f"{home / LEDGER}: {error}") from error


def _halted(halt: dict[str, Any], home: Path) -> str:
    which = f" {halt['terminal']}" if halt["terminal"] else ""
    said = f" ({halt['reason']})" if halt["reason"] else ""
    undo = f"mt-gateway resume{which}{home_option(home)}"
    return f"{which or 'all'} halted by {halt['armed_by']}{said}; undo: {undo}".strip()


def _facts(
    target: Target, server: ServerInfo, ea: EaStatus, trading: TradingEnabled
) -> dict[str, Any]:
    minutes, seconds = divmod(server["uptime_ms"] // 1000, 60)
    up = f"up {minutes} min {seconds} s"
    return {
        "gateway": f"{server['name']} {server['version']} at {target.url}, {up}",
        "terminal": f"{ea['terminal']}: {ea['state']}{_advice(ea)}",
        "platform": f"{ea['platform'] or '-'}, build {ea['build'] or '-'}",
        "account": f"{ea['login'] or '-'} on {ea['server'] or '-'}",
        "broker": _word(ea["broker_connected"], "connected", "not connected"),
        "autotrading": _word(ea["autotrading"], "on", "off: press AutoTrading in the terminal"),
        "trading": _halts(ea["terminal"], trading, target.home),
        "round trip": "-" if ea["rtt_ms"] is None else f"{ea['rtt_ms']:.1f} ms",
        "subscribed": ea["subscriptions"],
        **_console(server),
    }


def _halts(terminal: str, trading: TradingEnabled, home: Path | None) -> str:
    told, at = [], "" if home is None else home_option(home)
    for halt in trading["halts"]:
        which = "" if halt["everywhere"] else f" {terminal}"
        said = f" ({halt['reason']})" if halt["reason"] else ""
        told.append(f"halted by {halt['armed_by']}{said}; undo: mt-gateway resume{which}{at}")
    return "; ".join(told) or "enabled"


def _console(server: ServerInfo) -> dict[str, str]:
    console, now_ms = server["console"], server["time"]
    if console is None:
        return {}
    return {
        "console": console_link(console, now_ms),
        "allowed": allowance(console),
        "machine": f"{console['device_words']} (the console shows the same words)",
    }


def _advice(ea: EaStatus) -> str:
    if ea["state"] == "ready":
        return ""
    return " (start MetaTrader and see that the EA runs with this token)"


def _word(value: bool | None, yes: str, no: str) -> str:
    return "-" if value is None else (yes if value else no)


def _table(facts: dict[str, Any]) -> str:
    return "\n".join(f"{name:<12} {visible(str(fact))}" for name, fact in facts.items())


# --- the link to the console, for doctor too ---------------------------------------------------


def console_link(console: ConsoleInfo, now_ms: int) -> str:
    """Return whether the console is heard, and since when it is not.

    Args:
        console: as ``get_server_info`` tells.
        now_ms: by the gateway's clock.

    """
    last_ms, problem = console["last_sync"], console["problem"]
    if problem is None:
        how = "" if console["connected"] else ", though without its stream"
        synced = "not asked yet" if last_ms is None else f"asked {_ago(last_ms, now_ms)}"
        return f"{console['url']}: in step{how}, {synced}"
    what = problem.removeprefix(f"{console['url']} ")
    if last_ms is None:
        return f"{console['url']}: not reached since the gateway started: {what}"
    since = f"{utc_minute(last_ms / 1000)}, {_ago(last_ms, now_ms)}"
    return f"{console['url']}: not in step since {since}: {what}"


def allowance(console: ConsoleInfo) -> str:
    """Return what the token may do now, until when, and why it is not all."""
    tier, ends_ms, reason = console["tier"], console["tier_ends"], console["tier_reason"]
    told = ALLOWED[tier]
    if tier != "none" and ends_ms is not None:
        until = utc_minute(ends_ms / 1000)
        told += f" until {until}" if tier != "full" else f"; without the console until {until}"
    return told if reason is None else f"{told}: {REASONS.get(reason, reason)}"


def _ago(at_ms: int, now_ms: int) -> str:
    seconds = max(now_ms - at_ms, 0) // 1000
    minutes, hours = seconds // 60, seconds // 3600
    if hours >= 48:
        return f"{hours // 24} days ago"
    if minutes >= 120:
        return f"{hours} h ago"
    return f"{minutes} min ago" if seconds >= 120 else f"{seconds} s ago"
