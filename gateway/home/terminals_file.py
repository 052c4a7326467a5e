"""The terminals of a gateway, told to the owner of its home: a file there, and lines of the log.

A token opens one terminal and knows of no other. Who owns the home may know of all: he reads the
file that lies there while the gateway runs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from ea_bridge import host
from ea_bridge.registry import ChangeKind, TerminalChange, TerminalFacts, TerminalRegistry

FILE = "terminals.json"

logger = logging.getLogger(__name__)


@contextmanager
def telling_of_terminals(registry: TerminalRegistry, folder: Path) -> Iterator[None]:
    """Tell who links and leaves, while the context lasts.

    Args:
        registry: of the terminals.
        folder: the home.

    """
    path = folder / FILE

    def changed(change: TerminalChange) -> None:
        # the log last: whoever has read there that a terminal is linked finds it in the file
        _write(path, registry)
        _log(change)

    _write(path, registry)
    end = registry.subscribe(changed)
    try:
        yield
    finally:
        end()
        path.unlink(missing_ok=True)


def _write(path: Path, registry: TerminalRegistry) -> None:
    facts = sorted(
        map(_told, registry.all_facts()), key=lambda terminal: str(terminal["terminal"])
    )
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):  # on a full disk the last word stands
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        with open(os.open(fresh, flags, 0o600), "wb") as file:
            file.write(orjson.dumps({"terminals": facts}))
        # renamed: who reads sees the old list or the new one, never half of it
        host.replace_file(fresh, path)


def _told(facts: TerminalFacts) -> dict[str, Any]:
    hello = facts.hello
    return {
        "terminal": facts.terminal,
        "state": facts.state.value,
        "since": facts.since_ms,
        "platform": hello.platform,
        "login": hello.login,
        "server": hello.server,
        "trade": hello.trade or None,
        "broker_connected": facts.broker,
        "autotrading": facts.autotrading,
        "reason": facts.reason or None,
    }


def _log(change: TerminalChange) -> None:
    facts = change.facts
    hello = facts.hello
    account = f"{hello.login} on {hello.server!r}{f' ({hello.trade})' if hello.trade else ''}"
    if change.kind is ChangeKind.CONNECTED:
        logger.info("terminal %s linked: %s, account %s", facts.terminal, hello.platform, account)
    elif change.kind is ChangeKind.DISCONNECTED:
        logger.info("terminal %s has left: %s", facts.terminal, facts.reason or "the link is gone")
