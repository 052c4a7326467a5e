"""Clocks that are wrong, on either side, and machines that sleep.

A right lasts by the console's time, carried on by a clock that nobody can set. Nobody keeps one
for longer by setting a clock, and nobody loses one for good because a clock was wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from console_site import Linked, Person, linked, site
from fault_proxy import FaultProxy, fault_proxy
from fault_scene import World, reason
from product import TIMEOUT_S, until

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.token import parse_token
from gateway.console import service
from gateway.console_link.http import ConsoleFailure
from gateway.console_link.status import TokenLease

DAY_S, YEAR_S = 86_400, 365 * 86_400
LEASE_S, READ_S = 900, 4 * 3600
KEY_CHECK_S = 0.3
"""Instead of a minute: time leaps here."""
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("e2e-clocks"),
]


@dataclass
class Clockwork:
    """A console and a home whose daemon comes and goes; see :func:`clockwork`."""

    folder: Path
    proxy: FaultProxy
    ann: Person
    machine: EmulatedTerminal
    world: World
    token: str = ""
    made: int = 0
    """Tokens."""

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[Linked]:
        """Run the daemon; where there is no token yet, with a terminal that is let in with one."""
        clocks = self.world.clocks
        async with linked(self.folder / "home", self.proxy.url, clocks=clocks) as running:
            if not self.token:
                self.made += 1
                name = f"main-{self.made}"
                self.token = (await running.terminal(self.ann, name, self.machine)).token
                await self.full(running)
            yield running

    async def run_once(self) -> None:
        """Have the daemon hear the console, and end."""
        async with self.daemon() as running:
            await self.full(running)

    async def full(self, running: Linked) -> None:
        """Wait until the token may do everything."""
        await until(lambda: self.tier(running) == "full")

    def lease(self, running: Linked) -> TokenLease | None:
        """How the token stands, if it is known."""
        tid = parse_token(self.token)
        known = running.uplink.status().tokens
        return next((one for one in known if one.tid == tid), None)

    def reason(self, running: Linked) -> str:
        """Return why the token may do no more, ``""`` where it is not known."""
        lease = self.lease(running)
        return "" if lease is None else lease.reason

    def tier(self, running: Linked) -> str:
        """What the token may do now; empty if it is not known."""
        lease = self.lease(running)
        return lease.tier if lease else ""

    def cut_off(self) -> None:
        """Let the daemon reach its console no more."""
        for path in self.proxy.paths.values():
            path.refuse = True
        self.proxy.cut()


@asynccontextmanager
async def clockwork(folder: Path, **wrong: float) -> AsyncIterator[Clockwork]:
    """Run a console behind something that can cut it off."""
    world, machine = World(**wrong), build_terminal()
    async with (
        fault_proxy() as proxy,
        site(folder / "console", now_s=world.console_s, public_url=proxy.url) as one,
    ):
        proxy.target = one.server.port
        yield Clockwork(folder, proxy, await one.person(), machine, world)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clockwork]:
    """Console and home, for all tests in which the console's clock is right."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "KEY_CHECK_S", KEY_CHECK_S)
        async with clockwork(tmp_path_factory.mktemp("clocks")) as one:
            yield one


@pytest_asyncio.fixture(loop_scope="module")
async def here(place: Clockwork) -> Clockwork:
    """Each test begins with clocks that are right, and a way to the console; it may be later."""
    place.world.wall_off_s = 0
    place.proxy.restore()
    await place.ann.sign_in()
    return place


async def in_step(daemon: Linked) -> bool:
    """Whether a sync succeeds, and daemon and console are of one mind about the time."""
    with suppress(ConsoleFailure):
        await daemon.uplink.sync()
        ahead_s = daemon.uplink.status().clock_ahead_s
        return ahead_s is not None and abs(ahead_s) < 60
    return False


@pytest.mark.parametrize("by_s", [-10 * YEAR_S, -DAY_S, -90, 90, DAY_S, 10 * YEAR_S])
async def test_a_wall_clock_that_is_set_changes_nothing(here: Clockwork, by_s: float) -> None:
    """Rights go on while the console is reached, and calls to it are signed by its own time;
    without it they end when they would have ended."""
    async with here.daemon() as daemon:
        await here.full(daemon)
        here.world.wall_off_s = by_s
        assert here.tier(daemon) == "full"
        await daemon.uplink.sync()
        assert here.tier(daemon) == "full"
        here.cut_off()
        here.world.ahead_s += LEASE_S - 30
        assert here.tier(daemon) == "full"
        here.world.ahead_s += 60
        assert here.tier(daemon) == "reduce"


@pytest.mark.parametrize("by_s", [-YEAR_S, -DAY_S, -3600])
async def test_a_clock_that_goes_back_over_a_restart_is_suspect(
    here: Clockwork, by_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing new is opened until the console is heard; the log says so, and the lease has not
    become longer."""
    caplog.set_level(logging.WARNING)
    await here.run_once()
    here.cut_off()
    here.world.wall_off_s = by_s
    caplog.clear()
    async with here.daemon() as daemon:
        lease = here.lease(daemon)
        assert lease is not None
        if lease.reason == "console_unasked":  # the first try has not failed yet
            assert lease.tier == "read"
            await until(lambda: here.reason(daemon) != "console_unasked")
            lease = here.lease(daemon)
        assert lease is not None
        assert (lease.tier, lease.reason) == ("reduce", "clock_suspect")
        assert "went back" in caplog.text
        here.world.ahead_s += LEASE_S + READ_S + 60
        assert here.tier(daemon) == "none"
        here.world.ahead_s -= LEASE_S + READ_S + 60
        here.proxy.heal()
        await here.full(daemon)


@pytest.mark.parametrize("by_s", [DAY_S, YEAR_S])
async def test_a_clock_that_goes_forward_over_a_restart_is_believed(
    here: Clockwork, by_s: float
) -> None:
    """The machine may have been off for so long. One word of the console repairs it."""
    await here.run_once()
    here.cut_off()
    here.world.wall_off_s = by_s
    async with here.daemon() as daemon:
        assert here.tier(daemon) in ("none", "")  # after months not even the keys are believed
        here.world.wall_off_s = 0
        here.proxy.heal()
        await here.full(daemon)


@pytest.mark.parametrize("slept_s", [5, LEASE_S + 60, 7 * DAY_S])
async def test_a_machine_that_sleeps(here: Clockwork, slept_s: float) -> None:
    """Time goes on in sleep. What ended meanwhile ends when it wakes, and what was revoked is
    fetched at once."""
    here.token = ""  # one that can be revoked
    async with here.daemon() as daemon:
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
    by_s: float,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A terminal is approved and works all the same, and the daemon tells by how much the clocks
    differ. Once the console's is put right, leases go on, whichever way it was wrong."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(service, "KEY_CHECK_S", KEY_CHECK_S)
    async with clockwork(tmp_path, console_off_s=by_s) as here, here.daemon() as daemon:
        ahead_s = daemon.uplink.status().clock_ahead_s
        assert ahead_s is not None
        assert abs(ahead_s - by_s) < 60
        here.world.console_off_s = 0
        await here.ann.sign_in()
        async with asyncio.timeout(TIMEOUT_S):
            while not (await in_step(daemon) and here.tier(daemon) == "full"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        if by_s > 0:
            assert "clock was set back" in caplog.text
        await here.ann.revoke(here.token)
        assert (await here.ann.stopped(here.token))["stopped_at_ms"]
