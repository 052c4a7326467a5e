"""Used ids that a terminal remembers and the journal does not: it was restored from a backup.

What the journal has forgotten was sent after its last row, and before this run of the gateway. So
once in a run, when an account's terminal links, all that it shows of that time is looked through
for tags of ours. An id whose tag is there, and which the journal does not know, was used: its
order is not sent again. An order in the normal case costs a look into an empty table.

Brokers that rewrite comments take the tags away; then nobody can tell.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from ea_bridge import commands
from gateway.errors import (
    BrokerDisconnected,
    GatewayError,
    HistoryLoading,
    InternalError,
    TerminalError,
    Timeout,
)
from gateway.storage.store import StoreError

from ..history import fetch_history
from ..journal.intents import AccountKey
from ..journal.log import OrderLog
from ..requests import TAG_LENGTH, is_tagged, tag
from ..state import Terminals
from ..terminal import GuardedTerminal, unattended

AROUND_S = 86_400
"""How far the broker's clock, its time zone and ours may differ, before and after."""
MAX_BACK_S = 30 * 86_400
"""How far back it is looked at most, as in a home without any order: of years that is a lot."""

TRIES = 3
"""How often a terminal may fail at it, before its past is taken for what it never tells."""
REDUCING_S = 2.0
"""How long what only takes risk away waits at most: a position must be closed even where the past
cannot be seen."""
HEARTBEAT_S, HEARTBEAT_LOOKS = 2.0, 200
"""How long the first heartbeat of a link is waited for, and how often it is looked for: it is the
answer to ours, a moment after the link."""

_AGAIN = (BrokerDisconnected, HistoryLoading, TerminalError, Timeout)
"""After these the terminal tells in a moment."""

logger = logging.getLogger(__name__)


class UsedIdScan:
    """Used ids that terminals remember, by account; for the loop's thread.

    Args:
        log: of all orders, as it was when the gateway started.
        terminals: makes the way to a terminal's market.

    """

    def __init__(
        self,
        log: OrderLog,
        terminals: Terminals,
    ) -> None:
        self._log = log
        self._terminals = terminals
        now_s = log.now_ms() // 1000
        # the last row bounds the search: what was forgotten was sent after it
        self._first_s = max(log.last_sent_ms // 1000, now_s - MAX_BACK_S) - AROUND_S
        self._last_s = now_s + AROUND_S
        self._tickets: dict[AccountKey, dict[str, int]] = {}
        self._looking: dict[AccountKey, asyncio.Task[None]] = {}
        self._failures: Counter[AccountKey] = Counter()

    def is_paper(self, terminal: str) -> bool:
        """Whether a terminal trades on paper now."""
        return self._terminals.is_on_paper(terminal)

    def knows(self, account: AccountKey) -> bool:
        """Whether an account's terminal was looked through."""
        return account in self._tickets

    def ticket_of(self, account: AccountKey, client_order_id: str) -> int | None:
        """Return an order that was made under an id before this run; ``None``: there is none."""
        tickets = self._tickets.get(account)
        # most homes were never restored: then the table is empty, and no tag is computed
        return tickets.get(tag(*account, client_order_id)) if tickets else None

    def begin(self, terminal: str, account: AccountKey) -> None:
        """Look an account's terminal through, unless that was done, or is under way."""
        if account.login and not self.knows(account) and account not in self._looking:
            task = asyncio.get_running_loop().create_task(self._look(terminal, account))
            # one look for all callers of the account, who wait for the same task
            self._looking[account] = task
            task.add_done_callback(lambda _: self._looking.pop(account, None))
            task.add_done_callback(_note_failure)

    async def wait(self, terminal: str, account: AccountKey, *, reduces: bool) -> None:
        """Wait until it is looked through.

        Args:
            reduces: it is for what only takes risk away, which is not held up for long.

        Raises:
            GatewayError: it cannot be, for now.

        """
        self.begin(terminal, account)
        if (task := self._looking.get(account)) is None:
            return
        if reduces:
            # wait() leaves the task alone when the time is over: others wait for it, too
            await asyncio.wait((task,), timeout=REDUCING_S)
            return
        try:
            await asyncio.shield(task)
        except GatewayError as error:  # all who wait meet it, and each tells his own
            raise type(error)(error.message, **error.data) from None

    async def stop(self) -> None:
        """Look no more."""
        if tasks := list(self._looking.values()):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _look(self, name: str, account: AccountKey) -> None:
        terminal = self._terminals.terminal(name, unattended, paper=False)
        found = dict[str, int]()
        try:
            await self._look_for_tags(terminal, found)
        except _AGAIN:
            raise
        except GatewayError as error:
            # of the account: a terminal that links anew must not begin to count anew
            self._failures[account] += 1
            if isinstance(error, InternalError) and self._failures[account] < TRIES:
                raise  # it failed once, which is no reason to send anything twice
            # it never tells: orders are sent all the same, but for those that it has shown
            logger.warning("terminal %s: its past orders cannot be seen: %s", name, error.name())
        if terminal.account != account:
            raise terminal.offline()  # it was logged in elsewhere while it told
        # only a whole look counts: a part of it would let used ids through
        self._tickets[account] = found
        self._warn_of_forgotten(name, account, set(found.values()))

    def _warn_of_forgotten(self, name: str, account: AccountKey, tickets: set[int]) -> None:
        try:
            forgotten = tickets - self._log.claimed(account, tickets)
        except StoreError as error:  # what is sent does not hang on it
            logger.warning("terminal %s: its past is not compared: %s", name, error)
            return
        if forgotten:
            logger.warning(
                "terminal %s: %d orders of a gateway are not in this journal: was its home "
                "restored from a backup? Their ids are not used again",
                name,
                len(forgotten),
            )

    async def _look_for_tags(self, terminal: GuardedTerminal, found: dict[str, int]) -> None:
        if await _has_broker(terminal) is False:
            raise BrokerDisconnected(terminal=terminal.name)  # its lists may be empty
        for order in await terminal.request(commands.ORDERS_GET, commands.FilterParams()):
            _add(found, order.comment, order.ticket)
        for position in await terminal.request(commands.POSITIONS_GET, commands.FilterParams()):
            _add(found, position.comment, position.ticket)
        span = (self._first_s, self._last_s)
        async for orders in fetch_history(terminal, commands.HISTORY_ORDERS_GET, *span):
            for order in orders:
                _add(found, order.comment, order.ticket)


async def _has_broker(terminal: GuardedTerminal) -> bool | None:
    """Return whether the broker talks to a terminal, which says so with its first heartbeat;
    ``None``: it does not say.
    """
    for _ in range(HEARTBEAT_LOOKS):
        session = terminal.session
        if session is None:
            raise terminal.offline()
        if session.broker is not None:
            return session.broker
        await asyncio.sleep(HEARTBEAT_S / HEARTBEAT_LOOKS)
    return None


def _add(found: dict[str, int], comment: str, ticket: int) -> None:
    if is_tagged(comment):
        found[comment[:TAG_LENGTH]] = ticket


def _note_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.info("past orders of a terminal are not seen yet: %s", type(error).__name__)
