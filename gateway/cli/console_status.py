"""Status of a gateway's link to its console, in words: for ``status`` and ``doctor``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.schemas import ConsoleInfo

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


def link(console: ConsoleInfo, now_ms: int) -> str:
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
    since = f"{clock_time(last_ms, now_ms)}, {_ago(last_ms, now_ms)}"
    return f"{console['url']}: not in step since {since}: {what}"


def allowance(console: ConsoleInfo, now_ms: int) -> str:
    """Return what the token may do now, until when, and why it is not all."""
    tier, ends_ms, reason = console["tier"], console["tier_ends"], console["tier_reason"]
    told = ALLOWED[tier]
    if tier != "none" and ends_ms is not None:
        until = clock_time(ends_ms, now_ms)
        told += f" until {until}" if tier != "full" else f"; without the console until {until}"
    return told if reason is None else f"{told}: {REASONS.get(reason, reason)}"


def clock_time(at_ms: int, now_ms: int) -> str:
    """Return a moment in UTC, as the logs have it; with its date if that is another day's."""
    at, now = time.gmtime(at_ms / 1000), time.gmtime(now_ms / 1000)
    is_today = (at.tm_year, at.tm_yday) == (now.tm_year, now.tm_yday)
    return time.strftime("%H:%M:%S UTC" if is_today else "%Y-%m-%d %H:%M UTC", at)


def _ago(at_ms: int, now_ms: int) -> str:
    seconds = max(now_ms - at_ms, 0) // 1000
    minutes, hours = seconds // 60, seconds // 3600
    if hours >= 48:
        return f"{hours // 24} days ago"
    if minutes >= 120:
        return f"{hours} h ago"
    return f"{minutes} min ago" if seconds >= 120 else f"{seconds} s ago"
