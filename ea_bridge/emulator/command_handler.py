"""Handler of an emulated terminal's commands: answers from its market and its broker."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ea_bridge import commands, model
from ea_bridge.commands import COMMANDS
from ea_bridge.model import (
    MT4_TIMEFRAMES,
    Timeframe,
)
from ea_bridge.model.account import CheckedLogin, LoginParams
from ea_bridge.model.struct import Struct
from ea_bridge.simulation.broker import COMMENTS, Broker, closes_nothing, past_orders
from ea_bridge.simulation.market import Market

from .conditions import OWN_PASSWORD, KnownLogins, LoginFailed
from .lease import LeaseGuard
from .trails import RunningTrails

MAX_ROWS = 100_000
"""Bars or ticks in one answer: the terminal's ``maxbars``."""

_NO_MT4_TEXTS = ("basis", "category", "bank", "exchange", "formula", "isin", "page")
"""Of a symbol, for which MetaTrader 4 has no ``ENUM_SYMBOL_INFO_STRING``."""

T = TypeVar("T")
Ticketed = TypeVar("Ticketed", model.Order, model.Position)
UNKNOWN_SYMBOL, SYMBOL_NOT_SELECTED = 4301, 4302
INVALID_PARAMETER, NOT_SUPPORTED, NO_BOOK = 4003, 4014, 4901
NO_POSITION = 4753


class Failed(Exception):
    """The command cannot be answered; carries MQL's run-time error."""

    def __init__(self, err: int, message: str) -> None:
        super().__init__(message)
        self.err = err


