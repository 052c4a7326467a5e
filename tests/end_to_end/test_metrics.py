"""``/metrics`` as Prometheus asks for it, read by the library's own parsers."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from product import Product, daemon, product, until
from prometheus_client.parser import text_string_to_metric_families

from ea_bridge.emulator.factory import build_terminal
from gateway.storage.store import StoreError

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-metrics")]

BUY = {"symbol": "EURUSD", "side": "buy", "volume": 0.1}
PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
    "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "Accept-Encoding": "gzip",
    "User-Agent": "Prometheus/3.5.0",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}
"""What Prometheus sends beside the token."""
Figures = dict[str, float]
"""Samples by name and labels, as they stand in the text."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """A gateway with two terminals; the tests count what they add."""
    async with product(tmp_path_factory.mktemp("metrics"), speed=10.0) as made:
        await made.link("second", build_terminal(seed=2))
        yield made


async def fetch(
    running: Product, token: str = "", **headers: str
) -> tuple[int, dict[str, str], str]:
    """Ask for the page; return status, headers and text."""
    url = (running.ready.rpc or "").removesuffix("/rpc") + "/metrics"
    bearer = {"Authorization": f"Bearer {token or running.main.token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers=PROMETHEUS | bearer | headers) as response,
    ):
        return response.status, dict(response.headers), await response.text()


async def figures(running: Product, token: str = "") -> Figures:
    status, headers, text = await fetch(running, token)
    assert status == 200, text
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    told = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f'{name}="{sample.labels[name]}"' for name in sorted(sample.labels))
            told[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return told


async def test_calls_are_counted_and_timed_by_method(running: Product) -> None:
    """Whole and, where the terminal was asked, queue and terminal; errors by their names."""
    client, before = await running.ws(), await figures(running)
    for _ in range(3):
        await client.call("ping")
    await client.call("get_account_info")
    await client.ask("get_symbol_info", {"symbol": "NOPE"})
    await client.ask("no_such_method", {})
    after = await figures(running)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    calls = "mt_gateway_calls_total"
    assert grown(f'{calls}{{method="ping",outcome="ok"}}') == 3
    assert grown(f'{calls}{{method="get_account_info",outcome="ok"}}') == 1
    assert grown(f'{calls}{{method="get_symbol_info",outcome="symbol_not_found"}}') == 1
    assert grown(f'{calls}{{method="other",outcome="method_not_found"}}') == 1
    count = "mt_gateway_call_duration_seconds_count"
    assert grown(f'{count}{{method="ping",stage="whole"}}') == 3
    assert f'{count}{{method="ping",stage="terminal"}}' not in after
    for stage in ("queue", "terminal", "whole"):
        assert grown(f'{count}{{method="get_account_info",stage="{stage}"}}') == 1
    sums = "mt_gateway_call_duration_seconds_sum"
    parts = [
        grown(f'{sums}{{method="get_account_info",stage="{s}"}}') for s in ("queue", "terminal")
    ]
    assert 0 < sum(parts) <= grown(f'{sums}{{method="get_account_info",stage="whole"}}') < 60


async def test_buckets_grow_up_to_the_count(running: Product) -> None:
    """As the format has it: each holds what is in those below."""
    await (await running.http()).call("ping")
    told = await figures(running)
    prefix = 'mt_gateway_call_duration_seconds_bucket{le="'
    found = {
        float(name.removeprefix(prefix).partition('"')[0]): value
        for name, value in told.items()
        if name.startswith(prefix) and 'method="ping"' in name
    }
    in_order = [found[bound] for bound in sorted(found)]
    assert len(in_order) == 18
    assert in_order == sorted(in_order)
    count = 'mt_gateway_call_duration_seconds_count{method="ping",stage="whole"}'
    assert found[float("inf")] == told[count] > 0


async def test_terminals_are_told_but_no_tokens_of_programs(running: Product) -> None:
    """A token that no terminal has ever used stands for none that could be missing."""
    running.home.issuer.create("never")
    client = await running.ws()
    await client.call("get_account_info")
    session = running.gateway.registry.get("second")
    assert session is not None
    await until(lambda: session.round_trip_s is not None)
    told = await figures(running)
    state = "mt_gateway_terminal_state"
    for name in ("main", "second"):
        states = {s: told[f'{state}{{state="{s}",terminal="{name}"}}'] for s in STATES}
        assert states == {s: float(s == "ready") for s in STATES}
    assert 0 < told['mt_gateway_terminal_round_trip_seconds{terminal="second"}'] < 60
    assert told['mt_gateway_terminal_broker_connected{terminal="second"}'] == 1
    assert [name for name in told if "never" in name] == []


async def test_a_terminal_that_does_not_come_back_after_a_restart_is_missed(
    tmp_path: Path,
) -> None:
    """Until its token is revoked."""
    async with product(tmp_path) as running:
        token = running.main.token
    async with daemon(tmp_path) as running:
        watcher, *_ = running.home.issuer.create("watcher", scopes=["read"])
        told = await figures(running, token)
        state = 'mt_gateway_terminal_state{state="disconnected",terminal="main"}'
        assert told[state] == 1
        assert 'mt_gateway_terminal_round_trip_seconds{terminal="main"}' not in told
        running.home.issuer.revoke("main")
        assert state not in await figures(running, watcher)


STATES = ("ready", "stale", "disconnected")


async def test_clients_and_what_they_hear_are_counted(running: Product) -> None:
    """Connections, subscriptions by topic, events; and why a connection ended."""
    before = await figures(running)
    client = await running.ws()
    await client.call("subscribe", channels=["tick:EURUSD", "tick:GBPUSD", "orders"])
    await client.event("tick:EURUSD", lambda event: event["type"] == "update")
    told = await figures(running)
    assert told["mt_gateway_websockets"] == before["mt_gateway_websockets"] + 1
    assert told["mt_gateway_connections"] >= told["mt_gateway_websockets"] + 1
    assert told['mt_gateway_subscriptions{topic="tick"}'] >= 2
    delivered = "mt_gateway_events_delivered_total"
    assert told[delivered] > before[delivered]
    closed = 'mt_gateway_websockets_closed_total{reason="normal"}'
    ended = told.get(closed, 0.0)
    await client.close()

    async def is_told() -> bool:
        return (await figures(running)).get(closed, 0.0) == ended + 1

    async with asyncio.timeout(30):
        while not await is_told():
            pass


async def test_a_halt_and_what_nobody_knows_are_told_by_terminal(running: Product) -> None:
    """Of the terminal alone that it is about; the ledger has written the halt."""
    client = await running.http()
    before = await figures(running)
    await client.call("set_trading_enabled", enabled=False)
    told = await figures(running)
    assert told['mt_gateway_trading_halted{terminal="main"}'] == 1
    assert told['mt_gateway_trading_halted{terminal="second"}'] == 0
    assert told['mt_gateway_orders_unknown{terminal="second"}'] == 0
    writes = 'mt_gateway_ledger_writes_total{outcome="done"}'
    assert told[writes] > before[writes]
    commits = "mt_gateway_ledger_commit_seconds_count"
    assert before[commits] < told[commits] <= told[writes]
    assert told["mt_gateway_ledger_has_reserve"] == 1
    await client.call("set_trading_enabled", enabled=True)
    assert (await figures(running))['mt_gateway_trading_halted{terminal="main"}'] == 0


async def test_a_write_that_fails_is_counted(running: Product) -> None:
    """Not as one that was done."""

    def fail(_connection: object) -> None:
        raise StoreError("no room")

    before = await figures(running)
    with pytest.raises(StoreError):
        await running.gateway.ledger.write(fail)
    told = await figures(running)
    failed = 'mt_gateway_ledger_writes_total{outcome="failed"}'
    assert told[failed] == before[failed] + 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer mgt_nobody"}, 401),
        ({"Authorization": "Basic YTpi"}, 401),
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Referer": "https://evil.example/"}, 403),
    ],
)
async def test_it_is_guarded_like_everything_else(
    running: Product, headers: dict[str, str], status: int
) -> None:
    """Host, origin and token; and what was refused is counted."""
    before = await figures(running)
    answered, _, text = await fetch(running, **headers)
    assert (answered, "mt_gateway_" in text) == (status, False)
    name = f'mt_gateway_refused_requests_total{{status="{status}"}}'
    assert (await figures(running))[name] == before.get(name, 0.0) + 1


async def test_without_a_token_it_tells_nothing(running: Product) -> None:
    """Neither to who sends none, nor to another HTTP method."""
    url = (running.ready.rpc or "").removesuffix("/rpc") + "/metrics"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert "mt_gateway_" not in await response.text()
        async with session.post(url) as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET")


async def test_a_token_that_may_only_read_is_enough(running: Product) -> None:
    """Prometheus needs no more, and gets no more."""
    token, *_ = running.home.issuer.create("watcher", scopes=["read"])
    assert (await figures(running, token))["mt_gateway_websockets"] >= 0


async def test_nothing_of_callers_stands_in_it(running: Product) -> None:
    """Neither symbols, ids, tokens nor logins, whatever was sent."""
    client = await running.ws()
    await client.call("hello", session_id="my-session", client={"name": "grid-bot"})
    await client.call("subscribe", channels=["tick:EURUSD", "bar.M1:GBPUSD"])
    await client.call("place_order", **BUY, client_order_id="my-order-7")
    await client.ask("made_up_method", {"symbol": "XAUUSD"})
    _, _, text = await fetch(running)
    login = str(running.main.machine.handler.account().login)
    said = ("EURUSD", "GBPUSD", "XAUUSD", "my-order-7", "my-session", "grid-bot", "made_up", login)
    assert [word for word in (*said, running.main.token) if word in text] == []
    labels = set(re.findall(r'[{,](\w+)="', text))
    assert labels <= {
        "le", "major", "method", "outcome", "reason", "stage", "state", "status", "terminal",
        "topic", "version", "what",
    }  # fmt: skip


async def test_an_order_of_which_nobody_knows_is_told(tmp_path: Path) -> None:
    """Its terminal is taken away while it works on it."""
    async with product(tmp_path, speed=10.0) as running:
        client = await running.ws()
        running.main.machine.faults.delay_result_ms = 60_000
        placing = asyncio.create_task(client.ask("place_order", BUY))
        token, session = running.main.token, running.gateway.registry.get("main")
        assert session is not None
        await until(lambda: session.trades_in_flight == 1)
        before = await figures(running)
        await running.unplug()
        assert (await placing)["error"]["data"]["name"] == "order_unresolved"
        after = await figures(running, token)
        unknown = 'mt_gateway_orders_unknown{terminal="main"}'
        assert (before[unknown], after[unknown]) == (0, 1)
        calls = 'mt_gateway_calls_total{method="place_order",outcome="order_unresolved"}'
        assert after[calls] == 1
        state = 'mt_gateway_terminal_state{state="disconnected",terminal="main"}'
        assert (before[state], after[state]) == (0, 1)


async def test_the_start_does_not_import_the_library(running: Product, tmp_path: Path) -> None:
    """Nor does a command; whoever never asks does not pay for it."""
    words = ("-X", "importtime", "-c", "import gateway.app.daemon, gateway.cli")
    python = await asyncio.create_subprocess_exec(
        sys.executable, *words, stderr=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    _, told = await python.communicate()
    assert python.returncode == 0
    assert b"gateway.metrics.api" in told
    assert b"prometheus_client" not in told
