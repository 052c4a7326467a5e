"""State that all callers of one terminal share, however many programs and tokens there are.

It is handed beside a :class:`~.terminal.GuardedTerminal`, which knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ea_bridge.model import Order
from gateway import schemas as shapes
from gateway.errors import GatewayError

from .filling import FillingMemory
from .journal import Journal
from .requests import ExecutionOptions, OrderModification, OrderRequest, PreparedOrder
from .risk.checker import OrderAdmission, RiskChecker
from .symbols import SymbolNames
from .terminal import GuardedTerminal
from .turns import Turns


class NullContingentOrders:
    """Contingent orders of a gateway that keeps none: every order is the terminal's."""

    def emulates(self, terminal: GuardedTerminal, order: OrderRequest) -> bool:
        """Whether an order is one that the daemon keeps, since the terminal cannot."""
        return False

    def holds(self, ticket: int) -> bool:
        """Whether an order that waits is kept here."""
        return False

    def orders(self, symbol: str | None = None, ticket: int | None = None) -> list[Order]:
        """Return those that wait, oldest first."""
        return []

    def counted(self) -> list[Order]:
        """Return those of the account that count against limits, whichever terminal holds them:
        not one whose limit order is on its way, since that counts itself."""
        return []

    def known(self, terminal: GuardedTerminal, client_order_id: str) -> Order | None:
        """Return the order of an id, waiting or over, of the account that a terminal is logged in
        to, or was last.

        Raises:
            StoreError: it cannot be read.

        """
        return None

    def past(self, ticket: int) -> Order | None:
        """Return an order that was kept here and is over."""
        return None

    async def place(
        self,
        terminal: GuardedTerminal,
        state: TradingState,
        order: OrderRequest,
        options: ExecutionOptions,
    ) -> shapes.OrderReceipt:
        """Keep an order, as :func:`.orders.place` sends one."""
        raise self._missing(terminal)

    async def modify(
        self,
        terminal: GuardedTerminal,
        state: TradingState,
        change: OrderModification,
        options: ExecutionOptions,
    ) -> shapes.OrderReceipt:
        """Change an order that is kept here."""
        raise self._missing(terminal)

    async def cancel(
        self, terminal: GuardedTerminal, ticket: int, options: ExecutionOptions
    ) -> shapes.OrderReceipt:
        """Drop an order that is kept here."""
        raise self._missing(terminal)

    def _missing(self, terminal: GuardedTerminal) -> GatewayError:
        return terminal.not_supported("stop_limit")


@dataclass(kw_only=True)
class TradingState:
    """Shared state of one terminal; it outlives links and callers, and ends with the daemon."""

    turns: Turns = field(default_factory=Turns)
    """Who may change what is open there."""
    risk: RiskChecker = field(default_factory=RiskChecker)
    """What an order must pass, and what it takes of the limits."""
    symbols: SymbolNames = field(default_factory=SymbolNames)
    """Callers' names of the broker's symbols."""
    fillings: FillingMemory = field(default_factory=FillingMemory)
    """The filling modes that its broker takes."""
    journal: Journal = field(default_factory=Journal)
    """The journal that its guarded terminals are made with."""
    contingent: NullContingentOrders = field(default_factory=NullContingentOrders)
    """Orders that the daemon keeps itself, and which cancel one another."""

    async def admit(self, terminal: GuardedTerminal, order: PreparedOrder) -> OrderAdmission:
        """Check an order, and take its part of the limits; see :meth:`.RiskChecker.admit`."""
        return await self.risk.admit(terminal, order, self.symbols, self.contingent)


StateOf = Callable[[GuardedTerminal], TradingState]
"""Return the state of a terminal: on paper it has another one."""
