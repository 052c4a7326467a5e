"""Service that stops trading: the kill switch and all that pulls it, while the gateway runs.

A program falls silent (:mod:`.dead_man`, :mod:`.disconnects`), and what it has armed is carried
out: its orders are cancelled, its positions closed. That is tried until the terminal is there and
everything is settled, for the account that it was armed for and no other.

All of that ends with the daemon. So whatever is armed is also told to each EA, as one policy with
a lease (:class:`LeaseKeeper`), which our heartbeats renew. When they stay away, because the daemon
was killed or hangs, the EA carries the policy out by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ea_bridge.commands import LEASE_GET, LEASE_SET, NoParams
from ea_bridge.errors import BridgeError
from ea_bridge.host import wall_ms
from ea_bridge.model import AutomationLease, LeaseTerms
from ea_bridge.registry import ChangeKind, TerminalChange, TerminalFacts, TerminalRegistry
from ea_bridge.session import TerminalSession
from gateway import schemas as shapes
from gateway.audit import Audit
from gateway.credentials.lease import Tier
from gateway.errors import (
    BrokerDisconnected,
    DeadlineExceeded,
    GatewayError,
    OrderUnresolved,
    PriceChanged,
    ShuttingDown,
    TerminalBusy,
    TerminalDisconnected,
    Timeout,
)
from gateway.storage.ledger import Ledger
from gateway.trading import flatten
from gateway.trading.journal import AccountKey
from gateway.trading.kill_switch.dead_man import (
    Armed,
    ArmedBook,
    DeadMan,
    Firing,
    LeasePolicy,
    combined_policy,
)
from gateway.trading.kill_switch.disconnects import Disconnects
from gateway.trading.kill_switch.halts import EVERYWHERE
from gateway.trading.kill_switch.switch import DrainStage, KillSwitch, SwitchChanged
from gateway.trading.state import Terminals
from gateway.trading.terminal import GuardedTerminal

from .disconnects import ClientConnection

LEASE_MS = 5_000
"""Five heartbeats."""
LEASE_RETRY_S = 1.0


class LeaseKeeper:
    """Sender of the action that each terminal's EA takes when the gateway falls silent.

    Args:
        session: look up a terminal's live session.
        policy: return what shall be done with a terminal; ``None``: nothing.
        fired: told what an EA has done by itself.
    """

    def __init__(
        self,
        session: Callable[[str], TerminalSession | None],
        policy: Callable[[str], LeasePolicy | None],
        fired: Callable[[str, AutomationLease], None],
    ) -> None:
        self._session = session
        self._policy = policy
        self._fired = fired
        self._told: dict[str, tuple[TerminalSession, LeasePolicy | None]] = {}
        self._had: set[str] = set()
        """Terminals whose EA has been given a policy, and not been told that it is over."""
        self._telling: dict[str, asyncio.Task[None]] = {}

    def is_held(self, terminal: str) -> bool:
        """Whether the EA has the policy that is in force now."""
        session, policy = self._session(terminal), self._policy(terminal)
        return policy is not None and self._told.get(terminal) == (session, policy)

    def look(self, terminal: str) -> None:
        """Tell the EA what is armed: that has changed, or the terminal has a new link."""
        if self._policy(terminal) is None and (session := self._session(terminal)) is not None:
            session.lease_ms = 0  # even where the EA cannot be told: it ends by itself then
        # one task a terminal: two that tell at once could leave the older policy at the EA; one
        # that has ended looks no more, though its callback comes in the next turn of the loop
        telling = self._telling.get(terminal)
        if telling is None or telling.done():
            task = asyncio.create_task(self._tell(terminal))
            self._telling[terminal] = task
            task.add_done_callback(lambda done: self._has_told(terminal, done))

    def _has_told(self, terminal: str, done: asyncio.Task[None]) -> None:
        if self._telling.get(terminal) is done:
            del self._telling[terminal]

    def close(self) -> None:
        """Tell nobody any more; the leases run out by themselves."""
        for task in self._telling.values():
            task.cancel()

    async def _tell(self, terminal: str) -> None:
        while True:
            session, policy = self._session(terminal), self._policy(terminal)
            if session is None or "lease" not in session.caps:
                return  # a new link looks again
            if self._told.get(terminal) == (session, policy):
                return
            try:
                await self._say(terminal, session, policy)
            except BridgeError as error:
                logger.warning("terminal %s has not taken its lease: %s", terminal, error)
                await asyncio.sleep(LEASE_RETRY_S)

    async def _say(
        self, terminal: str, session: TerminalSession, policy: LeasePolicy | None
    ) -> None:
        if policy is not None:
            self._had.add(terminal)
            terms = LeaseTerms(lease_ms=LEASE_MS, action=policy.action, own=policy.own)
            lease = await session.request(LEASE_SET, terms)
            session.lease_ms = LEASE_MS
        elif terminal in self._had:
            lease = await session.request(LEASE_SET, LeaseTerms(lease_ms=0))
            session.lease_ms = 0
            self._had.discard(terminal)
        else:
            # of a lease that a daemon before us has given we know nothing: it may run out
            lease = await session.request(LEASE_GET, NoParams())
        self._told[terminal] = (session, policy)
        if lease.fired_msc:
            self._fired(terminal, lease)


@dataclass(kw_only=True)
class Safeguards:
    """The kill switch and the timers that sweep for programs that fall silent."""

    switch: KillSwitch = field(default_factory=KillSwitch)
    """Trading is halted there."""
    dead_man: DeadMan = field(default_factory=DeadMan)
    """Programs that are taken for dead when they say nothing for too long."""
    disconnects: Disconnects = field(default_factory=Disconnects)
    """Connections, and what becomes of their orders when they are lost."""

    def heard(self, terminal: str, tid: str, connection: ClientConnection | None) -> None:
        """Note that a program is alive: it has made a call, on a connection or over ``/rpc``."""
        self.dead_man.heard(terminal, tid, self.disconnects.session_of(connection))


RETRY_S = 0.5
MAX_SWEEPS = 20
"""Tries of one sweep, each with the terminal and its broker linked."""
_NOT_OVER = (
    TerminalDisconnected,
    BrokerDisconnected,
    OrderUnresolved,
    Timeout,
    TerminalBusy,
    DeadlineExceeded,
    PriceChanged,
    ShuttingDown,
)
"""After these it may go in a moment."""

logger = logging.getLogger(__name__)


Announce = Callable[[str, shapes.KillSwitchEvent], None]
"""Tells those who listen to a terminal, or (:data:`EVERYWHERE`) to any."""


class KillSwitchService:
    """The kill switch and all that pulls it, while the gateway runs.

    Args:
        ledger: where it is kept.
        audit: hears of everything.
        registry: which terminals there are.
        terminals: makes them as the gateway itself may use them.
        announce: tells of each change and of each sweep.

    """

    def __init__(
        self,
        ledger: Ledger,
        audit: Audit,
        registry: TerminalRegistry,
        terminals: Terminals,
        announce: Announce,
    ) -> None:
        self.switch = KillSwitch(ledger, audit)
        self._book = ArmedBook(ledger)
        self.dead_man = DeadMan(self._book, self._fire, self._changed)
        self.disconnects = Disconnects(self._book, self._fire, self._changed)
        self.safeguards = Safeguards(
            switch=self.switch, dead_man=self.dead_man, disconnects=self.disconnects
        )
        """The part of it that calls use."""
        self.leases = LeaseKeeper(registry.get, self._policy, self._lease_ran_out)
        self._announce = announce
        self._audit = audit
        self._registry = registry
        self._terminals = terminals
        self._tasks: set[asyncio.Task[None]] = set()
        self._fired: set[Firing] = set()
        """What is being carried out."""
        self._arrivals: dict[str, asyncio.Event] = {}
        self._first: dict[str, AccountKey] = {}
        """The first account that each terminal was logged in to: what was armed before is about
        that one."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do what has to be done by time, while the context lasts.

        Raises:
            StoreError: what was armed when the last gateway ended cannot be read. It would stay
                undone, and nobody who relies on it would know.

        """
        # read before anything else runs: a disk that fails here fails the start
        armed = self._book.all()
        self.switch.on_turn(self._turned)
        unsubscribe = self._registry.subscribe(self._change)
        # halts of the command line are heard of while nobody trades
        self._start(self.switch.watch())
        for entry in armed:
            (self.dead_man if entry.is_timer else self.disconnects).resume(entry)
        try:
            yield
        finally:
            unsubscribe()
            self.stop_timers()
            self.leases.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def stop_timers(self) -> None:
        """Stop the timers of lost connections and of the dead man's switch: the gateway ends."""
        self.disconnects.close()
        self.dead_man.close()

    # --- programs that fall silent -------------------------------------------------------------

    def _fire(self, firing: Firing) -> None:
        armed = firing.armed
        logger.warning(
            "terminal %s: token %s has fallen silent (%s): %s",
            armed.terminal,
            armed.tid,
            firing.cause,
            armed.action,
        )
        # before its task runs: a drain must not close in between
        self._fired.add(firing)
        task = self._start(self._carry_out(firing))
        task.add_done_callback(lambda _: self._fired.discard(firing))

    @property
    def sweeping(self) -> int:
        """Number of sweeps under way where the terminal is there; others wait for theirs."""
        return sum(self._is_there(firing.armed) for firing in self._fired)

    async def _carry_out(self, firing: Firing) -> None:
        swept, armed, tries = flatten.SweepResult(), firing.armed, 0
        while tries < MAX_SWEEPS:
            # each try waits for the terminal anew: it may be away again
            await self._arrival(armed)
            # at the market or on paper, as now
            terminal = self._terminals.terminal(armed.terminal, partial(self._stay, armed))
            # asked before the sweep: what has its answer by now is seen by it
            may_grow = firing.may_grow()
            if firing.called_off or (await self._sweep(terminal, firing, swept) and not may_grow):
                break
            # a gateway that has closed for its end lets nothing through: that is no try, and the
            # next one does what is left
            is_closed = self.switch.drain.stage is DrainStage.CLOSED
            tries += not (may_grow or is_closed)
            await asyncio.sleep(RETRY_S)
        if swept.cancelled or swept.closed or not firing.called_off:
            self._note(
                firing.armed.terminal,
                firing.cause,
                flatten.sweep_view(swept),
                actor=firing.armed.tid,
            )
        # only now it is forgotten in the ledger: killed before this, the next daemon does it again
        firing.over(firing)

    async def _sweep(
        self, terminal: GuardedTerminal, firing: Firing, swept: flatten.SweepResult
    ) -> bool:
        """Sweep once; return whether it is settled what became of everything.

        What may have been done, by a terminal that was lost meanwhile, and what may be done yet,
        is looked at again: each request names what it ends, and cannot do it twice.
        """
        # failures of the try before are not told: what is still there is tried again
        swept.failed.clear()
        try:
            state = self._terminals.state_of(terminal)
            await flatten.flatten(terminal, state, firing.armed.action, firing.chosen, swept)
        except GatewayError as error:
            logger.warning("terminal %s was not swept: %s", terminal.name, error.name())
            return False
        # what is refused for good would be refused again, and is told as it is
        unsettled = any(isinstance(failure.error, _NOT_OVER) for failure in swept.failed)
        return not unsettled and self._is_meant(firing.armed)

    def _stay(self, armed: Armed, tier: Tier) -> None:
        """Refuse, right before its bytes are written, what would reach another account."""
        if not self._is_meant(armed):
            raise TerminalDisconnected(
                "The terminal is logged in to another account", terminal=armed.terminal
            )

    def _is_meant(self, armed: Armed) -> bool:
        """Whether the terminal is, or was last, logged in to the account that it is about."""
        facts = self._registry.facts(armed.terminal)
        # never here: whatever account it comes with first is meant
        if facts is None:
            return True
        account, here = armed.account or self._first.get(armed.terminal), _account(facts)
        return here is not None and account in (None, here)

    def _is_there(self, armed: Armed) -> bool:
        session = self._registry.get(armed.terminal)
        return session is not None and session.broker is not False and self._is_meant(armed)

    async def _arrival(self, armed: Armed) -> None:
        """Wait until a terminal is linked, its broker is, and it is logged in to the account."""
        terminal = armed.terminal
        # looked at again after each event: one wakes all who wait for the terminal
        while not self._is_there(armed):
            await self._arrivals.setdefault(terminal, asyncio.Event()).wait()
            # the next wait takes a fresh event; whoever wakes looks for itself again
            self._arrivals.pop(terminal, None)

    # --- leases --------------------------------------------------------------------------------

    def _policy(self, terminal: str) -> LeasePolicy | None:
        if self._terminals.is_on_paper(terminal):
            return None  # the EA would end what is at the market
        return combined_policy(filter(self._is_meant, self._armed(terminal)))

    def _armed(self, terminal: str) -> list[Armed]:
        return [*self.dead_man.armed(terminal), *self.disconnects.armed(terminal)]

    def _changed(self, terminal: str) -> None:
        self.leases.look(terminal)

    def _change(self, change: TerminalChange) -> None:
        terminal = change.facts.terminal
        if (account := _account(change.facts)) is not None:
            self._first.setdefault(terminal, account)
        # a new link knows nothing of a lease: the EA is told once more
        if change.kind is ChangeKind.CONNECTED:
            self.leases.look(terminal)
        if change.kind is ChangeKind.ACCOUNT_CHANGED and not all(
            map(self._is_meant, self._armed(terminal))
        ):
            logger.warning("terminal %s: what was armed waits for another account", terminal)
            self._note(terminal, "account", flatten.sweep_view(flatten.SweepResult()))
        if (arrival := self._arrivals.get(terminal)) is not None:
            arrival.set()

    def _lease_ran_out(self, terminal: str, lease: AutomationLease) -> None:
        logger.warning("terminal %s: its lease ran out, the EA has acted by itself", terminal)
        failed: list[shapes.SweepFailure] = [
            {
                "kind": "order",
                "ticket": ticket,
                "code": -32603,
                "name": "internal_error",
                "message": "The terminal could not end it, or does not know; its log says why.",
                # an answer may have been lost: it is looked for, and not taken for still there
                "outcome": "unknown",
            }
            for ticket in lease.failed
        ]
        swept: shapes.Swept = {
            "cancelled": lease.cancelled,
            "closed": lease.closed,
            "failed": failed,
            "paper": False,
            "duplicate": False,
        }
        self._note(terminal, "lease", swept)

    # --- telling -------------------------------------------------------------------------------

    def _turned(self, turned: SwitchChanged) -> None:
        self._tell(turned.halt.terminal, turned.kind, flatten.sweep_view(flatten.SweepResult()))

    def _note(
        self, terminal: str, cause: shapes.KillCause, swept: shapes.Swept, actor: str = "daemon"
    ) -> None:
        self._audit.record(
            "kill_switch",
            actor=actor,
            terminal=terminal,
            reason=cause,
            cancelled=swept["cancelled"],
            closed=swept["closed"],
            failed=[failure["ticket"] for failure in swept["failed"]],
        )
        self._tell(terminal, cause, swept)

    def _tell(self, terminal: str, cause: shapes.KillCause, swept: shapes.Swept) -> None:
        halts = self.switch.over(terminal)
        event: shapes.KillSwitchEvent = {
            "event": "kill_switch",
            "cause": cause,
            "trading_enabled": not halts,
            "armed_by": halts[0].armed_by if halts else None,
            "since": halts[0].since_ms if halts else None,
            "everywhere": terminal == EVERYWHERE,
            "cancelled": swept["cancelled"],
            "closed": swept["closed"],
            "failed": swept["failed"],
            "paper": swept["paper"],
            "time": wall_ms(),
        }
        self._announce(terminal, event)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _account(facts: TerminalFacts) -> AccountKey | None:
    """Return the account that a terminal is logged in to; ``None`` while it is in none."""
    login = facts.hello.login
    return AccountKey(login, facts.hello.server) if login else None
