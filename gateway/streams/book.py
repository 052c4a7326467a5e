"""Order book of one symbol: channels ``book`` and ``book.<levels>``.

Every event is a whole book, as MetaTrader gives it; there is nothing to merge and so nothing to
get wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from ea_bridge.commands import BOOK_GET, SymbolParams
from ea_bridge.model import BookEntry, BookType
from gateway.schemas import convert
from gateway.schemas.events import GapReason

from .channels import Channel
from .context import StreamContext
from .hub import Topic

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
