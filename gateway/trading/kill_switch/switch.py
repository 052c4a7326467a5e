"""Switch that stops trading: it is asked right before the bytes of each trade are written.

The answer is looked up right before the bytes of each order are written, synchronously: SQLite
tells in microseconds whether anybody has committed since, in this process or another, and only
then are the halts read again. So a halt by ``mt-gateway halt`` stops the very next order, without
the daemon having to be told of it.

Drain: the gateway takes no new order, finishes what is under way, and then stops.

=============  ==================================================================================
Stage          What goes through
=============  ==================================================================================
``open``       everything
``draining``   what takes risk away: closing, cancelling, tightening of stops
``closed``     nothing: the gateway stops; no bytes of a trade are written any more
=============  ==================================================================================

The kill switch asks it at each of its own looks (:meth:`.switch.TerminalSwitch.check`), the last
of which stands right before the bytes of a trade: an order that is refused was surely not sent.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Literal

from gateway.audit import Audit
from gateway.background import next_look
from gateway.credentials.lease import Tier
from gateway.errors import KillSwitchActive, ShuttingDown
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError, Version

from . import halts
from .halts import EVERYWHERE, Halt, stricter

RETRY_MS = 5_000
"""When a caller may ask again: by then the gateway has stopped, or goes on, or still drains."""


class DrainStage(Enum):
    """Stage of a drain."""

    OPEN = "open"
    DRAINING = "draining"
    CLOSED = "closed"


class Drain:
    """The stage of one gateway; for the loop's thread. Nothing of it outlives the process."""

    def __init__(self) -> None:
        self.stage = DrainStage.OPEN

    def check(self, tier: Tier) -> None:
        """Refuse what does not go through at this stage. It neither waits nor blocks.

        Raises:
            ShuttingDown: ``retryable``; the next gateway, or this one if it goes on, takes it.

        """
        if self.stage is DrainStage.OPEN:
            return
        if self.stage is DrainStage.CLOSED or tier > Tier.REDUCE:
            raise ShuttingDown(
                "The gateway finishes the orders that are under way, and then stops: "
                "send the same order again to the one that runs after it",
                reason="drain",
                retry_after_ms=RETRY_MS,
            )


