"""The stage of the streams' tests: a scripted terminal on a real session, and ears that listen.

Between the script and the streams stand the real protocol, session and registry; only the socket
is missing. What the terminal says in one breath arrives in one piece of data.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from ea_bridge import commands, model
from ea_bridge.errors import BridgeError, CommandFailed, CommandTimeout
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.connection import DAEMON, TERMINAL, Connection
from ea_bridge.registry import TerminalRegistry
from ea_bridge.session import SessionCallbacks, TerminalSession
from gateway.broker_time.clock import BrokerClock
from gateway.errors import (
    GatewayError,
    InternalError,
    NoMarketDepth,
    SymbolNotFound,
    TerminalDisconnected,
    Timeout,
    did_you_mean,
)
from gateway.streams import Listener, Outbox, StreamEvent, Streams
from gateway.streams.channels import ChannelRequest, VendorRequest

NAME = "mt5-a"
NOW_MS = 1_764_000_000_000
T0 = 1_764_007_200_000
"""The broker's clock when the play begins."""
MT5_CAPS = "ticks,book,deals,check"
HASH = "0" * 64


@dataclass
class Caller:
    tid: str = "A1b2C3d4E5f6"
    terminal: str = NAME


class Ear(Listener):
    """A WebSocket connection's place: hears, checks what it hears, remembers."""

    def __init__(self, tid: str = "A1b2C3d4E5f6", *, by_header: bool = True) -> None:
        self.tid = tid
        self.by_header = by_header
        self.outbox = Outbox(1_048_576, 4096)
        self.last_sent = 0.0
        self.heartbeat_s = 15.0
        self.coalesces = False
        self.on_gone = []
        self.congested = False
        self.log: list[dict[str, Any] | str] = []
        self.joined: list[bytes] = []
        self.frames: list[bytes] = []
        self.ended: tuple[int, str] | None = None
        self.notices: list[dict[str, Any]] = []

    @property
    def is_gone(self) -> bool:
        return self.ended is not None

    def deliver(self, events: Sequence[StreamEvent], joined: bytes) -> None:
        assert events
        assert joined == b"".join(event.frame for event in events)
        assert self.ended is None
        if self.congested:
            assert self.outbox.put_events(events, joined, 0.0)
            return
        self.joined.append(joined)
        self.frames += [event.frame for event in events]
        self.log += [orjson.loads(event.payload)["params"] for event in events]

    def end(self, code: int, reason: str) -> None:
        self.ended = (code, reason)

    def notify(self, text: bytes) -> None:
        self.notices.append(orjson.loads(text))

    @property
    def events(self) -> list[dict[str, Any]]:
        return [entry for entry in self.log if isinstance(entry, dict)]

    def of(self, channel: str, *kinds: str) -> list[dict[str, Any]]:
        """The events of one channel, of some types."""
        return [
            e for e in self.events if e["channel"] == channel and (not kinds or e["type"] in kinds)
        ]

    def clear(self) -> None:
        self.log.clear()
        self.joined.clear()
        self.frames.clear()


@dataclass
class Symbol:
    """A symbol of the script: the terminal keeps its ticks."""

    digits: int = 5
    ticks: list[tuple[int, float, float]] = field(default_factory=list)
    sent: int = 0
    """How many of them were pushed on this link."""
    book: list[model.BookEntry] | None = None
    bars: dict[int, list[model.Bar]] = field(default_factory=dict)


