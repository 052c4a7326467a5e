"""Plain words for what machines have told of their past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.console.logins import LoginInfo
from gateway.console.runs import DAEMON_GONE, REPLACED, RunInfo

from .words import Chip, browser_of

_ENDS: Final = {
    REPLACED: "a newer link with the same token took its place",
    DAEMON_GONE: "the gateway stopped without a word; last heard of then",
    "shutdown": "the gateway was stopped",
    "the terminal said bye: shutdown": "the EA was removed, or the terminal closed",
    "the terminal said bye: account_changed": "the terminal changed its account",
    "silent for too long": "the terminal was silent for too long",
    "revoked": "the token was revoked",
    "expired": "the token expired",
    "account_disabled": "your account was disabled",
    "device_revoked": "the machine was revoked",
    "rights_changed": "the token's rights changed",
}
_REASONS: Final = {
    "unknown": "wrong token, or not known on that machine",
    "revoked": "the token is revoked",
    "expired": "the token has expired",
    "account_disabled": "the account is disabled",
    "device_pending": "the machine waits for approval",
    "device_revoked": "the machine is revoked",
    "lease_expired": "the console could not be reached for too long",
    "rights_changed": "the token's rights changed",
    "busy": "the gateway could not check it just then",
    "proto": "the EA is of another version, or plays another part",
}
_WAYS: Final = {"http": "Program", "ws": "Program, stream", "terminal": "Terminal"}
_STATES: Final = {
    "online": Chip("good", "Live"),
    "unknown": Chip("warn", "No contact"),
    "pending": Chip("warn", "Waiting for approval"),
    "offline": Chip("idle", "Ended"),
}


def run_view(run: RunInfo) -> Mapping[str, Any]:
    """A session of a terminal."""
    reason = run.reason.replace("'", "")  # daemons differ in whether they quote the EA's word
    end = _ENDS.get(reason, run.reason)
    account = f"{run.login} at {run.server}" if run.login else ""
    return {
        "tid": run.tid,
        "name": run.name,
        "device": run.hostname or "a machine without name",
        "chip": _STATES[run.state],
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "why": end[:1].upper() + end[1:],
        "platform": run.platform.upper(),
        "account": account,
        "version": run.version,
    }


def login_view(login: LoginInfo) -> Mapping[str, Any]:
    """Uses of a token by one program."""
    is_in = login.outcome == "ok"
    return {
        "tid": login.tid,
        "name": login.name,
        "device": login.hostname or "a machine without name",
        "chip": Chip("good", "Let in") if is_in else Chip("bad", "Refused"),
        "why": "" if is_in else _REASONS.get(login.reason, login.reason),
        "way": _WAYS.get(login.way, login.way),
        "agent": browser_of(login.agent),
        "first_at": login.first_at,
        "last_at": login.last_at,
        "count": login.count,
    }
