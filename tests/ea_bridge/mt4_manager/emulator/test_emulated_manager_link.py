"""The emulated manager on a real socket: let in by its role, answering, misbehaving."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from bridge_parts import DEVICE, MemoryAuthorizer, TestEa, make_hello
from manager_bench import PASSWORD, ManagerBench

from ea_bridge import commands
from ea_bridge.commands import ResultsParams
from ea_bridge.endpoint.link import LinkRefused
from ea_bridge.errors import CommandFailed, OutcomeUnknown
from ea_bridge.mt4_manager import commands as c
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.emulator import LOGIN, SERVER, ManagerLink
from ea_bridge.mt4_manager.session import ManagerCallbacks, ManagerRegistry, ManagerSession
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.handshake import answer_challenge
from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import BridgeServer
from ea_bridge.token import parse_token

WITHIN_S = 60
CONNECT = mt4.ConnectParams(server=SERVER, login=LOGIN, password=PASSWORD)


class ManagerLinkFixture:
    """A daemon's bridge with a place for a manager, and an emulated one that dials it."""

    def __init__(self) -> None:
        self.authorizer = MemoryAuthorizer()
        self.token = self.authorizer.issue("mt4")
        self.terminals_token = self.authorizer.issue("demo")
        self.managers = ManagerRegistry({"mt4"})
        self.terminals = TerminalRegistry(now_ms=lambda: 0)
        self.late: asyncio.Queue[int] = asyncio.Queue()
        self._joined: asyncio.Queue[ManagerSession] = asyncio.Queue()
        self._seen: set[ManagerSession] = set()
        self.managers.subscribe(self._note)
        self.server = BridgeServer(
            self.authorizer,
            self.terminals,
            device_id=DEVICE,
            port=0,
            managers=self.managers,
            manager_callbacks=ManagerCallbacks(
                on_late_result=lambda _, late: self.late.put_nowait(late.command_id)
            ),
        )
        self.bench = ManagerBench(connected=False)
        self.link: ManagerLink
        self._running: asyncio.Task[None]

    def _note(self, session: ManagerSession) -> None:
        if session not in self._seen:
            self._seen.add(session)
            self._joined.put_nowait(session)

    def dial(self, token: str = "") -> asyncio.Task[None]:
        port = self.server.port
        self.link = ManagerLink(self.bench.manager, "127.0.0.1", port, token or self.token)
        self._running = asyncio.create_task(self.link.run())
        return self._running

    async def session(self) -> ManagerSession:
        """Wait for the next session, and log in at the server."""
        async with asyncio.timeout(WITHIN_S):
            session = await self._joined.get()
            await session.request(c.CONNECT, CONNECT)
        return session

    async def stop(self) -> None:
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError, LinkRefused):
            await self._running


@pytest.fixture
async def fixture() -> AsyncIterator[ManagerLinkFixture]:
    fixture = ManagerLinkFixture()
    async with fixture.server:
        yield fixture
        await fixture.stop()


def deposit(login: int) -> mt4.TransactionParams:
    return mt4.TransactionParams(cmd=6, orderby=login, price=10.0, comment="once")


async def test_a_manager_is_let_in_and_answers(fixture: ManagerLinkFixture):
    """It is no terminal: the registry of those does not know it."""
    fixture.dial()
    session = await fixture.session()
    groups = await session.request(c.GROUPS_REQUEST, mt4.GroupFilter())

    assert groups.total == len(fixture.bench.books.groups)
    assert session.hello.role == "manager"
    assert fixture.terminals.sessions() == []
    assert fixture.terminals.get("mt4") is None


async def test_a_terminals_token_makes_no_manager(fixture: ManagerLinkFixture):
    """Whoever holds it could otherwise take the manager's password from the daemon."""
    running = fixture.dial(fixture.terminals_token)
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(LinkRefused) as caught:
            await running

    assert "not for a peer of that role" in str(caught.value)
    assert fixture.managers.sessions() == []


@pytest.mark.parametrize(("is_right", "code"), [(True, "proto"), (False, "unknown")])
async def test_a_managers_token_makes_no_terminal(
    fixture: ManagerLinkFixture, is_right: bool, code: str
):
    """Bots would otherwise trade at who is none. Who cannot prove himself learns nothing of it."""
    fixture.dial()
    await fixture.session()
    ea = await TestEa.dial(fixture.server.port)
    hello = make_hello(tid=parse_token(fixture.token))
    ea.say(hello)
    auth = answer_challenge(fixture.token, hello, await ea.hear(m.Challenge))
    ea.say(auth if is_right else m.Auth(proof="0" * 64))
    denied = await ea.hear(m.Denied)
    await ea.hang_up()

    assert denied.code == code
    assert fixture.terminals.sessions() == []
    assert len(fixture.managers.sessions()) == 1


