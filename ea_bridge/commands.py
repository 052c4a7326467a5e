"""Commands that a terminal can be asked: one :class:`Command` a line.

The gateway's methods, the emulator and the EA's ``Commands.mqh`` all derive from here. On the
wire a command is a flat object (``{"t":"cmd","id":7,"op":"tick_get","symbol":"EURUSD"}``),
so params are structs of scalars; a member that is ``None`` is left out.

Times in params are the broker's wall clock, like every time on this wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal, TypeVar

import msgspec

from ea_bridge.model.account import CheckedLogin, LoginParams

from . import model
from .model import TradeRequest, TradeResult
from .model.struct import Digits, Integer, Name, Struct

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


class NoParams(Struct, frozen=True, kw_only=True):
    """The command takes nothing."""


class SymbolParams(Struct, frozen=True, kw_only=True):
    """The command is about one symbol."""

    symbol: str


class SymbolsParams(Struct, frozen=True, kw_only=True):
    """Filter of symbols; ``group`` as in the MetaTrader5 package: ``"*USD*,!EURUSD"``."""

    group: str | None = None
    selected: bool = False
    """Only those in Market Watch."""


class SelectParams(Struct, frozen=True, kw_only=True):
    """Put a symbol into Market Watch or take it out."""

    symbol: str
    enable: bool = True


class RatesParams(Struct, frozen=True, kw_only=True):
    """Bars ``start .. start+count-1`` back from the forming one (0), or opened in
    ``from_s <= time <= to_s``, or ``count`` of them ending at ``to_s``; oldest first.
    """

    symbol: str
    timeframe: int
    start: int | None = None
    count: int | None = None
    from_s: int | None = None
    to_s: int | None = None


class TicksParams(Struct, frozen=True, kw_only=True):
    """Ticks with ``from_msc <= time_msc`` (and ``<= to_msc``), at most ``count``, oldest first.

    Without ``from_msc``: the last ``count`` ticks. ``flags`` is a
    :class:`~.model.CopyTicks`.
    """

    symbol: str
    from_msc: int | None = None
    to_msc: int | None = None
    count: int | None = None
    flags: int = -1


class FilterParams(Struct, frozen=True, kw_only=True):
    """Open positions or orders: all, or of one symbol, or one by its ticket.

    Of all or a symbol's, ``count`` takes those with the lowest tickets above ``after``. An EA of
    an earlier version knows neither and gives all.
    """

    symbol: str | None = None
    ticket: int | None = None
    after: int | None = None
    count: int | None = None


class HistoryParams(Struct, frozen=True, kw_only=True):
    """Past orders or deals: of a time span (seconds), or of one order, or of one position.

    Of a time span ``count`` takes the oldest: so many, and all others of the second of the last of
    them. An EA of an earlier version does not know it and gives all.
    """

    from_s: int | None = None
    to_s: int | None = None
    ticket: int | None = None
    position: int | None = None
    count: int | None = None


class MarginParams(Struct, frozen=True, kw_only=True):
    """``OrderCalcMargin``; ``type`` is ``ORDER_TYPE_BUY`` or ``ORDER_TYPE_SELL``."""

    type: int
    symbol: str
    volume: float
    price: float


class ProfitParams(Struct, frozen=True, kw_only=True):
    """``OrderCalcProfit``; ``type`` as in :class:`MarginParams`."""

    type: int
    symbol: str
    volume: float
    price_open: float
    price_close: float


class WatchParams(Struct, frozen=True, kw_only=True):
    """Events to push of one symbol from now on, in place of those pushed before.

    ``last_msc`` and ``n_same_msc`` are the tick cursor: the stamp of the last tick the daemon has,
    and how many ticks with that stamp it has. 0 and 0: go on where this link's ticks of the symbol
    stand, or start with the present if there are none. ``bars`` lists timeframe codes
    (``"1,16385"``). All off: stop.
    """

    symbol: str
    ticks: bool = False
    book: bool = False
    bars: str = ""
    last_msc: int = 0
    n_same_msc: int = 0


class Watched(Struct, frozen=True, kw_only=True):
    """The answer to ``watch``: ``sym`` is the index that ``ticks`` frames use for the symbol."""

    sym: Integer
    symbol: Name
    digits: Digits


class Selected(Struct, frozen=True, kw_only=True):
    """The answer to ``symbol_select``."""

    symbol: Name
    select: bool


class CalculatedAmount(Struct, frozen=True, kw_only=True):
    """A sum in the account's currency."""

    value: float


class ResultsParams(Struct, frozen=True, kw_only=True):
    """Commands to look up: at most :data:`MAX_RESULTS` ids, ``"731,732"``."""

    ids: str


class StoredResult(Struct, frozen=True, kw_only=True):
    """Entry of an EA's table of commands that trade: the last :data:`MAX_RESULTS` it has taken.

    ``absent``
        It never took the command, and will not: ids grow for good and the table reaches back
        further than that id. Whoever wrote the command must be sure that its bytes are not
        still on their way: ask on a later link than the one it was written to. And an EA that
        does not announce :data:`SURE_ABSENT` may say it of a command that it took before its last
        start (``hello.boot``): of that one it is no answer.
    ``taken``
        It took the command and then ended, before it had noted the result: the broker may have
        executed it or not.
    ``done``
        ``result`` is what ``OrderSend`` answered; or it is ``None`` and ``err`` and ``retcode``
        are those of the refusal.
    ``forgotten``
        The table does not reach back so far, or it was lost since. Or the terminal was started
        since: a power cut may have taken the end of its table, so that nobody knows.
    """

    id: Integer
    state: Literal["absent", "taken", "done", "forgotten"]
    result: TradeResult | None = None
    err: Integer = 0
    retcode: Integer = 0


