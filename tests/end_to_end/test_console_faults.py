"""What goes wrong between a daemon and its console, and what the daemon does meanwhile.

Two rules above all: a revocation arrives by another way, or when the way is open again, or the
rights run out by themselves; and nothing that is forged, old or garbled is ever believed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from console_site import HEARTBEAT_S
from fault_proxy import FaultProxy, Flow, fault_proxy
from fault_scene import BUY, Scene, reason, refused, scene
from product import TIMEOUT_S, until

from ea_bridge.emulator.factory import build_terminal

Record = Callable[[str, object], None]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("e2e-console-faults"),
]

LEASE_S = 900
REDUCE_S, READ_S = 3600, 4 * 3600
"""After the end of a lease: for so long positions can be closed, and everything be read."""


@dataclass
class Stage:
    """A scene whose way to the console can be harmed."""

    proxy: FaultProxy
    scene: Scene


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Console and daemon, for all tests here."""
    folder = tmp_path_factory.mktemp("faults")
    async with fault_proxy() as proxy, scene(folder, proxy, build_terminal()) as one:
        yield Stage(proxy, one)


@pytest.fixture
def proxy(stage: Stage) -> FaultProxy:
    """What harms."""
    return stage.proxy


@pytest_asyncio.fixture(loop_scope="module")
async def here(stage: Stage) -> AsyncIterator[Scene]:
    """Each test has a terminal of its own."""
    async with stage.scene.act() as one:
        yield one


# --- faults of the network ---------------------------------------------------------------------


async def test_a_push_that_is_swallowed_is_made_up_for_by_a_poll(
    proxy: FaultProxy, here: Scene, record_testsuite_property: Record
) -> None:
    """The stream looks open and brings nothing: after two heartbeats it is given up, and the
    revocation comes by the other way."""
    listener = await here.daemon.ws(here.main.token)
    await here.quiet()
    proxy.paths["stream"].down.drop = True
    begun = time.monotonic()
    await here.ann.revoke(here.main.token)
    assert (await listener.closed())[0] == 4506
    took_s = time.monotonic() - begun
    record_testsuite_property("revocation without push, heartbeat 1 s", f"{took_s:.2f} s")
    assert took_s > 0.5 * HEARTBEAT_S, "the fault did not work"
    assert (await here.ann.stopped(here.main.token))["stopped_at_ms"]


TWINS = {"slow": "one byte a second", "garbled upwards": "garbled", "closed": "reset"}
"""Faults that are much like another one, for the long form."""


def with_twins(faults: Iterable[str]) -> list[Any]:
    """Return the faults as parameters, those that are like another one marked as long."""
    return [pytest.param(name, marks=[pytest.mark.long] * (name in TWINS)) for name in faults]


STREAM_FAULTS: dict[str, Callable[[FaultProxy], None]] = {
    "slow": lambda proxy: setattr(proxy.paths["stream"], "down", Flow(delay_s=0.5)),
    "one byte a second": lambda proxy: setattr(proxy.paths["stream"], "down", Flow(bytes_per_s=1)),
    "garbled": lambda proxy: setattr(proxy.paths["stream"], "down", Flow(corrupt_every=97)),
    "garbled upwards": lambda proxy: setattr(proxy.paths["stream"], "up", Flow(corrupt_every=97)),
    "half open": lambda proxy: setattr(proxy.paths["stream"].up, "drop", True),
    "reset": lambda proxy: _no_streams(proxy, reset=True),
    "closed": lambda proxy: _no_streams(proxy, reset=False),
}


def _no_streams(proxy: FaultProxy, *, reset: bool) -> None:
    proxy.paths["stream"].refuse = True
    proxy.cut("stream", reset=reset)


@pytest.mark.parametrize("fault", with_twins(STREAM_FAULTS))
async def test_whatever_happens_to_the_stream_a_revocation_arrives(
    proxy: FaultProxy, here: Scene, fault: str
) -> None:
    """By the stream or by a poll; the console shows it confirmed; and the link is whole again
    once the fault is over."""
    listener = await here.daemon.ws(here.main.token)
    STREAM_FAULTS[fault](proxy)
    await here.ann.revoke(here.main.token)
    assert (await listener.closed())[0] == 4506
    assert (await here.ann.stopped(here.main.token))["stopped_at_ms"]
    proxy.heal()
    proxy.cut("stream")
    again = await here.again()
    client = await here.daemon.http(again.token)
    await client.call("get_account_info")
    await until(lambda: here.daemon.uplink.status().connected)


