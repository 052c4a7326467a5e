"""A terminal that answers from a script, and the house around it for tests of methods.

:class:`ScriptedTerminal` takes the place of a live session: every answer crosses JSON as it would
cross the wire, and what it was asked is noted. :class:`Scene` puts a guarded terminal, a caller
and the catalogue before it; each result is checked against its documented shape.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from ea_bridge import commands, model
from ea_bridge.commands import Command
from ea_bridge.errors import CommandFailed, Unsupported
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import Facts
from ea_bridge.session import SessionState
from gateway.auth.caller import IMPLIED, Caller, Scope
from gateway.catalogue import Call, Catalogue, Transport, result_adapter
from gateway.clock import BrokerClock
from gateway.config import Limits
from gateway.daemon import Daemon
from gateway.methods import (
    account,
    calculations,
    history,
    market,
    orders,
    positions,
    service,
    subscriptions,
    symbols,
    terminal,
)
from gateway.trading.guard import GuardedTerminal

NOW_MS = 1_780_000_000_000
"""2026-05-28T20:26:40Z, a Thursday; the broker is three hours ahead."""
OFFSET_MS = 3 * 3_600_000
BROKER_NOW_S = (NOW_MS + OFFSET_MS) // 1000

CATALOGUE = Catalogue(
    account,
    terminal,
    symbols,
    market,
    positions,
    orders,
    calculations,
    history,
    subscriptions,
    service,
)

EURUSD = model.SymbolInfo(
    name="EURUSD",
    description="Euro vs US Dollar",
    path="Forex\\Majors\\EURUSD",
    custom=False,
    chart_mode=0,
    select=True,
    visible=True,
    time=BROKER_NOW_S,
    digits=5,
    spread=12,
    spread_float=True,
    ticks_bookdepth=10,
    trade_calc_mode=0,
    trade_mode=4,
    trade_stops_level=10,
    trade_exemode=2,
    swap_mode=1,
    swap_rollover3days=3,
    margin_hedged_use_leg=False,
    expiration_mode=15,
    filling_mode=3,
    order_mode=127,
    order_gtc_mode=0,
    bid=1.08542,
    bidhigh=1.08911,
    bidlow=1.08230,
    ask=1.08554,
    askhigh=1.08923,
    asklow=1.08241,
    point=0.00001,
    trade_tick_value=1.0,
    trade_tick_value_profit=1.0,
    trade_tick_value_loss=1.0,
    trade_tick_size=0.00001,
    trade_contract_size=100000.0,
    volume_min=0.01,
    volume_max=50.0,
    volume_step=0.01,
    volume_limit=0.0,
    swap_long=-7.2,
    swap_short=3.1,
    session_open=1.08377,
    session_close=1.08365,
    margin_hedged=100000.0,
    currency_base="EUR",
    currency_profit="USD",
    currency_margin="EUR",
)
ACCOUNT = model.Account(
    login=12345678,
    trade_mode=0,
    leverage=100,
    limit_orders=200,
    margin_so_mode=0,
    trade_allowed=True,
    trade_expert=True,
    margin_mode=2,
    currency_digits=2,
    fifo_close=False,
    balance=10000.0,
    profit=12.4,
    equity=10012.4,
    margin=108.55,
    margin_free=9903.85,
    margin_level=9223.77,
    margin_so_call=100.0,
    margin_so_so=50.0,
    margin_initial=0.0,
    margin_maintenance=0.0,
    assets=0.0,
    liabilities=0.0,
    commission_blocked=0.0,
    name="Demo Trader",
    server="Broker-Demo",
    currency="USD",
    company="Broker Ltd",
)
POSITION = model.Position(
    ticket=9123456789,
    time=BROKER_NOW_S - 3600,
    time_msc=(BROKER_NOW_S - 3600) * 1000 + 188,
    time_update=BROKER_NOW_S - 3600,
    time_update_msc=(BROKER_NOW_S - 3600) * 1000 + 188,
    type=0,
    magic=7,
    identifier=9123456789,
    reason=3,
    volume=0.1,
    price_open=1.08418,
    sl=1.08,
    price_current=1.08542,
    profit=12.4,
    symbol="EURUSD",
    comment="gABCDEFGHI grid",
)
ORDER = model.Order(
    ticket=9123456790,
    time_setup=BROKER_NOW_S - 600,
    time_setup_msc=(BROKER_NOW_S - 600) * 1000 + 42,
    type=2,
    type_filling=2,
    state=1,
    magic=7,
    reason=3,
    volume_initial=0.2,
    volume_current=0.2,
    price_open=1.08,
    sl=1.075,
    tp=1.09,
    price_current=1.08554,
    symbol="EURUSD",
)
DEAL = model.Deal(
    ticket=8123456701,
    order=9123456789,
    time=BROKER_NOW_S - 3600,
    time_msc=(BROKER_NOW_S - 3600) * 1000 + 188,
    type=0,
    entry=0,
    magic=7,
    position_id=9123456789,
    reason=3,
    volume=0.1,
    price=1.08418,
    commission=-0.35,
    symbol="EURUSD",
)
DONE = model.TradeResult(
    retcode=10009,
    deal=8123456702,
    order=9123456791,
    volume=0.1,
    price=1.08554,
    bid=1.08542,
    ask=1.08554,
    comment="Request executed",
    request_id=5,
    position=9123456791,
)

Answer = Callable[[Any], Any]


def minute_bar(index: int) -> model.Bar:
    """Bar number ``index`` back from the forming one."""
    return model.Bar(
        time=BROKER_NOW_S // 60 * 60 - 60 * index,
        open=1.0851,
        high=1.0856,
        low=1.085,
        close=1.08542,
        tick_volume=120 - index,
        spread=12,
    )


def default_answers() -> dict[str, Any]:
    """What the terminal says unless a test says otherwise."""
    return {
        "account_get": ACCOUNT,
        "terminal_get": model.Terminal(
            connected=True,
            trade_allowed=True,
            tradeapi_disabled=False,
            notifications_enabled=False,
            mqid=False,
            build=5200,
            maxbars=100000,
            codepage=0,
            ping_last=38210,
            community_balance=0.0,
            retransmission=0.0,
            company="Broker Ltd",
            name="MetaTrader 5",
            language="English",
            path="C:\\MT5",
            data_path="C:\\MT5",
            commondata_path="C:\\Common",
        ),
        "clock_get": model.Clock(
            tcur=BROKER_NOW_S - 1,
            tgmt=NOW_MS // 1000,
            tlocal=NOW_MS // 1000 + 7200,
            tsrv=BROKER_NOW_S,
        ),
        "symbols_get": [
            model.SymbolName(name="EURUSD", path="Forex\\Majors\\EURUSD", select=True),
            model.SymbolName(name="GBPUSD", path="Forex\\Majors\\GBPUSD", select=True),
            model.SymbolName(name="XAUUSD", path="Metals\\XAUUSD"),
        ],
        "symbol_get": _symbol,
        "symbol_select": lambda p: commands.Selected(symbol=p.symbol, select=p.enable),
        "tick_get": model.Tick(BROKER_NOW_S * 1000 + 123, 1.08542, 1.08554, 0.0, 0, 6),
        "book_get": [
            model.BookEntry(1, 1.08554, 5.0),
            model.BookEntry(1, 1.08556, 12.5),
            model.BookEntry(2, 1.08542, 4.0),
        ],
        "rates_get": lambda p: [minute_bar(i) for i in range(p.count or 3)][::-1],
        "ticks_get": [
            model.Tick(BROKER_NOW_S * 1000 + 123, 1.08542, 1.08554, 0.0, 0, 6),
            model.Tick(BROKER_NOW_S * 1000 + 123, 1.08543, 1.08554, 0.0, 0, 2),
        ],
        "positions_get": lambda p: _filtered([POSITION], p),
        "orders_get": lambda p: _filtered([ORDER], p),
        "history_orders_get": [],
        "history_deals_get": [],
        "order_send": DONE,
        "order_check": model.CheckResult(
            retcode=0,
            balance=10000.0,
            equity=10012.4,
            profit=12.4,
            margin=217.11,
            margin_free=9795.29,
            margin_level=4611.67,
            comment="Done",
        ),
        "order_calc_margin": commands.Amount(value=108.55),
        "order_calc_profit": commands.Amount(value=50.0),
        "watch": lambda p: commands.Watched(sym=1, symbol=p.symbol, digits=5),
    }


def _symbol(params: commands.SymbolParams) -> Any:
    if params.symbol != "EURUSD":
        return CommandFailed("symbol_get", 4301)
    return EURUSD


def _filtered(nouns: list[Any], params: commands.FilterParams) -> list[Any]:
    return [
        noun
        for noun in nouns
        if params.ticket in (None, noun.ticket) and params.symbol in (None, noun.symbol)
    ]


MT5_CAPS = "ticks,book,deals,check"


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

    async def request(
        self,
        command: Command[Any, Any],
        params: Struct,
        *,
        timeout_s: float = 10.0,
        ttl_ms: int | None = None,
        before_write: Callable[[], None] | None = None,
    ) -> Any:
        """Answer as the script says."""
        if command.needs and command.needs not in self.caps:
            raise Unsupported(command.op, command.needs)
        await asyncio.sleep(0)
        if before_write is not None:
            before_write()
        self.asked.append((command.op, params))
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
        for second in range(4):
            at_s = NOW_MS // 1000 - 4 + second
            self.clock.observe(at_s + OFFSET_MS // 1000, at_s)
        self.revoked: Exception | None = None
        self.streams: Any = NoStreams()
        self.guarded = GuardedTerminal(
            "mt5-a",
            session=lambda: self.session,  # type: ignore[arg-type, return-value]  # quacks like one
            facts=self.facts,
            clock=self.clock,
            still_allowed=self._still_allowed,
            now_ms=lambda: self.now_ms,
        )

    def facts(self) -> Facts | None:
        """What the registry would know."""
        if not self.known:
            return None
        gone = self.session is None
        return Facts(
            terminal="mt5-a",
            state=SessionState.DISCONNECTED if gone else self.script.state,
            since_ms=NOW_MS - 60_000,
            hello=self.hello,
            last_q=0,
        )

    def _still_allowed(self) -> None:
        if self.revoked is not None:
            raise self.revoked

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
            streams=self.streams,
            listener=listener,
            daemon=Daemon(
                boot="k7Qd",
                limits=Limits(),
                rpc_url="http://127.0.0.1:7400/rpc",
                ws_url="ws://127.0.0.1:7400/ws",
                now_ms=lambda: self.now_ms,
                started_ms=NOW_MS - 3_600_000,
            ),
        )

    async def ask(self, method: str, /, *, scope: Scope = Scope.TRADE, **params: Any) -> Any:
        """Call a method as a client would; the result has crossed JSON and fits its shape."""
        return await self.ask_with(self.call(scope), method, params)

    async def ask_with(self, call: Call, method: str, params: dict[str, Any]) -> Any:
        """The same with a call of the test's own."""
        params = {"from" if name == "from_" else name: value for name, value in params.items()}
        result = orjson.dumps(await CATALOGUE[method].answer(call, params))
        result_adapter(CATALOGUE[method]).validate_json(result, strict=True)
        return orjson.loads(result)


def mt4_answers() -> dict[str, Any]:
    """What a MetaTrader 4 says differently."""
    nothing = dict.fromkeys(
        (
            "limit_orders",
            "margin_mode",
            "currency_digits",
            "fifo_close",
            "margin_initial",
            "margin_maintenance",
            "assets",
            "liabilities",
            "commission_blocked",
        )
    )
    symbol = dict.fromkeys(
        (
            "custom",
            "chart_mode",
            "ticks_bookdepth",
            "trade_calc_mode",
            "margin_hedged_use_leg",
            "expiration_mode",
            "filling_mode",
            "order_mode",
            "order_gtc_mode",
            "trade_tick_value_profit",
            "trade_tick_value_loss",
            "volume_limit",
        )
    )
    return {
        "account_get": replace(ACCOUNT, **nothing),
        "terminal_get": model.Terminal(connected=True, trade_allowed=True, build=1440),
        "symbol_get": replace(EURUSD, **symbol),
        "clock_get": model.Clock(
            tcur=BROKER_NOW_S - 1, tgmt=NOW_MS // 1000, tlocal=NOW_MS // 1000 + 7200
        ),
        "order_send": replace(DONE, deal=0, request_id=0),
    }
