"""A copied device key that only polls: its questions do not follow from the home's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from approval_fixtures import posts
from console_fixtures import CHEAP, Clock, Machine, approve, person
from daemon_fixtures import Daemon
from sqlalchemy import text

from gateway.console.clone_detector import LATE_S
from gateway.console.daemon_api import daemon_routes
from gateway.console.service import Console, open_console
from gateway.console.settings import ConsoleSettings
from gateway.console.user_info import UserInfo
from gateway.credentials.daemon_api import Synced


@dataclass
class Home:
    """A daemon that stores what it is answered."""

    daemon: Daemon
    state: str = ""
    asked: int = 0
    name: str = field(default="home")

    async def sync(self, *, stored: bool = True) -> Synced:
        """Ask the next question."""
        self.asked += 1
        answer = await self.daemon.sync(nonce=f"{self.name}{self.asked}", after=self.state)
        if stored:
            self.state = answer.state
        return answer

    async def leases(self) -> int:
        """Return how many tokens may be used after the next question."""
        return sum(token.lease is not None for token in (await self.sync()).tokens)

    def copy(self, name: str) -> Home:
        """Steal it."""
        return replace(self, name=name)


async def _approved(console: Console, daemon: Daemon) -> tuple[UserInfo, Home]:
    ann = await person(console)
    _, token = await console.tokens.create(ann.id, "MT5-Live")
    await approve(console, token, daemon.machine)
    return ann, Home(daemon)


async def _alarms(console: Console) -> int:
    return len(await posts(console, "device-copied"))


@pytest.mark.alike
async def test_a_copy_that_only_polls_is_noticed(
    console: Console, daemon: Daemon, clock: Clock
) -> None:
    """The home's stream is open; neither gets a lease until the owner decides, and then both."""
    ann, home = await _approved(console, daemon)
    async with daemon.stream():
        assert await home.leases() == 1
        copy = home.copy("copy")
        clock.forward(300)
        assert await copy.leases() == 1  # whose it is cannot be seen yet
        clock.forward(300)
        assert await home.leases() == 1
        assert await _alarms(console) == 0
        assert await copy.leases() == 1
        assert await home.leases() == 0
        assert await copy.leases() == 0
    assert await _alarms(console) == 1
    assert list(await console.clones.suspended(ann.id)) == [daemon.machine.did]

    await console.clones.resume(ann.id, daemon.machine.did)
    for side in (home, copy) * 3:
        clock.forward(30)
        assert await side.leases() == 1
    assert await _alarms(console) == 1


@pytest.mark.alike
async def test_a_third_home_is_news(console: Console, daemon: Daemon, clock: Clock) -> None:
    """Also after "both are mine"."""
    ann, home = await _approved(console, daemon)
    await home.sync()
    second, third = home.copy("second"), home.copy("third")
    for side in (home, home, second, second):
        await side.sync()
    await console.clones.resume(ann.id, daemon.machine.did)
    clock.forward(LATE_S + 1)
    assert await third.leases() == 0
    assert await _alarms(console) == 2


@pytest.mark.alike
async def test_a_question_that_arrives_late_gets_nothing_and_alarms_nobody(
    console: Console, daemon: Daemon
) -> None:
    """Its daemon has given it up, and asked again."""
    _, home = await _approved(console, daemon)
    await home.sync()
    late = home.copy("late")
    for _ in range(3):
        await home.sync()
    [offer] = (await late.sync()).tokens
    assert (offer.lease, offer.server_key) == (None, None)
    assert await home.leases() == 1
    assert await _alarms(console) == 0


@pytest.mark.alike
async def test_a_lost_answer_alarms_nobody(console: Console, daemon: Daemon) -> None:
    """Nor do forty."""
    _, home = await _approved(console, daemon)
    for stored in (False, True, *[False] * 40, True, False, True):
        await home.sync(stored=stored)
    assert await home.leases() == 1
    assert await _alarms(console) == 0


async def test_a_console_restored_from_a_backup_alarms_nobody(
    console: Console, daemon: Daemon, clock: Clock
) -> None:
    """What the home has was signed after all that the console remembers; by keys of before."""
    _, home = await _approved(console, daemon)
    await home.sync()
    async with console.db.session() as session:
        before = (await session.execute(text("SELECT chain FROM device_chains"))).scalar_one()
    for _ in range(3):
        clock.forward(30)
        await home.sync()
    copy = home.copy("copy")
    async with console.db.begin() as session:
        await session.execute(text("UPDATE device_chains SET chain = :c"), {"c": before})
    await console.rotate_keys()

    for _ in range(3):
        clock.forward(30)
        assert await home.leases() == 1
    assert await _alarms(console) == 0
    clock.forward(LATE_S + 1)
    assert await copy.leases() == 0
    assert await _alarms(console) == 1


@pytest.mark.alike
@pytest.mark.parametrize("after", ["\0", "x", "mg1.state.op1.e30.AAAA", "mg1.state.\0.a.a"])
async def test_what_we_have_not_signed_is_an_alarm(
    console: Console, daemon: Daemon, after: str
) -> None:
    """No home has it."""
    _, home = await _approved(console, daemon)
    await home.sync()
    home.state = after
    assert await home.leases() == 0
    assert await _alarms(console) == 1


@pytest.mark.alike
async def test_the_answer_of_another_device_is_an_alarm(console: Console, daemon: Daemon) -> None:
    """Though we have signed it."""
    _, home = await _approved(console, daemon)
    other = Home(replace(daemon, machine=Machine("other")))
    await other.daemon.machine.seen_by(console)
    await other.sync()
    await home.sync()
    home.state = other.state
    assert await home.leases() == 0


@pytest.mark.alike
async def test_a_fork_before_anybody_has_approved_is_told_once_somebody_has(
    console: Console, daemon: Daemon
) -> None:
    """An alarm that nobody hears is none."""
    ann = await person(console)
    _, token = await console.tokens.create(ann.id, "MT5-Live")
    await daemon.machine.seen_by(console)
    home = Home(daemon)
    await home.sync()
    copy = home.copy("copy")
    for side in (home, copy, home, copy):
        await side.sync()
    await approve(console, token, daemon.machine)
    assert await copy.leases() == 0
    assert await _alarms(console) == 1


async def test_two_processes_tell_it_once(
    console: Console,
    daemon: Daemon,
    console_settings: ConsoleSettings,
    clock: Clock,
    http: aiohttp.ClientSession,
    tmp_path: Path,
) -> None:
    """The questions of one home may go to either; of many forks at once the owner hears once."""
    _, home = await _approved(console, daemon)
    async with open_console(tmp_path / "home", console_settings, clock, costs=CHEAP) as second:
        app = web.Application()
        app.add_routes(daemon_routes(second))
        async with TestServer(app) as server:
            other = Daemon(str(server.make_url("")).rstrip("/"), http, clock, daemon.machine)
            for side in (daemon, other) * 3:
                home.daemon = side
                assert await home.leases() == 1
            assert await _alarms(console) == 0
            asked: list[Any] = [
                side.sync(nonce=f"n{number}", after="forged")
                for number in range(4)
                for side in (daemon, other)
            ]
            for answer in await asyncio.gather(*asked):
                assert answer.tokens[0].lease is None
            assert await _alarms(console) == 1
