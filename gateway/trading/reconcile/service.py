"""Service that finds out unknown orders at all terminals, while the gateway runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from ea_bridge.registry import ChangeKind, TerminalChange, TerminalRegistry
from ea_bridge.session import LateResult, TerminalSession
from gateway.audit import Audit
from gateway.schemas import OrderSettled
from gateway.storage.ledger import Ledger
from gateway.trading.journal import Account, Intent, OrderLog, SqliteJournal
from gateway.trading.journal.views import settled
from gateway.trading.reconcile.reconciler import Reconciler
from gateway.trading.reconcile.used_ids import UsedIdScan
from gateway.trading.state import Terminals
from gateway.trading.terminal import unattended

Publish = Callable[[str, OrderSettled], None]

logger = logging.getLogger(__name__)


class ReconcileService:
    """The log of all orders, each terminal's view of it, and its reconciler.

    Args:
        ledger: open.
        registry: tells which account a terminal is logged in to.
        terminals: makes the way to a terminal.
        audit: hears of every order.
        publish: tells those who listen to a terminal of an order whose end was found.
        on_point: see :class:`~gateway.trading.journal.OrderLog`.

    """

    def __init__(
        self,
        ledger: Ledger,
        registry: TerminalRegistry,
        terminals: Terminals,
        audit: Audit,
        publish: Publish,
        on_point: Callable[[str], None] | None = None,
    ) -> None:
        self._registry = registry
        self._terminals = terminals
        self._reconcilers: dict[str, Reconciler] = {}
        self._publish = publish
        self._is_running = False
        self.log = OrderLog(
            ledger,
            on_point=on_point,
            audit=audit,
            on_unresolved=self._find_out,
            on_settled=self._tell,
        )
        self._used_ids = UsedIdScan(self.log, terminals)

    def of(self, terminal: str) -> SqliteJournal:
        """Return the journal of a terminal."""
        account = partial(self._account, terminal)
        return SqliteJournal(self.log, terminal, account, self._used_ids)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Find out what is unknown while the context lasts, and publish what was found."""
        self._is_running = True
        unsubscribe = self._registry.subscribe(self._change)
        try:
            yield
        finally:
            unsubscribe()
            self._is_running = False  # the gateway is going down
            await asyncio.gather(*(reconciler.stop() for reconciler in self._reconcilers.values()))
            await self._used_ids.stop()
            await self.log.finish()

    def late(self, session: TerminalSession, late: LateResult) -> None:
        """Take a result that came after its caller was told that the outcome is unknown."""
        logger.warning(
            "terminal %s: command %d (%s) has ended after all: %s",
            session.terminal,
            late.command_id,
            late.command.op,
            "refused" if late.error is not None else "done",
        )
        self._reconciler(session.terminal).late(late)

    def _change(self, change: TerminalChange) -> None:
        if change.kind is ChangeKind.CONNECTED:
            hello, terminal = change.facts.hello, change.facts.terminal
            account = Account(hello.login, hello.server)
            self.log.note_account(terminal, account)
            self._used_ids.begin(terminal, account)
            self._reconciler(terminal).wake()

    def _find_out(self, intent: Intent) -> None:
        self._reconciler(intent.terminal).wake()

    def _tell(self, intent: Intent) -> None:
        if self._is_running:
            self._publish(intent.terminal, settled(intent))

    def _reconciler(self, terminal: str) -> Reconciler:
        found = self._reconcilers.get(terminal)
        if found is None:
            found = Reconciler(
                self.log,
                terminal,
                # to the market also while paper trading is on: what is unknown stays where it is
                partial(self._terminals.terminal, terminal, unattended, paper=False),
                partial(self._terminals.terminal, terminal, unattended, paper=True),
            )
            self._reconcilers[terminal] = found
        return found

    def _account(self, terminal: str) -> Account | None:
        facts = self._registry.facts(terminal)
        return None if facts is None else Account(facts.hello.login, facts.hello.server)
