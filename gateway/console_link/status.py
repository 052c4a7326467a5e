"""Status of the link to the console: for ``status``, ``doctor`` and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import TerminalRegistry
from gateway.auth.caller import terminal_fp
from gateway.auth.records import RecordBook
from gateway.credentials.daemon_api import (
    MAX_TERMINALS,
    RunReport,
    TerminalDescription,
    TerminalReport,
)


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
    """Lease of one token, as of now."""

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
    """Status of the whole link, as of now."""

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


def facts_of(hello: Hello) -> TerminalDescription:
    """Return what the console is told of a terminal."""
    return TerminalDescription(
        platform="mt4" if hello.platform == "mt4" else "mt5",
        login=hello.login,
        server=hello.server,
        company=hello.company,
        fp=terminal_fp(hello),
        version=_version(hello),
    )


def _version(hello: Hello) -> str:
    parts = (f"EA {hello.ea}" if hello.ea else "", f"build {hello.build}" if hello.build else "")
    return ", ".join(part for part in parts if part)[:64]


def reports(
    registry: TerminalRegistry, book: RecordBook, latest: Callable[[str], RunReport | None]
) -> tuple[TerminalReport, ...]:
    """Return the state of all terminals whose tokens are known here or wait for approval.

    Where a token has a live session that one is told, though another terminal waits with it.

    Args:
        registry: knows who waits.
        book: knows the tokens.
        latest: the newest session with a token, of a terminal or of a manager peer.

    """
    return tuple(_reports(registry, book, latest))[:MAX_TERMINALS]


def _reports(
    registry: TerminalRegistry, book: RecordBook, latest: Callable[[str], RunReport | None]
) -> Iterable[TerminalReport]:
    told = set()
    for link in registry.pending():
        run = latest(link.hello.tid)
        if run is not None and run.ended is None:
            continue  # its link that waited is not closed yet, or another terminal has its token
        told.add(link.hello.tid)
        yield TerminalReport(
            tid=link.hello.tid,
            state="pending",
            since=link.since_ms // 1000,
            terminal=facts_of(link.hello),
        )
    for entry in book.entries():
        tid = entry.record.tid
        run = latest(tid)
        if run is None or tid in told:
            continue
        yield TerminalReport(
            tid=tid,
            state="online" if run.ended is None else "offline",
            since=run.began if run.ended is None else run.ended,
            terminal=run.terminal,
            run=run.run,
            reason=run.reason,
        )
