"""Bars of one symbol and timeframe: each closed bar once, the forming one as it changes.

What the terminal pushes is joined to what its history says: at the beginning to know the forming
bar, after a disconnect to tell the bars that closed meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import cast

import orjson

from ea_bridge.commands import RATES_GET, RatesParams
from ea_bridge.model import Bar, Timeframe
from gateway.errors import HistoryLoading
from gateway.schemas import convert
from gateway.schemas.enums import Timeframe as TimeframeWord
from gateway.schemas.events import GapReason

from .context import SingleFlight, StreamContext
from .hub import Topic

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
