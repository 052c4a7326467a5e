"""Typed methods: market. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from typing import Literal

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Number, Omitted, Time
from gateway.schemas.enums import Side, Timeframe


class MarketMethods(MethodsBase):
    """Groups of the reference: account, terminal, symbols, market, calculations, history."""

    async def get_account_info(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.AccountInfo:
        """Return everything the terminal knows of the account.

        Money is in the account's `currency`. `margin_level` is in percent and null without
        positions. MetaTrader 4 does not know the margin mode, FIFO rule and some sums: they are
        null and listed in `unavailable`.
        """
        result: schemas.AccountInfo = await self._call("get_account_info", terminal=terminal)
        return result

    async def get_account_balance(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.AccountBalance:
        """Return the account's money: balance, equity, margin, floating profit.

        All of it is from one moment, and also in `get_account_info`.
        """
        result: schemas.AccountBalance = await self._call("get_account_balance", terminal=terminal)
        return result

    async def get_terminal_info(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.TerminalInfo:
        """Return what the terminal tells of itself: build, folders, switches, ping to the broker.

        `trade_allowed` is the AutoTrading button; whether the account may trade is in
        `get_account_info`.
        """
        result: schemas.TerminalInfo = await self._call("get_terminal_info", terminal=terminal)
        return result

    async def get_server_time(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.ServerTime:
        """Return the broker's time, and how far it lies from UTC.

        MetaTrader types the broker's wall clock as if it were UTC. The gateway learns the offset
        from fresh quotes; `offset` says how sure it is. `last_quote_time` stands still without
        quotes.
        """
        result: schemas.ServerTime = await self._call("get_server_time", terminal=terminal)
        return result

    async def get_ea_status(self, *, terminal: str | Omitted | None = OMITTED) -> schemas.EaStatus:
        """Return the state of the link to the terminal's EA.

        The gateway answers by itself, so this works while the terminal is offline: then `state` is
        `disconnected` and the rest is what was known last. Before the first contact it is null.
        """
        result: schemas.EaStatus = await self._call("get_ea_status", terminal=terminal)
        return result

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

    async def order_calc_margin(
        self,
        symbol: str,
        volume: Number,
        *,
        side: Side | int | Omitted | None = OMITTED,
        type: Side | int | Omitted | None = OMITTED,
        price: Number | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.Margin:
        """Return the margin that a position would need by itself, in the account's currency.

        Positions that are there already, and what they would save, are not counted.
        """
        result: schemas.Margin = await self._call(
            "order_calc_margin",
            symbol=symbol,
            volume=volume,
            side=side,
            type=type,
            price=price,
            terminal=terminal,
        )
        return result

    async def order_calc_profit(
        self,
        symbol: str,
        volume: Number,
        price_open: Number,
        price_close: Number,
        *,
        side: Side | int | Omitted | None = OMITTED,
        type: Side | int | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.Profit:
        """Return what a position would bring between two prices, in the account's currency.

        Without commission and swap; converted at today's rates.
        """
        result: schemas.Profit = await self._call(
            "order_calc_profit",
            symbol=symbol,
            volume=volume,
            price_open=price_open,
            price_close=price_close,
            side=side,
            type=type,
            terminal=terminal,
        )
        return result

    async def get_history_orders(
        self,
        *,
        kind: Literal["orders", "positions", "deals", "orders_deals"] | Omitted = OMITTED,
        from_: Time | Omitted | None = OMITTED,
        to: Time | Omitted | None = OMITTED,
        symbol: str | Omitted | None = OMITTED,
        ticket: int | Omitted | None = OMITTED,
        position: int | Omitted | None = OMITTED,
        limit: int | Omitted = OMITTED,
        cursor: str | Omitted | None = OMITTED,
        terminal: str | Omitted | None = OMITTED,
    ) -> schemas.History:
        """Return past orders, deals, closed positions, or orders with deals, oldest first.

        Orders count by the time they ended, deals by their own, positions by the time they were
        closed; both ends are included. While `next_cursor` is not null there may be more: ask
        again with the same params and that `cursor`. A page may hold fewer than `limit`, or none:
        where a symbol was hardly traded, or many positions began before the page.

        Positions are put together from their deals: average prices, and the sums of profit, swap,
        commission and fee. One that is still open is not among them. Right after a fill some
        terminals do not know the deal yet: asked for by `ticket` or `position`, it is waited for a
        little.

        MetaTrader 4 has no deals: `deals` and `orders_deals` are not supported there, its closed
        trades are `positions`, and `unavailable` lists what they lack.
        """
        result: schemas.History = await self._call(
            "get_history_orders",
            kind=kind,
            from_=from_,
            to=to,
            symbol=symbol,
            ticket=ticket,
            position=position,
            limit=limit,
            cursor=cursor,
            terminal=terminal,
        )
        return result
