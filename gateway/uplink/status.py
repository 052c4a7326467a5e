"""What the link to the console says of itself: for ``status``, ``doctor`` and reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import TerminalRegistry
from ea_bridge.session import SessionState
from gateway.auth.records import RecordBook
from gateway.auth.terminal_fp import terminal_fp
from gateway.credentials.daemon_api import MAX_TERMINALS, TerminalFacts, TerminalReport


@dataclass(frozen=True)
class PendingApproval:
    """A terminal that waits until a person lets this machine use its token."""

    rid: str
    tid: str
    platform: str
    login: int
    server: str
    user_code: str
    url: str
    expires_ms: int
    """UTC."""


@dataclass(frozen=True)
class TokenLease:
    """How a token stands."""

    tid: str
    terminal: str
    tier: str
    """``none``, ``read``, ``reduce`` or ``full``."""
    reason: str
    """Why it is not ``full``; empty if it is."""
    lease_ends_ms: int | None
    """UTC, by the console's clock."""


@dataclass(frozen=True)
class LinkStatus:
    """How the link stands."""

    url: str
    root: str
    """``mgr1_...``; empty before the first contact."""
    device: str
    connected: bool
    """The stream is open."""
    last_sync_ms: int | None
    """UTC, by our clock; ``None``: never since the start."""
    problem: str
    """What is wrong and what to do; empty if nothing is."""
    clock_suspect: bool
    clock_ahead_s: float | None
    """Of our wall clock to the console's; ``None`` while the console's is unknown."""
    tokens: tuple[TokenLease, ...]
    pending: tuple[PendingApproval, ...]


def facts_of(hello: Hello) -> TerminalFacts:
    """Return what the console is told of a terminal."""
    return TerminalFacts(
        platform="mt4" if hello.platform == "mt4" else "mt5",
        login=hello.login,
        server=hello.server,
        company=hello.company,
        fp=terminal_fp(hello),
    )


def reports(registry: TerminalRegistry, book: RecordBook) -> tuple[TerminalReport, ...]:
    """Return the state of all terminals whose tokens are known here or wait for approval."""
    return tuple(_reports(registry, book))[:MAX_TERMINALS]


def _reports(registry: TerminalRegistry, book: RecordBook) -> Iterable[TerminalReport]:
    waiting = {one.hello.tid: one for one in registry.pending()}
    for one in waiting.values():
        yield TerminalReport(
            tid=one.hello.tid,
            state="pending",
            since=one.since_ms // 1000,
            terminal=facts_of(one.hello),
        )
    for entry in book.entries():
        facts = registry.facts(entry.terminal)
        tid = entry.record.tid
        if facts is None or facts.hello.tid != tid or tid in waiting:
            continue
        is_gone = facts.state is SessionState.DISCONNECTED
        yield TerminalReport(
            tid=tid,
            state="offline" if is_gone else "online",
            since=facts.since_ms // 1000,
            terminal=facts_of(facts.hello),
        )
