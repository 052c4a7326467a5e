"""Money through the manager API: nothing is lost, nothing is booked twice, whatever breaks."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import manager_money_daemon
import pytest
from exactly_once_lives import Lives, lives
from manager_house import MANAGER, PASSWORD, PEER, linked, operators
from manager_money import Address, Before, Booking, Verdict, book, judge, plan
from product import daemon, until
from simulation.run import Life

from ea_bridge.mt4_manager.emulator import (
    LOGIN,
    SERVER,
    EmulatedManager,
    FixedQuotes,
    ManagerLink,
    Population,
    build_manager,
)
from ea_bridge.mt4_manager.model import ConnectParams
from ea_bridge.simulation.faults import EmulatedFaults
from gateway.home.home import Home
from gateway.mt4_manager import OperatorRole, changes
from gateway.mt4_manager.access import TokenBook
from gateway.mt4_manager.link import KeptConnection
from gateway.mt4_manager.operators import Operator
from gateway.mt4_manager.service import TOKENS, own_secret

pytestmark = [pytest.mark.xdist_group("e2e-manager-money"), pytest.mark.timeout(300)]

CONFIG = {"api": {"port": 0}, "bridge": {"port": 0}, "manager": MANAGER}
DAEMONS_POINTS = (*manager_money_daemon.POINTS, "committing", "committed")
CUTS = ("cut_before_ack", "cut_unacked", "cut_after_ack", "cut_after_result")
CRASHES = ("crash_before", "crash_after")
ROOM = 2048
"""For connections of HTTP: more than a daemon takes unless it is told to."""


def new_server(folder: Path) -> EmulatedManager:
    """An emulated server on disk; the one that is there already, started again."""
    return build_manager(
        password=PASSWORD,
        population=Population(users=12, positions=0.2),
        quotes=FixedQuotes(),
        books_file=folder / "books.sqlite",
        results_file=folder / "results",
    )


def furnish(folder: Path) -> tuple[str, str]:
    """Make a home that knows the peer, its server and an operator; return both their tokens."""
    with Home(folder / "home", "secrets.key") as home:
        params = ConnectParams(server=SERVER, login=LOGIN, password=PASSWORD)
        KeptConnection(home.store, home.box).keep(params)
        with home.store.transaction() as connection:
            connection.execute("INSERT INTO manager_operators VALUES ('ann', 'admin', '-', 0)")
        tokens = TokenBook(home.store, own_secret(home.store, home.box, TOKENS))
        bearer = tokens.issue(Operator("ann", OperatorRole.ADMIN, 0))
        return home.issuer.create(PEER)[0], bearer


@dataclass
class Run:
    """A daemon that dies, a server that fails, and callers who go on."""

    folder: Path
    daemon: Lives
    http: aiohttp.ClientSession
    server: EmulatedManager
    peer: str
    """Token of the server's peer."""
    bearer: str
    address: Address = field(default_factory=Address)
    died: list[str] = field(default_factory=list)
    """At which points the daemon has."""

    async def play(self, bookings: Sequence[Booking], plan: Sequence[Life]) -> Verdict:
        """Ask for all bookings at once, through all lives and a last one; then judge."""
        before = Before.of(self.server)
        link = ManagerLink(self.server, "127.0.0.1", 1, self.peer)
        linking = asyncio.create_task(link.run())
        asking = [
            asyncio.create_task(book(self.http, self.address, self.bearer, one))
            for one in bookings
        ]
        everything = asyncio.gather(*asking)
        for life in (*plan, Life()):
            ready = await self.daemon.begin(life)
            if ready is None:
                self.died.append(life.point)
                continue
            link.port = int(ready["bridge"].rpartition(":")[2])
            self.address.url = ready["rpc"].removesuffix("/rpc")
            self.address.up.set()
            waiting = (self.daemon.death, everything)
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if everything.done():
                break
            self.died.append(life.point)
            self.address.up.clear()
        await everything
        await self.daemon.end()
        linking.cancel()
        await asyncio.wait((linking,))
        return judge(self.server, before, bookings)


@asynccontextmanager
async def new_run(folder: Path) -> AsyncIterator[Run]:
    """Set everything up; nothing is booked yet."""
    peer, bearer = furnish(folder)
    server = new_server(folder)
    program = "manager_money_daemon.py"
    async with (
        lives(folder, program=program, config=CONFIG) as daemon,
        aiohttp.ClientSession() as http,
    ):
        yield Run(folder, daemon, http, server, peer, bearer)
    server.close()


