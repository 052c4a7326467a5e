"""Feed of one terminal: the source of all its streams.

The session's events come in here and go to the streams that they belong to. When the terminal
comes back after a disconnect, everything that somebody listens to is asked for again: ticks from
their cursor, bars from the last one told, copies of orders and positions as a fresh snapshot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Literal, Protocol

import orjson

from ea_bridge.protocol.handshake import parse_caps
from ea_bridge.protocol.messages import (
    AccountEvent,
    BarEvent,
    Book,
    Event,
    Lost,
    Pnl,
    StateEvent,
    Ticks,
    Trade,
)
from ea_bridge.registry import ChangeKind, TerminalChange, TerminalFacts
from ea_bridge.session import SessionState
from gateway.background import Backoff
from gateway.errors import GatewayError, TerminalDisconnected
from gateway.schemas import KillSwitchEvent, OrderSettled, TerminalEvent
from gateway.schemas.events import GapReason

from .account import DEALS, AccountStreams
from .channels import OF_SYMBOL, Channel
from .context import StreamContext
from .hub import Topic
from .kept import EventRun, KeptStreams
from .quotes import Quotes, lacking, part_of

_log = logging.getLogger(__name__)

FIRST_RETRY_S, LAST_RETRY_S = 0.1, 30.0
"""Between attempts to bring a stream back to life."""

MAX_COUNTED = 1_000_000
"""Lost events that a gap counts. A terminal that claims more has lost count, and sequence numbers
that took its word for it would soon be no JSON any more."""

TERMINAL, HEARTBEAT = Channel("terminal"), Channel("heartbeat")

_OnEnd = Callable[[Channel, GatewayError], None]
_Happened = Literal["snapshot", "link", "broker", "autotrading", "clock", "paper"]


class SymbolTable(Protocol):
    """The part of a session that events need."""

    def symbol_of(self, sym: int) -> str:
        """Return the symbol of an index; raise :class:`KeyError` if it was never watched."""


class TerminalFeed:
    """All streams of one terminal.

    Args:
        on_end: called with a channel that the terminal turns out not to have.

    """

    def __init__(self, context: StreamContext, on_end: _OnEnd) -> None:
        self._context = context
        self._on_end = on_end
        self._facts: TerminalFacts | None = None
        self._account = AccountStreams(context)
        self._quotes: dict[str, Quotes] = {}
        self._own = {c.name: context.topic(c) for c in (TERMINAL, HEARTBEAT)}
        self._recovery: asyncio.Task[None] | None = None
        self._run: EventRun | None = None
        """The EA's run, and how far it was told: so far another gateway may go on from here."""
        self._may_keep = True

    @property
    def connected(self) -> bool:
        """Whether the terminal has a link."""
        return self._facts is not None and self._facts.state is not SessionState.DISCONNECTED

    # --- for subscriptions -------------------------------------------------------------------

    def lacks(self, channel: Channel) -> GatewayError | None:
        """Return why this kind of terminal has no such channel, as far as is known."""
        if self._facts is None:
            return None
        hello = self._facts.hello
        return lacking(channel, self._context.terminal, hello.platform, parse_caps(hello.caps))

    def retain(self, channel: Channel) -> Topic:
        """Count one subscription more; return its topic."""
        if channel.name in self._own:
            return self._own[channel.name]
        if channel.topic not in OF_SYMBOL:
            return self._account.retain(channel)
        quotes = self._quotes.get(channel.symbol)
        if quotes is None:
            quotes = self._quotes[channel.symbol] = Quotes(self._context, channel.symbol)
        return quotes.retain(channel)

    def hold(self, channel: Channel) -> None:
        """Count one subscription more, of the gateway itself: nobody waits for it to be live."""
        self.retain(channel)
        if self.connected:
            self._recover_soon()

    def release(self, channel: Channel) -> None:
        """Count one subscription less; the terminal is told in its turn."""
        if channel.name in self._own:
            return
        if channel.topic not in OF_SYMBOL:
            self._account.release(channel)
            return
        quotes = self._quotes[channel.symbol]
        quotes.release(channel)
        push = quotes.push
        if self.connected and (push.settle.running or not push.is_settled):
            # kept until the terminal pushes it no more: its ticks would else be for nobody that is
            # known
            push.settle.begin().add_done_callback(lambda _: self._discard_idle(quotes))
        else:
            self._discard_idle(quotes)

    async def ready(self, channel: Channel) -> None:
        """Wait until ``channel`` is live, or return at once while the terminal is offline, and
        where the subscription was ended meanwhile: whoever did that has noted why.

        Raises:
            GatewayError: the terminal does not have it, or did not answer.

        """
        if not self.connected:
            return
        try:
            if channel.topic in OF_SYMBOL:
                quotes = self._quotes.get(channel.symbol)
                if quotes is not None:
                    await quotes.ready(channel)
            else:
                await self._account.ready(channel)
        # it is subscribed all the same: the next link brings it to life
        except TerminalDisconnected:
            return

    def live(self, channel: Channel) -> bool:
        """Whether events of ``channel`` arrive as they happen."""
        if channel.name in self._own:
            return True
        if not self.connected:
            return False
        if channel.topic not in OF_SYMBOL:
            return self._account.knows(channel)
        quotes = self._quotes.get(channel.symbol)
        return quotes is not None and quotes.live(channel)

    def snapshot(self, channel: Channel) -> str | None:
        """The ``data`` of a snapshot; ``None`` where there is none, or none that is true now."""
        if channel == TERMINAL:
            return self._describe("snapshot")
        if channel == HEARTBEAT or not self.live(channel):
            return None
        if channel.topic in OF_SYMBOL:
            return self._quotes[channel.symbol].snapshot(channel)
        return self._account.snapshot(channel)

    # --- what the bridge tells -----------------------------------------------------------------

    def event(self, session: SymbolTable, event: Event) -> None:
        """Take an event of the terminal's session."""
        ts = self._context.now_ms()
        match event:
            case Ticks():
                self._take_ticks(session, event, ts)
            case Book():
                if (quotes := self._quotes_of(session, event.sym)) is not None:
                    quotes.book.take(event.time_msc, event.d, ts)
            case BarEvent():
                quotes = self._quotes_of(session, event.sym)
                bars = quotes.bars.get(event.timeframe) if quotes is not None else None
                if bars is not None:
                    bars.take(event.d, event.closed, ts)
            case Trade():
                self._account.take_trade(event, ts)
                self._count_told(event.q)
            case StateEvent():
                self._count_told(event.q)
            case AccountEvent():
                self._account.take_account(event.d, ts)
            case Pnl():
                self._account.take_pnl(event, ts)
            case Lost():
                # the EA's buffer was full: what is open is asked for anew, and who listens is told
                # of the hole
                self._account.interrupt("events_lost", _count(event))
                self._recover_soon()

    def change(self, change: TerminalChange) -> None:
        """Take a change of the terminal's link or switches."""
        before, self._facts = self._facts, change.facts
        match change.kind:
            case ChangeKind.CONNECTED:
                self._connected(before, change.facts)
                self._publish_state("link")
            case ChangeKind.DISCONNECTED:
                self._context.ask.new_link()
                self._stop_recovery()
                self._publish_state("link")
            case ChangeKind.STALE | ChangeKind.READY:
                self._publish_state("link")
            case ChangeKind.FLAGS:
                broker = before is not None and before.broker != change.facts.broker
                self._publish_state("broker" if broker else "autotrading")
            case ChangeKind.ACCOUNT_CHANGED:
                # The CONNECTED that follows compares the accounts by itself.
                self._facts = before

    def set_paper(self, is_on: bool) -> None:
        """The account trades on paper from now on, or at the market: nothing goes on as it was."""
        if self._account.paper == is_on:
            return
        self._account.paper = is_on
        # what the market's account did meanwhile was not told: it is no part of the stream
        self._run = None
        self._context.ask.new_link()
        self._account.interrupt("paper_switched")
        self._publish_state("paper")
        if self.connected:
            self._recover_soon()

    def announce(self, event: KillSwitchEvent) -> None:
        """Publish what the kill switch has done, on ``terminal``."""
        data = orjson.dumps(event).decode()
        self._context.hub.publish(self._own[TERMINAL.name], data, self._context.now_ms())

    def settled(self, settled: OrderSettled) -> None:
        """A request has ended whose outcome was unknown."""
        self._account.take_settled(settled, self._context.now_ms())

    def kept(self) -> KeptStreams | None:
        """Return what another gateway can go on from; ``None`` where that would leave a hole."""
        if self._run is None or self._account.paper or not self._may_keep:
            return None
        topics = {t.channel: t.kept() for t in self._account.lossless() if t.is_keeping}
        return KeptStreams(self._run, topics, self._context.now_ms())

    def go_on_from(self, kept: KeptStreams) -> None:
        """Go on where an earlier gateway has ended; before anything is told."""
        self._run = kept.run
        for topic in self._account.lossless():
            if (found := kept.topics.get(topic.channel)) is not None:
                topic.go_on_from(found, self._context.now_ms())

    def keep_nothing(self) -> None:
        """Keep nothing of these streams for the next gateway, since an event may be missing."""
        self._may_keep = False

    def clock_changed(self) -> None:
        """The broker's offset to UTC, or what is known of it, has changed."""
        self._publish_state("clock")

    def heartbeat_topic(self) -> Topic:
        """The topic of ``heartbeat``."""
        return self._own[HEARTBEAT.name]

    def stop(self) -> None:
        """Cancel what is under way."""
        self._stop_recovery()
        self._account.stop()
        for quotes in self._quotes.values():
            quotes.stop()

    # --- inside --------------------------------------------------------------------------------

    def _take_ticks(self, session: SymbolTable, ticks: Ticks, ts: int) -> None:
        # rows of one symbol come together: one look-up for all of them
        for sym, rows in groupby(ticks.d, key=itemgetter(0)):
            quotes = self._quotes_of(session, sym)
            if quotes is not None:
                quotes.ticks.take(list(rows), ts)

    def _quotes_of(self, session: SymbolTable, sym: int) -> Quotes | None:
        """Return the streams of a symbol; ``None`` if nobody asked for it, or not any more."""
        try:
            return self._quotes.get(session.symbol_of(sym))
        except KeyError:
            return None

    def _connected(self, before: TerminalFacts | None, facts: TerminalFacts) -> None:
        self._context.ask.new_link()
        caps = parse_caps(facts.hello.caps)
        broken = _broken(before, facts) if before is not None else _broken_since(self._run, facts)
        self._note_run(before, facts)
        self._account.platform = facts.hello.platform
        self._account.new_link(broken)
        if (error := self.lacks(DEALS)) is not None:
            self._on_end(DEALS, error)
        for quotes in list(self._quotes.values()):
            self._end_lacking(quotes)
            # A tick cursor survives a restart of the EA: the terminal keeps the ticks.
            moved = broken if broken == "account_changed" else None
            quotes.new_link(cursors="ticks" in caps, broken=moved)
            self._discard_idle(quotes)
        self._recover_soon()

    def _note_run(self, before: TerminalFacts | None, facts: TerminalFacts) -> None:
        """Note whose events come now."""
        if self._run is not None and _broken_since(self._run, facts) is None:
            return
        is_new = before is None or before.hello.boot != facts.hello.boot
        # of a run that was not met before, events come from now on
        self._run = _run_of(facts, facts.hello.q) if is_new else None

    def _count_told(self, q: int) -> None:
        # 0: an order that the gateway holds, of which the EA knows nothing
        if q and self._facts is not None and not self._account.paper:
            self._run = _run_of(self._facts, q)

    def _recover_soon(self) -> None:
        self._stop_recovery()
        self._recovery = asyncio.get_running_loop().create_task(self._recover())

    def _stop_recovery(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            self._recovery = None

    async def _recover(self) -> None:
        works: list[Callable[[], Awaitable[None]]] = [self._account.recover]
        works += [partial(self._recover_quotes, quotes) for quotes in self._quotes.values()]
        # side by side: a symbol that the terminal cannot push must not hold up the others
        await asyncio.gather(*(_persist(work) for work in works))

    async def _recover_quotes(self, quotes: Quotes) -> None:
        await quotes.recover()
        for channel in quotes.channels():
            if (error := quotes.push.refused.get(part_of(channel))) is not None:
                self._on_end(channel, error)

    def _end_lacking(self, quotes: Quotes) -> None:
        for channel in quotes.channels():
            if (error := self.lacks(channel)) is not None:
                self._on_end(channel, error)

    def _discard_idle(self, quotes: Quotes) -> None:
        push = quotes.push
        # while it is in doubt what this link pushes, who subscribes next must know of the doubt
        if self.connected and not push.is_settled:
            return
        # somebody may have subscribed again while the terminal was told
        if push.idle and self._quotes.get(quotes.symbol) is quotes:
            quotes.stop()
            del self._quotes[quotes.symbol]

    def _publish_state(self, happened: _Happened) -> None:
        topic = self._own[TERMINAL.name]
        self._context.hub.publish(topic, self._describe(happened), self._context.now_ms())

    def _describe(self, happened: _Happened) -> str:
        facts = self._facts
        hello = facts.hello if facts is not None else None
        state: TerminalEvent = {
            "event": happened,
            "state": facts.state.value if facts is not None else "disconnected",
            "platform": ("mt4" if hello.platform == "mt4" else "mt5") if hello else None,
            "login": hello.login if hello is not None else None,
            "server": hello.server if hello is not None else None,
            "broker_connected": facts.broker if facts is not None else None,
            "autotrading": facts.autotrading if facts is not None else None,
            "trade_allowed": facts.trade_allowed if facts is not None else None,
            "broker_utc_offset_s": self._context.broker_clock.offset_s,
            "paper": self._account.paper,
            "time": self._context.now_ms(),
        }
        return orjson.dumps(state).decode()


async def _persist(work: Callable[[], Awaitable[None]]) -> None:
    """Repeat ``work`` until it succeeds; whoever stops wanting it cancels."""
    backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)
    while True:
        try:
            await work()
        except GatewayError as error:
            _log.info("a stream is not back yet: %s", error.name())
        except Exception:
            _log.exception("a stream cannot be brought back to life")
        else:
            return
        await asyncio.sleep(backoff.wait_s)
        backoff.grow()


def _broken(before: TerminalFacts | None, now: TerminalFacts) -> GapReason | None:
    """Return why events can't continue those of the link before; ``None`` if they do."""
    if before is None:
        return None
    if (before.hello.login, before.hello.server) != (now.hello.login, now.hello.server):
        return "account_changed"
    return "ea_restarted" if before.hello.boot != now.hello.boot else None


def _run_of(facts: TerminalFacts, q: int) -> EventRun:
    hello = facts.hello
    return EventRun(hello.boot, hello.login, hello.server, q)


def _broken_since(run: EventRun | None, now: TerminalFacts) -> GapReason | None:
    """Return why events cannot continue those of a run; ``None`` if they do, or there are none."""
    if run is None:
        return None
    if (run.login, run.server) != (now.hello.login, now.hello.server):
        return "account_changed"
    # one that has told less than we have is not the one that we know
    return "ea_restarted" if run.boot != now.hello.boot or run.q > now.hello.q else None


def _count(lost: Lost) -> int | None:
    missed = lost.until - lost.start
    return missed if 0 < missed <= MAX_COUNTED else None
