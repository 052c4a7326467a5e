"""A terminal that answers from a script, and the house around it for tests of methods.

:class:`ScriptedTerminal` takes the place of a live session: every answer crosses JSON as it would
cross the wire, and what it was asked is noted. :class:`Scene` puts a guarded terminal, a caller
and the catalogue before it; each result is checked against its documented shape.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from scripted_answers import NOW_MS, OFFSET_MS, default_answers, mt4_answers

from ea_bridge import model
from ea_bridge.commands import Command
from ea_bridge.errors import Unsupported
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import TerminalFacts
from ea_bridge.session import SessionState
from gateway.app import build_catalogue
from gateway.audit import Audit
from gateway.auth.caller import IMPLIED, Caller, Scope
from gateway.auth.tickets import Tickets
from gateway.broker_time.clock import BrokerClock
from gateway.config import Limits
from gateway.credentials.lease import Tier
from gateway.errors import Forbidden
from gateway.rpc.catalogue import Call, Transport, shape_adapter
from gateway.runtime import ConsoleView, RuntimeInfo
from gateway.storage.ledger import Ledger
from gateway.trading.contingent.records import OpenRows
from gateway.trading.contingent.service import ContingentOrders
from gateway.trading.journal import AccountKey
from gateway.trading.kill_switch.service import Safeguards
from gateway.trading.limits import TradingLimits
from gateway.trading.state import TradingState
from gateway.trading.terminal import GuardedTerminal

CATALOGUE = build_catalogue()
MT5_CAPS = "ticks,book,deals,check,trail,sessions"


class ScriptedTerminal:
    """A live session whose answers a test writes.

    ``answers`` holds a value, an exception, or a function of the params, by command.
    """

    def __init__(self, hello: Hello) -> None:
        self.hello = hello
        self.caps = frozenset(hello.caps.split(","))
        self.state = SessionState.READY
        self.broker: bool | None = True
        self.autotrading: bool | None = True
        self.trade_allowed: bool | None = True
        self.round_trip_s: float | None = 0.004
        self.silence_s = 0.31
        self.answers = default_answers()
        self.asked: list[tuple[str, Struct]] = []
        self.ttl_ms: list[int | None] = []
        self.id = "s-1"
        self.terminal = "mt5-a"
        self._ids = itertools.count(700)
        self.on_the_way: Callable[[], None] = lambda: None
        """Happens between the call and the moment at which its bytes would be written."""

    def symbol_of(self, sym: int) -> str:
        """As of a session; it has said no event in which a symbol has an index."""
        raise AssertionError(sym)

    def new_command_id(self) -> int:
        """As of a session."""
        return next(self._ids)

    async def request(
        self,
        command: Command[Any, Any],
        params: Struct,
        *,
        timeout_s: float = 10.0,
        ttl_ms: int | None = None,
        before_write: Callable[[], None] | None = None,
        command_id: int | None = None,
        on_written: Callable[[], None] | None = None,
        on_ack: Callable[[], None] | None = None,
    ) -> Any:
        """Answer as the script says."""
        if command.needs and command.needs not in self.caps:
            raise Unsupported(command.op, command.needs)
        await asyncio.sleep(0)
        self.on_the_way()
        if before_write is not None:
            before_write()
        self.asked.append((command.op, params))
        for happened in (on_written, on_ack):
            if happened is not None:
                happened()
        self.ttl_ms.append(ttl_ms)
        answer = self.answers[command.op]
        if callable(answer):
            answer = answer(params)
        if isinstance(answer, Exception):
            raise answer
        return msgspec.json.decode(msgspec.json.encode(answer), type=command.result)

    def ops(self) -> list[str]:
        """The commands that it was asked, in order."""
        return [op for op, _ in self.asked]

    @property
    def sent(self) -> list[model.TradeRequest]:
        """The trade requests that reached it."""
        return [p for op, p in self.asked if op == "order_send"]  # type: ignore[misc]  # by op

    def asked_for(self, op: str) -> list[Any]:
        """The params of one command."""
        return [params for asked, params in self.asked if asked == op]


class NoStreams:
    """Streams that nobody has subscribed to."""

    def subscriptions(self, caller: Caller, listener: object) -> dict[str, list[Any]]:
        """Nothing."""
        return {"subscriptions": []}

    def retime(self, listener: object) -> None:
        """Nobody waits for heartbeats."""


class Scene:
    """One caller before one terminal."""

    def __init__(self, platform: str = "mt5", *, mode: str = "hedging") -> None:
        caps = MT5_CAPS if platform == "mt5" else ""
        self.hello = Hello(
            proto="1-1",
            tid="A1b2C3d4E5f6",
            cnonce="0" * 64,
            boot="9f3a71c2",
            platform=platform,
            login=12345678,
            server="Broker-Demo",
            ea="1.0.0",
            build=5200,
            company="Broker Ltd",
            currency="USD",
            mode=mode,
            trade="demo",
            caps=caps,
        )
        self.session: ScriptedTerminal | None = ScriptedTerminal(self.hello)
        self.script = self.session
        if platform == "mt4":
            self.script.answers |= mt4_answers()
        self.known = True
        self.now_ms = NOW_MS
        self.clock = BrokerClock()
        self.told: list[tuple[str, model.Order]] = []
        self.untold = 0
        """How often something may have been written that nobody is told of."""
        """What a keeper tells of the orders that it holds."""
        self.watched: set[str] = set()
        """Symbols whose ticks a keeper wants."""
        self.state = TradingState()
        self.safeguards = Safeguards()
        self.audit = Audit()
        for second in range(4):
            at_s = NOW_MS // 1000 - 4 + second
            self.clock.observe(at_s + OFFSET_MS // 1000, at_s)
        self.revoked: Exception | None = None
        self.limits = TradingLimits()
        """What the caller may do to the market."""
        self.tier = Tier.FULL
        self.console: ConsoleView | None = None
        self.streams: Any = NoStreams()
        self.tickets = Tickets(lambda caller: self._recheck(Tier.READ))
        self.guarded = GuardedTerminal(
            "mt5-a",
            session=lambda: self.session,
            facts=self.facts,
            clock=self.clock,
            journal=self.state.journal,
            switch=self.safeguards.switch.of("mt5-a"),
            recheck=self._recheck,
            limits=lambda: self.limits,
            now_ms=lambda: self.now_ms,
        )

    def facts(self) -> TerminalFacts | None:
        """What the registry would know."""
        if not self.known:
            return None
        gone = self.session is None
        return TerminalFacts(
            terminal="mt5-a",
            state=SessionState.DISCONNECTED if gone else self.script.state,
            since_ms=NOW_MS - 60_000,
            hello=self.hello,
            last_q=0,
        )

    def _recheck(self, tier: Tier) -> None:
        if self.revoked is not None:
            raise self.revoked
        if tier > self.tier:
            raise Forbidden(reason="lease_expired", tier=self.tier.name.lower())

    def keep(self, ledger: Ledger) -> ContingentOrders:
        """Give the desk a keeper: of held orders, and of links between orders."""
        keeper = ContingentOrders(
            ledger,
            "mt5-a",
            OpenRows(ledger),
            act_as=lambda tid: self.guarded,
            state_of=lambda terminal: self.state,
            watch=self._watch,
            tell=lambda account, op, order: self.told.append((op, order)),
            now_ms=lambda: self.now_ms,
            to_broker_ms=self.clock.to_broker_ms,
            locks=self.state.locks,
            audit=self.audit,
            untold=self._count_untold,
        )
        self.state.contingent = keeper
        self.connect(keeper)
        return keeper

    def connect(self, keeper: ContingentOrders) -> None:
        """Tell a keeper that the terminal is linked."""
        keeper.connected(AccountKey(self.hello.login, self.hello.server), self.hello.tid)

    def _count_untold(self) -> None:
        self.untold += 1

    def _watch(self, symbol: str) -> Callable[[], None]:
        self.watched.add(symbol)
        return lambda: self.watched.discard(symbol)

    def disconnect(self) -> None:
        """Take the terminal offline."""
        self.session = None

    def call(
        self, scope: Scope = Scope.TRADE, transport: Transport = "http", listener: Any = None
    ) -> Call:
        """Return what a handler is given."""
        return Call(
            caller=Caller("A1b2C3d4E5f6", "mt5-a", IMPLIED[scope], 1, "device"),
            transport=transport,
            terminal=self.guarded,
            state=self.state,
            safeguards=self.safeguards,
            streams=self.streams,
            listener=listener,
            daemon=RuntimeInfo(
                boot="k7Qd",
                limits=Limits(),
                rpc_url="http://127.0.0.1:7400/rpc",
                ws_url="ws://127.0.0.1:7400/ws",
                console=lambda tid: self.console if tid == self.hello.tid else None,
                now_ms=lambda: self.now_ms,
                started_ms=NOW_MS - 3_600_000,
            ),
            tickets=self.tickets,
        )

    async def ask(self, method: str, /, *, scope: Scope = Scope.TRADE, **params: Any) -> Any:
        """Call a method as a client would; the result has crossed JSON and fits its shape."""
        return await self.ask_with(self.call(scope), method, params)

    async def ask_with(self, call: Call, method: str, params: dict[str, Any]) -> Any:
        """The same with a call of the test's own."""
        params = {"from" if name == "from_" else name: value for name, value in params.items()}
        result = orjson.dumps(await CATALOGUE[method].answer(call, params))
        shape_adapter(CATALOGUE[method].result).validate_json(result, strict=True)
        return orjson.loads(result)
