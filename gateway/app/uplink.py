"""The link to the console, made of the daemon's parts, and how the console is for a caller."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ea_bridge.mt4_manager.registry import ManagerRegistry
from ea_bridge.registry import TerminalRegistry
from gateway import __version__
from gateway.audit import Audit
from gateway.audit.service import note_denied
from gateway.auth.console_clock import Clocks
from gateway.auth.console_trust import ConsoleBook
from gateway.auth.gate import Gate
from gateway.config import Config
from gateway.console_link import LinkTimings, StoppedCounts, Trail, Uplink
from gateway.home.home import Home
from gateway.runtime import ConsoleView


def new_uplink(
    home: Home,
    config: Config,
    console: ConsoleBook | None,
    *,
    gate: Gate,
    registry: TerminalRegistry,
    managers: ManagerRegistry | None,
    websockets_of: Callable[[Collection[str]], int],
    clocks: Clocks,
    pace: LinkTimings | None,
    trail: Trail,
) -> Uplink | None:
    """Return the link to the console, where there is one."""
    if console is None:
        return None

    def count(tids: frozenset[str]) -> StoppedCounts:
        sessions = [one for one in registry.sessions() if one.hello.tid in tids]
        return StoppedCounts(
            ws=websockets_of(tids),
            bridge=len(sessions),
            orders=sum(one.trades_in_flight for one in sessions),
        )

    return Uplink(
        config.console.url,
        device=home.device,
        console=console,
        gate=gate,
        registry=registry,
        managers=managers,
        version=__version__,
        count=count,
        clocks=clocks,
        pace=pace,
        trail=trail,
    )


def denial_noted(audit: Audit, uplink: Uplink | None) -> Callable[[str, str], None]:
    """Return what notes that a terminal was not let in, here and for the console's pages."""

    def denied(tid: str, code: str) -> None:
        note_denied(audit, tid, code)
        if uplink is not None and tid:
            uplink.logins.note(tid, "terminal", code)

    return denied


def console_view(
    uplink: Uplink | None, console: ConsoleBook | None, gate: Gate, tid: str
) -> ConsoleView | None:
    """Return how the console is, for the holder of a token."""
    if uplink is None or console is None:
        return None
    link, allowance = uplink.status(), gate.allowance(tid)
    leases, entry = console.leases, console.book.get(tid)
    lease_ends_s = leases.ends_s(tid)
    tier_ends_s = None if entry is None else leases.tier_ends_s(entry, allowance.tier)
    return ConsoleView(
        url=link.url,
        connected=link.connected,
        last_sync_ms=link.last_sync_ms,
        problem=link.problem,
        clock_suspect=link.clock_suspect,
        tier=allowance.tier,
        reason=allowance.reason,
        tier_ends_ms=None if tier_ends_s is None else tier_ends_s * 1000,
        lease_ends_ms=None if lease_ends_s is None else lease_ends_s * 1000,
        device=link.device,
    )
