"""The journals of all terminals."""

from __future__ import annotations

from collections.abc import Callable

from ea_bridge.registry import Change, ChangeKind, TerminalRegistry
from gateway.ledger import Ledger
from gateway.trading.journal import Account, KeptJournal, OrderLog


class Journals:
    """The log of all orders, and each terminal's view of it; open while the gateway runs.

    Args:
        ledger: open.
        registry: tells which account a terminal is logged in to.
        on_point: see :class:`~gateway.trading.journal.OrderLog`.

    """

    def __init__(
        self,
        ledger: Ledger,
        registry: TerminalRegistry,
        on_point: Callable[[str], None] | None = None,
    ) -> None:
        self._registry = registry
        self.log = OrderLog(ledger)
        if on_point is not None:
            self.log.on_point = on_point

    def of(self, terminal: str) -> KeptJournal:
        """Return the journal of a terminal."""
        return KeptJournal(self.log, terminal, lambda: self._account(terminal))

    def change(self, change: Change) -> None:
        """Take a change of a terminal's link."""
        if change.kind is ChangeKind.CONNECTED:
            hello = change.facts.hello
            self.log.note_account(change.facts.terminal, Account(hello.login, hello.server))

    def _account(self, terminal: str) -> Account | None:
        facts = self._registry.facts(terminal)
        return None if facts is None else Account(facts.hello.login, facts.hello.server)
