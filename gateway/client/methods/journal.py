"""Typed methods: journal. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted


class JournalMethods(MethodsBase):
    """See ``gateway.rpc.methods.journal``."""

    async def get_order(
        self, client_order_id: str, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.OrderRecord:
        """Tell what became of a request by its `client_order_id`; this is authoritative.

        It works while the terminal is offline, and for good: the journal forgets nothing. After an
        `order_unresolved` (2102) ask here before anything else. 2009 `order_not_found`: nothing
        was ever sent under that id for the account that the terminal is logged in to.
        """
        result: schemas.OrderRecord = await self._call(
            "get_order", client_order_id=client_order_id, terminal=terminal
        )
        return result

    async def settle_order(
        self,
        *,
        client_order_id: str,
        executed: bool,
        ticket: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.OrderRecord:
        """Settle by hand what became of a request whose outcome is unknown.

        For a person who has looked at the terminal, or asked the broker: the gateway finds nearly
        everything out by itself, and what it cannot tell keeps its symbol closed to new orders.
        From here on the request is `done` or `rejected`, also for whoever repeats it, the symbol
        is open, and `orders` tells it.

        Refused is what is not unknown, a ticket that belongs to another request, and, while the
        terminal is linked, one that it does not show or that is of another symbol, type or volume;
        `settlement` says what was looked at. Should the terminal tell otherwise within a day, that
        counts: `orders` tells it once more, with `settlement.time_contradicted`. All of it stands
        in the audit trail.
        """
        result: schemas.OrderRecord = await self._call(
            "settle_order",
            client_order_id=client_order_id,
            executed=executed,
            ticket=ticket,
            terminal=terminal,
        )
        return result
