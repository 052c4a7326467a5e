"""Typed methods: contingent. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import shapes
from gateway.client.asking import OMITTED, Asking, Omitted


class ContingentMethods(Asking):
    """See ``gateway.methods.contingent``."""

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
    ) -> shapes.TrailingStop:
        """Let the stop loss of a position follow the market, go to break-even, or both.

        The EA does it on every tick, also while the gateway is down, and its stop only ever comes
        closer to the market. All numbers are in points of the symbol. What was set before is
        replaced. Saying it again is safe, whatever became of the first time. While the console is
        silent, a stop can be set, but not loosened.
        """
        result: shapes.TrailingStop = await self._ask(
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
    ) -> shapes.TrailingStopRemoved:
        """Let the stop loss of a position stay where it is; it is no error if it did not follow."""
        result: shapes.TrailingStopRemoved = await self._ask(
            "remove_trailing_stop", ticket=ticket, terminal=terminal
        )
        return result

    async def get_trailing_stops(
        self,
        *,
        symbol: str | Omitted | None = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> list[shapes.TrailingStop]:
        """Return the stops that follow the market, all, of a symbol, or of a position.

        A new stop loss is told on the channel `positions`, as any other.
        """
        result: list[shapes.TrailingStop] = await self._ask(
            "get_trailing_stops", symbol=symbol, ticket=ticket, terminal=terminal
        )
        return result
