"""Typed methods: native. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from typing import Literal

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted
from gateway.schemas.enums import Timeframe


class NativeMethods(MethodsBase):
    """Groups of the reference: native."""

    async def get_native(
        self,
        kind: Literal[
            "account",
            "terminal",
            "symbol",
            "symbols",
            "tick",
            "book",
            "positions",
            "orders",
            "history_orders",
            "history_deals",
        ],
        *,
        symbol: str | Omitted | None = OMITTED,
        group: str | Omitted | None = OMITTED,
        selected: bool | Omitted = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        position: int | Omitted | None = OMITTED,
        from_s: int | Omitted = OMITTED,
        to_s: int | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        after: int | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.NativeRecords:
        """Return records as MetaTrader has them: its names, its numbers, the broker's clock.

        For programs that were written against the MetaTrader5 package, such as the drop-in
        `gateway.client.mt5`; others are better served by the methods with words and UTC. Nothing
        is put into Market Watch for it but where there is no answer otherwise (`tick`, `book`).
        """
        result: schemas.NativeRecords = await self._call(
            "get_native",
            kind=kind,
            symbol=symbol,
            group=group,
            selected=selected,
            ticket=ticket,
            position=position,
            from_s=from_s,
            to_s=to_s,
            limit=limit,
            after=after,
            terminal=terminal,
        )
        return result

    async def copy_rates(
        self,
        symbol: str,
        timeframe: Timeframe | int,
        *,
        start: int | Omitted | None = OMITTED,
        count: int | Omitted | None = OMITTED,
        from_s: int | Omitted | None = OMITTED,
        to_s: int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.PackedRows:
        """Return bars as bytes, oldest first: MetaTrader's `CopyRates` in its three forms.

        `start` and `count`: so many, back from the newest, the forming bar at 0. `to_s` and
        `count`: the last ones that opened until then. `from_s` and `to_s`: those that opened in
        that span.
        """
        result: schemas.PackedRows = await self._call(
            "copy_rates",
            symbol=symbol,
            timeframe=timeframe,
            start=start,
            count=count,
            from_s=from_s,
            to_s=to_s,
            terminal=terminal,
        )
        return result

    async def copy_ticks(
        self,
        symbol: str,
        *,
        from_ms: int | Omitted | None = OMITTED,
        to_ms: int | Omitted | None = OMITTED,
        count: int | Omitted | None = OMITTED,
        flags: Literal["all", "info", "trade"] | int | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.PackedRows:
        """Return past ticks as bytes, oldest first: MetaTrader's `CopyTicks` and `CopyTicksRange`.

        With `from_ms` and `to_ms` all of that span, with `from_ms` and `count` so many from then
        on, with `count` alone the newest.
        """
        result: schemas.PackedRows = await self._call(
            "copy_ticks",
            symbol=symbol,
            from_ms=from_ms,
            to_ms=to_ms,
            count=count,
            flags=flags,
            terminal=terminal,
        )
        return result