SURE_ABSENT = "sure_absent"
"""The capability (``hello.caps``) of an EA whose table of results says ``absent`` only of commands
that it surely never took, however it was started since: of what a power cut may have taken out of
the table it says ``forgotten``. EAs of earlier versions do not."""


@dataclass(frozen=True)
class Command(Generic[P, R]):
    """Command: its name, its params and its result.

    A result that is a list may arrive in several parts, which the session joins.
    """

    op: str
    params: type[P]
    result: type[R]
    trades: bool = False
    """It can change the account: its time-out means *unknown*, and nothing repeats it."""
    needs: str = ""
    """The capability (``hello.caps``) without which a terminal cannot do it."""

    @cached_property
    def params_decoder(self) -> msgspec.json.Decoder[P]:
        """Decoder of its params, in the line that asks for it."""
        return msgspec.json.Decoder(self.params)

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[R]:
        """Decoder of its answer, or of one part of it."""
        return msgspec.json.Decoder(self.result)


ACCOUNT_GET = Command("account_get", NoParams, model.Account)
TERMINAL_GET = Command("terminal_get", NoParams, model.Terminal)
CLOCK_GET = Command("clock_get", NoParams, model.Clock)
SYMBOLS_GET = Command("symbols_get", SymbolsParams, list[model.SymbolName])
SYMBOL_GET = Command("symbol_get", SymbolParams, model.SymbolInfo)
SYMBOL_SELECT = Command("symbol_select", SelectParams, Selected)
SESSIONS_GET = Command("sessions_get", SymbolParams, list[model.TradeSession], needs="sessions")
TICK_GET = Command("tick_get", SymbolParams, model.Tick)
BOOK_GET = Command("book_get", SymbolParams, list[model.BookEntry], needs="book")
RATES_GET = Command("rates_get", RatesParams, model.History[model.Bar])
TICKS_GET = Command("ticks_get", TicksParams, model.History[model.Tick], needs="ticks")
POSITIONS_GET = Command("positions_get", FilterParams, list[model.Position])
ORDERS_GET = Command("orders_get", FilterParams, list[model.Order])
HISTORY_ORDERS_GET = Command("history_orders_get", HistoryParams, list[model.Order])
HISTORY_DEALS_GET = Command("history_deals_get", HistoryParams, list[model.Deal], needs="deals")
ORDER_SEND = Command("order_send", TradeRequest, model.TradeResult, trades=True)
ORDER_CHECK = Command("order_check", TradeRequest, model.CheckResult, needs="check")
ORDER_CALC_MARGIN = Command("order_calc_margin", MarginParams, CalculatedAmount)
ORDER_CALC_PROFIT = Command("order_calc_profit", ProfitParams, CalculatedAmount)
WATCH = Command("watch", WatchParams, Watched)
LOGIN_CHECK = Command("login_check", LoginParams, CheckedLogin, needs="login")
RESULTS_GET = Command("results_get", ResultsParams, list[StoredResult], needs="results")
TRAIL_SET = Command("trail_set", model.TrailTerms, model.Trail, needs="trail")
TRAILS_GET = Command("trails_get", FilterParams, list[model.Trail], needs="trail")
LEASE_SET = Command("lease_set", model.LeaseTerms, model.AutomationLease, needs="lease")
LEASE_GET = Command("lease_get", NoParams, model.AutomationLease, needs="lease")

COMMANDS = {
    command.op: command
    for command in (
        ACCOUNT_GET,
        TERMINAL_GET,
        CLOCK_GET,
        SYMBOLS_GET,
        SYMBOL_GET,
        SYMBOL_SELECT,
        SESSIONS_GET,
        TICK_GET,
        BOOK_GET,
        RATES_GET,
        TICKS_GET,
        POSITIONS_GET,
        ORDERS_GET,
        HISTORY_ORDERS_GET,
        HISTORY_DEALS_GET,
        ORDER_SEND,
        ORDER_CHECK,
        ORDER_CALC_MARGIN,
        ORDER_CALC_PROFIT,
        WATCH,
        LOGIN_CHECK,
        RESULTS_GET,
        TRAIL_SET,
        TRAILS_GET,
        LEASE_SET,
        LEASE_GET,
    )
}

MAX_RESULTS = 256
"""Commands that trade whose results an EA keeps: a command that comes again is answered from
there and never executed twice, and ``results_get`` tells what became of one."""

FILE_WRITE_ERROR = 5026
"""``err`` of a command that trades which could not be noted in the table of results, so that it
was not executed. Nothing is noted of it: its outcome is ``not_sent``."""

TOO_LATE = 65536
"""``err`` of a command whose ``ttl`` had passed when its turn came. One that trades was not
executed and never will be, so its outcome is ``not_sent``; of a question nobody waits for the
answer any more, which may have held the terminal up for long."""

TOO_LARGE = 65537
"""``err`` in place of an answer that no line, or no part of one, can hold. Of a command that
trades it says nothing about what became of it."""

TERMINAL_ERRORS = {
    4301: "unknown_symbol",
    4302: "symbol_not_selected",
    4401: "history_not_found",
    4753: "position_not_found",
    4754: "order_not_found",
    4756: "trade_send_failed",
    4901: "no_market_depth",
    4003: "invalid_parameter",
    4014: "not_supported",
    4024: "internal_error",
    FILE_WRITE_ERROR: "file_write_error",
    TOO_LATE: "too_late",
    TOO_LARGE: "result_too_large",
}
"""MQL5 run-time error numbers that a ``res`` with ``"ok":false`` may carry as ``err``.

MetaTrader 4 EAs translate theirs (4106, 4108 ...) to these. From 65536 on they are the EA's own.
"""
