"""Emulated terminal without its wire: the EA's work between two calls of the socket.

It answers commands (:mod:`.command_handler`), pulls ticks of watched symbols from a cursor
(:class:`SymbolSubscription`), and tells of trades in counted events that it can tell again. No
I/O: :mod:`.link` gives it a wire, and the clock is an argument.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ea_bridge import commands, host
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.model import (
    MT4_TIMEFRAMES,
    Account,
    AccountTradeMode,
    MarginMode,
    Tick,
    Timeframe,
)
from ea_bridge.protocol.handshake import SPAN
from ea_bridge.protocol.messages import (
    AccountEvent,
    BarEvent,
    Book,
    Cmd,
    Hb,
    Hello,
    Lost,
    Message,
    Pnl,
    Res,
    StateEvent,
    Ticks,
    Trade,
)
from ea_bridge.simulation.broker import Broker
from ea_bridge.simulation.faults import EmulatedFaults
from ea_bridge.simulation.market import BarBuilder, Market

from .command_handler import INVALID_PARAMETER, NO_BOOK, NOT_SUPPORTED, CommandHandler, Failed
from .conditions import OWN_PASSWORD
from .executor import TerminalExecutor, TradeResultStore

TickRow = tuple[int, int, str, str, float, int, int]


@dataclass
class SymbolSubscription:
    """Ticks, book and bars of one symbol that are pushed, and the cursor of the ticks.

    Like the EA's tick pump it pulls from the terminal's tick history, so that a stream goes on
    exactly where the daemon left off, whatever happened to the link in between.
    """

    sym: int
    symbol: str
    digits: int
    ticks: bool = False
    book: bool = False
    timeframes: tuple[Timeframe, ...] = ()
    last_msc: int = 0
    n_same_msc: int = 0
    behind: bool = False
    """Ticks since the cursor were missed; they come from the terminal's history."""
    zero_first: bool = False
    """The next tick goes out without prices, as the first one of some brokers does."""

    @property
    def active(self) -> bool:
        return self.ticks or self.book or bool(self.timeframes)

    def missed(self, history: list[Tick]) -> Iterator[TickRow]:
        """Turn the terminal's history from ``last_msc`` on into rows; leave out what was sent.

        Args:
            history: with every tick of ``last_msc`` itself: the first ones of them were sent.

        """
        # the history begins with the cursor's whole millisecond, of which some were sent before
        skip = self.n_same_msc
        for tick in history:
            if tick.time_msc == self.last_msc and skip:
                skip -= 1
            else:
                yield self._sent(tick)

    def fresh(self, tick: Tick) -> Iterator[TickRow]:
        """Turn a tick that has just happened into a row, unless it came before the subscription.

        Ticks of one millisecond are all fresh: the cursor tells them from those of a history,
        not from each other.
        """
        if tick.time_msc >= self.last_msc:
            yield self._sent(tick)

    def _sent(self, tick: Tick) -> TickRow:
        if tick.time_msc > self.last_msc:
            self.last_msc, self.n_same_msc = tick.time_msc, 0
        # a cursor is a stamp and how many of it are out: brokers give many ticks one millisecond
        self.n_same_msc += 1
        return self._row(tick)

    def _row(self, tick: Tick) -> TickRow:
        bid, ask = tick.bid, tick.ask
        if self.zero_first:
            self.zero_first, bid, ask = False, 0.0, 0.0
        digits = self.digits
        return (
            self.sym,
            tick.time_msc,
            f"{bid:.{digits}f}",
            f"{ask:.{digits}f}",
            tick.last,
            tick.volume,
            tick.flags,
        )


