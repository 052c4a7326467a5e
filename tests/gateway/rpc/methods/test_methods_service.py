"""The gateway itself: ping, hello, what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from scripted_answers import NOW_MS
from scripted_terminal import Scene

from gateway import errors
from gateway.auth.caller import Scope
from gateway.credentials.device import device_words
from gateway.credentials.lease import Tier
from gateway.runtime import ConsoleView
from gateway.trading.limits import TradingLimits


class Connection:
    """What `hello` may do to a connection."""

    is_gone = False

    def __init__(self) -> None:
        self.heartbeat_s = 15.0
        self.coalesces = False
        self.ended: list[tuple[int, str]] = []
        self.tid = "A1b2C3d4E5f6"
        self.on_gone: list[Callable[[], None]] = []

    def end(self, code: int, reason: str) -> None:
        """Close it."""
        self.ended.append((code, reason))


async def test_ping_gives_back_what_it_got(scene: Scene) -> None:
    """With the terminal's state, and while it is offline too."""
    pong = await scene.ask("ping", t="a1", scope=Scope.READ)
    assert (pong["t"], pong["time"]) == ("a1", NOW_MS)
    assert pong["terminals"] == {"mt5-a": {"state": "ready", "rtt_ms": 4.0, "age_ms": 310}}
    scene.disconnect()
    pong = await scene.ask("ping")
    assert pong["t"] is None
    assert pong["terminals"]["mt5-a"] == {"state": "disconnected", "rtt_ms": None, "age_ms": None}


async def test_hello_tells_what_the_connection_can(scene: Scene) -> None:
    """Scopes, limits and the terminal; unknown features are left out."""
    connection = Connection()
    call = scene.call(transport="ws", listener=connection)
    told = await scene.ask_with(
        call,
        "hello",
        {
            "client": {"name": "grid-bot", "version": "2.3.0"},
            "api": {"min": 1, "max": 3},
            "features": ["coalesce", "telepathy"],
            "session_id": "b7c1",
            "heartbeat_ms": 5000,
        },
    )
    assert (told["api"], told["features"], told["heartbeat_ms"]) == (1, ["coalesce"], 5000)
    assert told["scopes"] == ["read", "trade"]
    assert told["limits"]["max_batch"] == 100
    assert told["terminals"] == [
        {
            "id": "mt5-a",
            "platform": "mt5",
            "login": 12345678,
            "server": "Broker-Demo",
            "state": "ready",
        }
    ]
    assert connection.heartbeat_s == 5.0


@pytest.mark.parametrize("features", [[], ["telepathy"], None])
async def test_hello_takes_a_feature_back(scene: Scene, features: list[str] | None) -> None:
    """The connection has those that were named last; who names none changes nothing."""
    connection = Connection()
    call = scene.call(transport="ws", listener=connection)
    await scene.ask_with(call, "hello", {"features": ["coalesce"]})
    told = await scene.ask_with(call, "hello", {"features": features, "heartbeat_ms": 5000})
    assert told["features"] == (["coalesce"] if features is None else [])
    assert connection.coalesces is (features is None)


async def test_how_fast_orders_may_go(scene: Scene) -> None:
    """By the strictest of all limits, so that a program can keep to it; null: any number."""
    free = {"orders_per_second": None, "order_burst": None, "max_orders_per_minute": None}
    scene.limits = TradingLimits(order_burst=40)
    for method in ("hello", "get_server_info"):
        assert free.items() <= (await scene.ask(method))["limits"].items()
    rate = {"orders_per_second": 0.5, "order_burst": 4, "max_orders_per_minute": 30}
    scene.limits = TradingLimits(
        orders_per_second=Decimal("0.5"), order_burst=4, max_orders_per_minute=30
    )
    for method in ("hello", "get_server_info"):
        assert rate.items() <= (await scene.ask(method))["limits"].items()


async def test_hello_is_noted_with_the_callers_words_quoted(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """So that a name cannot forge a line of the log."""
    caplog.set_level("INFO", logger="gateway.rpc.methods.service")
    client = {"name": "bot\nERROR forged", "version": "2"}
    await scene.ask_with(scene.call(transport="ws"), "hello", {"client": client})
    assert "client 'bot\\nERROR forged' '2', session None" in caplog.text


async def test_hello_of_another_version_ends_the_connection(scene: Scene) -> None:
    """The answer says which versions there are, then comes 4503."""
    connection = Connection()
    call = scene.call(transport="ws", listener=connection)
    with pytest.raises(errors.InvalidParams) as refused:
        await scene.ask_with(call, "hello", {"api": {"min": 2, "max": 9}})
    assert refused.value.data["supported"] == [1]
    assert connection.ended == []
    for after in call.after_answer:
        after()
    assert connection.ended == [(4503, "unsupported_version")]


async def test_server_info(scene: Scene) -> None:
    """What it is, and how it tells the broker's time; offline too."""
    scene.disconnect()
    told = await scene.ask("get_server_info")
    assert (told["name"], told["api"], told["uptime_ms"]) == ("mt-gateway", 1, 3_600_000)
    assert told["terminals"][0]["clock"] == {
        "broker_utc_offset_s": 10800,
        "rule": "new_york+7h",
        "source": "ticks",
        "confidence": "low",
        "since": NOW_MS - 1000,
    }


async def test_server_info_before_the_first_contact(scene: Scene) -> None:
    """A terminal that was never here has a name and nothing else."""
    scene.disconnect()
    scene.known = False
    (terminal,) = (await scene.ask("get_server_info"))["terminals"]
    assert (terminal["id"], terminal["platform"], terminal["login"]) == ("mt5-a", None, None)


async def test_server_info_without_a_console(scene: Scene) -> None:
    """A gateway that makes its own tokens has none to tell of."""
    assert (await scene.ask("get_server_info"))["console"] is None


async def test_server_info_tells_of_the_console(scene: Scene) -> None:
    """For the caller's own token, with words in place of nothing: no text is empty."""
    scene.console = ConsoleView(
        url="https://console.example.com",
        connected=False,
        last_sync_ms=None,
        problem="it does not answer: see whether it runs",
        clock_suspect=True,
        tier=Tier.REDUCE,
        reason="clock_suspect",
        tier_ends_ms=NOW_MS + 3_600_000,
        lease_ends_ms=NOW_MS,
        device="a" * 52,
    )
    told = (await scene.ask("get_server_info", scope=Scope.READ))["console"]
    assert told == {
        "url": "https://console.example.com",
        "connected": False,
        "last_sync": None,
        "problem": "it does not answer: see whether it runs",
        "clock_suspect": True,
        "tier": "reduce",
        "tier_reason": "clock_suspect",
        "tier_ends": NOW_MS + 3_600_000,
        "lease_ends": NOW_MS,
        "device": "a" * 52,
        "device_words": device_words("a" * 52),
    }
    scene.console = replace(scene.console, problem="", tier=Tier.FULL, reason="")
    told = (await scene.ask("get_server_info"))["console"]
    assert (told["problem"], told["tier"], told["tier_reason"]) == (None, "full", None)
