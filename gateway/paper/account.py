"""One account on paper: its broker, the prices that it fills at, and its books on the disk.

:class:`LiveQuotes` is the market as the terminal tells it, for the paper broker.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from ea_bridge import commands, host
from ea_bridge.errors import BridgeError, CommandFailed
from ea_bridge.model import (
    Account,
    CheckResult,
    Deal,
    Order,
    Position,
    SymbolInfo,
    Tick,
    TradeRequest,
    TradeResult,
)
from ea_bridge.protocol.messages import AccountEvent, Pnl, Trade
from ea_bridge.session import SessionState
from ea_bridge.simulation.broker import (
    COMMENTS,
    Broker,
    TradeEvent,
    closes_nothing,
    past_orders,
    terms_of,
)
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError
from gateway.trading.session import TradingSession
from gateway.trading.trade_sessions import KEPT_S, Week

from .book import FIRST_TICKET, TICKETS_EACH, BookKey, Kept, PaperBook, result_of

VEHICLE = "USD"


@dataclass(frozen=True, slots=True)
class _KnownSymbol:
    spec: SymbolInfo
    week: Week | None
    until_s: float


class LiveQuotes:
    """Live :class:`~.prices.QuoteSource` of a paper broker, for the symbols that it has learnt.

    Args:
        currency: the account's.

    """

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._known: dict[str, _KnownSymbol] = {}
        self._ticks: dict[str, Tick] = {}
        self._pairs: dict[str, tuple[str, ...]] = {}
        self._names: frozenset[str] = frozenset()

    # --- for the broker --------------------------------------------------------------------

    def symbol(self, name: str) -> SymbolInfo | None:
        """Return the specification, ``None`` for a symbol that was not learnt."""
        known = self._known.get(name)
        return None if known is None else known.spec

    def tick(self, name: str) -> Tick | None:
        """Return the newest tick."""
        return self._ticks.get(name)

    def is_open(self, name: str, time_msc: int) -> bool:
        """Whether the symbol trades; where the terminal cannot tell, always."""
        known = self._known.get(name)
        return known is None or known.week is None or known.week.is_open(time_msc)

    # --- for the account -------------------------------------------------------------------

    def take(self, name: str, tick: Tick) -> bool:
        """Take a tick, unless it is older than the newest, as one of a second terminal may be."""
        before = self._ticks.get(name)
        # MetaTrader tells 0 for the side of which there was no price yet
        if not (tick.bid > 0 and tick.ask > 0):
            return False
        if before is not None and tick.time_msc < before.time_msc:
            return False
        self._ticks[name] = tick
        return True

    def needed(self, name: str) -> tuple[str, ...]:
        """Return the symbols whose prices a trade in one needs: its own, and those that turn its
        currencies into the account's.
        """
        return (name, *self._pairs.get(name, ()))

    async def learn(self, real: TradingSession, name: str) -> None:
        """Ask the terminal for a symbol as it is now, and for what its currencies need.

        Raises:
            BridgeError: it does not say, or there is no such symbol.

        """
        await self._learn_one(real, name)
        if name not in self._pairs:
            self._pairs[name] = await self._find_pairs(real, self._known[name].spec)
        await asyncio.gather(*(self._learn_one(real, pair) for pair in self._pairs[name]))

    async def _learn_one(self, real: TradingSession, name: str) -> None:
        params = commands.SymbolParams(symbol=name)
        spec = await real.request(commands.SYMBOL_GET, params)
        if not spec.select:
            await real.request(commands.SYMBOL_SELECT, commands.SelectParams(symbol=name))
        self._known[name] = await self._with_week(real, spec)
        self.take(name, await real.request(commands.TICK_GET, params))

    async def _with_week(self, real: TradingSession, spec: SymbolInfo) -> _KnownSymbol:
        # the specification anew each time, since swaps and limits change; the week is asked rarely
        known, now_s = self._known.get(spec.name), host.monotonic_s()
        if known is not None and known.until_s > now_s:
            return _KnownSymbol(spec, known.week, known.until_s)
        week: Week | None = None
        if "sessions" in real.caps:
            params = commands.SymbolParams(symbol=spec.name)
            week = Week.of(await real.request(commands.SESSIONS_GET, params))
        return _KnownSymbol(spec, week, now_s + KEPT_S)

    async def _find_pairs(self, real: TradingSession, spec: SymbolInfo) -> tuple[str, ...]:
        sources = {spec.currency_profit, spec.currency_margin} - {self._currency, ""}
        if not sources:
            return ()
        if not self._names:
            listed = await real.request(commands.SYMBOLS_GET, commands.SymbolsParams())
            self._names = frozenset(entry.name for entry in listed)
        found: list[str] = []
        for source in sorted(sources):
            found += self._steps(spec, source)
        return tuple(dict.fromkeys(pair for pair in found if pair != spec.name))

    def _steps(self, spec: SymbolInfo, source: str) -> list[str]:
        direct = self._listed(spec, source, self._currency)
        if direct or VEHICLE in (source, self._currency):
            return direct
        return self._listed(spec, source, VEHICLE) + self._listed(spec, VEHICLE, self._currency)

    def _listed(self, spec: SymbolInfo, source: str, target: str) -> list[str]:
        """Return the names that the broker may look for and the terminal has."""
        # brokers add to names (EURUSD.m): the pair of the same family first, then the plain one
        own = spec.currency_base + spec.currency_profit
        wanted = [
            name
            for pair in (source + target, target + source)
            for name in (spec.name.replace(own, pair), pair)
        ]
        return [name for name in wanted if name in self._names]


SUMMARY_S = 0.25
"""Money and floating results are told no more often than this."""
RETRY_S = 1.0

Told = Trade | AccountEvent | Pnl
T = TypeVar("T")
logger = logging.getLogger(__name__)


class PaperAccount:
    """The paper trading of one registered account, on whichever terminal is logged in to it.

    Args:
        ledger: open; with the tables of :mod:`.book`.
        key: whose it is.
        platform: of its terminals.
        now_msc: the broker's wall clock, in milliseconds; 0 where that is not known.
        tell: told of what changed, once it is on the disk.

    """

    def __init__(
        self,
        ledger: Ledger,
        key: BookKey,
        platform: Literal["mt4", "mt5"],
        *,
        now_msc: Callable[[], int],
        tell: Callable[[Told], None],
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._platform: Literal["mt4", "mt5"] = platform
        self._clock_msc = now_msc
        self._tell = tell
        self._book = PaperBook(ledger, key)
        self._quotes = LiveQuotes("")
        self._broker: Broker | None = None
        self._real: TradingSession | None = None
        self._version = -1
        self._last_msc = 0
        self._opening = asyncio.Lock()
        self._writing: dict[int, TradeResult] = {}
        """Results of commands that are not on the disk yet."""
        self._holders: dict[str, Callable[[str], Callable[[], None]]] = {}
        self._held: dict[tuple[str, str], Callable[[], None]] = {}
        self._summary: asyncio.TimerHandle | None = None
        self._waking: set[asyncio.Task[None]] = set()
        self._writes: set[asyncio.Task[bool]] = set()

    # --- terminals ---------------------------------------------------------------------------

    def attach(self, terminal: str, hold: Callable[[str], Callable[[], None]]) -> None:
        """A terminal is logged in to it.

        Args:
            hold: have the terminal push a symbol's ticks; returns what ends that.

        """
        self._holders[terminal] = hold
        self._watch()

    def detach(self, terminal: str) -> None:
        """A terminal is logged in elsewhere, or paper trading was switched off."""
        self._holders.pop(terminal, None)
        self._watch()

    def wake(self, real: TradingSession) -> None:
        """A terminal is linked: follow the market for what is open, as soon as it answers."""
        _start(self._waking, self._wake(real))

    async def close(self) -> None:
        """Stop; what has happened is on the disk then."""
        for task in self._waking:
            task.cancel()
        if self._summary is not None:
            self._summary.cancel()
        await asyncio.gather(*self._waking, *self._writes, return_exceptions=True)

    async def _wake(self, real: TradingSession) -> None:
        # a terminal that has just linked may not know its account yet
        while real.state is not SessionState.DISCONNECTED:
            try:
                await self.open(real)
            except (BridgeError, StoreError) as error:
                logger.warning("paper account %d is not open yet: %s", self._key.account_id, error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def open(self, real: TradingSession) -> None:
        """Have the books ready, and the prices of what is open in them.

        Raises:
            BridgeError: the terminal did not tell what that needs.
            StoreError: the books cannot be read or written.

        """
        self._real = real
        if self._broker is not None:
            return
        # many calls may come while it opens, and two brokers would fill one order twice
        async with self._opening:
            if self._broker is None:
                await self._open(real)
        self._check_open()

    def _check_open(self) -> None:
        # a write that fails closes the books until they are read again, and may be anybody's
        if self._broker is None:
            raise StoreError("the paper account's books could not be written")

    async def _open(self, real: TradingSession) -> None:
        template = await real.request(commands.ACCOUNT_GET, commands.NoParams())
        clock = await real.request(commands.CLOCK_GET, commands.NoParams())
        kept = self._book.find() or await self._book.create(template)
        quotes = LiveQuotes(template.currency)
        broker = self._new_broker(quotes, template, kept)
        is_new = not self._book.load(kept, broker)
        for name in _symbols(broker):
            try:
                await quotes.learn(real, name)
            except CommandFailed:
                logger.warning("paper account %d: %s is gone", self._key.account_id, name)
        self._quotes, self._broker = quotes, broker
        told_msc = (clock.tsrv or clock.tcur) * 1000
        self._last_msc = max(self._last_msc, kept.time_msc, told_msc)
        self._version = broker.books.version
        broker.take_events()
        if is_new:
            broker.deposit(kept.template.balance, self._now_msc(), "Paper trading")
            await self._commit(broker)
        self._watch()

    def _new_broker(self, quotes: LiveQuotes, template: Account, kept: Kept) -> Broker:
        first = FIRST_TICKET + kept.row * TICKETS_EACH
        terms = terms_of(template, platform=self._platform)
        return Broker(quotes, template, terms, first_ticket=first)

    # --- the market --------------------------------------------------------------------------

    def on_tick(self, name: str, tick: Tick) -> None:
        """Take a tick that a terminal has told."""
        # what is not open needs no price, and what was never learnt none that could be used
        broker = self._broker
        if broker is None or self._quotes.symbol(name) is None:
            return
        if not self._quotes.take(name, tick):
            return
        self._last_msc = max(self._last_msc, tick.time_msc)
        broker.on_tick(name, tick, self._last_msc)
        if broker.books.version != self._version:
            self._commit(broker)
        elif broker.books.holdings:
            self._summarise_soon()

    def _now_msc(self, name: str = "") -> int:
        """Return the broker's time, which never goes back."""
        tick = self._quotes.tick(name)
        now_msc = self._clock_msc() or (tick.time_msc if tick is not None else 0)
        self._last_msc = max(self._last_msc, now_msc)
        return self._last_msc

    def _watch(self) -> None:
        """Have the terminals push what is needed, and no more."""
        names = set() if self._broker is None else _symbols(self._broker)
        needed = {symbol for name in names for symbol in self._quotes.needed(name)}
        wanted = {(terminal, name) for terminal in self._holders for name in needed}
        for key in self._held.keys() - wanted:
            self._held.pop(key)()
        for terminal, name in wanted - self._held.keys():
            self._held[terminal, name] = self._holders[terminal](name)

    # --- commands ----------------------------------------------------------------------------

    async def learn(self, real: TradingSession, request: TradeRequest) -> None:
        """Learn the price of what a request is about.

        Raises:
            BridgeError: the terminal did not tell, or has no such symbol.
            StoreError: the books cannot be read or written.

        """
        await self.open(real)
        if name := self._symbol_of(request):
            await self._quotes.learn(real, name)
            self._check_open()

    def _symbol_of(self, request: TradeRequest) -> str:
        broker = self._known_broker
        order = broker.books.orders.get(request.order)
        if order is not None:
            return order.symbol
        holding = broker.books.holdings.get(request.position)
        return request.symbol if holding is None else holding.position.symbol

    async def send(self, command_id: int, request: TradeRequest) -> TradeResult:
        """Carry a request out now, with no ``await`` before; return once it is on the disk.

        Raises:
            CommandFailed: it could not be written, and so did not happen.

        """
        broker = self._known_broker
        retcode = closes_nothing(broker, request)
        if retcode is not None:
            result = TradeResult(retcode=retcode, comment=COMMENTS[retcode])
        else:
            result = broker.send(request, self._now_msc(self._symbol_of(request)))
        # no await since the broker filled it: whoever asks for the command now gets this result
        self._writing[command_id] = result
        # it goes on if the caller leaves: the books have it already
        is_written = await asyncio.shield(self._commit(broker, (command_id, result)))
        if not is_written:
            raise CommandFailed(commands.ORDER_SEND.op, commands.FILE_WRITE_ERROR)
        return result

    def check(self, request: TradeRequest) -> CheckResult:
        """``OrderCheck``."""
        return self._known_broker.check(request, self._now_msc(self._symbol_of(request)))

    def result_of(self, command_id: int) -> TradeResult | None:
        """Return what became of a command; ``None`` where it was never executed."""
        return self._writing.get(command_id) or result_of(self._ledger, command_id)

    def account(self) -> Account:
        """The account, with its sums on paper."""
        return replace(self._known_broker.account(), paper=True)

    def positions(self, symbol: str | None = None, ticket: int | None = None) -> list[Position]:
        """Return open positions."""
        found = self._known_broker.positions(symbol, ticket)
        return [replace(position, paper=True) for position in found]

    def orders(self, symbol: str | None = None, ticket: int | None = None) -> list[Order]:
        """Return pending orders."""
        return [replace(order, paper=True) for order in self._known_broker.orders(symbol, ticket)]

    def past_orders(self, chosen: commands.HistoryParams) -> list[Order]:
        """Return past orders."""
        found = past_orders(
            self._known_broker, chosen.from_s, chosen.to_s, chosen.ticket, chosen.position
        )
        return [replace(order, paper=True) for order in found]

    def deals(self, chosen: commands.HistoryParams) -> list[Deal]:
        """Return deals."""
        found = self._known_broker.history_deals(
            chosen.from_s, chosen.to_s, chosen.ticket, chosen.position
        )
        return [replace(deal, paper=True) for deal in found]

    @property
    def _known_broker(self) -> Broker:
        assert self._broker is not None, "open() comes first"
        return self._broker

    # --- the disk, and telling ---------------------------------------------------------------

    def _commit(
        self, broker: Broker, done: tuple[int, TradeResult] | None = None
    ) -> asyncio.Task[bool]:
        """Write what has changed, then tell it; returns whether it was written."""
        # taken now and not in the task: later changes belong to later commits, in their order
        work = self._book.saving(broker, self._last_msc, done)
        events = [_told(event) for event in broker.take_events()]
        self._version = broker.books.version
        self._watch()
        return _start(self._writes, self._write(broker, work, events, done))

    async def _write(
        self,
        broker: Broker,
        work: Callable[..., None],
        events: list[Trade],
        done: tuple[int, TradeResult] | None,
    ) -> bool:
        try:
            await self._ledger.write(work)
        except (StoreError, sqlite3.Error):
            logger.exception("paper account %d is not written", self._key.account_id)
            if self._broker is broker:
                self._broker = None  # what is on the disk holds: it is read again
                if self._real is not None:
                    self.wake(self._real)
            return False
        finally:
            if done is not None:
                self._writing.pop(done[0], None)
        # only what is on the disk is told: a crash must not take back what somebody has heard
        for event in events:
            self._tell(event)
        self._summarise_soon()
        return True

    def _summarise_soon(self) -> None:
        if self._summary is None:
            loop = asyncio.get_running_loop()
            self._summary = loop.call_later(SUMMARY_S, self._summarise)

    def _summarise(self) -> None:
        self._summary = None
        if self._broker is None:
            return
        rows = [
            (position.ticket, position.price_current, position.swap, position.profit)
            for position in self._broker.positions()
        ]
        self._tell(AccountEvent(d=self.account()))
        self._tell(Pnl(d=rows))


def _start(tasks: set[asyncio.Task[T]], work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


def _symbols(broker: Broker) -> set[str]:
    """Return the symbols of what is open."""
    books = broker.books
    held = {holding.position.symbol for holding in books.holdings.values()}
    return held | {order.symbol for order in books.orders.values()}


def _told(event: TradeEvent) -> Trade:
    """Return an event as a terminal tells it."""
    order, position, deal = event.order, event.position, event.deal
    return Trade(
        op=event.op,
        q=0,
        time_msc=event.time_msc,
        order=msgspec.UNSET if order is None else replace(order, paper=True),
        position=msgspec.UNSET if position is None else replace(position, paper=True),
        deal=msgspec.UNSET if deal is None else replace(deal, paper=True),
    )