@dataclass
class SymbolSubscriptions:
    """Symbols that the daemon listens to, with the index that ticks carry."""

    by_symbol: dict[str, SymbolSubscription] = field(default_factory=dict)

    def of(self, symbol: str, digits: int) -> SymbolSubscription:
        """Return the subscription of a symbol; its index never changes."""
        # given once: ticks on their way carry the index, and the daemon keeps it
        watch = self.by_symbol.get(symbol)
        if watch is None:
            watch = SymbolSubscription(len(self.by_symbol), symbol, digits)
            self.by_symbol[symbol] = watch
        return watch

    def silence(self) -> None:
        """Push nothing until asked again: a new link starts without subscriptions."""
        for watch in self.by_symbol.values():
            watch.ticks = watch.book = False
            watch.timeframes = ()

    def active(self) -> list[SymbolSubscription]:
        return [watch for watch in self.by_symbol.values() if watch.active]


EA_VERSION = "1.0.0"
TRADE_MODES = {
    AccountTradeMode.DEMO: "demo",
    AccountTradeMode.CONTEST: "contest",
    AccountTradeMode.REAL: "real",
}
"""The kinds of accounts, as the EA words them."""


def make_hello(
    handler: CommandHandler, account: Account, *, tid: str, cnonce: str, boot: str, q: int
) -> Hello:
    """Return the first message of a link."""
    hedges = account.margin_mode == MarginMode.RETAIL_HEDGING
    return Hello(
        proto=SPAN,
        tid=tid,
        cnonce=cnonce,
        boot=boot,
        platform=handler.platform,
        login=account.login,
        server=account.server,
        ea=EA_VERSION,
        build=handler.terminal().build,
        company=account.company,
        currency=account.currency,
        mode="hedging" if hedges else "netting",
        trade=TRADE_MODES.get(AccountTradeMode(account.trade_mode or 0), ""),
        caps=",".join(handler.caps),
        q=q,
        fp=_fingerprint(handler.platform, account),
    )


def _fingerprint(platform: str, account: Account) -> str:
    """Return ``hello.fp``; it has no data folder, so that each run of an emulator is the same."""
    said = "\n".join(("emulator", platform, account.company, str(account.login), account.server))
    return hashlib.sha256(said.encode()).hexdigest()


ROWS_PER_FRAME = 128
"""Ticks in one frame."""
MAX_TRADE_EVENTS = 1024
"""Told but not acknowledged; MetaTrader's own queue of transactions is as long."""
BROKER_COMMENT = "online order"
"""Comment of a broker that rewrites comments."""
FLAT_OUT_TICKS = 288
"""Of a recording in one pulse when it is read flat out: 28,800 a second at most, which a client in
Python can follow that hears each of them. Where bars alone are heard there is no such bound."""
MISSED_TICKS = 4096
"""Of the past, for a symbol that is behind, in one pulse."""
SUMMARY_MS = 250
"""Account and floating profit are told no more often than this."""


