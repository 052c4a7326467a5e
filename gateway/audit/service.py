"""Audit trail of a running gateway: its first and last entry, and its checkpoints."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from ea_bridge import host
from ea_bridge.host import wall_ms
from ea_bridge.registry import ChangeKind, TerminalChange
from gateway import __version__
from gateway.audit import (
    MISMATCH,
    SIGNED,
    Audit,
    Head,
    TrailFault,
    begin_of,
    check_end,
    check_signed,
    hash_of,
    head_of,
    last_of,
)
from gateway.audit.checkpoint import (
    FILE,
    STARTED,
    BadCheckpoint,
    check_begin,
    copied_checkpoint,
    copy_checkpoint,
    missing,
    read_checkpoint,
    sign_within,
    signatures,
    write_checkpoint,
)
from gateway.config import Config
from gateway.credentials.device import DeviceKey
from gateway.storage.ledger import Ledger
from gateway.storage.store import Store, StoreError

LOOK_S = 5.0
"""Between two looks at how far the trail goes."""
CHECKPOINT_S = 60.0
CHECKPOINT_ENTRIES = 1000
"""After so many a checkpoint is made at the next look."""
SIGN_S = 3600.0
"""After so long, too, a row of the trail signs those before it."""
OTHER_PROGRAMS = frozenset({"console_server", "smtp"})
"""Sections of the configuration that the daemon does not read; the console's database may be
named there with its password."""
ADDRESSES = frozenset({"webhook_url", "ntfy_topic", "telegram_chat"})
"""Settings that are not noted: who knows them may write there, or read."""
TERMINAL_EVENTS = {
    ChangeKind.CONNECTED: "terminal_linked",
    ChangeKind.DISCONNECTED: "terminal_lost",
    ChangeKind.ACCOUNT_CHANGED: "account_changed",
}

logger = logging.getLogger(__name__)


class AuditService:
    """Keeper of one trail, which signs checkpoints of it and has the console witness them.

    Args:
        ledger: open, for longer than this.
        folder: the home, in which the checkpoint lies.
        store: the home's database, which holds a copy of it.
        device: signs.

    """

    def __init__(self, ledger: Ledger, *, folder: Path, store: Store, device: DeviceKey) -> None:
        self.audit = Audit(ledger)
        """Records."""
        self._ledger = ledger
        self._folder = folder
        self._store = store
        self._device = device
        self._may_sign = False
        self._made = Head(0, b"")
        self._envelope = ""
        self._made_s = self._signed_s = -SIGN_S
        self._signed_n = 0
        """The last row of the trail that is a signature, as far as this run knows."""

    @asynccontextmanager
    async def running(self, config: Config) -> AsyncIterator[None]:
        """Note the daemon's start and stop, and make checkpoints between them.

        Args:
            config: its settings that are no defaults are noted.

        """
        await self.begin()
        self.audit.record(
            STARTED,
            actor="daemon",
            version=__version__,
            device=self._device.did,
            settings=settings_of(config),
        )
        watching = asyncio.create_task(self.watch())
        try:
            yield
        finally:
            # first the watch, then the last row: nothing else may be signed behind it
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            # events that came too often are in the trail as a number, the last of them as well
            self.audit.count_left_out(at_end=True)
            self.audit.record("daemon_stopped", actor="daemon")
            try:
                await self.audit.written()
                await self.sign_within()
                self.make()
            except StoreError as error:
                logger.error("the end of this run is not in the audit trail: %s", error)

    async def begin(self) -> None:
        """See that the trail is the one that was signed last, or note that it is not.

        The gateway runs on either way: positions must be closed whatever became of the trail. But
        nothing is signed before the note is on the disk: what was signed over shows it for ever.
        """
        if faults := self._faults():
            # before the next one is written: it is the evidence
            kept = self._keep_checkpoint()
            for fault in faults:
                logger.critical("the audit trail is not as it was left: %s", fault.text)
            self.audit.record(
                MISMATCH,
                actor="daemon",
                faults=[f"{fault.kind} at row {fault.n}" for fault in faults],
                checkpoint=kept,
            )
            try:
                await self.audit.written()
            except StoreError as error:
                logger.critical("the audit trail is not signed in this run: %s", error)
                return
        # only now: what was signed over a trail that does not fit would say that it does
        self._may_sign = True
        self.make()  # before the first row: from now on a trail without a checkpoint is a finding

    def _faults(self) -> list[TrailFault]:
        """Compare the trail with all that was signed of it."""
        reader, did = self._ledger.reader, self._device.did
        faults = []
        try:
            found = read_checkpoint(self._folder / FILE, did)
            copy = copied_checkpoint(self._store, did)
            faults += check_end(reader, None if found is None else found.head)
            if copy is not None:
                # two copies in two databases: who changes one has to change the other
                faults += [fault for fault in check_end(reader, copy.head) if fault not in faults]
            if found is None and (problem := missing(reader, copy)):
                faults.append(TrailFault(0, "missing", problem))
            if problem := check_begin(reader, did):
                faults.append(TrailFault(0, "replaced", problem))
        except BadCheckpoint as error:
            faults.append(TrailFault(0, "replaced", str(error)))
        if (last := last_of(reader, SIGNED)) is not None:
            n, entry = last
            faults += check_signed(n, entry, hash_of(reader, n - 1) or b"", signatures(did))
        return faults

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
            self.audit.count_left_out()
            try:
                # a file that was exchanged by a restore would be read as before, and signed
                self._ledger.reader.check_place()
                head, now_s = head_of(self._ledger.reader), host.monotonic_s()
                fresh = head.n - self._signed_n
                # by time or by number, whichever comes first: a busy trail is signed more often
                if fresh >= (1 if now_s - self._signed_s >= SIGN_S else CHECKPOINT_ENTRIES):
                    await self.sign_within()
                    head = head_of(self._ledger.reader)
                is_old = now_s - self._made_s >= CHECKPOINT_S
                if head.n - self._made.n >= (1 if is_old else CHECKPOINT_ENTRIES):
                    self.make()
            except StoreError as error:
                logger.error("no checkpoint of the audit trail: %s", error)
            await asyncio.sleep(LOOK_S)

    async def sign_within(self) -> None:
        """Sign all rows there are, in a row of their own.

        Raises:
            StoreError: it could not be written.

        """
        if self._may_sign:
            sign = partial(sign_within, device=self._device, now_ms=wall_ms())
            head = await self._ledger.write(sign)
            self._signed_n, self._signed_s = head.n, host.monotonic_s()

    def make(self) -> None:
        """Sign how far the trail goes on the disk."""
        if not self._may_sign:
            return
        head = head_of(self._ledger.reader)
        try:
            text = write_checkpoint(self._folder, self._device, head, wall_ms())
            copy_checkpoint(self._store, text)
        except (OSError, StoreError) as error:
            logger.error("no checkpoint of the audit trail: %s", error)
            return
        self._made, self._made_s = head, host.monotonic_s()
        self._envelope = json.loads(text)["checkpoint"]

    # --- for the console: see gateway.console_link.witness -----------------------------------

    def newest(self) -> tuple[int, str] | None:
        """Return the last row that was signed, and the envelope; ``None``: none was yet."""
        return (self._made.n, self._envelope) if self._envelope else None

    def archived(self) -> int:
        """Return up to which row the trail is archived."""
        return begin_of(self._ledger.reader).n

    def hash_at(self, n: int) -> bytes | None:
        """Return the hash of a row; ``None`` if it is not there."""
        return hash_of(self._ledger.reader, n)

    def signed_at(self, n: int, hashed: bytes) -> str:
        """Sign a row as it is."""
        return self._device.sign_checkpoint(n, hashed, wall_ms())

    def doubt(self, text: str) -> None:
        """Note that it is not the trail that the console knows."""
        logger.critical("the audit trail is not as it was left: %s", text)
        self.audit.record(MISMATCH, actor="daemon", faults=[text])


def settings_of(config: Config) -> list[str]:
    """Return the daemon's settings that are no defaults, as ``section.key = value``."""
    found = []
    for section, default in Config().model_dump(mode="json").items():
        if section in OTHER_PROGRAMS:
            continue
        for key, value in getattr(config, section).model_dump(mode="json").items():
            if value != default[key] and key not in ADDRESSES:
                found.append(f"{section}.{key} = {value}")
    return found


def note_terminal(audit: Audit, change: TerminalChange) -> None:
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