class CommandHandler:
    """Handler that answers commands as MetaTrader's functions would.

    Args:
        market: prices.
        broker: the account.
        platform: ``mt4`` lacks depth, ticks, deals and twelve timeframes.
        now_msc: the broker's wall clock.
        utc_s: the same moment as UTC, in seconds: the PC's clock.
        password: of the account that it is logged in to.
        trails_file: keeps the stops that follow the market; in memory by default.

    """

    def __init__(
        self,
        market: Market,
        broker: Broker,
        platform: str,
        now_msc: Callable[[], int],
        utc_s: Callable[[], int],
        *,
        password: str = OWN_PASSWORD,
        trails_file: Path | None = None,
    ) -> None:
        self.market = market
        self.broker = broker
        self.platform = platform
        self.trails = RunningTrails(broker, trails_file)
        self.lease = LeaseGuard(
            orders=broker.orders,
            positions=broker.positions,
            symbol=lambda name: self.symbol(commands.SymbolParams(symbol=name)),
            send=self.send,
            now_msc=now_msc,
            account=lambda: broker.identity,
        )
        self._now_msc = now_msc
        self._utc_s = utc_s
        self.logins = KnownLogins(broker.account, password=password)
        """The accounts that it can log in to."""
        self._answers: dict[str, Callable[[Any], Any]] = {
            commands.ACCOUNT_GET.op: lambda _: self.account(),
            commands.TERMINAL_GET.op: lambda _: self.terminal(),
            commands.CLOCK_GET.op: lambda _: self.clock(),
            commands.SYMBOLS_GET.op: self.symbols,
            commands.SYMBOL_GET.op: self.symbol,
            commands.SYMBOL_SELECT.op: self.select,
            commands.SESSIONS_GET.op: self.sessions,
            commands.TICK_GET.op: self.tick,
            commands.BOOK_GET.op: self.book,
            commands.RATES_GET.op: self.rates,
            commands.TICKS_GET.op: self.ticks,
            commands.POSITIONS_GET.op: lambda p: _lowest(broker.positions(p.symbol, p.ticket), p),
            commands.ORDERS_GET.op: lambda p: _lowest(broker.orders(p.symbol, p.ticket), p),
            commands.HISTORY_ORDERS_GET.op: self.history_orders,
            commands.HISTORY_DEALS_GET.op: self.history_deals,
            commands.ORDER_SEND.op: self.send,
            commands.ORDER_CHECK.op: lambda p: broker.check(p, now_msc()),
            commands.ORDER_CALC_MARGIN.op: self.margin,
            commands.ORDER_CALC_PROFIT.op: self.profit,
            commands.LOGIN_CHECK.op: self.login,
            commands.TRAIL_SET.op: self.trail,
            commands.TRAILS_GET.op: lambda p: self.trails.get(p.symbol, p.ticket),
            commands.LEASE_SET.op: self.lease.set,
            commands.LEASE_GET.op: lambda _: self.lease.get(),
        }

    @property
    def caps(self) -> tuple[str, ...]:
        """Capabilities of this terminal beyond the least."""
        every = ("results", commands.SURE_ABSENT, "trail", "sessions", "lease")
        beyond_mt4 = ("ticks", "book", "deals", "check", "login")
        return every if self.platform == "mt4" else (*beyond_mt4, *every)

    def answer(self, op: str, params: Struct) -> Any:
        """Return the result of a command.

        Raises:
            Failed: with MQL's error number.

        """
        command = COMMANDS[op]
        if command.needs and command.needs not in self.caps:
            raise Failed(NOT_SUPPORTED, f"MetaTrader 4 cannot do {op}")
        return self._answers[op](params)

    # --- account and terminal --------------------------------------------------------------

    def account(self) -> model.Account:
        """``AccountInfo*``; MetaTrader 4 knows less."""
        account = self.broker.account()
        if self.platform == "mt5":
            return account
        unknown = {
            name: None
            for name in (
                "margin_mode",
                "fifo_close",
                "assets",
                "liabilities",
                "commission_blocked",
                "margin_initial",
                "margin_maintenance",
                "currency_digits",
            )
        }
        return model.Account(**{**_fields(account), **unknown})

    def login(self, params: LoginParams) -> CheckedLogin:
        """``mt5.initialize``, as a program beside the terminal does it."""
        try:
            return self.logins.check(params)
        except LoginFailed as refused:
            raise Failed(refused.err, str(refused)) from None

    def terminal(self) -> model.Terminal:
        """``TerminalInfo*`` of a terminal that nobody installed: no paths, no community."""
        switches = self.broker.switches
        common: dict[str, Any] = {
            "connected": switches.connected,
            "trade_allowed": switches.autotrading,
            "company": "mt-gateway",
            "language": "English",
            "maxbars": MAX_ROWS,
            "codepage": 0,
        }
        if self.platform == "mt4":
            return model.Terminal(
                build=1440, name="Emulated MetaTrader 4", dlls_allowed=True, **common
            )
        return model.Terminal(
            build=5200,
            name="Emulated MetaTrader 5",
            ping_last=1000,
            tradeapi_disabled=False,
            notifications_enabled=False,
            mqid=False,
            community_balance=0.0,
            retransmission=0.0,
            **common,
        )

    def clock(self) -> model.Clock:
        """``TimeCurrent`` and its siblings; ``tcur`` is the stamp of the newest quote."""
        now_s, utc_s = self._now_msc() // 1000, self._utc_s()
        stamps = [
            tick.time_msc for name in self.market.selected if (tick := self.market.tick(name))
        ]
        return model.Clock(
            # TimeCurrent stands still while nobody quotes
            tcur=max(stamps, default=0) // 1000,
            tgmt=utc_s,
            tlocal=utc_s,
            tsrv=now_s if self.platform == "mt5" else None,
        )

    def history_orders(self, params: commands.HistoryParams) -> list[model.Order]:
        """Past orders; on MetaTrader 4 closed trades too, with the money that they brought."""
        found = past_orders(
            self.broker, params.from_s, params.to_s, params.ticket, params.position
        )
        return _oldest(found, params, [order.time_done for order in found])

    def history_deals(self, params: commands.HistoryParams) -> list[model.Deal]:
        """Deals of the past."""
        found = self.broker.history_deals(
            params.from_s, params.to_s, params.ticket, params.position
        )
        return _oldest(found, params, [deal.time for deal in found])

    # --- trades ----------------------------------------------------------------------------

    def send(self, request: model.TradeRequest) -> model.TradeResult:
        """``OrderSend``, unless it would open a position where it was to close one."""
        retcode = closes_nothing(self.broker, request)
        if retcode is not None:
            return model.TradeResult(retcode=retcode, comment=COMMENTS[retcode])
        result = self.broker.send(request, self._now_msc())
        self.lease.note(request, result)
        # a partial close on MetaTrader 4 has just given the position another ticket
        self.trails.follow()
        return result

    def trail(self, terms: model.TrailTerms) -> model.Trail:
        """Let the stop of a position follow the market from now on, or no more."""
        trail = self.trails.set(terms)
        if trail is None:
            raise Failed(NO_POSITION, f"no position {terms.ticket}")
        return trail

    def on_tick(self, symbol: str, tick: model.Tick) -> None:
        """Let the broker, then the EA, see a tick."""
        self.broker.on_tick(symbol, tick, tick.time_msc)
        if len(self.trails):
            with self.broker.quoting(symbol, tick):
                spec = self.market.symbols()[symbol]
                self.trails.on_tick(spec, tick, tick.time_msc)

    # --- symbols and prices ----------------------------------------------------------------

    def symbols(self, params: commands.SymbolsParams) -> list[model.SymbolName]:
        """The list of symbols; ``group`` as in the MetaTrader5 package."""
        return [
            model.SymbolName(name=name, path=info.path, select=name in self.market.selected)
            for name, info in self.market.symbols().items()
            if in_group(name, params.group)
            and (not params.selected or name in self.market.selected)
        ]

    def symbol(self, params: commands.SymbolParams) -> model.SymbolInfo:
        """``SymbolInfo*`` with the present quote."""
        self._known(params.symbol)
        info = self.broker.with_tick_value(self.market.symbol_info(params.symbol))
        changes: dict[str, Any] = {"select": params.symbol in self.market.selected}
        changes["visible"] = changes["select"]
        if self.platform == "mt4":
            changes |= dict.fromkeys(
                (
                    "trade_calc_mode",
                    "ticks_bookdepth",
                    "filling_mode",
                    "expiration_mode",
                    "order_mode",
                    "order_gtc_mode",
                    "chart_mode",
                    "trade_tick_value_profit",
                    "trade_tick_value_loss",
                    "volume_limit",
                    "custom",
                    "margin_hedged_use_leg",
                )
            )
            changes |= dict.fromkeys(_NO_MT4_TEXTS, "")
        return model.SymbolInfo(**{**_fields(info), **changes})

    def select(self, params: commands.SelectParams) -> commands.Selected:
        """Market Watch; a symbol with positions or orders cannot be taken out."""
        self._known(params.symbol)
        busy = self.broker.positions(params.symbol) or self.broker.orders(params.symbol)
        if params.enable:
            self.market.select(params.symbol)
        # MetaTrader keeps a symbol in Market Watch while anything is open in it
        elif not busy:
            self.market.select(params.symbol, enable=False)
        return commands.Selected(
            symbol=params.symbol, select=params.symbol in self.market.selected
        )

    def sessions(self, params: commands.SymbolParams) -> list[model.TradeSession]:
        """``SymbolInfoSessionTrade``, for all days and sessions of the week."""
        self._known(params.symbol)
        return [
            model.TradeSession(day=session.day, from_s=session.from_s, to_s=session.to_s)
            for session in self.market.sessions(params.symbol)
        ]

    def tick(self, params: commands.SymbolParams) -> model.Tick:
        """``SymbolInfoTick``."""
        self._selected(params.symbol)
        tick = self.market.tick(params.symbol)
        # as SymbolInfoTick before the first quote: zeros, and no error
        return tick if tick is not None else model.Tick(time_msc=0, bid=0.0, ask=0.0)

    def book(self, params: commands.SymbolParams) -> list[model.BookEntry]:
        """``MarketBookGet``."""
        self._selected(params.symbol)
        if not self.market.symbols()[params.symbol].ticks_bookdepth:
            raise Failed(NO_BOOK, f"no depth of market for {params.symbol}")
        return self.market.book(params.symbol)

    def rates(self, params: commands.RatesParams) -> model.History[model.Bar]:
        """``CopyRates``, in its three forms."""
        self._selected(params.symbol)
        try:
            timeframe = Timeframe(params.timeframe)
        except ValueError:
            raise Failed(INVALID_PARAMETER, f"no timeframe {params.timeframe}") from None
        # MetaTrader 4 has nine of the twenty-one
        if self.platform == "mt4" and timeframe not in MT4_TIMEFRAMES:
            raise Failed(INVALID_PARAMETER, f"MetaTrader 4 has no {timeframe.name}")
        # the forming bar is among them, as CopyRates has it
        bars = self.market.bars(
            params.symbol,
            timeframe,
            start=params.start,
            count=None if params.count is None else min(params.count, MAX_ROWS),
            from_s=params.from_s,
            to_s=params.to_s,
        )
        return model.History(rows=bars)

    def ticks(self, params: commands.TicksParams) -> model.History[model.Tick]:
        """``CopyTicks`` and ``CopyTicksRange``."""
        self._selected(params.symbol)
        ticks = self.market.ticks(
            params.symbol,
            from_msc=params.from_msc,
            to_msc=params.to_msc,
            count=min(params.count or MAX_ROWS, MAX_ROWS),
            flags=params.flags,
        )
        return model.History(rows=ticks)

    # --- calculations ----------------------------------------------------------------------

    def margin(self, params: commands.MarginParams) -> commands.CalculatedAmount:
        """``OrderCalcMargin``."""
        self._known(params.symbol)
        value = self.broker.calc_margin(params.type, params.symbol, params.volume, params.price)
        return _amount(value)

    def profit(self, params: commands.ProfitParams) -> commands.CalculatedAmount:
        """``OrderCalcProfit``."""
        self._known(params.symbol)
        return _amount(
            self.broker.calc_profit(
                params.type, params.symbol, params.volume, params.price_open, params.price_close
            )
        )

    def _known(self, symbol: str) -> None:
        if symbol not in self.market.symbols():
            raise Failed(UNKNOWN_SYMBOL, f"unknown symbol {symbol}")

    def _selected(self, symbol: str) -> None:
        self._known(symbol)
        if symbol not in self.market.selected:
            raise Failed(SYMBOL_NOT_SELECTED, f"{symbol} is not in Market Watch")