class EmulatedTerminal:
    """One terminal with one account.

    Args:
        market: prices; the terminal advances it.
        broker: the account.
        platform: ``mt4`` or ``mt5``.
        now_msc: the broker's wall clock in milliseconds.
        utc_s: the same moment in UTC seconds.
        faults: how it misbehaves.
        pin: the daemon that it belongs to; by default that of its first welcome.
        results: what it remembers of the trades that it has executed; in memory by default.
        keep: writes the account's books, before anybody is told of a change.
        password: of its account.
        trails_file: keeps the stops that follow the market; in memory by default.

    """

    def __init__(
        self,
        market: Market,
        broker: Broker,
        platform: str,
        *,
        now_msc: Callable[[], int],
        utc_s: Callable[[], int],
        faults: EmulatedFaults | None = None,
        pin: DevicePin | None = None,
        results: TradeResultStore | None = None,
        keep: Callable[[], None] = lambda: None,
        password: str = OWN_PASSWORD,
        trails_file: Path | None = None,
    ) -> None:
        self.faults = faults or EmulatedFaults()
        self.pin = pin or DevicePin()
        self.handler = CommandHandler(
            market, broker, platform, now_msc, utc_s, password=password, trails_file=trails_file
        )
        self.platform = platform
        self._market, self._broker = market, broker
        self._now_msc, self._utc_s = now_msc, utc_s
        self._results = results or TradeResultStore()
        self._keep = keep
        self._executor = TerminalExecutor(
            self.handler, self._results, self.faults, self._watch, keep
        )
        if broker.script.rewrite_comment is None:
            broker.script.rewrite_comment = self._broker_comment
        self._begin()

    def _begin(self) -> None:
        self._boot = host.token_hex(4)
        self._watches = SymbolSubscriptions()
        self._q = 0
        self._untold: list[tuple[str, Tick]] = []
        self._builders: dict[tuple[str, Timeframe], BarBuilder] = {}
        self._unacknowledged: deque[Trade | StateEvent] = deque(maxlen=MAX_TRADE_EVENTS)
        self._switches: tuple[bool, bool, bool] | None = None
        self._account: Account | None = None
        self._summary_msc = -SUMMARY_MS
        self._linked = False
        self._begun = False

    def restart(self, *, lose_results: bool = False) -> None:
        """End and start again, while the broker and its books go on; cut the link as well.

        What is in memory is lost: the events that were not acknowledged, the watches, and of the
        table of results and of the stops that follow the market what is not in their files.

        Args:
            lose_results: the file is lost too.

        """
        # untold events die with the EA's memory, as MetaTrader's queue does
        self._broker.take_events()
        self._begin()
        self.handler.lease.reset()
        self.handler.trails.reload()
        if lose_results:
            self._results.lose()
        else:
            self._results.reload()

    # --- the link's life -------------------------------------------------------------------

    def hello(self, tid: str, cnonce: str) -> Hello:
        """Say who we are."""
        return make_hello(
            self.handler,
            self._broker.account(),
            tid=tid,
            cnonce=cnonce,
            boot=self._boot,
            q=self._q,
        )

    def link_ready(self, ack: int) -> list[Message]:
        """Begin anew: tell again what the daemon does not have; push nothing until asked."""
        self._linked = True
        self._watches.silence()
        # so that the account is told to this link, though nothing in it has changed
        self._account = None
        self.acknowledged(ack)
        # the queue is bounded: what fell out of it is told as lost, with its numbers
        first = self._unacknowledged[0].q if self._unacknowledged else self._q + 1
        lost: list[Message] = [Lost(start=ack + 1)] if first > ack + 1 else []
        return [*lost, *self._unacknowledged]

    def link_lost(self) -> None:
        """Note that the wire is gone; trades are counted on and kept."""
        self._linked = False

    def acknowledged(self, q: int) -> None:
        """Note that the daemon has the events up to ``q``."""
        while self._unacknowledged and self._unacknowledged[0].q <= q:
            self._unacknowledged.popleft()

    def heartbeat(self, n: int, unsent: int) -> Hb:
        """Show that we are alive, and the clocks."""
        clock, switches = self.handler.clock(), self._broker.switches
        return Hb(
            q=self._q,
            n=n,
            broker=switches.connected,
            autotrading=switches.autotrading,
            backlog=unsent,
            tcur=clock.tcur,
            tgmt=clock.tgmt,
        )

    def _broker_comment(self, comment: str) -> str:
        return BROKER_COMMENT if self.faults.take("rewrite_comment") else comment

    # --- commands --------------------------------------------------------------------------

    def execute(self, cmd: Cmd, *, waited_ms: float = 0.0) -> list[Res]:
        """Do what is asked, a trade only once; see :meth:`.TerminalExecutor.execute`."""
        self._catch_up()
        return self._executor.execute(cmd, waited_ms=waited_ms)

    def _watch(self, params: commands.WatchParams) -> commands.Watched:
        tick = self.handler.tick(commands.SymbolParams(symbol=params.symbol))
        spec = self._market.symbols()[params.symbol]
        watch = self._watches.of(params.symbol, spec.digits)
        if params.book and "book" not in self.handler.caps:
            raise Failed(NOT_SUPPORTED, "MetaTrader 4 has no order book")
        if params.book and not spec.ticks_bookdepth:
            raise Failed(NO_BOOK, f"no depth of market for {params.symbol}")
        followed, watch.timeframes = watch.timeframes, _timeframes(params.bars, self.platform)
        for timeframe in watch.timeframes:
            if timeframe not in followed:
                builder = self._market.builder(watch.symbol, timeframe)
                self._builders[watch.symbol, timeframe] = builder
        # without a cursor a watch that runs goes on where it stands
        if params.ticks and (params.last_msc or not watch.ticks):
            # the tick that is there now is of the past: the stream begins with the next one
            watch.last_msc = params.last_msc or tick.time_msc + 1
            watch.n_same_msc = params.n_same_msc
            # a cursor lies in the past, so the history comes first
            watch.behind = bool(params.last_msc)
            watch.zero_first = self.faults.take("zero_first_tick")
        watch.ticks, watch.book = params.ticks, params.book
        return commands.Watched(sym=watch.sym, symbol=watch.symbol, digits=watch.digits)

    # --- what it tells by itself -------------------------------------------------------------

    def pulse(self, *, at_rest: bool = True) -> tuple[list[Message], bool]:
        """Let the market move on and return what there is to tell; whether there is more.

        Args:
            at_rest: no command has come for a moment. A recording that is read flat out begins
                only then: who asks for bars asks for their history next, and would find a part of
                it played already.

        """
        self._begun = self._begun or (at_rest and bool(self._watches.active()))
        # commands move the market on as well, between two pulses
        ticks = self._untold + self._advance()
        self._untold = []
        messages = self.take_trade_events()
        if self._linked:
            messages += self._tick_frames(ticks)
            messages += self._bars_and_books(ticks)
            messages += self._summary()
        return messages, self._behind()

    def _behind(self) -> bool:
        """Whether there is more to tell than the next pulse would."""
        watches = self._watches.active() if self._linked else []
        if any(watch.ticks and watch.behind for watch in watches):
            return True
        if self._market.flat_out:
            plays = self._begun and bool(watches) and not any(watch.ticks for watch in watches)
            return plays and self._market.behind
        return self._market.behind

    def take_trade_events(self) -> list[Message]:
        """Count what changed in the account since last asked; kept until acknowledged."""
        self._keep()  # written before it is told
        fresh: list[Message] = []
        for event in self._broker.take_events():
            self._q += 1
            said = Trade(
                op=event.op,
                q=self._q,
                time_msc=event.time_msc,
                order=event.order or msgspec.UNSET,
                position=event.position or msgspec.UNSET,
                deal=event.deal or msgspec.UNSET,
            )
            # kept until the daemon has it: a link that breaks now must not lose a fill
            self._unacknowledged.append(said)
            fresh.append(said)
        return fresh + self._switch_event()

    def _switch_event(self) -> list[Message]:
        switches = self._broker.switches
        now = (switches.connected, switches.autotrading, switches.trade_allowed)
        before, self._switches = self._switches, now
        # the first look is no change: heartbeats tell the switches, too
        if before is None or before == now:
            return []
        self._q += 1
        connected, autotrading, allowed = now
        said = StateEvent(
            broker=connected, autotrading=autotrading, trade_allowed=allowed, q=self._q
        )
        self._unacknowledged.append(said)
        return [said]

    def _advance(self) -> list[tuple[str, Tick]]:
        """Let time pass in the market, then at the broker, tick by tick.

        A recording that is read flat out waits for somebody who watches it.
        """
        if self._market.flat_out and not (self._begun and self._watches.active()):
            return []
        ticks = self._market.advance(self._now_msc(), FLAT_OUT_TICKS)
        for name, tick in ticks:
            self.handler.on_tick(name, tick)
        # orders expire where nobody quotes, too
        self._broker.on_time(self._market.now_msc)
        return ticks

    def _catch_up(self) -> None:
        """Move the market to now: a command must not find it as it was at the last pulse."""
        if not self._market.flat_out:
            self._untold += self._advance()

    def _tick_frames(self, ticks: list[tuple[str, Tick]]) -> list[Message]:
        rows: list[TickRow] = []
        live = {watch.symbol: watch for watch in self._watches.active() if watch.ticks}
        for watch in [subscription for subscription in live.values() if subscription.behind]:
            rows += self._missed(watch)
            del live[watch.symbol]  # its new ticks are in the history, or come out of it later
        for name, tick in ticks:
            if name in live:
                rows += live[name].fresh(tick)
        return [
            Ticks(d=rows[start : start + ROWS_PER_FRAME])
            for start in range(0, len(rows), ROWS_PER_FRAME)
        ]

    def _missed(self, watch: SymbolSubscription) -> list[TickRow]:
        """Return ticks from a cursor on, as many as go out in one pulse."""
        wanted = watch.n_same_msc + MISSED_TICKS
        history = self._market.ticks(
            watch.symbol, from_msc=watch.last_msc, to_msc=self._market.now_msc, count=wanted
        )
        # a full answer may not be the whole: the next pulse asks on
        watch.behind = len(history) == wanted
        return list(watch.missed(history))

    def _bars_and_books(self, ticks: list[tuple[str, Tick]]) -> list[Message]:
        messages: list[Message] = []
        moved: set[str] = set()
        for name, tick in ticks:
            watch = self._watches.by_symbol.get(name)
            if watch is not None and watch.active:
                moved.add(name)
                messages += self._closed_bars(watch, tick)
        # sorted: a set of texts has another order in each process
        for name in sorted(moved):
            watch = self._watches.by_symbol[name]
            messages += self._forming_bars(watch)
            if watch.book:
                book = self._market.book(name)
                messages.append(Book(sym=watch.sym, time_msc=self._market.now_msc, d=book))
        return messages

    def _closed_bars(self, watch: SymbolSubscription, tick: Tick) -> list[Message]:
        closed = (
            (timeframe, self._builders[watch.symbol, timeframe].add(tick))
            for timeframe in watch.timeframes
        )
        return [
            BarEvent(sym=watch.sym, timeframe=int(timeframe), d=bar, closed=True)
            for timeframe, bar in closed
            if bar is not None
        ]

    def _forming_bars(self, watch: SymbolSubscription) -> list[Message]:
        builders = (self._builders[watch.symbol, timeframe] for timeframe in watch.timeframes)
        return [
            BarEvent(sym=watch.sym, timeframe=int(builder.timeframe), d=builder.forming)
            for builder in builders
            if builder.forming is not None
        ]

    def _summary(self) -> list[Message]:
        """Account and floating profit, where they changed, some times a second."""
        now_msc = self._now_msc()
        if 0 <= now_msc - self._summary_msc < SUMMARY_MS:  # below 0: it was put back
            return []
        self._summary_msc = now_msc
        account = self.handler.account()
        if account == self._account:
            return []
        self._account = account
        floating = [
            (position.ticket, position.price_current, position.swap, position.profit)
            for position in self._broker.positions()
        ]
        return [AccountEvent(d=account), Pnl(d=floating)]


def _timeframes(codes: str, platform: str) -> tuple[Timeframe, ...]:
    try:
        wanted = tuple(Timeframe(int(code)) for code in codes.split(",") if code)
    except ValueError:
        raise Failed(INVALID_PARAMETER, f"no such timeframes: {codes}") from None
    if platform == "mt4" and not MT4_TIMEFRAMES.issuperset(wanted):
        raise Failed(INVALID_PARAMETER, "MetaTrader 4 has nine timeframes")
    return wanted
