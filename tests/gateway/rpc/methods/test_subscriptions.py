"""subscribe, unsubscribe, get_subscriptions: params, results, answers before events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from gateway.auth.caller import Caller, Scope
from gateway.broker_time.clock import BrokerClock
from gateway.errors import (
    Forbidden,
    InvalidParams,
    SubscribeFailed,
    SymbolNotFound,
    TerminalDisconnected,
)
from gateway.rpc.catalogue import Call, Catalogue, shape_adapter
from gateway.rpc.methods import subscriptions
from gateway.streams import Outbox, StreamEvent, Streams
from gateway.trading.kill_switch.service import Safeguards
from gateway.trading.state import TradingState

CATALOGUE = Catalogue(subscriptions)
CALLER = Caller(
    tid="A1b2C3d4E5f6",
    terminal="mt5-a",
    scopes=frozenset({Scope.READ}),
    generation=1,
    device="d",
)


@dataclass(eq=False)
class Ear:
    tid: str = CALLER.tid
    by_header: bool = True
    last_sent: float = 0.0
    heartbeat_s: float = 15.0
    coalesces: bool = False
    outbox: Outbox = field(default_factory=lambda: Outbox(1_000_000, 4096))
    on_gone: list[Callable[[], None]] = field(default_factory=list)
    is_gone: bool = False
    heard: list[dict[str, Any]] = field(default_factory=list)

    def deliver(self, events: Any, joined: bytes) -> None:
        self.heard += [self._params(event) for event in events]

    def end(self, code: int, reason: str) -> None:
        raise AssertionError(code)

    def notify(self, text: bytes) -> None:
        raise AssertionError(text)

    @staticmethod
    def _params(event: StreamEvent) -> dict[str, Any]:
        message = orjson.loads(event.payload)
        assert (message["jsonrpc"], message["method"]) == ("2.0", "event")
        return cast(dict[str, Any], message["params"])


class Desk:
    """Calls methods as a door does, on streams whose terminal is offline."""

    def __init__(self) -> None:
        clock = BrokerClock()
        self.streams = Streams(
            boot="b",
            clock=asyncio.get_running_loop(),
            now_ms=lambda: 1,
            ask=self._offline,
            clock_of=lambda _: clock,
            max_channels=4,
        )
        self.terminal = SimpleNamespace(
            require=lambda tier: None,
            name="mt5-a",
            hello=None,
            session=None,
            symbol=self._symbol,
        )
        self.ear = Ear()
        self.streams.attach(self.ear)

    async def call(self, name: str, params: Any, *, over_rpc: bool = False) -> Any:
        after: list[Callable[[], None]] = []
        call = SimpleNamespace(
            caller=CALLER,
            terminal=self.terminal,
            state=TradingState(),
            safeguards=Safeguards(),
            streams=self.streams,
            listener=None if over_rpc else self.ear,
            may_read=False,
            after_answer=after,
        )
        method = CATALOGUE[name]
        result = await method.answer(cast(Call, call), params)
        shape_adapter(method.result).validate_python(result)
        for act in after:
            act()
        return result

    async def _symbol(self, name: str) -> Any:
        raise TerminalDisconnected(terminal="mt5-a")

    async def _offline(self, terminal: str, command: object, params: object) -> Any:
        raise TerminalDisconnected(terminal=terminal)


@pytest.fixture
async def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"channels": ["tick:EURUSD", "orders"]}, ["tick:EURUSD", "orders"]),
        ({"channels": "orders"}, ["orders"]),
        (["orders"], ["orders"]),
        ([["orders", "deals"]], ["orders", "deals"]),
        ({"channels": {"channel": "orders", "terminal": "mt5-a", "snapshot": False}}, ["orders"]),
        ({"type": "tick", "symbol": "EURUSD"}, ["tick:EURUSD"]),
        ({"type": "ohlc", "symbol": "EURUSD", "timeframe": "M1"}, ["bar.M1:EURUSD"]),
        ({"type": "ohlc", "symbol": "EURUSD", "timeframe": 16385}, ["bar.H1:EURUSD"]),
        ({"type": "mbook", "symbol": ["A", "B"]}, ["book:A", "book:B"]),
        ({"channels": [{"type": "order"}, "deals"]}, ["orders", "deals"]),
        ({"terminal": "mt5-a", "channels": ["orders"]}, ["orders"]),
    ],
)
async def test_every_way_to_name_channels(desk: Desk, params: Any, names: list[str]) -> None:
    """Names, objects and the vendor's forms; one or several; by name or by position."""
    result = await desk.call("subscribe", params)
    assert [entry["channel"] for entry in result["subscribed"]] == names
    listed = await desk.call("get_subscriptions", {})
    assert [entry["channel"] for entry in listed["subscriptions"]] == names
    ended = await desk.call("unsubscribe", params)
    assert ended["unsubscribed"] == names
    assert (await desk.call("get_subscriptions", {}))["subscriptions"] == []


