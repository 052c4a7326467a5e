"""Ticks of one symbol, from the EA's row to the bytes of an event.

Nothing is parsed or validated here: the bridge has checked that prices are plain JSON numbers,
and so they are spliced into the event as the terminal wrote them.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from ea_bridge.commands import TICK_GET, SymbolParams
from gateway.schemas import convert
from gateway.schemas.events import GapReason

from .channels import Channel
from .context import StreamContext, Throttled
from .hub import Topic

Row = tuple[int, int, str, str, float, int, int]
"""As in :class:`ea_bridge.protocol.messages.Ticks`."""


BACKFILLED = ',"backfilled":true}'
"""End of a tick that is told from the terminal's history."""


class TickStream:
    """Channels ``tick``, ``tick.all`` and ``tick.<n>ms`` of one symbol.

    The *cursor* (stamp of the last tick published, and how many ticks had that stamp) is what
    makes the stream exactly-once: after a disconnect the terminal goes on behind it.
    """

    def __init__(self, context: StreamContext, symbol: str) -> None:
        self.last_msc = 0
        self.n_same_msc = 0
        self.accepting = False
        """Ticks that arrive belong to the stream. Not so between the last unsubscription and a
        new beginning: what is on the way then has a hole behind it."""
        self.begun = False
        """It has been accepting since there was a subscription."""
        self.was_away = False
        """The terminal is back, and what it tells first has happened while it was away."""
        self._filled_to = 0
        """Ticks up to this stamp happened while the terminal was away, and are told from its
        history; 0 once one behind it has come."""
        self._context = context
        self._symbol = symbol
        self._head = f'{{"symbol":{orjson.dumps(symbol).decode()},"bid":'
        self._direct: tuple[Topic, ...] = ()
        self._throttled: tuple[Throttled, ...] = ()
        self._data: str | None = None

    @property
    def snapshot(self) -> str | None:
        """The last tick; ``None`` where none is known."""
        return self._data

    def add(self, channel: Channel, topic: Topic) -> None:
        """Publish to one topic more."""
        if channel.interval_ms is None:
            self._direct += (topic,)
        else:
            self._throttled += (self._context.throttled(topic, channel.interval_ms),)

    def remove(self, topic: Topic) -> None:
        """Publish to one topic less; without any the stream is over."""
        self._direct = tuple(t for t in self._direct if t is not topic)
        for throttled in self._throttled:
            if throttled.topic is topic:
                throttled.stop()
        self._throttled = tuple(p for p in self._throttled if p.topic is not topic)
        if not self._direct and not self._throttled:
            self._discard()

    def expect(self) -> None:
        """The terminal is being asked for ticks: the first may come along with its answer."""
        self.accepting = True

    def accept(self, accepting: bool) -> None:
        """Say whether ticks that arrive belong to the stream."""
        self.accepting = accepting
        self.begun = self.begun or accepting

    def take(self, rows: Sequence[Row], ts: int) -> None:
        """Publish ticks that came together."""
        if not self.accepting:
            return
        last = len(rows) - 1
        # a flood for nobody: but the last, which a snapshot or an interval may tell, is counted
        if last and not any(topic.is_heard for topic in self._direct):
            for row in rows[:last]:
                self._move_cursor(row[1])
            for topic in self._direct:
                topic.seq += last
            rows = rows[last:]
        for row in rows:
            self._publish(row, ts)

    def _move_cursor(self, msc: int) -> None:
        # several ticks may have one stamp: the cursor counts them, so that none comes twice
        if msc == self.last_msc:
            self.n_same_msc += 1
        else:
            self.last_msc, self.n_same_msc = msc, 1

    def _publish(self, row: Row, ts: int) -> None:
        _, msc, bid, ask, last, volume, flags = row
        self._move_cursor(msc)
        # Only text that begins with a 0 or a minus sorts before "1", and only such can be zero.
        if bid < "1" and not float(bid):
            bid = "null"
        if ask < "1" and not float(ask):
            ask = "null"
        if self._filled_to and msc > self._filled_to:
            self._filled_to = 0  # over for good, wherever the broker's clock goes
        time = self._context.broker_clock.to_utc_ms(msc)
        # spliced as text: no tick is parsed and printed again, whatever the number of listeners
        deal = f'{last!r},"volume":{volume}' if last else 'null,"volume":null'
        # what a snapshot or an interval tells is the present price, and bears no mark
        self._data = newest = data = (
            f'{self._head}{bid},"ask":{ask},"last":{deal},"flags":{flags}'
            f',"time":{time},"broker_time":{msc}}}'
        )
        if self._filled_to:
            data = data[:-1] + BACKFILLED
        publish = self._context.hub.publish
        for topic in self._direct:
            publish(topic, data, ts)
        for throttled in self._throttled:
            throttled.offer(newest, ts)

    async def prime(self) -> None:
        """Learn the last tick, unless one has come by itself.

        Raises:
            GatewayError: the terminal did not tell.

        """
        if self._data is not None:
            return
        tick = await self._context.ask(TICK_GET, SymbolParams(symbol=self._symbol))
        # a tick that came meanwhile is newer than the answer
        if self._data is None and tick.time_msc:
            data = convert.tick(self._symbol, tick, self._context.broker_clock)
            self._data = orjson.dumps(data).decode()

    async def learn_outage(self) -> None:
        """Learn which ticks happened while the terminal was away, if it was: those up to its last
        one. To be done before it is asked to go on.

        Raises:
            GatewayError: the terminal did not tell.

        """
        if self.was_away:
            tick = await self._context.ask(TICK_GET, SymbolParams(symbol=self._symbol))
            self._filled_to, self.was_away = tick.time_msc, False

    def republish(self) -> None:
        """Give everybody a snapshot."""
        if self._data is None:
            return
        ts = self._context.now_ms()
        for topic in (*self._direct, *(throttled.topic for throttled in self._throttled)):
            # tick.all has every tick: a snapshot in between would look like one more
            if topic.latest:
                self._context.hub.republish(topic, self._data, ts)

    def interrupt(self, reason: GapReason) -> None:
        """What comes does not continue what was."""
        self._discard()
        for topic in (*self._direct, *(throttled.topic for throttled in self._throttled)):
            self._context.interrupt(topic, reason)

    def stop(self) -> None:
        """Cancel the timers."""
        for throttled in self._throttled:
            throttled.stop()

    def _discard(self) -> None:
        self.accepting = self.begun = self.was_away = False
        self.last_msc = self.n_same_msc = self._filled_to = 0
        self._data = None
