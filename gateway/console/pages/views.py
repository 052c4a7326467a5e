"""Values for templates: the services' facts with the words for them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.console.activity import ActivityEntry
from gateway.console.approvals import RequestView
from gateway.console.devices import DeviceInfo
from gateway.console.sessions import SessionInfo
from gateway.console.terminals import TerminalStatus
from gateway.console.tokens import TokenInfo

from .labels import (
    PLATFORMS,
    Chip,
    Moment,
    Sentence,
    account_of,
    browser_of,
    entry_detail,
    entry_words,
    from_where,
    limits_words,
    rights,
    terminal_chip,
    terminal_facts,
    token_chip,
    token_until,
)

View = Mapping[str, Any]


def terminal_view(terminal: TerminalStatus) -> View:
    """A terminal on a machine."""
    return {
        "tid": terminal.tid,
        "key": terminal.key,
        "name": terminal.name,
        "platform": terminal.platform,
        "account": account_of(terminal),
        "state": terminal.state,
        "chip": terminal_chip(terminal),
        "facts": terminal_facts(terminal),
    }


def token_view(token: TokenInfo) -> View:
    """A token."""
    return {
        "tid": token.tid,
        "name": token.name,
        "platform": token.platform,
        "platform_words": PLATFORMS[token.platform],
        "state": token.status,
        "is_live": token.is_live,
        "chip": token_chip(token),
        "rights": rights(token).title,
        "rights_words": f"{rights(token).title}. {rights(token).words}",
        "created_at": token.created_at,
        "until": token_until(token),
        "limits_words": limits_words(token.limits),
        "strict_terminal": token.strict_terminal,
        "replaced_by": token.replaced_by,
    }


def succession(token: TokenInfo, tokens: Iterable[TokenInfo]) -> Sequence[View]:
    """Return what there is to say of the token in a token's place, and of those before it.

    Each is a label, the other token, and a sentence.
    """
    lines = []
    for other in tokens:
        if other.tid == token.replaced_by:
            lines.append(_line("Replaced by", other, _used(other)))
        elif other.replaced_by == token.tid:
            until = token_until(other) if other.is_live else ("it has ended",)
            lines.append(_line("Replaces", other, (*until, "; ", *_used(token, "this one"))))
    return lines


def _line(label: str, other: TokenInfo, words: Sentence) -> View:
    return {"label": label, "tid": other.tid, "words": words}


def _used(token: TokenInfo, it: str = "it") -> Sentence:
    if token.linked_at is None:
        return (f"the EA has not used {it} yet: paste it in",)
    return (f"the EA uses {it} since ", Moment(token.linked_at))


def device_view(
    device: DeviceInfo, names: Mapping[str, str], terminals: Iterable[TerminalStatus]
) -> View:
    """A machine.

    Args:
        device: the machine.
        names: of the user's tokens, by id.
        terminals: of the user; some may be on it.

    """
    here = [terminal for terminal in terminals if terminal.did == device.did]
    return {
        "did": device.did,
        "name": device.hostname or "a machine without name",
        "os": device.os,
        "words": device.words,
        "label": device.label,
        "status": device.status,
        "chip": device_chip(device),
        "first_seen": device.first_seen_at,
        "last_seen": device.last_seen_at,
        "terminals": [{"tid": tid, "name": names[tid]} for tid in device.tids if tid in names],
        "facts": _stopped(device, here),
    }


def device_chip(device: DeviceInfo) -> Chip:
    """Return a machine's state."""
    if device.status != "approved":
        return Chip("bad", "Revoked")
    return Chip("good", "Connected") if device.is_online else Chip("idle", "Not connected")


def _stopped(device: DeviceInfo, here: Sequence[TerminalStatus]) -> Sentence:
    if device.status != "revoked":
        return ()
    open_end = [terminal for terminal in here if terminal.state == "stopping"]
    if open_end:
        return (
            "Not confirmed: its terminals end by ",
            Moment(max(terminal.ends_by or 0 for terminal in open_end)),
        )
    told = [terminal.stopped_at_ms for terminal in here if terminal.stopped_at_ms is not None]
    if told:
        return ("Its terminals stopped at ", Moment(max(told) / 1000, exact=True))
    return ("Revoked ", Moment(device.revoked_at)) if device.revoked_at else ()


def session_view(session: SessionInfo, current: str) -> View:
    """A browser that is signed in."""
    return {
        "sid": session.sid,
        "is_current": session.sid == current,
        "browser": browser_of(session.agent) or "An unknown browser",
        "place": from_where(session.ip),
        "created_at": session.created_at,
        "seen_at": session.seen_at,
    }


def entry_view(entry: ActivityEntry) -> View:
    """A line of the log."""
    return {
        "at": entry.at,
        "words": entry_words(entry),
        "detail": entry_detail(entry),
        "place": from_where(entry.ip),
        "browser": browser_of(entry.agent),
    }


def version_of(terminals: Iterable[TerminalStatus], requests: Iterable[RequestView]) -> str:
    """Return what changes when a list gets or loses a line; a page asks to be loaded anew then."""
    # names only: what changes within a line is put into the open page without a reload
    names = [terminal.key for terminal in terminals] + [request.rid for request in requests]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def summary(terminals: Sequence[TerminalStatus], requests: Sequence[RequestView]) -> View:
    """Return the state of one token on all machines in one line: what concerns its owner most."""
    asking = [request for request in requests if request.tid == terminals[0].tid]
    if asking:
        facts = (f"{asking[0].device_name} asks for your approval, see Approvals.",)
        return {"chip": Chip("warn", "Waiting for approval"), "facts": facts}
    order = ("online", "stopping", "pending", "silent", "offline")
    rank = {state: number for number, state in enumerate(order)}
    first = min(terminals, key=lambda terminal: rank.get(terminal.state, len(order)))
    return {"chip": terminal_chip(first), "facts": terminal_facts(first)}
