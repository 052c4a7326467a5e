"""Streams of one symbol: ticks, book and bars, and the push that they need.

Every subscription counts in :class:`PushSubscription`. When the sum changes, one ``watch`` command
says what is wanted now; while one is on its way further changes wait and go out together with the
next.

An event of the channels ``book`` and ``book.<levels>`` is a whole book, as MetaTrader gives it;
there is nothing to merge and so nothing to get wrong.

Of bars, each closed one is told once, and the forming one as it changes. What the terminal pushes
is joined to what its history says: at the beginning to know the forming bar, after a disconnect to
tell the bars that closed meanwhile.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from ea_bridge.commands import BOOK_GET, RATES_GET, WATCH, RatesParams, SymbolParams, WatchParams
from ea_bridge.model import MT4_TIMEFRAMES, Bar, BookEntry, BookType, Timeframe
from gateway.errors import (
    GatewayError,
    HistoryLoading,
    MethodNotSupported,
    NoMarketDepth,
    SymbolNotFound,
)
from gateway.schemas import convert
from gateway.schemas.enums import Timeframe as TimeframeWord
from gateway.schemas.events import GapReason

from .channels import Channel
from .context import SingleFlight, StreamContext, TerminalQuery
from .hub import Topic
from .ticks import TickStream

MAX_MISSED_BARS = 1000
"""Closed during a disconnect; with more of them the stream begins anew."""
MAX_HELD_BARS = 64
"""That arrive while history is being asked for; the oldest give way, history knows them."""
END_OF_TIME_S = 32_535_215_999
"""The last day of MetaTrader's calendar, in the year 3000."""


class BarStream:
    """Channel ``bar.<timeframe>`` of one symbol."""

    def __init__(
        self, context: StreamContext, symbol: str, timeframe: Timeframe, topic: Topic
    ) -> None:
        self.topic = topic
        self._context = context
        self._symbol = symbol
        self._timeframe = timeframe
        self._word = cast("TimeframeWord", timeframe.name)
        self._forming: Bar | None = None
        self._last_closed: int | None = None
        """Opening time of the last bar that was told as closed, or was so before we began."""
        self._joined = False
        """What the terminal pushes continues what was told."""
        self._held: deque[tuple[Bar, bool]] = deque(maxlen=MAX_HELD_BARS)
        self.join = SingleFlight(self._join)
        """Asks for history up to now and tells the bars that closed since the last one told.

        Raises:
            GatewayError: the terminal did not tell.

        """

    @property
    def snapshot(self) -> str | None:
        """The forming bar; ``None`` where none is known."""
        return None if self._forming is None else self._encode(self._forming, closed=False)

    def take(self, bar: Bar, closed: bool, ts: int) -> None:
        """Publish a bar, once the history before it was told."""
        if not self._joined:
            self._held.append((bar, closed))
        else:
            self._publish(bar, closed, ts)

    async def _join(self) -> None:
        if self._joined:
            return
        self._held.clear()
        answer = await self._context.ask(RATES_GET, self._missing())
        bars = answer.rows
        if self._last_closed is not None:
            if answer.missing == "loading":
                raise HistoryLoading(symbol=self._symbol)
            if answer.missing:
                self.interrupt("history_too_long")
            elif len(bars) > MAX_MISSED_BARS:
                self.interrupt("history_too_long", missed=len(bars) - 1)
        ts = self._context.now_ms()
        if bars:
            if self._last_closed is None:
                self._last_closed = bars[-1].time - 1
            self._publish_history(bars, ts)
        self._joined = True
        while self._held:
            self._publish(*self._held.popleft(), ts)

    def republish(self) -> None:
        """Give everybody a snapshot."""
        if (data := self.snapshot) is not None:
            self._context.hub.republish(self.topic, data, self._context.now_ms())

    def new_link(self) -> None:
        """Bars may have closed while the terminal was away."""
        self._joined = False
        self._held.clear()

    def interrupt(self, reason: GapReason, missed: int | None = None) -> None:
        """Begin anew: what comes does not continue what was."""
        self._forming = self._last_closed = None
        self._context.interrupt(self.topic, reason, missed, tell=True)

    def _missing(self) -> RatesParams:
        code = int(self._timeframe)
        if self._last_closed is None:
            return RatesParams(symbol=self._symbol, timeframe=code, start=0, count=1)
        begin = self._last_closed + 1
        return RatesParams(symbol=self._symbol, timeframe=code, from_s=begin, to_s=END_OF_TIME_S)

    def _publish_history(self, bars: Sequence[Bar], ts: int) -> None:
        """All but the last bar of a history are closed."""
        for bar in bars[:-1]:
            self._publish(bar, closed=True, ts=ts)
        if self._last_closed is None or bars[-1].time > self._last_closed:
            self._forming = bars[-1]

    def _publish(self, bar: Bar, closed: bool, ts: int) -> None:
        if self._last_closed is not None and bar.time <= self._last_closed:
            return
        if closed:
            self._last_closed = bar.time
        self._forming = None if closed else bar
        data = self._encode(bar, closed=closed)
        self._context.hub.publish(self.topic, data, ts, latest=not closed)

    def _encode(self, bar: Bar, *, closed: bool) -> str:
        clock = self._context.broker_clock
        event = convert.bar_event(self._symbol, self._word, bar, clock, closed=closed)
        return orjson.dumps(event).decode()


