"""Typed methods: symbols. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted


class SymbolsMethods(MethodsBase):
    """See ``gateway.rpc.methods.symbols``."""

    async def get_symbols(
        self,
        *,
        group: str | Omitted | None = OMITTED,
        selected: bool | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> list[str]:
        """Return the names of the broker's symbols, in the broker's order."""
        result: list[str] = await self._call(
            "get_symbols", group=group, selected=selected, terminal=terminal
        )
        return result

    async def get_symbol_info(
        self, symbol: str, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.SymbolInfo:
        """Return everything the terminal knows of a symbol: contract, limits, sessions, prices.

        A symbol outside Market Watch is put into it first, since it has no prices otherwise. An
        unknown one is refused with the nearest names in `did_you_mean`.
        """
        result: schemas.SymbolInfo = await self._call(
            "get_symbol_info", symbol=symbol, terminal=terminal
        )
        return result

    async def get_sessions(
        self, symbol: str, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.SymbolSessions:
        """Return when a symbol trades: the broker's weekly table, the next opening and closing.

        An order for a closed market is refused before it travels: 2006 `market_closed`, with the
        same `opens_at`. Holidays are in no table; then the broker refuses it.
        """
        result: schemas.SymbolSessions = await self._call(
            "get_sessions", symbol=symbol, terminal=terminal
        )
        return result

    async def symbol_select(
        self,
        symbol: str,
        *,
        enable: bool | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.SymbolSelected:
        """Put a symbol into Market Watch, or take it out.

        Other methods select what they need by themselves. The terminal keeps a symbol that has a
        chart, an order or a position: then `select` stays true.
        """
        result: schemas.SymbolSelected = await self._call(
            "symbol_select", symbol=symbol, enable=enable, terminal=terminal
        )
        return result