WATCH_S = 0.25
"""How often halts of other processes are looked for while nobody trades: those who listen hear of
them by then. An order meets them at once."""
BY_HAND = "cli"
"""``armed_by`` of the command line."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SwitchChanged:
    """A halt was made, made stricter, or lifted."""

    kind: Literal["halt", "resume"]
    halt: Halt
    by: str
    """Who did, as ``armed_by`` has it."""


class KillSwitch:
    """The halts of all terminals; for the loop's thread.

    Args:
        ledger: where they are kept; ``None``: nowhere, they end with the process.
        audit: hears of them, in the same transaction.

    """

    def __init__(self, ledger: Ledger | None = None, audit: Audit | None = None) -> None:
        self._ledger = ledger
        self._audit = audit or Audit()
        self.drain = Drain()
        self._kept: dict[str, Halt] = {}
        self._version: Version | None = None
        self._latched: dict[str, Halt] = {}
        """Those that are not on the disk (yet): they hold from the moment they are asked for."""
        self._written: dict[str, Halt] = {}
        """Those of them that are on the disk, and may not have been read from there."""
        self._refused: dict[str, Halt] = {}
        """Those of them that the disk has refused: they are written with the next one."""
        self._asked: defaultdict[str, int] = defaultdict(int)
        """How often each was halted by this process."""
        self._is_blind = False
        self._callbacks: list[Callable[[SwitchChanged], None]] = []
        self._untold: list[SwitchChanged] = []
        self._lifting: dict[str, str] = {}
        """Who lifts a terminal's halt by this process; any other is lifted on the command line."""
        if ledger is not None:
            self._version = ledger.reader.data_version()
            self._kept = self._read(ledger)

    def of(self, terminal: str) -> TerminalSwitch:
        """Return the switch of one terminal."""
        return TerminalSwitch(self, terminal)

    def over(self, terminal: str) -> list[Halt]:
        """Return the halts that a terminal is under: its own, then that of all."""
        self.refresh()
        found: list[Halt] = []
        if not self._kept and not self._latched:  # nearly always
            return found
        for name in (terminal, EVERYWHERE):
            kept, latched = self._kept.get(name), self._latched.get(name)
            halt = stricter(kept, latched) if kept and latched else kept or latched
            if halt is not None:
                found.append(halt)
        return found

    def on_turn(self, callback: Callable[[SwitchChanged], None]) -> None:
        """Call ``callback`` with each change, in the event loop, whoever made it."""
        self._callbacks.append(callback)

    async def halt(self, halt: Halt) -> None:
        """Stop trading: from this call on, and for good once it returns.

        Raises:
            StoreError: it could not be written; it holds until the gateway ends, and is written
                with the next one.

        """
        self._asked[halt.terminal] += 1
        # latched before the write: trading stops with this call, whatever the disk does
        before = self._latched.get(halt.terminal)
        now = self._latched[halt.terminal] = stricter(before, halt) if before else halt
        if self._ledger is None:
            self._note("halt", now)
            return
        refused = self._refused.get(halt.terminal)
        try:
            await self._ledger.write(partial(self._arm, halt=halt, refused=refused))
        except StoreError:
            known = self._refused.get(halt.terminal)
            self._refused[halt.terminal] = stricter(known, halt) if known else halt
            raise
        # one that was refused meanwhile is in no row: it is held here, as what came behind it
        if self._refused.get(halt.terminal) is refused:
            self._refused.pop(halt.terminal, None)
            # not released here: the row counts only once it was read, see _release_written
            self._written[halt.terminal] = now
        self.refresh()

    async def resume(self, terminal: str, *, by_admin: bool, by: str = "") -> Halt | None:
        """Lift a terminal's halt, or that of all; return it, or ``None`` if there was none.

        Args:
            terminal: its name, or :data:`EVERYWHERE`.
            by_admin: a person does.
            by: who does, as ``armed_by`` has it.

        Raises:
            Forbidden: it is a person's, and this is none; or the console asks, and it is not
                the console's.
            StoreError: it could not be lifted.

        """
        if self._ledger is None:
            lifted = self._latched.pop(terminal, None)
            if lifted is not None:
                self._note("resume", lifted, by)
            return lifted
        # one that the disk has not taken has no row that would be looked at
        if terminal in self._latched:
            halts.check_lift(self._latched[terminal], by_admin=by_admin, by=by)
        work = partial(self._lift, terminal=terminal, by_admin=by_admin, by=by)
        # the ledger tells no names: who lifts it is remembered for the event
        self._lifting[terminal] = by
        asked = self._asked[terminal]
        try:
            lifted = await self._ledger.write(work)
            # a halt that was asked for during the write is not what is lifted, and has yet to be
            # written
            if self._asked[terminal] == asked:
                self._latched.pop(terminal, None)
                self._refused.pop(terminal, None)
            self.refresh()
        finally:
            self._lifting.pop(terminal, None)
        return lifted

    def _arm(self, connection: sqlite3.Connection, halt: Halt, refused: Halt | None) -> None:
        for one in (refused, halt):
            if one is not None:
                self._audit.record_with(connection, "kill_switch", **halts.noted("halt", one))
                halts.arm(connection, one)

    def _lift(
        self, connection: sqlite3.Connection, terminal: str, by_admin: bool, by: str
    ) -> Halt | None:
        lifted = halts.lift(connection, terminal, by_admin=by_admin, by=by)
        if lifted is not None:
            noted = halts.noted("resume", replace(lifted, armed_by=by or lifted.armed_by))
            self._audit.record_with(connection, "kill_switch", **noted)
        return lifted

    def refresh(self) -> None:
        """Take over what was written since, by whomever; takes some microseconds."""
        if self._ledger is None:
            return
        try:
            # the version before the rows: who commits in between is met by the next look
            version = self._ledger.reader.data_version()
            # the usual case: nobody has committed since, and nothing is read
            if version == self._version and not self._is_blind:
                self._release_written()
                return
            kept = self._read(self._ledger)
        except StoreError as error:
            if not self._is_blind:
                logger.critical("nothing new is traded: the halts cannot be read: %s", error)
            # fail closed: see TerminalSwitch.check, which lets risk be taken away
            self._is_blind = True
            return
        self._is_blind = False
        self._version = version
        before, self._kept = self._kept, kept
        self._release_written()
        if before != kept:
            self._compare(before, kept)

    def _release_written(self) -> None:
        """Let the disk alone hold what it has: only once it was read, or a halt would be nowhere
        while its row cannot be read.
        """
        if not self._written:
            return
        for terminal, halt in self._written.items():
            if self._latched.get(terminal) is halt:
                del self._latched[terminal]
        self._written.clear()

    async def watch(self) -> None:
        """Notice, until cancelled, what others turn while nobody trades."""
        while True:
            await next_look(WATCH_S)
            self.refresh()

    @property
    def is_blind(self) -> bool:
        """The ledger cannot be read: nobody knows whether trading is halted."""
        return self._is_blind

    def _read(self, ledger: Ledger) -> dict[str, Halt]:
        rows = ledger.reader.all("SELECT * FROM halts")
        return {row["terminal"]: halts.read(row) for row in rows}

    def _compare(self, before: dict[str, Halt], after: dict[str, Halt]) -> None:
        for terminal in before.keys() | after.keys():
            old, new = before.get(terminal), after.get(terminal)
            if new is not None and new != old:
                self._note("halt", new)
            elif old is not None and new is None:
                self._note("resume", old, self._lifting.pop(terminal, "") or BY_HAND)

    def _note(self, kind: Literal["halt", "resume"], halt: Halt, by: str = "") -> None:
        """Tell all who listen, on the next turn of the loop: an order's check may stand above."""
        self._untold.append(SwitchChanged(kind, halt, by or halt.armed_by))
        if len(self._untold) == 1:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for turned in untold:
            logger.warning("%s of %s by %s", turned.kind, turned.halt.terminal or "all", turned.by)
            for callback in tuple(self._callbacks):
                try:
                    callback(turned)
                except Exception:  # the others have to hear it in any case
                    logger.exception("a listener of the kill switch failed")