_SELLS = (BookType.SELL, BookType.SELL_MARKET)


class BookStream:
    """Stream of books as they arrive, which keeps the last."""

    def __init__(self, context: StreamContext, symbol: str) -> None:
        self._context = context
        self._symbol = symbol
        self._topics: dict[Topic, int | None] = {}
        self._last: tuple[int, Sequence[BookEntry]] | None = None

    def add(self, channel: Channel, topic: Topic) -> None:
        """Publish to one topic more."""
        self._topics[topic] = channel.depth

    def remove(self, topic: Topic) -> None:
        """Publish to one topic less."""
        del self._topics[topic]
        if not self._topics:
            self._last = None

    def take(self, time_msc: int, entries: Sequence[BookEntry], ts: int) -> None:
        """Publish a book."""
        if not self._topics:
            return
        self._last = (time_msc, entries)
        for topic, depth in self._topics.items():
            self._context.hub.publish(topic, self._encode(time_msc, entries, depth), ts)

    async def prime(self) -> None:
        """Learn the present book, unless one has come by itself.

        Raises:
            GatewayError: the terminal did not tell.

        """
        if self._last is not None:
            return
        entries = await self._context.ask(BOOK_GET, SymbolParams(symbol=self._symbol))
        if self._last is None and self._topics:
            self._last = (0, entries)

    def snapshot(self, channel: Channel) -> str | None:
        """The last book; ``None`` where none is known."""
        return None if self._last is None else self._encode(*self._last, channel.depth)

    def republish(self) -> None:
        """Give everybody a snapshot."""
        if self._last is None:
            return
        ts = self._context.now_ms()
        for topic, depth in self._topics.items():
            self._context.hub.republish(topic, self._encode(*self._last, depth), ts)

    def new_link(self) -> None:
        """What we knew is old."""
        self._last = None

    def interrupt(self, reason: GapReason) -> None:
        """What comes does not continue what was."""
        self._last = None
        for topic in self._topics:
            self._context.interrupt(topic, reason)

    def _encode(self, time_msc: int, entries: Sequence[BookEntry], depth: int | None) -> str:
        best = entries if depth is None else _best(entries, depth)
        clock = self._context.broker_clock
        return orjson.dumps(convert.book(self._symbol, best, time_msc, clock)).decode()


def _best(entries: Sequence[BookEntry], depth: int) -> list[BookEntry]:
    sells = sorted((e for e in entries if e.type in _SELLS), key=lambda e: e.price)
    buys = sorted((e for e in entries if e.type not in _SELLS), key=lambda e: -e.price)
    return sells[:depth] + buys[:depth]


Part = str | int
"""``"ticks"``, ``"book"``, or the code of a timeframe."""

TICKS = "ticks"
BOOK = "book"
NOTHING: frozenset[Part] = frozenset()


