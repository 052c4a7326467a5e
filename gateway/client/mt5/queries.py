"""Functions that read: terminal, account, symbols, prices, orders, positions, history."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from gateway.client.mt5 import constants as c
from gateway.client.mt5.arguments import (
    MAX_TICKET,
    in_group,
    named,
    number,
    real,
    seconds,
    text,
)
from gateway.client.mt5.results import (
    RATES,
    TICKS,
    AccountInfo,
    BookInfo,
    SymbolInfo,
    TerminalInfo,
    Tick,
    TradeDeal,
    TradeOrder,
    TradePosition,
)
from gateway.client.mt5.state import (
    CALL_FAILED,
    INVALID_PARAMS,
    NO_CONNECTION,
    STATE,
    Failure,
    Terminal,
    error_of,
    function,
    invalid,
)
from gateway.errors import GatewayError, RangeTooLarge

T = TypeVar("T")
Array = NDArray[np.void]

PACKAGE_BUILD = 500
"""First of the three that ``version()`` tells, since there has been a MetaTrader 5."""
BARS_AT_ONCE, TICKS_AT_ONCE = 100_000, 50_000
"""What one answer of a terminal holds as a rule; where it does not, less is asked for."""
TIMEFRAMES = frozenset(value for name, value in vars(c).items() if name.startswith("TIMEFRAME_"))
KINDS_OF_TICKS = {
    c.COPY_TICKS_ALL: "all",
    c.COPY_TICKS_INFO: "info",
    c.COPY_TICKS_TRADE: "trade",
    c.COPY_TICKS_INFO | c.COPY_TICKS_TRADE: "all",
}
_TAG = re.compile(r"g[A-Z2-7]{9}(?: |\Z)")
"""Tag of the gateway, at the beginning of comments."""


# --- how records are made ------------------------------------------------------------------


def _maker(kind: type[T]) -> Callable[[dict[str, Any]], T]:
    """Return what makes a result of a record; a field that a platform lacks is 0 or empty."""
    names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]  # a named tuple has it
    hints = get_type_hints(kind)
    # of the type itself: int() is 0, str() is empty
    empty = {name: hints[name]() for name in names}

    def make(record: dict[str, Any]) -> T:
        values = ((name, record.get(name)) for name in names)
        return kind(*(empty[name] if value is None else value for name, value in values))

    return make


def _commented(kind: type[T]) -> Callable[[dict[str, Any]], T]:
    """Return the same for what has a comment: the gateway's tag is no part of it."""
    make = _maker(kind)

    def plain(record: dict[str, Any]) -> T:
        return make(record | {"comment": _TAG.sub("", record["comment"], count=1)})

    return plain


_account = _maker(AccountInfo)
_terminal = _maker(TerminalInfo)
_symbol = _maker(SymbolInfo)
_order = _commented(TradeOrder)
_position = _commented(TradePosition)
_deal = _commented(TradeDeal)


# --- the terminal and its account ----------------------------------------------------------


@function("none")
def version() -> tuple[int, int, str]:
    """version()

    Get MetaTrader 5 terminal version
    """
    if STATE.terminal is None:
        raise Failure(NO_CONNECTION, (0, 0, ""))
    terminal = STATE.terminal.native("terminal")[0]
    return PACKAGE_BUILD, terminal["build"], ""


@function("none")
def account_info() -> AccountInfo:
    """account_info()

    Return information on the current account
    """
    return _account(STATE.open().native("account")[0])


@function("none")
def terminal_info() -> TerminalInfo:
    """terminal_info()

    Get parameters of MetaTrader 5 terminal
    """
    return _terminal(STATE.open().native("terminal")[0])


# --- symbols -------------------------------------------------------------------------------


@function("none")
def symbols_total() -> int:
    """symbols_total()

    Return the number of all available symbols
    """
    return len(STATE.open().connection.call("get_symbols"))


