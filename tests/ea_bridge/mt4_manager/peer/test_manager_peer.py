"""The peer between a daemon's bridge and the library: real sockets, a real library."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bridge_parts import DEVICE, TOKEN, MemoryAuthorizer
from manager_library import CREDENTIALS, Fake

from ea_bridge.commands import NoParams, ResultsParams
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.endpoint.link import PeerLink
from ea_bridge.endpoint.results import FolderLock
from ea_bridge.errors import CommandFailed
from ea_bridge.mt4_manager import commands
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.__main__ import main
from ea_bridge.mt4_manager.endpoint import ManagerConversation
from ea_bridge.mt4_manager.peer.manager_peer import ManagerPeer
from ea_bridge.mt4_manager.peer.records import TextCodec
from ea_bridge.mt4_manager.session import ManagerRegistry, ManagerSession
from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import BridgeServer

PATIENCE_S = 30.0
ANN = mt4.NewUser(group="demo", name="Ann", leverage=100, password="Secret12")


class Daemon:
    """A bridge that lets the manager's token in."""

    def __init__(self, authorizer: MemoryAuthorizer, registry: TerminalRegistry) -> None:
        self.managers = ManagerRegistry({"demo"})
        self._changed = asyncio.Event()
        self.managers.subscribe(lambda _: self._changed.set())
        self.server = BridgeServer(
            authorizer, registry, device_id=DEVICE, port=0, managers=self.managers
        )

    @property
    def port(self) -> int:
        return self.server.port

    async def until(self, fits: Callable[[ManagerSession], bool]) -> ManagerSession:
        """Wait for a live session that fits."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self._changed.clear()
                for session in self.managers.sessions():
                    if fits(session):
                        return session
                await self._changed.wait()

    async def session(self, *but: ManagerSession) -> ManagerSession:
        return await self.until(lambda session: session not in but)


@pytest.fixture
async def daemon(
    authorizer: MemoryAuthorizer, registry: TerminalRegistry
) -> AsyncIterator[Daemon]:
    daemon = Daemon(authorizer, registry)
    async with daemon.server:
        yield daemon


@asynccontextmanager
async def running(
    fake: Fake, daemon: Daemon, home: Path
) -> AsyncIterator[PeerLink[ManagerConversation]]:
    """A peer that dials the daemon, looked after as the program does it."""
    peer = ManagerPeer(fake.path, home, TextCodec())
    pin = DevicePin()
    link = PeerLink(
        lambda ready: ManagerConversation(peer, TOKEN, pin, ready, lambda _: None),
        "127.0.0.1",
        daemon.port,
    )
    tasks = [asyncio.create_task(link.run()), asyncio.create_task(peer.supervise())]
    try:
        yield link
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await peer.close()
        assert fake.do("live") == 0


def booking(login: int, amount: float) -> mt4.TransactionParams:
    return mt4.TransactionParams(cmd=6, orderby=login, price=amount)


async def ann(session: ManagerSession) -> int:
    """Connect, and return the login of a new user."""
    await session.request(commands.CONNECT, CREDENTIALS)
    return (await session.request(commands.USER_RECORD_NEW, ANN)).login


async def look_up(session: ManagerSession, command_id: int) -> commands.StoredManagerResult:
    params = ResultsParams(ids=str(command_id))
    [stored] = await session.request(commands.RESULTS_GET, params)
    return stored


async def test_the_peer_answers_the_daemon(fake: Fake, daemon: Daemon, tmp_path: Path):
    """In the manager's role; whether it is logged in is in its heartbeats."""
    async with running(fake, daemon, tmp_path):
        session = await daemon.until(lambda one: one.broker is False)
        assert (session.hello.role, session.hello.platform) == ("manager", "mt4")
        with pytest.raises(CommandFailed) as failed:
            await session.request(commands.PING, NoParams())
        assert failed.value.retcode == 6

        login = await ann(session)
        await session.request(commands.TRADE_TRANSACTION, booking(login, 10.5))
        page = await session.request(commands.USERS_REQUEST, mt4.UsersFilter())

        assert [(user.login, user.balance) for user in page.rows] == [(login, 10.5)]
        await daemon.until(lambda one: one.broker is True)


