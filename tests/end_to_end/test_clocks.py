"""Clocks that are wrong, on either side, and machines that sleep.

A right lasts by the console's time, carried on by a clock that nobody can set. Nobody keeps one
for longer by setting a clock, and nobody loses one for good because a clock was wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from console_site import Linked, Person, linked, site
from fault_proxy import FaultProxy, fault_proxy
from fault_scene import World, reason
from product import TIMEOUT_S, until

from ea_bridge.emulator.machine import build_terminal
from ea_bridge.emulator.pin import DevicePin
from ea_bridge.emulator.terminal import EmulatedTerminal
from gateway.console import service
from gateway.uplink.failures import ConsoleFailure

DAY_S, YEAR_S = 86_400, 365 * 86_400
LEASE_S, READ_S = 900, 4 * 3600
pytestmark = pytest.mark.xdist_group("e2e-clocks")


@pytest.fixture(scope="module")
def machine() -> EmulatedTerminal:
    """One terminal for all tests: to make one takes seconds."""
    return build_terminal()


@dataclass
class Clockwork:
    """A console and a home whose daemon comes and goes."""

    folder: Path
    proxy: FaultProxy
    ann: Person
    machine: EmulatedTerminal
    world: World = field(default_factory=World)
    token: str = ""

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[Linked]:
        """Run the daemon; at its first start with the approval that its terminal takes."""
        clocks = self.world.clocks
        async with linked(self.folder / "home", self.proxy.url, clocks=clocks) as running:
            if not self.token:
                self.token = (await running.terminal(self.ann, "main", self.machine)).token
                await full(running)
            yield running

    def cut_off(self) -> None:
        """Let the daemon reach its console no more."""
        for path in self.proxy.paths.values():
            path.refuse = True
        self.proxy.cut()


@asynccontextmanager
async def clockwork(
    folder: Path, machine: EmulatedTerminal, **wrong: float
) -> AsyncIterator[Clockwork]:
    """Run a console behind something that can cut it off."""
    world, machine.pin = World(**wrong), DevicePin()
    async with (
        fault_proxy() as proxy,
        site(folder / "console", now_s=world.console_s, public_url=proxy.url) as one,
    ):
        proxy.target = one.server.port
        yield Clockwork(folder, proxy, await one.person(), machine, world)


async def full(daemon: Linked) -> None:
    """Wait until the token may do everything."""
    async with asyncio.timeout(TIMEOUT_S):
        while tier(daemon) != "full":  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def tier(daemon: Linked) -> str:
    """What the token may do now."""
    tokens = daemon.uplink.status().tokens
    return tokens[-1].tier if tokens else ""


async def in_step(daemon: Linked) -> bool:
    """Whether a sync succeeds, and daemon and console are of one mind about the time."""
    with suppress(ConsoleFailure):
        await daemon.uplink.sync()
        ahead_s = daemon.uplink.status().clock_ahead_s
        return ahead_s is not None and abs(ahead_s) < 60
    return False


@pytest.mark.parametrize("by_s", [-10 * YEAR_S, -DAY_S, -90, 90, DAY_S, 10 * YEAR_S])
async def test_a_wall_clock_that_is_set_changes_nothing(
    tmp_path: Path, machine: EmulatedTerminal, by_s: float
) -> None:
    """Rights go on while the console is reached, and calls to it are signed by its own time;
    without it they end when they would have ended."""
    async with clockwork(tmp_path, machine) as here, here.daemon() as daemon:
        here.world.wall_off_s = by_s
        assert tier(daemon) == "full"
        await daemon.uplink.sync()
        assert tier(daemon) == "full"
        here.cut_off()
        here.world.ahead_s += LEASE_S - 30
        assert tier(daemon) == "full"
        here.world.ahead_s += 60
        assert tier(daemon) == "reduce"


@pytest.mark.parametrize("by_s", [-YEAR_S, -DAY_S, -3600])
async def test_a_clock_that_goes_back_over_a_restart_is_suspect(
    tmp_path: Path, machine: EmulatedTerminal, by_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing new is opened until the console is heard; the log says so, and the lease has not
    become longer."""
    caplog.set_level(logging.WARNING)
    async with clockwork(tmp_path, machine) as here:
        async with here.daemon():
            pass
        here.cut_off()
        here.world.wall_off_s = by_s
        async with here.daemon() as daemon:
            assert tier(daemon) == "reduce"
            assert daemon.uplink.status().tokens[-1].reason == "clock_suspect"
            assert "went back" in caplog.text
            here.world.ahead_s += LEASE_S + READ_S + 60
            assert tier(daemon) == "none"
            here.world.ahead_s -= LEASE_S + READ_S + 60
            here.proxy.heal()
            await full(daemon)


@pytest.mark.parametrize("by_s", [DAY_S, YEAR_S])
async def test_a_clock_that_goes_forward_over_a_restart_is_believed(
    tmp_path: Path, machine: EmulatedTerminal, by_s: float
) -> None:
    """The machine may have been off for so long. One word of the console repairs it."""
    async with clockwork(tmp_path, machine) as here:
        async with here.daemon():
            pass
        here.cut_off()
        here.world.wall_off_s = by_s
        async with here.daemon() as daemon:
            assert tier(daemon) in ("none", "")  # after months not even the keys are believed
            here.world.wall_off_s = 0
            here.proxy.heal()
            await full(daemon)


@pytest.mark.parametrize("slept_s", [5, LEASE_S + 60, 7 * DAY_S])
async def test_a_machine_that_sleeps(
    tmp_path: Path, machine: EmulatedTerminal, slept_s: float
) -> None:
    """Time goes on in sleep. What ended meanwhile ends when it wakes, and what was revoked is
    fetched at once."""
    async with clockwork(tmp_path, machine) as here, here.daemon() as daemon:
        await until(lambda: daemon.uplink.status().connected)
        listener = await daemon.ws(here.token)
        here.cut_off()
        await here.ann.revoke(here.token)
        here.world.ahead_s += slept_s
        here.proxy.heal()
        assert (await listener.closed())[0] == 4506
        async with asyncio.timeout(TIMEOUT_S):
            while await reason(await daemon.http(here.token)) != "revoked":  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("by_s", [-DAY_S, DAY_S])
async def test_a_console_whose_clock_is_wrong_by_a_day(
    tmp_path: Path,
    machine: EmulatedTerminal,
    by_s: float,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A terminal is approved and works all the same, and the daemon tells by how much the clocks
    differ. Once the console's is put right, leases go on, whichever way it was wrong."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(service, "KEY_CHECK_S", 0.3)
    async with clockwork(tmp_path, machine, console_off_s=by_s) as here, here.daemon() as daemon:
        ahead_s = daemon.uplink.status().clock_ahead_s
        assert ahead_s is not None
        assert abs(ahead_s - by_s) < 60
        here.world.console_off_s = 0
        await here.ann.sign_in()
        async with asyncio.timeout(TIMEOUT_S):
            while not (await in_step(daemon) and tier(daemon) == "full"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        if by_s > 0:
            assert "clock was set back" in caplog.text
        await here.ann.revoke(here.token)
        assert (await here.ann.stopped(here.token))["stopped_at_ms"]
