"""Typed methods: market. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from typing import Literal

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted, Time
from gateway.schemas.enums import Timeframe


class MarketMethods(MethodsBase):
    """See ``gateway.rpc.methods.market``."""

    async def get_ohlc(
        self,
        symbol: str,
        *,
        timeframe: Timeframe | int | Omitted = OMITTED,
        count: int | Omitted = OMITTED,
        start: int | Omitted = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.Bars:
        """Return the last bars of a symbol, oldest first.

        With `start` 0 the last one is the forming bar. `time` is when a bar opened. There may be
        fewer than `count`: with `complete` true the broker has no more, with false the terminal
        does not have them all, and `reason` says why. For a span of time see `get_history_prices`.
        """
        result: schemas.Bars = await self._call(
            "get_ohlc",
            symbol=symbol,
            timeframe=timeframe,
            count=count,
            start=start,
            terminal=terminal,
        )
        return result

    async def get_history_prices(
        self,
        symbol: str,
        from_: Time,
        *,
        timeframe: Timeframe | int | Omitted = OMITTED,
        to: Time | Omitted | None = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.Bars:
        """Return the bars of a symbol that opened in a span of time, oldest first, page by page.

        Both ends are included. While `next_cursor` is not null there may be more: ask again with
        the same params and that `cursor`; a page in the middle of a long gap can be empty. While
        `complete` is false bars are missing from the page, and `reason` says why: where the
        terminal is `loading`, ask for the same page again. Past dates are converted with the
        broker's offset of that date.
        """
        result: schemas.Bars = await self._call(
            "get_history_prices",
            symbol=symbol,
            from_=from_,
            timeframe=timeframe,
            to=to,
            limit=limit,
            cursor=cursor,
            terminal=terminal,
        )
        return result

    async def get_history_ticks(
        self,
        symbol: str,
        *,
        from_: Time | Omitted | None = OMITTED,
        to: Time | Omitted | None = OMITTED,
        flags: Literal["all", "info", "trade"] | int | Omitted = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.HistoryTicks:
        """Return past ticks of a symbol, oldest first, page by page.

        Both ends are included. Ticks may share a millisecond; none is lost or told twice between
        pages. While `complete` is false ticks are missing from the page, and `reason` says why:
        where the terminal is `loading`, ask for the same page again. MetaTrader 5 can take 45
        seconds to load ticks, and does nothing else meanwhile: 3002 `history_loading` says that it
        is at it. MetaTrader 4 keeps no ticks: there the method is not supported.
        """
        result: schemas.HistoryTicks = await self._call(
            "get_history_ticks",
            symbol=symbol,
            from_=from_,
            to=to,
            flags=flags,
            limit=limit,
            cursor=cursor,
            terminal=terminal,
        )
        return result

    async def get_market_book(
        self, symbol: str, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.Book:
        """Return the order book of a symbol as it is now: highest price first, sells above buys.

        For its changes subscribe to `book:<symbol>`. MetaTrader 4 has no order books; with brokers
        that publish none for the symbol the answer is 3004 `no_market_depth`.
        """
        result: schemas.Book = await self._call(
            "get_market_book", symbol=symbol, terminal=terminal
        )
        return result