class Wire:
    """The terminal's end of one link."""

    def __init__(self, end: Connection, obey: Callable[[Connection, m.Cmd], None]) -> None:
        self._end = end
        self._obey = obey

    def write(self, data: bytes) -> None:
        for message in self._end.receive_data(data):
            if isinstance(message, m.Cmd):
                self._obey(self._end, message)

    write_soon = write

    def unsent(self) -> int:
        return 0

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class ScriptedTerminal:
    """An EA by script. It answers at once, unless told to ``hold`` its answers."""

    def __init__(self, registry: TerminalRegistry, callbacks: SessionCallbacks) -> None:
        self.symbols = {
            "EURUSD": Symbol(book=[model.BookEntry(1, 1.2, 1.0), model.BookEntry(2, 1.1, 2.0)]),
            "GBPUSD": Symbol(),
            "#US30.cash: a b": Symbol(digits=1),
        }
        self.orders: dict[int, model.Order] = {}
        self.positions: dict[int, model.Position] = {}
        self.balance = 10_000.0
        self.missing: model.Missing = ""
        """Of what its bars lack."""
        self.watches: list[commands.WatchParams] = []
        self.asked: list[str] = []
        self.fail: dict[str, int] = {}
        """By command: the error to answer with."""
        self.mute: set[str] = set()
        """Commands that are never answered."""
        self.hold = False
        self.held: list[m.Cmd] = []
        self.q = 0
        self.session: TerminalSession | None = None
        self._registry = registry
        self._callbacks = callbacks
        self._ids = itertools.count(1)
        self._sessions = itertools.count(1)
        self._replay: list[m.Message] = []
        self._watched: dict[str, commands.WatchParams] = {}

    # --- the link --------------------------------------------------------------------------

    def connect(self, **changes: Any) -> None:
        """Dial in, with all of the handshake that the state machine asks for."""
        hello = m.Hello(
            proto="1-1", tid="A1b2C3d4E5f6", cnonce=HASH, boot="b1", platform="mt5", login=1,
            server="Demo", caps=MT5_CAPS, q=self.q,
        )  # fmt: skip
        hello = msgspec.structs.replace(hello, **changes)
        ack = self._registry.resume_point(NAME, hello)
        self._end, far = Connection(TERMINAL), Connection(DAEMON)
        far.receive_data(self._end.send(hello))
        self._end.receive_data(far.send(m.Challenge(1, HASH, "d", HASH)))
        far.receive_data(self._end.send(m.Auth(proof=HASH)))
        welcome = m.Welcome(session="s", hb_ms=1000, dead_ms=15000, ack=ack, window=512, time=1)
        self._end.receive_data(far.send(welcome))
        self.session = TerminalSession(
            terminal=NAME, generation=0, id=f"s-{next(self._sessions)}", hello=hello,
            connection=far, wire=Wire(self._end, self._obey),
            timers=asyncio.get_running_loop(), command_ids=self._ids, callbacks=self._callbacks,
        )  # fmt: skip
        self._far = far
        self._watched.clear()
        self._registry.join(self.session)
        self.say(*[e for e in self._replay if getattr(e, "q", 0) > ack])

    def disconnect(self) -> None:
        """The link is cut."""
        assert self.session is not None
        self.held.clear()
        self.session.end("cut")

    def say(self, *messages: m.Message) -> None:
        """Say all of it in one piece of data."""
        session = self.session
        if session is not None and not session.end_reason and messages:
            data = b"".join(self._end.send(message) for message in messages)
            session.handle(self._far.receive_data(data))

    def _obey(self, end: Connection, cmd: m.Cmd) -> None:
        self.asked.append(cmd.op)
        if self.hold:
            self.held.append(cmd)
        elif cmd.op not in self.mute:
            asyncio.get_running_loop().call_soon(self._answer_soon, end, cmd)

    def _answer_soon(self, end: Connection, cmd: m.Cmd) -> None:
        if end is self._end:
            self.say(self.answer(cmd))

    # --- answers -------------------------------------------------------------------------------

    def release(self, *after: m.Message) -> None:
        """Answer what was held, and say ``after`` in the same piece of data."""
        held, self.held = self.held, []
        self.say(*[self.answer(cmd) for cmd in held], *after)

    def answer(self, cmd: m.Cmd) -> m.Res:
        if error := self.fail.get(cmd.op):
            return m.Res(id=cmd.id, ok=False, err=error)
        symbol = getattr(cmd.params, "symbol", None)
        if symbol is not None and symbol not in self.symbols:
            return m.Res(id=cmd.id, ok=False, err=4301)
        found = getattr(self, f"_{cmd.op}")(cmd.params)
        if isinstance(found, int):
            return m.Res(id=cmd.id, ok=False, err=found)
        return m.Res(id=cmd.id, ok=True, d=msgspec.Raw(msgspec.json.encode(found)))

    def _watch(self, params: commands.WatchParams) -> commands.Watched | int:
        self.watches.append(params)
        symbol = self.symbols[params.symbol]
        if params.book and symbol.book is None:
            return 4901
        before = self._watched.get(params.symbol)
        running = before is not None and before.ticks
        self._watched[params.symbol] = params
        if params.last_msc:
            older = [t for t in symbol.ticks if t[0] < params.last_msc]
            symbol.sent = len(older) + params.n_same_msc
        elif params.ticks and not running:
            symbol.sent = len(symbol.ticks)
        return commands.Watched(
            sym=self.index(params.symbol), symbol=params.symbol, digits=symbol.digits
        )

    def _tick_get(self, params: commands.SymbolParams) -> model.Tick:
        ticks = self.symbols[params.symbol].ticks
        return model.Tick(*ticks[-1], flags=6) if ticks else model.Tick(0, 0.0, 0.0)

    def _book_get(self, params: commands.SymbolParams) -> list[model.BookEntry]:
        return self.symbols[params.symbol].book or []

    def _rates_get(self, params: commands.RatesParams) -> model.History[model.Bar]:
        bars = self.symbols[params.symbol].bars.get(params.timeframe, [])
        if params.from_s is not None and params.to_s is not None:
            bars = [bar for bar in bars if params.from_s <= bar.time <= params.to_s]
        else:
            bars = bars[len(bars) - (params.count or 0) :]
        return model.History(rows=bars, missing=self.missing)

    def _orders_get(self, params: commands.FilterParams) -> list[model.Order]:
        return list(self.orders.values())

    def _positions_get(self, params: commands.FilterParams) -> list[model.Position]:
        return list(self.positions.values())

    def _account_get(self, params: commands.NoParams) -> model.Account:
        return model.Account(login=1, balance=self.balance)

    # --- events --------------------------------------------------------------------------------

    def index(self, symbol: str) -> int:
        return list(self.symbols).index(symbol)

    def tick(self, symbol: str, *stamps: int) -> None:
        """Ticks happen, so many ms after T0; they wait in the terminal until pumped."""
        ticks = self.symbols[symbol].ticks
        for msc in stamps:
            bid = 1.08 + len(ticks) / 100_000
            ticks.append((T0 + msc, round(bid, 5), round(bid + 0.0001, 5)))

    def rows(self, symbol: str) -> list[tuple[int, int, str, str, float, int, int]]:
        """What the pump has to send of a symbol now."""
        watch = self._watched.get(symbol)
        if watch is None or not watch.ticks:
            return []
        known = self.symbols[symbol]
        fresh, known.sent = known.ticks[known.sent :], len(known.ticks)
        digits = known.digits
        return [
            (self.index(symbol), msc, f"{bid:.{digits}f}", f"{ask:.{digits}f}", 0.0, 0, 6)
            for msc, bid, ask in fresh
        ]

    def ticks(self) -> m.Ticks:
        """What there is of watched symbols, unsaid."""
        return m.Ticks(d=[row for symbol in self.symbols for row in self.rows(symbol)])

    def pump(self) -> None:
        """Push what there is of watched symbols."""
        ticks = self.ticks()
        if ticks.d:
            self.say(ticks)

    def order(self, op: str, ticket: int, **changes: Any) -> m.Trade:
        """An order changes; return the event without saying it."""
        order = model.Order(ticket=ticket, type=2, symbol="EURUSD", **changes)
        if op == "remove":
            self.orders.pop(ticket, None)
        else:
            self.orders[ticket] = order
        return self.count(m.Trade(op=op, q=0, order=order))

    def count(self, event: m.Trade) -> m.Trade:
        """Give an event its number and keep it for a daemon that comes back."""
        self.q += 1
        counted = msgspec.structs.replace(event, q=self.q)
        self._replay.append(counted)
        return counted