@function("any")
def symbols_get(*args: str, group: str | None = None, **_: Any) -> tuple[SymbolInfo, ...]:
    """symbols_get([group="GROUP"])

    Return all available symbols or filtred by group
    """
    if len(args) > 1:
        raise invalid("number of arguments", False)
    if args and args[0] is not None and not isinstance(args[0], str):
        raise invalid("1st unnamed argument", False)
    wanted = (args[0] if args else None) or named("group", group, str, False)
    terminal = STATE.open()
    filters = {} if wanted is None else {"group": wanted[:256]}
    found = terminal.native("symbols", **filters)
    # the terminal's own idea of a group may be another
    is_wanted = in_group(wanted)
    return tuple(_symbol(record) for record in found if is_wanted(record["name"]))


@function()
def symbol_info(*args: str) -> SymbolInfo:
    """symbol_info(symbol)

    Return full information for specified symbol
    """
    (name,) = _exactly(1, args)
    return _symbol(_known_symbol(STATE, text(name)))


@function()
def symbol_info_tick(*args: str) -> Tick:
    """symbol_info_tick(symbol)

    Return current prices of specified symbol
    """
    (name,) = _exactly(1, args)
    given = STATE.open().native("tick", symbol=_name(text(name)))[0]
    return Tick(
        time=given["time_msc"] // 1000,
        bid=given["bid"],
        ask=given["ask"],
        last=given["last"],
        volume=given["volume"],
        time_msc=given["time_msc"],
        flags=given["flags"],
        volume_real=given["volume_real"],
    )


@function(failed=False)
def symbol_select(*args: Any) -> bool:
    """symbol_select(symbol,[enable])

    Select symbol in Market Watch window or remove symbol from the window
    """
    if len(args) not in (1, 2):
        raise invalid()
    name, enable = text(args[0]), bool(args[1]) if len(args) == 2 else True
    terminal = STATE.open()
    _known_symbol(STATE, name)
    done = terminal.connection.call("symbol_select", symbol=name, enable=enable)
    if done["select"] != enable:
        raise Failure(CALL_FAILED)
    return True


@function()
def market_book_add(*args: str) -> bool:
    """market_book_add(symbol)

    Opens Depth of Market for a selected symbol
    """
    (name,) = _exactly(1, args)
    symbol = text(name)
    terminal = STATE.open()
    try:
        depth = _known_symbol(STATE, symbol)["ticks_bookdepth"]
    except GatewayError:
        return False
    if depth:
        terminal.books.add(symbol)
    return bool(depth)


@function()
def market_book_get(*args: str) -> tuple[BookInfo, ...]:
    """market_book_get(symbol)

    Returns Depth of Market structures of a specified symbol
    """
    (name,) = _exactly(1, args)
    symbol = text(name)
    terminal = STATE.open()
    if symbol not in terminal.books:
        raise Failure(CALL_FAILED)
    try:
        levels = terminal.native("book", symbol=symbol)
    except GatewayError as error:
        code = error_of(error)
        raise Failure(CALL_FAILED if code[0] > c.RES_E_INTERNAL_FAIL else code) from None
    return tuple(
        BookInfo(level["type"], level["price"], int(level["volume"]), level["volume"])
        for level in levels
    )


@function()
def market_book_release(*args: str) -> bool:
    """market_book_release(symbol)

    Closes Depth of Market for a selected symbol
    """
    (name,) = _exactly(1, args)
    symbol = text(name)
    terminal = STATE.open()
    was_open = symbol in terminal.books
    terminal.books.discard(symbol)
    return was_open


