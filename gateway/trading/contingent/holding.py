"""What a desk holds beside the terminal's own orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ea_bridge.model import Order
from gateway import schemas as shapes
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.trading.guard import GuardedTerminal
    from gateway.trading.requests import ExecutionOptions, OrderModification, OrderRequest

    from .oco import OcoLinks
    from .records import HeldOrder


class Holding:
    """A desk that holds nothing: every order is the terminal's."""

    links: OcoLinks | None = None
    """Which orders cancel one another; ``None`` where nobody keeps them."""

    def emulates(self, terminal: GuardedTerminal, wish: OrderRequest) -> bool:
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
        held = self.kept(terminal, client_order_id)
        return None if held is None else held.order

    def kept(self, terminal: GuardedTerminal, client_order_id: str) -> HeldOrder | None:
        """Return the same order with all that is kept of it.

        Raises:
            StoreError: it cannot be read.

        """
        return None

    def receipt(
        self, terminal: GuardedTerminal, order: Order, client_order_id: str
    ) -> shapes.OrderReceipt:
        """Return what was told, or would have been, to who had an order kept here."""
        raise self._missing(terminal)

    def past(self, ticket: int) -> Order | None:
        """Return an order that was kept here and is over."""
        return None

    async def place(
        self, terminal: GuardedTerminal, wish: OrderRequest, options: ExecutionOptions
    ) -> shapes.OrderReceipt:
        """Keep an order, as :func:`.placing.place` sends one."""
        raise self._missing(terminal)

    async def modify(
        self,
        terminal: GuardedTerminal,
        ticket: int,
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
