"""Streams of one symbol: ticks, book and bars, and the push that they need."""

from __future__ import annotations

from dataclasses import dataclass

from ea_bridge.model import MT4_TIMEFRAMES
from gateway.errors import GatewayError, MethodNotSupported

from .bars import BarStream
from .book import BookStream
from .channels import Channel
from .context import Reason, StreamContext
from .hub import Topic
from .push_subscription import BOOK, TICKS, Part, PushSubscription
from .ticks import TickStream


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
        self.push = PushSubscription(symbol, context.ask, self._cursor, self._asked, self._pushed)
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

    def new_link(self, *, cursors: bool, broken: Reason | None) -> None:
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
