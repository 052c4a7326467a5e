"""The audit trail while the gateway runs: its first and last entry, and its checkpoints."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from ea_bridge.registry import Change, ChangeKind
from gateway import __version__
from gateway.audit import MISMATCH, Audit, Fault, Head, check_end, head_of, note
from gateway.auth.checkpoint import (
    FILE,
    BadCheckpoint,
    check_begin,
    read_checkpoint,
    write_checkpoint,
)
from gateway.auth.device import DeviceKey
from gateway.config import Config
from gateway.daemon import wall_ms
from gateway.ledger import Ledger
from gateway.store import StoreError

from .ledger import open_ledger_store

LOOK_S = 5.0
"""Between two looks at how far the trail goes."""
CHECKPOINT_S = 60.0
CHECKPOINT_ENTRIES = 1000
"""After so many a checkpoint is made at the next look."""
OTHER_PROGRAMS = frozenset({"console_server", "smtp"})
"""Sections of the configuration that the daemon does not read; the console's database may be
named there with its password."""
TERMINAL_EVENTS = {
    ChangeKind.CONNECTED: "terminal_linked",
    ChangeKind.DISCONNECTED: "terminal_lost",
    ChangeKind.ACCOUNT_CHANGED: "account_changed",
}

logger = logging.getLogger(__name__)


@asynccontextmanager
async def auditing(
    ledger: Ledger, device: DeviceKey, folder: Path, config: Config
) -> AsyncIterator[Audit]:
    """Yield what records, from the daemon's start to its stop; both are in the trail.

    Args:
        ledger: open, for longer than this.
        device: signs the checkpoints.
        folder: the home; checkpoints lie there.
        config: what of it is no default is noted.

    """
    audit = Audit(ledger)
    keeper = _Keeper(ledger, device, folder, audit)
    keeper.compare()
    audit.record(
        "daemon_started",
        actor="daemon",
        version=__version__,
        device=device.did,
        settings=settings_of(config),
    )
    watching = asyncio.create_task(keeper.watch())
    try:
        yield audit
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        audit.count_left_out(at_end=True)
        audit.record("daemon_stopped", actor="daemon")
        try:
            await audit.written()
            keeper.make()
        except StoreError as error:
            logger.error("the end of this run is not in the audit trail: %s", error)


class _Keeper:
    """Makes the checkpoints of one trail."""

    def __init__(self, ledger: Ledger, device: DeviceKey, folder: Path, audit: Audit) -> None:
        self._ledger = ledger
        self._device = device
        self._folder = folder
        self._audit = audit
        self._made = Head(0, b"")
        self._made_s = -CHECKPOINT_S

    def compare(self) -> None:
        """See that the trail is the one of the last checkpoint, or note that it is not.

        The gateway runs on either way: positions must be closed whatever became of the trail.
        """
        try:
            found = read_checkpoint(self._folder / FILE, self._device.did)
            faults = check_end(self._ledger.reader, None if found is None else found.head)
            if problem := check_begin(self._ledger.reader, self._device.did):
                faults.append(Fault(0, "replaced", problem))
        except BadCheckpoint as error:
            faults = [Fault(0, "replaced", str(error))]
        if not faults:
            return
        kept = self._keep_checkpoint()
        for fault in faults:
            logger.critical("the audit trail is not as it was left: %s", fault.text)
        self._audit.record(
            MISMATCH,
            actor="daemon",
            faults=[f"{fault.kind} at row {fault.n}" for fault in faults],
            checkpoint=kept,
        )

    def _keep_checkpoint(self) -> str | None:
        """Put the checkpoint that does not fit aside, for people to look at."""
        kept = f"{FILE}.{wall_ms()}"
        try:
            (self._folder / FILE).replace(self._folder / kept)
        except OSError:
            return None
        return kept

    async def watch(self) -> None:
        """Make checkpoints when they are due, until cancelled."""
        while True:
            self._audit.count_left_out()
            try:
                self._ledger.reader.check_place()
                head = head_of(self._ledger.reader)
                is_old = time.monotonic() - self._made_s >= CHECKPOINT_S
                if head.n - self._made.n >= (1 if is_old else CHECKPOINT_ENTRIES):
                    self.make()
            except StoreError as error:
                logger.error("no checkpoint of the audit trail: %s", error)
            await asyncio.sleep(LOOK_S)

    def make(self) -> None:
        """Sign how far the trail goes on the disk."""
        head = head_of(self._ledger.reader)
        try:
            write_checkpoint(self._folder, self._device, head, wall_ms())
        except OSError as error:
            logger.error("no checkpoint of the audit trail: %s", error.strerror)
            return
        self._made, self._made_s = head, time.monotonic()


def settings_of(config: Config) -> list[str]:
    """Return the daemon's settings that are no defaults, as ``section.key = value``."""
    found = []
    for section, default in Config().model_dump(mode="json").items():
        if section in OTHER_PROGRAMS:
            continue
        for key, value in getattr(config, section).model_dump(mode="json").items():
            if value != default[key]:
                found.append(f"{section}.{key} = {value}")
    return found


def note_terminal(audit: Audit, change: Change) -> None:
    """Note that a terminal came, went, or answers for another account now."""
    event = TERMINAL_EVENTS.get(change.kind)
    if event is not None:
        facts = change.facts
        audit.often(
            event,
            actor=facts.hello.tid,
            terminal=facts.terminal,
            login=facts.hello.login,
            server=facts.hello.server,
            reason=facts.reason or None,
        )


def note_denied(audit: Audit, tid: str, code: str) -> None:
    """Note that a terminal was not let in; nobody has checked that it holds that token."""
    audit.often("terminal_refused", outcome="refused", reason=code, object=tid or None)


def note_command(folder: Path, event: str, **fields: Any) -> None:
    """Note what a command has done to a home, whether its gateway runs or not.

    Raises:
        StoreError: it could not be written; the message says what to do.

    """
    store = open_ledger_store(folder)
    try:
        with store.transaction() as connection:
            note(connection, event, actor="cli", **fields)
    finally:
        store.close()
