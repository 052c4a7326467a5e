"""Leases at each EA: the policy that it carries out should the gateway itself fall silent.

All else that waits for a program's silence ends with the daemon. So whatever is armed is told to
the EA as one policy with a lease, which our heartbeats renew; when they stay away, because the
daemon was killed or hangs, the EA carries the policy out by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ea_bridge.commands import LEASE_GET, LEASE_SET, NoParams
from ea_bridge.errors import BridgeError
from ea_bridge.model import Lease, LeaseTerms
from ea_bridge.session import TerminalSession

from .armed import LeasePolicy

LEASE_MS = 5_000
"""Five heartbeats."""
RETRY_S = 1.0

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """The policies of all terminals.

    Args:
        session: look up a terminal's live session.
        policy: return what shall be done with a terminal; ``None``: nothing.
        fired: told what an EA has done by itself.

    """

    def __init__(
        self,
        session: Callable[[str], TerminalSession | None],
        policy: Callable[[str], LeasePolicy | None],
        fired: Callable[[str, Lease], None],
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
        # one task a terminal: two that tell at once could leave the older policy at the EA
        if terminal not in self._telling:
            task = asyncio.create_task(self._tell(terminal))
            self._telling[terminal] = task
            task.add_done_callback(lambda _: self._telling.pop(terminal, None))

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
                await asyncio.sleep(RETRY_S)

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