async def test_a_long_command_arrives(fake: Fake, daemon: Daemon, tmp_path: Path):
    """Longer than any that an EA could read."""
    mail = mt4.Mail(logins=[1], subject="S", body="x" * mt4.MAX_MAIL_BODY)
    async with running(fake, daemon, tmp_path):
        session = await daemon.session()
        await session.request(commands.CONNECT, CREDENTIALS)

        await session.request(commands.MAIL_SEND, mail)

    assert fake.do("mail_length") == mt4.MAX_MAIL_BODY


async def test_a_link_that_breaks_does_not_double_a_booking(
    fake: Fake, daemon: Daemon, tmp_path: Path
):
    """The command comes again on the next link, and is answered from the table."""
    async with running(fake, daemon, tmp_path) as link:
        first = await daemon.session()
        login = await ann(first)
        command_id = first.new_command_id()
        done = await first.request(
            commands.TRADE_TRANSACTION, booking(login, 10.0), command_id=command_id
        )
        link.cut()
        second = await daemon.session(first)

        again = await second.request(
            commands.TRADE_TRANSACTION, booking(login, 10.0), command_id=command_id
        )

        assert again == done
        assert fake.do("trades") == 1
        assert fake.user(login).balance == 10.0


async def test_a_peer_that_was_started_again_knows_what_it_has_done(
    fake: Fake, daemon: Daemon, tmp_path: Path
):
    """Its table is in its home."""
    async with running(fake, daemon, tmp_path):
        first = await daemon.session()
        login = await ann(first)
        command_id = first.new_command_id()
        done = await first.request(
            commands.TRADE_TRANSACTION, booking(login, 10.0), command_id=command_id
        )
    async with running(fake, daemon, tmp_path):
        second = await daemon.session(first)
        stored = await look_up(second, command_id)
        never = await look_up(second, second.new_command_id())

    assert (stored.state, stored.ok) == ("done", True)
    assert bytes(stored.d) == b'{"order":%d}' % done.order
    assert never.state == "absent"


async def test_what_the_server_left_open_is_told_as_open(
    fake: Fake, daemon: Daemon, tmp_path: Path
):
    """Then and later. The booking is in the history, where the daemon looks for it."""
    async with running(fake, daemon, tmp_path):
        session = await daemon.session()
        login = await ann(session)
        fake.do("lose_after")
        command_id = session.new_command_id()
        with pytest.raises(CommandFailed) as failed:
            await session.request(
                commands.TRADE_TRANSACTION, booking(login, 10.0), command_id=command_id
            )

        stored = await look_up(session, command_id)
        assert failed.value.retcode == stored.retcode == mt4.ReturnCode.TRADE_TIMEOUT
        fake.do("server", 1)
        await daemon.until(lambda one: one.broker is True)
        span = mt4.TradeHistoryParams(login=login, from_s=0, to_s=2**31 - 1)
        page = await session.request(commands.TRADES_USER_HISTORY, span)
        assert [row.profit for row in page.rows] == [10.0]


async def test_a_booking_is_acknowledged_before_it_is_begun(
    fake: Fake, daemon: Daemon, tmp_path: Path
):
    """Who loses the link then knows that it was taken."""
    async with running(fake, daemon, tmp_path):
        session = await daemon.session()
        login = await ann(session)
        said: list[str] = []

        await session.request(
            commands.TRADE_TRANSACTION, booking(login, 1.0), on_ack=lambda: said.append("ack")
        )

        assert said == ["ack"]