@dataclass(frozen=True, slots=True)
class TerminalSwitch:
    """The kill switch of one terminal."""

    switch: KillSwitch
    terminal: str

    def check(self, tier: Tier) -> None:
        """Refuse a trade that a halt does not let through. It neither waits nor blocks.

        Args:
            tier: that the trade takes: ``REDUCE`` if nothing can be at risk by it that was not
                before.

        Raises:
            KillSwitchActive: ``armed_by`` says by whom it was halted, ``since`` when.
            ShuttingDown: the gateway drains.

        """
        self.switch.drain.check(tier)
        for halt in self.switch.over(self.terminal):
            if tier > Tier.REDUCE or not halt.reductions:
                raise _active(halt)
        # nobody knows whether there is a halt: fail closed, but let risk be taken away
        if self.switch.is_blind and tier > Tier.REDUCE:
            raise KillSwitchActive(
                "The gateway cannot read its ledger, and sends nothing new: see its log",
                armed_by="gateway",
                since=None,
            )

    def halts(self) -> list[Halt]:
        """Return the halts that the terminal is under: its own, then that of all."""
        return self.switch.over(self.terminal)


def _active(halt: Halt) -> KillSwitchActive:
    allowed = "only closing, cancelling and tightening stops is allowed" if halt.reductions else ""
    where = "" if halt.terminal == EVERYWHERE else " of this terminal"
    return KillSwitchActive(
        f"Trading{where} was halted by {halt.armed_by}"
        + (f" ({halt.reason})" if halt.reason else "")
        + (f": {allowed}" if allowed else ": nothing is sent")
        + ", until set_trading_enabled or `mt-gateway resume` lifts it",
        armed_by=halt.armed_by,
        since=halt.since_ms,
        reason=halt.reason,
        everywhere=halt.terminal == EVERYWHERE,
        reductions=halt.reductions,
    )