def in_group(name: str, group: str | None) -> bool:
    """Whether a symbol is in a group like ``"*USD*,!EURUSD"``: conditions in their order,
    ``!`` takes out again.
    """
    if group is None:
        return True
    found = False
    for part in group.split(","):
        pattern = part.strip()
        if fnmatch.fnmatchcase(name, pattern.removeprefix("!")):
            found = not pattern.startswith("!")
    return found


def _amount(value: float | None) -> commands.CalculatedAmount:
    if value is None:
        raise Failed(INVALID_PARAMETER, "neither buy nor sell, or a currency without a quote")
    return commands.CalculatedAmount(value=value)


def _fields(struct: Struct) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _lowest(records: list[Ticketed], params: commands.FilterParams) -> list[Ticketed]:
    """Return those with the lowest tickets above ``after``, as many as ``count`` says."""
    if params.after is None and params.count is None:
        return records
    after = params.after or 0
    found = sorted((record for record in records if record.ticket > after), key=_ticket)
    return found[: params.count or None]


def _ticket(record: model.Order | model.Position) -> int:
    return record.ticket


def _oldest(records: list[T], params: commands.HistoryParams, times_s: list[int]) -> list[T]:
    """Return the oldest of a span, as many as ``count`` says, and all of the last one's second."""
    is_span = params.ticket is None and params.position is None
    if not is_span or not params.count or params.count >= len(records):
        return records
    last_s = sorted(times_s)[params.count - 1]
    return [record for record, time_s in zip(records, times_s, strict=True) if time_s <= last_s]