class PushSubscription:
    """Subscription at a terminal to what is wanted of one symbol.

    Args:
        cursor: ``last_msc`` and ``n_same_msc`` of the ticks had so far.
        on_asked: called with what the terminal is about to be asked for, where it is known what it
            pushes; else what is on its way may have a hole behind it.
        on_pushed: called with what is being pushed, each time the terminal is up to date.
        before_ticks: done before a terminal that pushes no ticks is asked for them.

    """

    def __init__(
        self,
        symbol: str,
        query: TerminalQuery,
        cursor: Callable[[], tuple[int, int]],
        on_asked: Callable[[frozenset[Part]], None],
        on_pushed: Callable[[frozenset[Part]], None],
        before_ticks: Callable[[], Awaitable[None]],
    ) -> None:
        self.symbol = symbol
        self.refused: dict[Part, GatewayError] = {}
        """Parts that this link's terminal said it cannot push."""
        self.settle = SingleFlight(self._settle)
        """Brings the terminal to push what is wanted.

        Raises:
            GatewayError: the terminal could not be told.

        """
        self._query = query
        self._cursor = cursor
        self._on_asked = on_asked
        self._on_pushed = on_pushed
        self._before_ticks = before_ticks
        self._wanted: Counter[Part] = Counter()
        self._pushed: frozenset[Part] | None = NOTHING
        self._pumping = False
        """This link pushes the ticks: the terminal knows better than we how far."""
        self._asked_from: tuple[int, int] | None = None
        """The cursor that this link was told, while it is not known to push the ticks."""
        self._links = 0

    @property
    def wanted(self) -> frozenset[Part]:
        """Parts that at least one subscription needs and the terminal has not refused."""
        return frozenset(self._wanted) - self.refused.keys()

    @property
    def pushed(self) -> frozenset[Part]:
        """Parts that the terminal is known to push."""
        return self._pushed or NOTHING

    @property
    def is_settled(self) -> bool:
        """Whether the terminal is known to push what is wanted, and nothing else."""
        return self.wanted == self._pushed

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted."""
        return not self._wanted

    def want(self, part: Part) -> None:
        """Count one subscription more."""
        self._wanted[part] += 1

    def release(self, part: Part) -> None:
        """Count one subscription less."""
        self._wanted[part] -= 1
        if not self._wanted[part]:
            del self._wanted[part]
            self.refused.pop(part, None)

    def new_link(self) -> None:
        """Note a new link: the terminal starts without watches on every one."""
        self._links += 1
        self._note(NOTHING)
        # another account, or another EA, may have what this one lacked
        self.refused.clear()

    async def _settle(self) -> None:
        # what was wanted while a command was on its way goes out with the next one
        while self.wanted != self._pushed:
            if TICKS in self.wanted:
                # the WATCH tells whether there is such a symbol
                with contextlib.suppress(SymbolNotFound):
                    await self._before_ticks()
            if (target := self.wanted) != self._pushed:
                await self._send_watch(target)
        self._on_pushed(self.pushed)

    async def _send_watch(self, target: frozenset[Part]) -> None:
        link = self._links
        if self._pushed is not None:
            self._on_asked(target)
        try:
            await self._query(WATCH, self._params(target))
        except SymbolNotFound as error:
            # the broker has no such symbol: all that was wanted of it is refused
            self.refused |= dict.fromkeys(target, error)
            self._note(NOTHING)
        except NoMarketDepth as error:
            if BOOK not in target:
                raise
            # the rest is asked for again, without the book
            self.refused[BOOK] = error
        except GatewayError:
            if link == self._links:
                # It may have been carried out or not: say it again the next time.
                self._note(None)
            raise
        else:
            self._note(target)
            self._on_pushed(target)

    def _note(self, pushed: frozenset[Part] | None) -> None:
        self._pushed = pushed
        if pushed is not None:
            self._pumping, self._asked_from = TICKS in pushed, None

    def _params(self, target: frozenset[Part]) -> WatchParams:
        # a terminal that pushes goes on by itself: told a cursor of ours it would send ticks twice
        last_msc, n_same_msc = (0, 0) if self._pumps() else self._cursor()
        return WatchParams(
            symbol=self.symbol,
            ticks=TICKS in target,
            book=BOOK in target,
            bars=",".join(str(part) for part in sorted(p for p in target if isinstance(p, int))),
            last_msc=last_msc,
            n_same_msc=n_same_msc,
        )

    def _pumps(self) -> bool:
        """Whether this link pushes the ticks: as it said, or as the ticks say that have come since
        it was asked, whatever became of its answer.
        """
        if not self._pumping:
            cursor = self._cursor()
            self._pumping = self._asked_from not in (None, cursor)
            self._asked_from = cursor
        return self._pumping


@dataclass
class _Used:
    topic: Topic
    channel: Channel
    users: int = 0


class Quotes:
    """Ticks, book and bars of one symbol, with the count of their subscriptions."""

    def __init__(self, context: StreamContext, symbol: str) -> None:
        self.symbol = symbol
        self.ticks = TickStream(context, symbol)
        self.book = BookStream(context, symbol)
        self.bars: dict[int, BarStream] = {}
        self.push = PushSubscription(
            symbol,
            context.ask,
            self._cursor,
            self._asked,
            self._pushed,
            self.ticks.learn_outage,
        )
        self._context = context
        self._used: dict[str, _Used] = {}
        self._owed: set[Part] = set()
        """Parts whose listeners are owed a snapshot, since what they know may be old."""

    def channels(self) -> list[Channel]:
        """Return the channels that are subscribed to."""
        return [used.channel for used in self._used.values()]

    def retain(self, channel: Channel) -> Topic:
        """Count one subscription more; return its topic."""
        used = self._used.get(channel.name)
        if used is None:
            used = self._used[channel.name] = _Used(self._context.topic(channel), channel)
            self._add(channel, used.topic)
        used.users += 1
        self.push.want(part_of(channel))
        return used.topic

    def release(self, channel: Channel) -> None:
        """Count one subscription less."""
        used = self._used[channel.name]
        used.users -= 1
        self.push.release(part_of(channel))
        if not used.users:
            del self._used[channel.name]
            self._remove(channel, used.topic)

    async def ready(self, channel: Channel) -> None:
        """Wait until the terminal pushes ``channel`` and its snapshot is known.

        Raises:
            GatewayError: the terminal cannot push it, or did not say that it does.

        """
        await self.push.settle()
        if (refused := self.push.refused.get(part_of(channel))) is not None:
            raise refused
        match channel.topic:
            case "tick":
                if channel.option != "all":
                    await self.ticks.prime()
            case "book":
                await self.book.prime()
            case _:
                bars = self.bars.get(int(channel.timeframe))
                if bars is not None:
                    await bars.join()

    def live(self, channel: Channel) -> bool:
        """Whether the terminal pushes ``channel``."""
        return part_of(channel) in self.push.pushed

    def snapshot(self, channel: Channel) -> str | None:
        """The state that updates will change, ``None`` where there is none."""
        match channel.topic:
            case "tick":
                return None if channel.option == "all" else self.ticks.snapshot
            case "book":
                return self.book.snapshot(channel)
            case _:
                bars = self.bars.get(int(channel.timeframe))
                return bars.snapshot if bars is not None else None

    def new_link(self, *, cursors: bool, broken: GapReason | None) -> None:
        """The terminal is back.

        Args:
            cursors: it can go on with the ticks where they stopped.
            broken: why nothing can go on where it stopped.

        """
        self.push.new_link()
        resumable = cursors and self.ticks.last_msc
        told = self.ticks.begun or self.ticks.last_msc  # the first come before the answer
        if told and (broken or not resumable):
            self.ticks.interrupt(broken or "ticks_lost")
        self.ticks.was_away = bool(self.ticks.last_msc)
        self._owed = {BOOK, *self.bars}
        if self.ticks.snapshot is None:
            self._owed.add(TICKS)
        self.book.new_link()
        for bars in self.bars.values():
            bars.new_link()
        if broken is not None:
            self.book.interrupt(broken)
            for bars in self.bars.values():
                bars.interrupt(broken)

    async def recover(self) -> None:
        """Bring every channel back to life after :meth:`new_link`.

        Raises:
            GatewayError: the terminal could not be asked.

        """
        await self.push.settle()
        for part in self._owed & self.push.pushed:
            if part == TICKS:
                await self.ticks.prime()
                self.ticks.republish()
            elif part == BOOK:
                await self.book.prime()
                self.book.republish()
            elif isinstance(part, int) and (bars := self.bars.get(part)) is not None:
                await bars.join()
                bars.republish()
            self._owed.discard(part)

    def stop(self) -> None:
        """Cancel what is under way."""
        self.push.settle.cancel()
        self.ticks.stop()
        for bars in self.bars.values():
            bars.join.cancel()

    def _cursor(self) -> tuple[int, int]:
        return self.ticks.last_msc, self.ticks.n_same_msc

    def _asked(self, asked: frozenset[Part]) -> None:
        if TICKS in asked:
            self.ticks.expect()

    def _pushed(self, pushed: frozenset[Part]) -> None:
        # What is released while the terminal is being told is not taken up again.
        self.ticks.accept(TICKS in pushed & self.push.wanted)

    def _add(self, channel: Channel, topic: Topic) -> None:
        match channel.topic:
            case "tick":
                self.ticks.add(channel, topic)
            case "book":
                self.book.add(channel, topic)
            case _:
                timeframe = channel.timeframe
                bars = BarStream(self._context, self.symbol, timeframe, topic)
                self.bars[int(timeframe)] = bars

    def _remove(self, channel: Channel, topic: Topic) -> None:
        match channel.topic:
            case "tick":
                self.ticks.remove(topic)
            case "book":
                self.book.remove(topic)
            case _:
                del self.bars[int(channel.timeframe)]


def part_of(channel: Channel) -> Part:
    """Return what a terminal must push for a channel."""
    match channel.topic:
        case "tick":
            return TICKS
        case "book":
            return BOOK
        case _:
            return int(channel.timeframe)


def lacking(
    channel: Channel, terminal: str, platform: str, caps: frozenset[str]
) -> GatewayError | None:
    """Return why a terminal cannot stream ``channel``; ``None`` if it can."""
    capability = ""
    if channel.topic == "book" and "book" not in caps:
        capability = "book"
    if channel.topic == "deals" and "deals" not in caps:
        capability = "deals"
    if channel.topic == "bar" and platform == "mt4" and channel.timeframe not in MT4_TIMEFRAMES:
        capability = f"timeframe_{channel.option}"
    if not capability:
        return None
    return MethodNotSupported(
        f"This terminal has no {channel.topic}{'.' + channel.option if channel.option else ''}",
        terminal=terminal,
        platform=platform,
        capability=capability,
    )