async def test_a_daemon_without_managers_lets_none_in(fixture: ManagerLinkFixture):
    """Each token is a terminal's then."""
    other = BridgeServer(fixture.authorizer, fixture.terminals, device_id=DEVICE, port=0)
    async with other:
        link = ManagerLink(fixture.bench.manager, "127.0.0.1", other.port, fixture.token)
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(LinkRefused):
                await link.run()
    fixture.dial()


async def test_a_long_answer_comes_in_parts(fixture: ManagerLinkFixture):
    """Two thousand users: some megabytes, and each of them once."""
    fixture.bench = ManagerBench(users=2000, connected=False)
    fixture.dial()
    session = await fixture.session()
    users = await session.request(c.USERS_REQUEST, mt4.UsersFilter())

    assert users.total == len(users.rows) == 2000
    assert {one.login for one in users.rows} == set(fixture.bench.books.accounts)
    margins = await session.request(c.MARGINS_GET, mt4.MarginsFilter())
    assert [one.login for one in margins.rows] == [one.login for one in users.rows]


@pytest.mark.parametrize(
    ("fault", "acked", "state", "paid"),
    [
        ("cut_before_ack", False, "absent", 0),
        ("cut_unacked", False, "done", 1000),
        ("cut_after_ack", True, "done", 1000),
        ("crash_before", True, "forgotten", 0),
        ("crash_after", True, "forgotten", 1000),
    ],
)
async def test_after_a_fault_the_next_session_is_told_what_is_known(
    fixture: ManagerLinkFixture, fault: str, acked: bool, state: str, paid: int
):
    """A peer without a file forgets in a crash what it took; the books do not."""
    fixture.dial()
    session = await fixture.session()
    login = fixture.bench.user()
    setattr(fixture.bench.faults, fault, 1)

    with pytest.raises(OutcomeUnknown) as caught:
        await session.request(c.TRADE_TRANSACTION, deposit(login), timeout_s=WITHIN_S)
    assert caught.value.acked is acked
    session = await fixture.session()
    params = ResultsParams(ids=str(caught.value.command_id))
    [stored] = await session.request(c.RESULTS_GET, params)
    assert (stored.state, fixture.bench.money(login)) == (state, (paid, 0))
    if state == "done":
        assert c.TRADE_TRANSACTION.decoder.decode(stored.d).order == fixture.bench.books.last_order


async def test_a_crash_ends_the_connection_to_the_server_too(fixture: ManagerLinkFixture):
    """The process is another: it has to log in again; the heartbeat says so."""
    fixture.dial()
    session = await fixture.session()
    boot = session.hello.boot
    login = fixture.bench.user()
    fixture.bench.faults.crash_before = 1
    with pytest.raises(OutcomeUnknown):
        await session.request(c.TRADE_TRANSACTION, deposit(login))
    async with asyncio.timeout(WITHIN_S):
        session = await fixture._joined.get()
        with pytest.raises(CommandFailed) as caught:
            await session.request(c.PING, commands.NoParams())

    assert session.hello.boot != boot
    assert caught.value.retcode == mt4.ReturnCode.NO_CONNECT


async def test_a_lost_result_leaves_the_outcome_unknown(fixture: ManagerLinkFixture):
    """After the time-out; the money is there."""
    fixture.dial()
    session = await fixture.session()
    login = fixture.bench.user()
    fixture.bench.faults.lose_result = 1
    with pytest.raises(OutcomeUnknown):
        await session.request(c.TRADE_TRANSACTION, deposit(login), timeout_s=0.2)

    assert fixture.bench.money(login) == (1000, 0)


async def test_a_late_result_is_told_as_late(fixture: ManagerLinkFixture):
    """Its caller has gone."""
    fixture.dial()
    session = await fixture.session()
    fixture.bench.faults.delay_result_ms = 300
    with pytest.raises(OutcomeUnknown) as caught:
        await session.request(c.TRADE_TRANSACTION, deposit(fixture.bench.user()), timeout_s=0.05)
    async with asyncio.timeout(WITHIN_S):
        assert await fixture.late.get() == caught.value.command_id


async def test_what_waited_too_long_is_not_carried_out(fixture: ManagerLinkFixture):
    """Its sender may have given it up: he is told that it never will be."""
    fixture.dial()
    session = await fixture.session()
    login = fixture.bench.user()
    fixture.bench.faults.stall_ms = 60
    with pytest.raises(CommandFailed) as caught:
        await session.request(c.TRADE_TRANSACTION, deposit(login), ttl_ms=20)

    assert caught.value.err == commands.TOO_LATE
    assert fixture.bench.money(login) == (0, 0)


async def test_a_goodbye_of_the_daemon_is_no_end(fixture: ManagerLinkFixture):
    """It dials again, and is still the same run."""
    fixture.dial()
    first = await fixture.session()
    fixture.server.close_terminal("mt4", "shutdown")
    second = await fixture.session()

    assert second.hello.boot == first.hello.boot
    assert first.end_reason == "shutdown"