async def test_a_booking_is_on_the_disk_before_it_is_made(
    fake: Fake, daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The machine may lose its power, and the server has booked."""
    synced: list[tuple[int, bytes]] = []

    def sync(_: int) -> None:
        synced.append((fake.do("trades"), (tmp_path / "results.jsonl").read_bytes()))

    async with running(fake, daemon, tmp_path):
        session = await daemon.session()
        login = await ann(session)
        monkeypatch.setattr("os.fsync", sync)
        command_id = session.new_command_id()
        await session.request(
            commands.TRADE_TRANSACTION, booking(login, 1.0), command_id=command_id
        )

    trades, written = synced[0]
    assert trades == 0
    assert written.endswith(b'{"id":%d}\n' % command_id)


async def test_bookings_of_many_are_made_one_after_the_other(
    fake: Fake, daemon: Daemon, tmp_path: Path
):
    """The library is not safe for threads, and every one of them is answered."""
    async with running(fake, daemon, tmp_path):
        session = await daemon.session()
        login = await ann(session)

        done = await asyncio.gather(
            *(
                session.request(commands.TRADE_TRANSACTION, booking(login, float(one)))
                for one in range(1, 101)
            )
        )

        assert len({one.order for one in done}) == 100
        assert fake.do("overlaps") == 0
        assert fake.user(login).balance == sum(range(1, 101))


# --- the program -----------------------------------------------------------------------------


@asynccontextmanager
async def started(
    fake: Fake, daemon: Daemon, home: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the program; its token comes by standard input. At the end it is gone in any case."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "ea_bridge.mt4_manager", "--library", fake.path, "--port", str(daemon.port)),
        *("--token-file", "-", "--home", home),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(f"{TOKEN}\n".encode())
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("module", ["ea_bridge.mt4_manager", "ea_bridge.manager"])
def test_the_program_starts_by_its_earlier_name_as_well(module: str):
    """Scripts on users' machines call it so."""
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True)
    assert done.stdout.startswith("usage: python -m ea_bridge.mt4_manager ")


async def test_the_program_serves_until_it_is_told_to_end(
    fake: Fake, daemon: Daemon, tmp_path: Path
):
    """Its secrets are in no argument and no log."""
    wrong = mt4.ConnectParams(server=CREDENTIALS.server, login=224, password="hush-hush")
    async with started(fake, daemon, tmp_path / "home") as process:
        session = await daemon.session()
        await ann(session)
        with pytest.raises(CommandFailed):
            await session.request(commands.CONNECT, wrong)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            _, log = await process.communicate()

    assert process.returncode == 0
    for said in (b"linked to the daemon", b"connected to 203.0.113.10:443 as manager 224"):
        assert said in log
    for secret in (TOKEN.encode(), b"hush-hush", b"let-me-in"):
        assert secret not in log
    assert (tmp_path / "home" / "device").read_text() == f"{DEVICE}\n"


async def test_the_program_ends_while_it_stays_away(fake: Fake, daemon: Daemon, tmp_path: Path):
    """Another one has come with its token, so that it would dial again in five minutes."""
    other = tmp_path / "other"
    other.mkdir()
    async with started(fake, daemon, tmp_path / "home") as process:
        await daemon.session()
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_S), running(fake, daemon, other):
            while b"this one stays away" not in await process.stderr.readline():
                pass
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            await process.communicate()

    assert process.returncode == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--host": "192.0.2.1"}, "no loopback address"),
        ({"--encoding": "klingon"}, "there is no encoding klingon"),
        ({"--library": "no.dll"}, "cannot be loaded"),
        ({"--token-file": "none"}, "No such file"),
        ({"--token-file": __file__}, "holds no token"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    fake: Fake, tmp_path: Path, caplog: pytest.LogCaptureFixture, change: dict[str, str], said: str
):
    """And ends with 1."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    words = {
        "--library": str(fake.path),
        "--port": "1",
        "--token-file": str(token),
        "--home": str(tmp_path),
        **change,
    }

    assert main([word for pair in words.items() for word in pair]) == 1
    assert said in caplog.text


def test_a_mistyped_token_is_not_repeated(
    fake: Fake, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Nor one in a file that is none."""
    token = tmp_path / "token"
    for text in (f"{TOKEN[:-1]}x", "мой токен"):
        token.write_text(text, encoding="utf-8")
        words = ["--library", str(fake.path), "--port", "1", "--home", str(tmp_path)]
        assert main([*words, "--token-file", str(token)]) == 1
        assert text not in caplog.text


def test_two_peers_cannot_share_a_home(
    fake: Fake, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Neither would know what the other has executed."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    claim = FolderLock(tmp_path)

    words = ["--library", str(fake.path), "--port", "1", "--home", str(tmp_path)]
    assert main([*words, "--token-file", str(token)]) == 1

    assert "another peer runs with" in caplog.text
    claim.release()
    FolderLock(tmp_path).release()