def _reset(proxy: FaultProxy) -> None:
    proxy.paths["call"].refuse = True
    proxy.cut("call", reset=True)


CALL_FAULTS: dict[str, Callable[[FaultProxy], None]] = {
    "swallowed": lambda proxy: setattr(proxy.paths["call"].down, "drop", True),
    "garbled": lambda proxy: setattr(proxy.paths["call"], "down", Flow(corrupt_every=1009)),
    "garbled upwards": lambda proxy: setattr(proxy.paths["call"], "up", Flow(corrupt_every=211)),
    "one byte a second": lambda proxy: setattr(proxy.paths["call"], "down", Flow(bytes_per_s=1)),
    "reset": _reset,
}


@pytest.mark.parametrize("fault", with_twins(CALL_FAULTS))
async def test_without_calls_the_push_alone_revokes(
    proxy: FaultProxy, here: Scene, fault: str
) -> None:
    """The push needs no sync to be obeyed and confirmed; what was missed is fetched afterwards."""
    listener = await here.daemon.ws(here.main.token)
    CALL_FAULTS[fault](proxy)
    await here.ann.revoke(here.main.token)
    assert (await listener.closed())[0] == 4506
    assert (await here.ann.stopped(here.main.token))["stopped_at_ms"]
    client = await here.daemon.http(here.main.token)
    assert await reason(client) == "revoked"
    proxy.heal()
    proxy.cut("call")
    again = await here.again()
    await (await here.daemon.http(again.token)).call("get_account_info")


# --- a blackout --------------------------------------------------------------------------------


async def test_without_any_word_the_rights_run_out_to_the_second(
    proxy: FaultProxy, here: Scene
) -> None:
    """All until the lease ends; then an hour of closing and four of reading; then nothing. Once
    the console is back all is as before, within seconds."""
    client = await here.daemon.http(here.main.token)
    listener = await here.daemon.ws(here.main.token)
    receipts = [await client.call("place_order", **BUY) for _ in range(2)]
    tickets = [one["order"]["position"] for one in receipts]
    proxy.black_out()
    proxy.cut()
    ends_s = await _lease_end(here)
    console, world = here.daemon.gateway, here.world

    def at(seconds_after_the_end: float) -> None:
        now_s = console._console.now_s()  # type: ignore[union-attr]  # it has one
        world.ahead_s += ends_s + seconds_after_the_end - now_s

    at(-5)
    receipts.append(await client.call("place_order", **BUY))
    at(1)
    error = await refused(client, "place_order", **BUY)
    assert (error.data["reason"], error.data["tier"]) == ("lease_expired", "reduce")
    assert error.data["outcome"] == "not_sent"
    await client.call("close_position", ticket=tickets[0])
    at(REDUCE_S - 5)
    await client.call("close_position", ticket=tickets[1])
    at(REDUCE_S + 1)
    last = receipts[-1]["order"]["position"]
    error = await refused(client, "close_position", ticket=last)
    assert (error.data["reason"], error.data["tier"]) == ("lease_expired", "read")
    at(READ_S - 5)
    assert len(await client.call("get_positions", ticket=last)) == 1
    at(READ_S + 1)
    assert await reason(client) == "lease_expired"
    assert (await listener.closed())[0] == 4506
    proxy.heal()
    proxy.cut()
    async with asyncio.timeout(TIMEOUT_S):
        while await reason(client):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await client.call("close_position", ticket=last)
    await until(lambda: here.daemon.uplink.status().connected)


async def _lease_end(here: Scene) -> float:
    ends_ms = here.lease.lease_ends_ms
    assert ends_ms is not None
    return ends_ms / 1000


async def test_what_was_revoked_in_a_blackout_ends_when_it_is_over(
    proxy: FaultProxy, here: Scene
) -> None:
    """Until then the console says that it is not confirmed, and when it ends by itself."""
    listener = await here.daemon.ws(here.main.token)
    proxy.black_out()
    await here.ann.revoke(here.main.token)
    [line] = await here.ann.terminals_of(here.main.token)
    assert (line["state"], line["stopped_at_ms"]) == ("stopping", None)
    assert 0 < line["ends_by"] - here.world.console_s() <= LEASE_S
    proxy.heal()
    proxy.cut()
    assert (await listener.closed())[0] == 4506
    assert (await here.ann.stopped(here.main.token))["stopped_at_ms"]