def _known_symbol(state: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = state.open().native("symbol", symbol=_name(name))[0]
    return found


def _name(name: str) -> str:
    """Return a name as the gateway takes it; what it would refuse is no symbol's."""
    if not 0 < len(name) <= 64 or any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise Failure((c.RES_E_NOT_FOUND, "Terminal: Not found"))
    return name


def _exactly(count: int, args: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(args) != count:
        raise invalid()
    return args


# --- bars and ticks ------------------------------------------------------------------------


@function()
def copy_rates_from(*args: Any) -> Array:
    """copy_rates_from(symbol, timeframe, date_from, count)

    Get bars starting from specific date
    """
    symbol, timeframe, date, count = _exactly(4, args)
    name, period, to_s, amount = text(symbol), number(timeframe), seconds(date), number(count)
    terminal = STATE.open()
    _check_bars(terminal, period, amount)
    return _last_bars(terminal, name, period, amount, to_s=to_s)


@function()
def copy_rates_from_pos(*args: Any) -> Array:
    """copy_rates_from_pos(symbol, timeframe, start_pos, count)

    Get bars starting from specified position
    """
    symbol, timeframe, start_pos, count = _exactly(4, args)
    name, period, start, amount = text(symbol), number(timeframe), number(start_pos), number(count)
    terminal = STATE.open()
    _check_bars(terminal, period, amount)
    if start < 0:
        raise Failure(INVALID_PARAMS)
    bars = _last_bars(terminal, name, period, amount, start=start)
    if not len(bars):
        raise Failure(CALL_FAILED)  # the history does not reach so far
    return bars


@function()
def copy_rates_range(*args: Any) -> Array:
    """copy_rates_range(symbol, timeframe, date_from, date_to)

    Get bars from specified period
    """
    symbol, timeframe, date_from, date_to = _exactly(4, args)
    name, period = text(symbol), number(timeframe)
    from_s, to_s = seconds(date_from), seconds(date_to)
    terminal = STATE.open()
    _check_bars(terminal, period, 1)
    if from_s > to_s:
        raise Failure(INVALID_PARAMS)
    return _bars_between(terminal, name, period, from_s, to_s)


def _check_bars(terminal: Terminal, period: int, count: int) -> None:
    """Refuse an unknown timeframe, and more bars than the terminal keeps."""
    if terminal.max_bars is None:
        terminal.max_bars = terminal.native("terminal")[0]["maxbars"] or 0
    if (
        period not in TIMEFRAMES
        or count <= 0
        or (terminal.max_bars and count >= terminal.max_bars)
    ):
        raise Failure(INVALID_PARAMS)


def _last_bars(terminal: Terminal, name: str, period: int, count: int, **end: int) -> Array:
    """Return so many bars up to an end, ``start`` or ``to_s``, asked for piece by piece."""
    pieces: list[Array] = []
    left, at_once = count, BARS_AT_ONCE
    while left > 0:
        asked = min(left, at_once)
        try:
            bars = _bars(terminal, name, period, count=asked, **end)
        except RangeTooLarge:
            if at_once == 1:
                raise
            at_once //= 2
            continue
        pieces.append(bars)
        left -= len(bars)
        if len(bars) < asked:
            break
        # by time and not by number: a bar may begin meanwhile
        end = {"to_s": int(bars["time"][0]) - 1}
    return np.concatenate(pieces[::-1]) if len(pieces) != 1 else pieces[0]


def _bars_between(terminal: Terminal, name: str, period: int, from_s: int, to_s: int) -> Array:
    try:
        return _bars(terminal, name, period, from_s=from_s, to_s=to_s)
    except RangeTooLarge:
        if from_s >= to_s:
            raise
        half_s = (from_s + to_s) // 2
        older = _bars_between(terminal, name, period, from_s, half_s)
        return np.concatenate((older, _bars_between(terminal, name, period, half_s + 1, to_s)))


def _bars(terminal: Terminal, name: str, period: int, **span: int) -> Array:
    try:
        answer = terminal.connection.call(
            "copy_rates", symbol=_name(name), timeframe=period, **span
        )
    except RangeTooLarge:
        raise
    except GatewayError as error:
        code = error_of(error)
        # of bars the terminal does not tell an unknown symbol from another failure
        raise Failure(CALL_FAILED if code[0] == c.RES_E_NOT_FOUND else code) from None
    return _array(answer, RATES)


@function()
def copy_ticks_from(*args: Any) -> Array:
    """copy_ticks_from(symbol, date_from, count, flags)

    Get ticks starting from specific date
    """
    symbol, date, count, flags = _exactly(4, args)
    name, from_s, amount, kind = text(symbol), seconds(date), number(count), number(flags)
    terminal = STATE.open()
    if amount <= 0:
        raise Failure(INVALID_PARAMS)
    return _ticks(terminal, name, _kind_of_ticks(kind), from_s * 1000, None, amount)


@function()
def copy_ticks_range(*args: Any) -> Array:
    """copy_ticks_range(symbol, date_from, date_to, flags)

    Get ticks from specified period
    """
    symbol, date_from, date_to, flags = _exactly(4, args)
    name, from_s, to_s, kind = text(symbol), seconds(date_from), seconds(date_to), number(flags)
    terminal = STATE.open()
    if from_s > to_s:
        raise Failure(INVALID_PARAMS)
    return _ticks(terminal, name, _kind_of_ticks(kind), from_s * 1000, to_s * 1000, None)


def _kind_of_ticks(flags: int) -> str:
    if flags not in KINDS_OF_TICKS:
        raise Failure(INVALID_PARAMS)
    return KINDS_OF_TICKS[flags]


def _ticks(
    terminal: Terminal, name: str, kind: str, from_ms: int, to_ms: int | None, count: int | None
) -> Array:
    """Return ticks of a span, or so many from a moment on, asked for piece by piece."""
    pieces: list[Array] = []
    held, same, at_once = 0, 0, TICKS_AT_ONCE
    span = {} if to_ms is None else {"to_ms": to_ms}
    while count is None or held < count:
        asked = (at_once if count is None else min(at_once, count - held)) + same
        try:
            answer = terminal.connection.call(
                "copy_ticks",
                symbol=_name(name),
                flags=kind,
                from_ms=from_ms,
                count=asked,
                **span,
            )
        except RangeTooLarge:
            if at_once == 1:
                raise
            at_once = max(1, at_once // 2)
            continue
        ticks = _array(answer, TICKS)
        # those of the last millisecond come again: ticks may share one
        pieces.append(ticks[same:])
        held += max(0, len(ticks) - same)
        if len(ticks) < asked:
            break
        times = ticks["time_msc"]
        from_ms = int(times[-1])
        same = int(np.count_nonzero(times == from_ms))
    return np.concatenate(pieces) if len(pieces) != 1 else pieces[0]


def _array(answer: dict[str, Any], layout: np.dtype[np.void]) -> Array:
    # of a bytearray, so that the array can be written to, as the original's
    return np.frombuffer(bytearray(base64.b64decode(answer["data"])), layout)


# --- orders and positions ------------------------------------------------------------------


@function("none")
def orders_total() -> int:
    """orders_total()

    Return the number of orders
    """
    return len(STATE.open().native("orders"))


@function("any")
def orders_get(*args: Any, **filters: Any) -> tuple[TradeOrder, ...]:
    """orders_get([symbol="SYMBOL"],[ticket=TICKET],[group="GROUP"])

    Return all orders, can be filtered by symbol, group or ticket
    """
    return tuple(map(_order, _open_records("orders", args, filters)))


@function("none")
def positions_total() -> int:
    """positions_total()

    Return the number of open positions
    """
    return len(STATE.open().native("positions"))


@function("any")
def positions_get(*args: Any, **filters: Any) -> tuple[TradePosition, ...]:
    """positions_get([symbol="SYMBOL"],[ticket=TICKET],[group="GROUP"])

    Return all open positions, can be filtered by symbol, group or ticket
    """
    return tuple(map(_position, _open_records("positions", args, filters)))


def _open_records(kind: str, args: tuple[Any, ...], filters: dict[str, Any]) -> Iterable[Any]:
    if args:
        raise Failure((c.RES_E_INVALID_PARAMS, "Unnamed arguments not allowed"))
    ticket = named("ticket", filters.get("ticket"), int)
    symbol = named("symbol", filters.get("symbol"), str)
    group = named("group", filters.get("group"), str)
    terminal = STATE.open()
    if ticket is not None:
        return terminal.native(kind, ticket=ticket) if 0 < ticket <= MAX_TICKET else ()
    if symbol is None:
        is_wanted = in_group(group)
        return (one for one in terminal.native(kind) if is_wanted(one["symbol"]))
    # all of them: a filter by a name that the broker does not know would be an error
    return (one for one in terminal.native(kind) if one["symbol"] == symbol)


# --- history -------------------------------------------------------------------------------


@function()
def history_orders_total(*args: Any) -> int:
    """history_orders_total(date_from, date_to)

    Return the number of orders in selected range from history
    """
    return len(_past("history_orders", _exactly(2, args), {}))


@function("any")
def history_orders_get(*args: Any, **filters: Any) -> tuple[TradeOrder, ...]:
    """history_orders_get([date_from, date_to, [group="GROUP"]],[position=],[ticket=])

    Return orders in selected range from history or filtered by position id, ticket
    """
    return tuple(map(_order, _past("history_orders", args, filters)))


@function()
def history_deals_total(*args: Any) -> int:
    """history_deals_total(date_from, date_to)

    Return the number of deals in selected range from history
    """
    return len(_past("history_deals", _exactly(2, args), {}))


@function("any")
def history_deals_get(*args: Any, **filters: Any) -> tuple[TradeDeal, ...]:
    """history_deals_get([date_from, date_to, [group="GROUP"]],[position=],[ticket=])

    Return deals in selected range from history or filtered by position id, ticket
    """
    return tuple(map(_deal, _past("history_deals", args, filters)))


def _past(kind: str, args: tuple[Any, ...], filters: dict[str, Any]) -> list[dict[str, Any]]:
    ticket = named("ticket", filters.get("ticket"), int)
    position = named("position", filters.get("position"), int)
    # both by name is what the documentation of some wrappers says
    if not args and {"date_from", "date_to"} <= filters.keys():
        args = (filters["date_from"], filters["date_to"])
    if args:
        if ticket is not None or position is not None:
            raise Failure((c.RES_E_INVALID_PARAMS, "Unnamed arguments not allowed"))
        date_from, date_to = _exactly(2, args)
        from_s, to_s = seconds(date_from), seconds(date_to)
        is_wanted = in_group(named("group", filters.get("group"), str))
        found = STATE.open().native(kind, from_s=from_s, to_s=to_s) if from_s <= to_s else []
        return [one for one in found if is_wanted(one["symbol"])]
    number_of = {"ticket": ticket} if ticket is not None else {"position": position}
    ((_, wanted),) = number_of.items()
    if wanted is None:
        raise invalid()
    terminal = STATE.open()
    return terminal.native(kind, **number_of) if 0 < wanted <= MAX_TICKET else []


# --- calculations --------------------------------------------------------------------------


@function()
def order_calc_margin(*args: Any) -> float:
    """order_calc_margin(action, symbol, volume, price,)

    Calculate margin required for specified order
    """
    action, symbol, volume, price = _exactly(4, args)
    return _calculated(
        "order_calc_margin", "margin", action, symbol, volume=real(volume), price=real(price)
    )


@function()
def order_calc_profit(*args: Any) -> float:
    """order_calc_profit(action, symbol, volume, price_open, price_close)

    Calculate profit for the current account in the current market conditions
    """
    action, symbol, volume, price_open, price_close = _exactly(5, args)
    return _calculated(
        "order_calc_profit",
        "profit",
        action,
        symbol,
        volume=real(volume),
        price_open=real(price_open),
        price_close=real(price_close),
    )


def _calculated(method: str, name: str, action: Any, symbol: Any, **numbers: float) -> float:
    kind, wanted = number(action), text(symbol)
    terminal = STATE.open()
    if kind not in (c.ORDER_TYPE_BUY, c.ORDER_TYPE_SELL):
        raise Failure(INVALID_PARAMS)
    terminal.symbol(_name(wanted))
    answer = terminal.connection.call(method, symbol=wanted, side=kind, **numbers)
    return float(answer[name])


# --- the last error ------------------------------------------------------------------------


class _LastError:
    """``last_error``: it changes nothing, and does not wait for a call that is under way."""

    __name__ = __qualname__ = "last_error"
    __doc__ = "last_error()\n\nReturn last error code and description"

    def __repr__(self) -> str:
        return "<built-in function last_error>"

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[int, str]:
        if args or kwargs:
            raise TypeError("last_error() takes no arguments")
        return STATE.error

    def __reduce__(self) -> str:
        return "last_error"


last_error = _LastError()
