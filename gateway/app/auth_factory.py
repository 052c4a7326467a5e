"""Construction of the gate, by the console's word or by the home's own records."""

from __future__ import annotations

from ea_bridge.registry import TerminalRegistry
from gateway.auth.console_clock import Clocks
from gateway.auth.console_snapshot import ConsoleBook
from gateway.auth.gate import Gate
from gateway.config import Config
from gateway.home.home import Home
from gateway.home.home_console import MadeBy


def console_book(
    home: Home, config: Config, clocks: Clocks, made_by: MadeBy = "serve"
) -> ConsoleBook | None:
    """Return what the console says of tokens; ``None`` where the home has its own issuer.

    Raises:
        WrongHome: the home has a console, and the configuration names none.

    """
    settings = config.console
    if home.claim_console(settings, made_by) is None:
        return None
    strict = settings.offline_mode == "strict"
    return home.console(settings.root, strict=strict, clocks=clocks)


def new_gate(home: Home, console: ConsoleBook | None, registry: TerminalRegistry) -> Gate:
    """Return the gate that decides about callers, by what the console says where there is one."""
    if console is None:
        return Gate(home.book(), home.device.did)

    def is_waiting(tid: str) -> bool:
        return any(session.hello.tid == tid for session in registry.pending())

    return Gate(
        console.book,
        home.device.did,
        console.now_s,
        leases=console.leases,
        is_waiting=is_waiting,
    )
