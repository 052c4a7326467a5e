"""Typed methods: journal. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import shapes
from gateway.client.asking import OMITTED, Asking, Omitted


class JournalMethods(Asking):
    """See ``gateway.methods.journal``."""

    async def get_order(
        self, client_order_id: str, *, terminal: str | Omitted | None = OMITTED
    ) -> shapes.OrderRecord:
        """Tell what became of a request by its `client_order_id`; this is authoritative.

        It works while the terminal is offline, and for good: the journal forgets nothing. After an
        `order_unresolved` (2102) ask here before anything else. 2009 `order_not_found`: nothing
        was ever sent under that id for the account that the terminal is logged in to.
        """
        result: shapes.OrderRecord = await self._ask(
            "get_order", client_order_id=client_order_id, terminal=terminal
        )
        return result