class Stage:
    """A registry, streams wired to it as the application does, and one scripted terminal."""

    def __init__(
        self, *, max_channels: int = 64, timeout_s: float = 10.0, boot: str = "k7Qd"
    ) -> None:
        self.registry = TerminalRegistry(lambda: NOW_MS)
        self.caller = Caller()
        self.clock = BrokerClock()
        self.timeout_s = timeout_s
        self.streams = Streams(
            boot=boot,
            clock=asyncio.get_running_loop(),
            now_ms=lambda: NOW_MS,
            ask=self._ask,
            clock_of=lambda _: self.clock,
            max_channels=max_channels,
        )
        self.registry.subscribe(self.streams.change)
        callbacks = SessionCallbacks(
            on_event=self.streams.event, on_change=self.registry.note_change
        )
        self.terminal = ScriptedTerminal(self.registry, callbacks)

    def ear(self, *, by_header: bool = True, tid: str = "A1b2C3d4E5f6") -> Ear:
        """A connection logs in."""
        ear = Ear(tid, by_header=by_header)
        self.streams.attach(ear)
        return ear

    async def subscribe(
        self, ear: Ear | None, *items: str | ChannelRequest | VendorRequest, hold: bool = False
    ) -> Any:
        """Subscribe as the method does; the answer stands in the ear's log.

        With ``hold`` the answer is not queued yet: return it and what is to be called then.
        """
        result, begin = await self.streams.subscribe(self.caller, ear, items)
        if hold:
            return result, begin
        if ear is not None:
            ear.log.append("answer")
        begin()
        return result

    async def _ask(self, terminal: str, command: Any, params: Any) -> Any:
        session = self.registry.get(terminal)
        if session is None:
            raise TerminalDisconnected(terminal=terminal)
        try:
            return await session.request(command, params, timeout_s=self.timeout_s)
        except BridgeError as error:
            raise self._translated(error, params) from error

    def _translated(self, error: BridgeError, params: Any) -> GatewayError:
        match error:
            case CommandFailed(err=4301):
                return SymbolNotFound(**did_you_mean(params.symbol, self.terminal.symbols))
            case CommandFailed(err=4901):
                return NoMarketDepth(symbol=params.symbol)
            case CommandFailed():
                return InternalError()
            case CommandTimeout():
                return Timeout()
        return TerminalDisconnected()


async def turns(n: int = 30) -> None:
    """Let everything happen that waits for nothing but its turn."""
    for _ in range(n):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0)
