"""State that all terminals of one account share, whoever's tokens they have."""

from __future__ import annotations

from functools import partial

from ea_bridge.registry import TerminalRegistry
from gateway.storage.ledger import Ledger
from gateway.trading.journal import Account, OrderLog, SqliteJournal
from gateway.trading.risk.checker import RiskChecker
from gateway.trading.risk.rate import sent_orders
from gateway.trading.risk.reservations import CounterBook, Unresolved
from gateway.trading.turns import Queues, Turns


class AccountState:
    """Counters and turns of all accounts, while the gateway runs.

    Args:
        log: of all orders.
        ledger: open.
        registry: tells which account a terminal is logged in to.

    """

    def __init__(self, log: OrderLog, ledger: Ledger, registry: TerminalRegistry) -> None:
        self._log = log
        self._ledger = ledger
        self._registry = registry
        self._counter_book = CounterBook(self._unresolved)
        self._queues: Queues = {}

    def risk_checker(self) -> RiskChecker:
        """Return the checker of one more terminal, which knows what the journal knows."""
        return RiskChecker(self._counter_book, sent_orders(self._ledger.reader))

    def turns(self, terminal: str) -> Turns:
        """Return the turns of a terminal."""
        return Turns(self._queues, partial(self._account, terminal))

    def _account(self, terminal: str) -> Account | None:
        facts = self._registry.facts(terminal)
        return None if facts is None else Account(facts.hello.login, facts.hello.server)

    def _unresolved(self, account: Account) -> Unresolved:
        return SqliteJournal(self._log, "", lambda: account).unresolved