async def test_a_channel_is_that_of_the_brokers_name(desk: Desk) -> None:
    """A symbol may be named as in an order; the answer and the events have the broker's name."""

    async def symbol(name: str) -> Any:
        if name != "EURUSD.m":
            raise SymbolNotFound(symbol=name)
        return SimpleNamespace(name=name)

    async def listed(command: object, params: object) -> Any:
        return [SimpleNamespace(name="EURUSD.m")]

    desk.terminal.symbol, desk.terminal.request = symbol, listed
    for params in (
        {"channels": ["tick:eurusd", "orders"]},
        {"channels": {"channel": "bar.M1:EURUSD", "snapshot": False}},
        {"type": "mbook", "symbol": "EURUSD"},
    ):
        await desk.call("subscribe", params)
    heard = await desk.call("get_subscriptions", {})
    names = ["tick:EURUSD.m", "orders", "bar.M1:EURUSD.m", "book:EURUSD.m"]
    assert [entry["channel"] for entry in heard["subscriptions"]] == names
    ended = await desk.call("unsubscribe", {"channels": "tick:EurUsd"})
    assert ended["unsubscribed"] == ["tick:EURUSD.m"]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"channels": []},
        {"channels": [7]},
        {"channels": {"channel": "orders", "snapshot": 1}},
        {"channels": {"channel": "orders", "unknown": 1}},
        {"channels": {"channel": "orders", "since": {"epoch": "a", "seq": -1}}},
        {"channels": ["orders"] * 1025},
        {"channels": [{"type": "tick", "symbol": ["A"] * 256}] * 5},
        {"channels": ["orders"] * 1000, "type": "tick", "symbol": ["A"] * 25},
        {"symbol": "EURUSD"},
        {"channels": ["orders"], "timeframe": "M1"},
        {"type": ["tick"], "symbol": "EURUSD"},
    ],
)
async def test_params_that_make_no_sense_are_refused(desk: Desk, params: Any) -> None:
    """The call fails as a whole, and nothing is subscribed."""
    with pytest.raises(InvalidParams):
        await desk.call("subscribe", params)
    assert (await desk.call("get_subscriptions", {}))["subscriptions"] == []


async def test_channels_that_do_not_exist_fail_with_reasons(desk: Desk) -> None:
    """None worked: 4001, with what each lacked."""
    with pytest.raises(SubscribeFailed) as caught:
        await desk.call("subscribe", {"channels": ["tock:EURUSD", {"type": "ticks"}]})
    assert [entry["name"] for entry in caught.value.data["failed"]] == ["invalid_params"] * 2


async def test_all_and_channels_exclude_each_other(desk: Desk) -> None:
    """``unsubscribe`` takes one or the other."""
    for params in ({}, {"all": False}, {"all": True, "channels": ["orders"]}):
        with pytest.raises(InvalidParams):
            await desk.call("unsubscribe", params)


async def test_all_ends_everything(desk: Desk) -> None:
    """The answer lists what was ended."""
    await desk.call("subscribe", {"channels": ["orders", "tick:EURUSD"]})
    result = await desk.call("unsubscribe", {"all": True})
    assert result == {
        "unsubscribed": ["orders", "tick:EURUSD"], "not_subscribed": [], "failed": [],
    }  # fmt: skip


async def test_the_first_event_waits_for_the_answer(desk: Desk) -> None:
    """The handler itself delivers nothing: the door does, once it has queued the answer."""
    after: list[Callable[[], None]] = []
    call = SimpleNamespace(
        caller=CALLER,
        terminal=SimpleNamespace(require=lambda tier: None, name="mt5-a"),
        state=TradingState(),
        safeguards=Safeguards(),
        streams=desk.streams,
        listener=desk.ear,
        may_read=False,
        after_answer=after,
    )
    await CATALOGUE["subscribe"].answer(cast(Call, call), {"channels": ["terminal"]})
    await asyncio.sleep(0)
    assert desk.ear.heard == []
    after[0]()
    assert [event["type"] for event in desk.ear.heard] == ["snapshot"]


async def test_over_rpc_it_belongs_to_the_token(desk: Desk) -> None:
    """The connection hears it, and is told whose it is."""
    await desk.call("subscribe", {"channels": ["terminal"]}, over_rpc=True)
    assert [event["channel"] for event in desk.ear.heard] == ["terminal"]
    (entry,) = (await desk.call("get_subscriptions", {}))["subscriptions"]
    assert entry["owner"] == "token"
    own = await desk.call("get_subscriptions", {}, over_rpc=True)
    assert [e["channel"] for e in own["subscriptions"]] == ["terminal"]


async def test_reading_is_the_scope(desk: Desk) -> None:
    """A token without ``read`` subscribes to nothing."""
    call = SimpleNamespace(caller=SimpleNamespace(scopes=frozenset()))
    with pytest.raises(Forbidden):
        await CATALOGUE["subscribe"].answer(cast(Call, call), {"channels": ["orders"]})
