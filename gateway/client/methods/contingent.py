"""Typed methods: contingent. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted


class ContingentMethods(MethodsBase):
    """See ``gateway.rpc.methods.contingent``."""

    async def set_trailing_stop(
        self,
        *,
        ticket: int,
        distance: int | Omitted = OMITTED,
        step: int | Omitted = OMITTED,
        activation: int | Omitted = OMITTED,
        break_even: int | Omitted = OMITTED,
        break_even_offset: int | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.TrailingStop:
        """Let the stop loss of a position follow the market, go to break-even, or both.

        The EA does it on every tick, also while the gateway is down, and its stop only ever comes
        closer to the market. All numbers are in points of the symbol. What was set before is
        replaced. Saying it again is safe, whatever became of the first time. While the console is
        silent, a stop can be set, but not loosened.
        """
        result: schemas.TrailingStop = await self._call(
            "set_trailing_stop",
            ticket=ticket,
            distance=distance,
            step=step,
            activation=activation,
            break_even=break_even,
            break_even_offset=break_even_offset,
            terminal=terminal,
        )
        return result

    async def remove_trailing_stop(
        self, *, ticket: int, terminal: str | Omitted | None = OMITTED
    ) -> schemas.TrailingStopRemoved:
        """Let the stop loss of a position stay where it is.

        It is no error if it did not follow.
        """
        result: schemas.TrailingStopRemoved = await self._call(
            "remove_trailing_stop", ticket=ticket, terminal=terminal
        )
        return result

    async def get_trailing_stops(
        self,
        *,
        symbol: str | Omitted | None = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> list[schemas.TrailingStop]:
        """Return the stops that follow the market, all, of a symbol, or of a position.

        A new stop loss is told on the channel `positions`, as any other.
        """
        result: list[schemas.TrailingStop] = await self._call(
            "get_trailing_stops", symbol=symbol, ticket=ticket, terminal=terminal
        )
        return result

    async def link_oco(
        self, *, tickets: Sequence[int], terminal: str | Omitted | None = OMITTED
    ) -> schemas.OcoLink:
        """Let the first of some pending orders that ends cancel the others.

        A fill counts, also of a part. The gateway does it: while it runs and the terminal is
        linked at once, else as soon as they are back; in a fast market more than one may be
        filled. Linking the same orders again returns the link there is. If one of them does not
        wait any more, nothing is linked: 2009 names it.
        """
        result: schemas.OcoLink = await self._call("link_oco", tickets=tickets, terminal=terminal)
        return result

    async def unlink_oco(
        self, *, id: str, terminal: str | Omitted | None = OMITTED
    ) -> schemas.OcoLink:
        """Let linked orders live apart again; all of them stay.

        A link whose orders are being cancelled, or are gone, stays as it is: look at `state`.
        """
        result: schemas.OcoLink = await self._call("unlink_oco", id=id, terminal=terminal)
        return result

    async def get_oco_links(
        self, *, past: int | Omitted = OMITTED, terminal: str | Omitted | None = OMITTED
    ) -> list[schemas.OcoLink]:
        """Return which orders cancel one another, oldest first, then those that are over.

        The gateway answers by itself, so this works while the terminal is offline.
        """
        result: list[schemas.OcoLink] = await self._call(
            "get_oco_links", past=past, terminal=terminal
        )
        return result