def draw(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a run, not a secret


@pytest.mark.parametrize("calls", [100, pytest.param(1000, marks=pytest.mark.long)])
async def test_many_calls_at_once_over_a_link_that_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """At each point between sending and answering; every cent is where it was told to be."""
    monkeypatch.setattr(changes, "SETTLE_S", manager_money_daemon.SETTLE_S)
    server = new_server(tmp_path)
    before = Before.of(server)
    room = {"max_connections": ROOM, "max_unauthenticated": ROOM}
    async with daemon(tmp_path / "home", limits=room, manager=MANAGER) as product:
        manager = product.gateway.manager
        assert manager is not None
        bearer = operators(manager, product.home.store, "-")[OperatorRole.OPERATOR]
        token = product.home.issuer.create(PEER)[0]
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            linked(product, server, token),
            aiohttp.ClientSession(connector=connector) as http,
        ):
            await until(lambda: manager.registry.get(PEER) is not None)
            params = ConnectParams(server=SERVER, login=LOGIN, password=PASSWORD)
            await manager.supervision.connect(params, "test")
            for name in CUTS:
                setattr(server.faults, name, 4)
            address = Address((product.ready.rpc or "").removesuffix("/rpc"))
            address.up.set()
            bookings = plan(server, calls, draw(7))
            await asyncio.gather(*(book(http, address, bearer, one) for one in bookings))
    verdict = judge(server, before, bookings)

    assert verdict.wrong == []
    assert [getattr(server.faults, name) for name in CUTS] == [0] * len(CUTS)
    assert verdict.done > 0.3 * calls, verdict
    assert verdict.refused > 0.05 * calls, verdict
    server.close()


@pytest.mark.parametrize("times", [(4,), pytest.param((4, 9), marks=pytest.mark.long)])
async def test_a_daemon_that_dies_books_nothing_twice(
    tmp_path: Path, times: tuple[int, ...]
) -> None:
    """With SIGKILL, at each point of a booking; callers ask the next one."""
    deaths = [Life(point=point, nth=nth) for nth in times for point in DAEMONS_POINTS]
    done = 0
    async with new_run(tmp_path) as run:
        for number in itertools.count():  # until there were bookings enough for all the deaths
            bookings = plan(run.server, 150, draw(11 + number), f"{number}-")
            verdict = await run.play(bookings, deaths[len(run.died) :])
            assert verdict.wrong == []
            done += verdict.done
            if len(run.died) == len(deaths):
                break

    assert Counter(run.died) == {point: len(times) for point in DAEMONS_POINTS}
    assert done > 25 * len(times)


async def test_a_peer_that_dies_books_nothing_twice(tmp_path: Path) -> None:
    """Before a booking or after it; with its memory of commands, and without."""
    async with new_run(tmp_path) as run:
        faults = run.server.faults
        for forgets, label in ((0, "a"), (4, "b")):
            faults.crash_before, faults.crash_after, faults.lose_memory = 2, 2, forgets
            bookings = plan(run.server, 30, draw(13), label)
            verdict = await run.play(bookings, [])
            assert verdict.wrong == []
            assert faults == EmulatedFaults()
            assert verdict.done > 8, verdict


async def test_books_that_are_opened_again_are_what_was_told(tmp_path: Path) -> None:
    """Server and daemon both end and begin again; who asks once more gets the same answer."""
    async with new_run(tmp_path) as run:
        bookings = plan(run.server, 20, draw(17))
        before = Before.of(run.server)
        first = await run.play(bookings, [])
        run.server.close()
        run.server = new_server(tmp_path)
        told = [(one.status, one.body) for one in bookings if one.status == 200]
        again = [one for one in bookings if one.status == 200]
        for one in again:
            one.status = 0
        await run.play(again, [])

        assert first.wrong == []
        assert [(one.status, one.body) for one in again] == told
        assert judge(run.server, before, bookings).wrong == []


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_everything_breaks_for_long(tmp_path: Path) -> None:
    """A thousand bookings, thirty deaths of the daemon, faults of the peer all along."""
    dice = draw(19)
    async with new_run(tmp_path) as run:
        for name in (*CUTS, *CRASHES):
            setattr(run.server.faults, name, 10)
        run.server.faults.lose_memory = 5
        deaths = [
            Life(point=dice.choice(DAEMONS_POINTS), nth=dice.randrange(1, 60)) for _ in range(30)
        ]
        verdict = await run.play(plan(run.server, 1000, dice), deaths)

    assert verdict.wrong == []
    assert len(run.died) > 20, run.died
