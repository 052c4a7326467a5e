"""Answers of the package to the daemon's questions, as an EA gives them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from ea_bridge import commands, host, model
from ea_bridge.emulator.command_handler import (
    INVALID_PARAMETER,
    MAX_ROWS,
    NO_BOOK,
    NOT_SUPPORTED,
    SYMBOL_NOT_SELECTED,
    UNKNOWN_SYMBOL,
    Failed,
)
from ea_bridge.model.struct import Struct

from .package import (
    CALL_FAILED,
    INVALID_PARAMS,
    LAST_S,
    NOT_FOUND,
    Package,
    PackageError,
    struct_of,
)
from .state import PackageState

HISTORY_NOT_FOUND, INTERNAL_ERROR = 4401, 4024
SELECTED_S = 5.0
"""For so long a symbol that was found in Market Watch is taken to be there."""
BOOK_TRIES, BOOK_WAIT_S = 10, 0.02
"""An order book that was just subscribed to is empty until the broker has sent it."""
SAME_SECOND = 256
"""Ticks that are asked for beside those that are wanted: the package takes whole seconds, and
those before the wanted millisecond come along."""
MOST_TICKS = 1_000_000
"""In one call of the package."""
LAST_SPANS_S = (60, 3600, 86_400, 7 * 86_400, 31 * 86_400)
"""How far back the newest ticks are looked for, one after another: the package has no call for
them."""

T = TypeVar("T")
Ticketed = TypeVar("Ticketed", model.Order, model.Position)


class Questions:
    """Answers to all commands but those that trade or are about the link.

    Args:
        package: owned by the thread that calls this.
        state: what was seen of the terminal.
        watched_book: whether a symbol's order book is subscribed to already.
        utc_s: UTC in seconds, as the PC's clock has it.

    """

    def __init__(
        self,
        package: Package,
        state: PackageState,
        watched_book: Callable[[str], bool],
        utc_s: Callable[[], float],
    ) -> None:
        self._package = package
        self._state = state
        self._watched_book = watched_book
        self._utc_s = utc_s
        self._selected: dict[str, float] = {}
        self._answers: dict[str, Callable[[Any], Any]] = {
            commands.ACCOUNT_GET.op: lambda _: state.look().account,
            commands.TERMINAL_GET.op: lambda _: state.look().terminal,
            commands.CLOCK_GET.op: lambda _: self.clock(),
            commands.SYMBOLS_GET.op: self.symbols,
            commands.SYMBOL_GET.op: lambda params: self.symbol(params.symbol),
            commands.SYMBOL_SELECT.op: self.select,
            commands.TICK_GET.op: self.tick,
            commands.BOOK_GET.op: self.book,
            commands.RATES_GET.op: self.rates,
            commands.TICKS_GET.op: self.ticks,
            commands.POSITIONS_GET.op: lambda p: _lowest(self.positions(p.symbol, p.ticket), p),
            commands.ORDERS_GET.op: lambda p: _lowest(self.orders(p.symbol, p.ticket), p),
            commands.HISTORY_ORDERS_GET.op: self.history_orders,
            commands.HISTORY_DEALS_GET.op: self.history_deals,
            commands.ORDER_CHECK.op: self.check,
            commands.ORDER_CALC_MARGIN.op: self.margin,
            commands.ORDER_CALC_PROFIT.op: self.profit,
        }

    def answer(self, op: str, params: Struct) -> Any:
        """Return the result of a command.

        Raises:
            Failed: with MQL's error number.

        """
        answer = self._answers.get(op)
        if answer is None:
            raise Failed(NOT_SUPPORTED, f"the agent cannot do {op}")
        try:
            return answer(params)
        except PackageError as error:
            raise Failed(_mql_error(error), str(error)) from error

    def clock(self) -> model.Clock:
        """``TimeCurrent`` and its siblings; the package does not tell that of the server."""
        now_s = int(self._utc_s())
        return model.Clock(
            tcur=self._state.broker_s,
            tgmt=now_s,
            tlocal=now_s + time.localtime(now_s).tm_gmtoff,
        )

    # --- symbols and prices ----------------------------------------------------------------

    def symbols(self, params: commands.SymbolsParams) -> list[model.SymbolName]:
        """The list of symbols; ``group`` is the package's own."""
        named = {} if params.group is None else {"group": params.group}
        found = self._package.call("symbols_get", **named)
        return [
            model.SymbolName(name=info.name, path=info.path, select=info.select)
            for info in found
            if info.select or not params.selected
        ]

    def symbol(self, name: str) -> model.SymbolInfo:
        """``symbol_info``."""
        try:
            return struct_of(model.SymbolInfo, self._package.call("symbol_info", name))
        except PackageError as error:
            if error.is_lost:
                raise
            raise Failed(UNKNOWN_SYMBOL, f"unknown symbol {name}") from error

    def select(self, params: commands.SelectParams) -> commands.Selected:
        """Market Watch; a symbol with positions or orders cannot be taken out."""
        self._selected.pop(params.symbol, None)
        self.symbol(params.symbol)
        try:
            self._package.call("symbol_select", params.symbol, params.enable)
        except PackageError as error:
            if error.is_lost:
                raise
        found = self.symbol(params.symbol)
        return commands.Selected(symbol=params.symbol, select=found.select)

    def require_selected(self, symbol: str) -> None:
        """See that a symbol is in Market Watch: of others the terminal has no prices.

        Raises:
            Failed: it is not, or there is none of that name.

        """
        if host.monotonic_s() < self._selected.get(symbol, 0.0):
            return
        if not self.symbol(symbol).select:
            raise Failed(SYMBOL_NOT_SELECTED, f"{symbol} is not in Market Watch")
        self._selected[symbol] = host.monotonic_s() + SELECTED_S

    def tick(self, params: commands.SymbolParams) -> model.Tick:
        """``symbol_info_tick``."""
        self.require_selected(params.symbol)
        return self._state.note_tick(self._package.last_tick(params.symbol))

    def book(self, params: commands.SymbolParams) -> list[model.BookEntry]:
        """``market_book_get``, of a book that may have to be subscribed to for that."""
        self.require_selected(params.symbol)
        self.require_depth(params.symbol)
        if self._watched_book(params.symbol):
            return self._package.book(params.symbol)
        self._package.call("market_book_add", params.symbol)
        try:
            for _ in range(BOOK_TRIES):
                if found := self._present_book(params.symbol):
                    return found
                host.sleep(BOOK_WAIT_S)
            return []
        finally:
            self._package.call("market_book_release", params.symbol)

    def require_depth(self, symbol: str) -> None:
        """See that a symbol has an order book.

        Raises:
            Failed: it has none.

        """
        if not self.symbol(symbol).ticks_bookdepth:
            raise Failed(NO_BOOK, f"no depth of market for {symbol}")

    def _present_book(self, symbol: str) -> list[model.BookEntry]:
        try:
            return self._package.book(symbol)
        except PackageError as error:
            if error.is_lost:
                raise
            return []

    def rates(self, params: commands.RatesParams) -> model.History[model.Bar]:
        """Bars, in the three forms that the package has as well."""
        self.require_selected(params.symbol)
        try:
            timeframe = int(model.Timeframe(params.timeframe))
        except ValueError:
            raise Failed(INVALID_PARAMETER, f"no timeframe {params.timeframe}") from None
        symbol = params.symbol
        if params.from_s is not None:
            to_s = LAST_S if params.to_s is None else params.to_s
            rows = self._bars("copy_rates_range", symbol, timeframe, params.from_s, to_s)
            return model.History(rows=rows)
        # asked for as many bars as it keeps of a period, the terminal gives none at all
        most = max((self._state.latest.terminal.maxbars or MAX_ROWS) - 1, 1)
        count = min(most if params.count is None else params.count, MAX_ROWS)
        if params.to_s is not None:
            rows = self._bars("copy_rates_from", symbol, timeframe, params.to_s, min(count, most))
        else:
            start = params.start or 0
            room = max(most - start, 0)
            rows = (
                self._bars("copy_rates_from_pos", symbol, timeframe, start, min(count, room))
                if room
                else []
            )
            most = room
        return model.History(rows=rows, missing="max_bars" if count > most <= len(rows) else "")

    def _bars(self, function: str, symbol: str, timeframe: int, *where: int) -> list[model.Bar]:
        bounded = [min(number, LAST_S) for number in where]
        try:
            return self._package.bars(function, symbol, timeframe, *bounded)
        except PackageError as error:
            if error.code != CALL_FAILED:
                raise
            # so the package says that a position lies beyond the oldest bar
            if function == "copy_rates_from_pos" and where[0]:
                return []
            raise Failed(HISTORY_NOT_FOUND, f"no bars of {symbol} yet") from error

    def ticks(self, params: commands.TicksParams) -> model.History[model.Tick]:
        """Ticks from a millisecond on, or the newest; the package knows whole seconds."""
        self.require_selected(params.symbol)
        limit = min(params.count or MAX_ROWS, MAX_ROWS)
        to_msc = params.to_msc
        if params.from_msc is None:
            rows = self._newest_ticks(params.symbol, to_msc, limit, params.flags)
        else:
            rows = self.ticks_from(params.symbol, params.from_msc, limit, params.flags)
        if to_msc is not None:
            rows = [tick for tick in rows if tick.time_msc <= to_msc]
        return model.History(rows=rows)

    def ticks_from(self, symbol: str, from_msc: int, count: int, flags: int) -> list[model.Tick]:
        """Return the first ticks of ``from_msc`` or later."""
        from_s = min(max(from_msc, 0) // 1000, LAST_S)
        wanted = count + SAME_SECOND
        while True:
            rows = self._package.ticks("copy_ticks_from", symbol, from_s, wanted, flags)
            kept = [tick for tick in rows if tick.time_msc >= from_msc]
            if len(kept) >= count or len(rows) < wanted or wanted >= MOST_TICKS:
                return kept[:count]
            wanted = min(4 * wanted, MOST_TICKS)

    def _newest_ticks(
        self, symbol: str, to_msc: int | None, count: int, flags: int
    ) -> list[model.Tick]:
        newest_msc = self._state.note_tick(self._package.last_tick(symbol)).time_msc
        end_msc = newest_msc if to_msc is None else min(to_msc, newest_msc)
        rows: list[model.Tick] = []
        for span_s in LAST_SPANS_S if end_msc > 0 else ():
            end_s = end_msc // 1000 + 1
            found = self._package.ticks(
                "copy_ticks_range", symbol, max(end_s - span_s, 0), end_s, flags
            )
            rows = [tick for tick in found if to_msc is None or tick.time_msc <= to_msc]
            if len(rows) >= count:
                break
        return rows[-count:]

    # --- positions, orders, history ----------------------------------------------------------

    def positions(
        self, symbol: str | None = None, ticket: int | None = None
    ) -> list[model.Position]:
        """Return the open positions."""
        found = self._package.call("positions_get", **_filter(symbol, ticket))
        positions = [struct_of(model.Position, record) for record in found]
        return [position for position in positions if symbol in (None, position.symbol)]

    def orders(self, symbol: str | None = None, ticket: int | None = None) -> list[model.Order]:
        """Return the pending orders."""
        found = self._package.call("orders_get", **_filter(symbol, ticket))
        orders = [struct_of(model.Order, record) for record in found]
        return [order for order in orders if symbol in (None, order.symbol)]

    def history_orders(self, params: commands.HistoryParams) -> list[model.Order]:
        """Past orders, by the time of their end."""
        found = self._past("history_orders_get", params)
        orders = [struct_of(model.Order, record) for record in found]
        return _within(orders, params, lambda order: order.time_done)

    def history_deals(self, params: commands.HistoryParams) -> list[model.Deal]:
        """Past deals."""
        found = self._past("history_deals_get", params)
        deals = [struct_of(model.Deal, record) for record in found]
        return _within(deals, params, lambda deal: deal.time)

    def _past(self, function: str, params: commands.HistoryParams) -> Any:
        if params.ticket is not None:
            return self._package.call(function, ticket=params.ticket)
        if params.position is not None:
            return self._package.call(function, position=params.position)
        from_s, to_s = params.from_s or 0, LAST_S if params.to_s is None else params.to_s
        if from_s > min(to_s, LAST_S):
            return ()
        return self._package.call(function, max(from_s, 0), min(to_s, LAST_S))

    # --- calculations ------------------------------------------------------------------------

    def check(self, request: model.TradeRequest) -> model.CheckResult:
        """``order_check``."""
        return struct_of(
            model.CheckResult, self._package.call("order_check", request_dict(request))
        )

    def margin(self, params: commands.MarginParams) -> commands.CalculatedAmount:
        """``order_calc_margin``."""
        self.symbol(params.symbol)
        return self._amount(
            "order_calc_margin", params.type, params.symbol, params.volume, params.price
        )

    def profit(self, params: commands.ProfitParams) -> commands.CalculatedAmount:
        """``order_calc_profit``."""
        self.symbol(params.symbol)
        return self._amount(
            "order_calc_profit",
            params.type,
            params.symbol,
            params.volume,
            params.price_open,
            params.price_close,
        )

    def _amount(self, function: str, *args: Any) -> commands.CalculatedAmount:
        try:
            return commands.CalculatedAmount(value=self._package.call(function, *args))
        except PackageError as error:
            if error.is_lost:
                raise
            raise Failed(INVALID_PARAMETER, str(error)) from error


MOST_TEXT = 28
"""Characters of a symbol or a comment that every build of the package takes."""


def request_dict(request: model.TradeRequest) -> dict[str, Any]:
    """Return a request as ``order_send`` takes it, with the very types that it demands.

    A comment that is too long is cut at its end; the gateway's tag is at the beginning.
    """
    values: dict[str, Any] = {}
    for name in request.__struct_fields__:
        # not an int for a price, nor a member of an enumeration for an int
        value = type(getattr(_DEFAULTS, name))(getattr(request, name))
        # what is missing is 0 or empty to the package, too
        if value:
            values[name] = value
    if "comment" in values:
        values["comment"] = values["comment"][:MOST_TEXT]
    return values


_DEFAULTS = model.TradeRequest(action=0)


def _mql_error(error: PackageError) -> int:
    return {NOT_FOUND: UNKNOWN_SYMBOL, INVALID_PARAMS: INVALID_PARAMETER}.get(
        error.code, INTERNAL_ERROR
    )


def _filter(symbol: str | None, ticket: int | None) -> dict[str, Any]:
    if ticket is not None:
        return {"ticket": ticket}
    return {} if symbol is None else {"symbol": symbol}


def _lowest(records: list[Ticketed], params: commands.FilterParams) -> list[Ticketed]:
    """Return those with the lowest tickets above ``after``, as many as ``count`` says."""
    if params.after is None and params.count is None:
        return records
    after = params.after or 0
    found = sorted(
        (record for record in records if record.ticket > after), key=lambda record: record.ticket
    )
    return found[: params.count or None]


def _within(
    records: list[T], params: commands.HistoryParams, time_s: Callable[[T], int]
) -> list[T]:
    """Return the records of a span, and of these the oldest, as many as ``count`` says, with all
    others of the last one's second.
    """
    if params.ticket is not None or params.position is not None:
        return records
    first_s, last_s = params.from_s or 0, params.to_s
    found = [
        record
        for record in records
        if first_s <= time_s(record) and (last_s is None or time_s(record) <= last_s)
    ]
    if not params.count or params.count >= len(found):
        return found
    last_s = sorted(map(time_s, found))[params.count - 1]
    return [record for record in found if time_s(record) <= last_s]
