"""Terminal behind the package, as its link sees it.

Whatever the thread of the package finds out (:mod:`.package_thread`) comes through one queue, the
event loop's own: snapshots of the switches, events, answers. So nothing that was seen earlier is
told later, and heartbeats tell of the newest snapshot that has come out of it. Events are numbered
here, and kept until they are acknowledged.

Logins to other accounts are tried in a terminal that is there for nothing else. A login changes
the account of the terminal that it is made in. So it is never made in the one that trades, and
never by its thread: another process with a package of its own does it, which may take half a
minute, and can be ended if it hangs. The password goes to it by its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import ntpath
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec
from msgspec.structs import replace

from ea_bridge import host
from ea_bridge.commands import LOGIN_CHECK
from ea_bridge.emulator.terminal import MAX_TRADE_EVENTS, TRADE_MODES
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.model import Account, MarginMode
from ea_bridge.model.account import AUTH_FAILED, BAD_PATH, NO_CONNECTION, CheckedLogin, LoginParams
from ea_bridge.protocol.handshake import SPAN
from ea_bridge.protocol.messages import Cmd, Hb, Hello, Lost, Message, Res, StateEvent, Trade

from .package import Package, PackageError, import_package, struct_of
from .package_thread import CAPS, AgentFiles, Ended, News, PackageThread, Reply, TerminalGone
from .state import Identity, SwitchSnapshot

LOGIN_S = 25.0
"""For which the terminal may try; the daemon waits for half a minute."""
PROCESS_S = 29.0
"""For which the process may run: its start takes a moment, too."""
MAX_ANSWER = 64 * 1024
"""Bytes."""
INTERNAL_ERROR = 4024


class LoginTask(msgspec.Struct, frozen=True, kw_only=True):
    """Message to the process, on its standard input."""

    path: str
    portable: bool
    login: int
    password: str
    server: str

    def __repr__(self) -> str:
        return f"LoginTask(login={self.login}, server={self.server!r})"  # no password in a log


class LoginAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of the process, on its standard output; ``err`` as of ``login_check``."""

    account: CheckedLogin | None = None
    err: int = 0


class PackageLoginRefused(Exception):
    """The account was not opened; carries the number of :mod:`ea_bridge.model.account`."""

    def __init__(self, err: int, message: str) -> None:
        super().__init__(message)
        self.err = err


class LoginChecker:
    """Checker of logins, one at a time.

    Args:
        programs: paths of the terminals in which logins may be tried; the first one where the
            caller names none.
        trading: the folder of the terminal that trades, in which none is tried; empty if unknown.
        portable: they keep their data beside their program.

    """

    def __init__(
        self, programs: Sequence[str], trading: Callable[[], str], *, portable: bool = False
    ) -> None:
        self._programs = {_normal(program): program for program in programs}
        self._trading = trading
        self._portable = portable
        self._turn = asyncio.Lock()

    async def answer(self, command_id: int, params: LoginParams) -> Res:
        """Return the answer to ``login_check``."""
        try:
            opened = await self.check(params)
        except PackageLoginRefused as refused:
            return Res(id=command_id, ok=False, err=refused.err, msg=str(refused))
        return Res(id=command_id, ok=True, d=msgspec.Raw(msgspec.json.encode(opened)))

    async def check(self, params: LoginParams) -> CheckedLogin:
        """Log in to an account, and return it.

        Raises:
            PackageLoginRefused: it was not opened.

        """
        program = self._program(params.path)
        task = LoginTask(
            path=program,
            portable=self._portable,
            login=params.login,
            password=params.password,
            server=params.server,
        )
        async with self._turn:
            answer = await _ask(task)
        if answer.account is None:
            raise PackageLoginRefused(answer.err or INTERNAL_ERROR, "the account was not opened")
        return answer.account

    def _program(self, path: str | None) -> str:
        """Return the program to start.

        Raises:
            PackageLoginRefused: it is not one that may be started.

        """
        wanted = next(iter(self._programs), "") if path is None else _normal(path)
        program = self._programs.get(wanted)
        if program is None:
            raise PackageLoginRefused(BAD_PATH, "that program may not be started")
        folder = self._trading()
        if folder and ntpath.dirname(wanted) == _normal(folder):
            _log.error("no login is tried in %s: that terminal trades", program)
            raise PackageLoginRefused(BAD_PATH, "that terminal trades")
        return program


def _normal(path: str) -> str:
    """Return a path of Windows in the one form in which it can be compared."""
    return ntpath.normcase(ntpath.normpath(path))


async def _ask(task: LoginTask) -> LoginAnswer:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"from {__name__} import main; main()",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # what a library writes there may quote what it was given
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PROCESS_S):
            said, _ = await process.communicate(msgspec.json.encode(task))
        # the last line: libraries may have said something before
        return msgspec.json.decode(said[-MAX_ANSWER:].rpartition(b"\n")[2], type=LoginAnswer)
    except TimeoutError:
        return LoginAnswer(err=NO_CONNECTION)
    except msgspec.MsgspecError:
        _log.error("the process that tries logins ended with %s", process.returncode)
        return LoginAnswer(err=INTERNAL_ERROR)
    finally:
        # also where nobody waits for it any more
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def try_login(module: Any, task: LoginTask) -> LoginAnswer:
    """Log in, in the terminal that the task names; the answer is about that account or an error.

    Args:
        module: ``MetaTrader5``, connected to nothing.
        task: the account.

    """
    package = Package(module)
    options: dict[str, Any] = {"portable": True} if task.portable else {}
    try:
        package.connect(
            path=task.path,
            login=task.login,
            password=task.password,
            server=task.server,
            timeout=round(LOGIN_S * 1000),
            **options,
        )
        opened = struct_of(CheckedLogin, package.call("account_info"))
    except PackageError as error:
        return LoginAnswer(err=error.code or INTERNAL_ERROR)
    finally:
        package.disconnect()
    # the terminal may have stayed with the account that it had
    is_meant = opened.login == task.login and opened.server.casefold() == task.server.casefold()
    return LoginAnswer(account=opened) if is_meant else LoginAnswer(err=AUTH_FAILED)


def main() -> None:
    """Try the login that standard input names, and tell what came of it."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=LoginTask)
    answer = try_login(import_package(), task)
    sys.stdout.flush()
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(answer))


AGENT_VERSION = "agent 1.0.0"
HELD_S = 2.0
"""A call of the package that lasts for longer holds the terminal up: so heartbeats stop, and the
daemon learns that nobody answers."""
MAX_COMPANY = 128
"""Characters of a broker's name that a hello may have."""
CLOSE_S = 1.0
"""For so long the end of the thread is waited for: a call that hangs must not hang the agent."""

_log = logging.getLogger(__name__)


class ThreadEnded(Exception):
    """The thread that has the package has ended, so that nothing is carried out any more."""


class AgentLinkEnd(Protocol):
    """Link on which the daemon listens."""

    identity: Identity
    """The account that it is about."""

    def say(self, *messages: Message) -> None:
        """Say them in one write."""

    def leave(self, code: str) -> None:
        """Say goodbye, and why."""


class AgentTerminal:
    """Terminal behind the package, as the link sees it.

    Args:
        module: ``MetaTrader5``, or what looks like it; nobody else may call it from now on.
        folder: keeps the agent's state, and is there.
        connect: options of the package's ``initialize``.
        logins: paths of the terminals in which logins to other accounts are tried.
        utc_s: UTC in seconds, as the PC's clock has it.

    Raises:
        OSError, UnicodeDecodeError: a file is there and cannot be read.

    """

    def __init__(
        self,
        module: Any,
        folder: Path,
        *,
        connect: Mapping[str, Any] | None = None,
        logins: Sequence[str] = (),
        utc_s: Callable[[], float] = host.wall_s,
    ) -> None:
        files = AgentFiles(folder)
        self.pin = DevicePin(files.device)
        self.caps = (*CAPS, LOGIN_CHECK.needs) if logins else CAPS
        self._utc_s = utc_s
        self._loop = asyncio.get_running_loop()
        self._thread = PackageThread(
            Package(module), files, dict(connect or {}), self._tell, utc_s
        )
        self._installation = _installation(files.installation)
        self._latest: SwitchSnapshot | None = None
        self._is_seen = asyncio.Event()
        self._ended = asyncio.Event()
        self._link: AgentLinkEnd | None = None
        portable = bool((connect or {}).get("portable"))
        self._logins = LoginChecker(logins, self._program_folder, portable=portable)
        self._login_tasks: set[asyncio.Task[None]] = set()
        self._begin()

    def _begin(self) -> None:
        self._boot = host.token_hex(4)
        self._q = 0
        self._unacknowledged: deque[Trade | StateEvent] = deque(maxlen=MAX_TRADE_EVENTS)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._login_tasks:
            task.cancel()
        await asyncio.gather(*self._login_tasks, return_exceptions=True)
        self._thread.end()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._ended.wait()
        except TimeoutError:
            _log.warning("a call of the package hangs: it is left behind")

    async def available(self) -> None:
        """Wait until the terminal is there and the thread answers.

        Raises:
            ThreadEnded: it never will; whoever runs the agent has to start it again.

        """
        answered = asyncio.Event()
        self._thread.submit(lambda: self._call_loop(answered.set))
        await self._wait(answered)
        await self._wait(self._is_seen)

    async def _wait(self, event: asyncio.Event) -> None:
        waits = [asyncio.create_task(one.wait()) for one in (event, self._ended)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        if self._ended.is_set():
            raise ThreadEnded("the agent's thread has ended; its log says why: start it again")

    # --- the link's life -------------------------------------------------------------------

    @property
    def identity(self) -> Identity | None:
        """The account that the terminal is logged in to; ``None`` while there is no terminal."""
        return None if self._latest is None else self._latest.identity

    def hello(self, tid: str, cnonce: str) -> Hello:
        """Say who we are; there is a terminal."""
        assert self._latest is not None
        account, terminal = self._latest.account, self._latest.terminal
        return Hello(
            proto=SPAN,
            tid=tid,
            cnonce=cnonce,
            boot=self._boot,
            platform="mt5",
            login=account.login,
            server=account.server,
            ea=AGENT_VERSION,
            build=terminal.build,
            company=account.company[:MAX_COMPANY],
            currency=account.currency,
            mode=_MODES.get(account.margin_mode or 0, ""),
            trade=_TRADES.get(account.trade_mode, ""),
            caps=",".join(self.caps),
            q=self._q,
            fp=self._fingerprint(account, terminal.data_path),
        )

    def _fingerprint(self, account: Account, data_path: str) -> str:
        said = ("mt5", data_path, account.company, str(account.login), account.server)
        return hashlib.sha256("\n".join((*said, self._installation)).encode()).hexdigest()

    def link_ready(self, link: AgentLinkEnd, ack: int) -> list[Message]:
        """Begin anew: tell again what the daemon does not have; push nothing until asked."""
        self._link = link
        self._thread.is_paused = False
        self._thread.submit(lambda: self._thread.set_linked(linked=True))
        self.acknowledged(ack)
        # the queue is bounded: what fell out of it is told as lost, with its numbers
        first = self._unacknowledged[0].q if self._unacknowledged else self._q + 1
        lost: list[Message] = [Lost(start=ack + 1)] if first > ack + 1 else []
        return [*lost, *self._unacknowledged]

    def link_lost(self, link: AgentLinkEnd) -> None:
        """Note that the wire is gone; events are counted on and kept."""
        if self._link is link:
            self._link = None
            self._thread.submit(lambda: self._thread.set_linked(linked=False))

    def acknowledged(self, q: int) -> None:
        """Note that the daemon has the events up to ``q``."""
        while self._unacknowledged and self._unacknowledged[0].q <= q:
            self._unacknowledged.popleft()

    def renew(self, lease_ms: int) -> None:
        """Renew the lease: the daemon has said that it is there."""
        self._thread.lease.renew(lease_ms)

    def pause(self, *, paused: bool) -> None:
        """Pull nothing while the daemon does not read; the cursors stay."""
        self._thread.is_paused = paused

    def heartbeat(self, n: int, unsent: int) -> Hb | None:
        """Show that we are alive, and the clocks; ``None`` while the terminal does not answer."""
        latest = self._latest
        if latest is None or self._thread.held_s > HELD_S:
            return None
        connected, autotrading, _ = latest.switches
        return Hb(
            q=self._q,
            n=n,
            broker=connected,
            autotrading=autotrading,
            backlog=unsent,
            tcur=self._thread.broker_s,
            tgmt=int(self._utc_s()),
        )

    @property
    def is_loading(self) -> bool:
        """Whether the terminal is held up by a question about its history."""
        return self._thread.held_s > HELD_S and self._thread.is_loading

    def execute(self, cmd: Cmd, link: AgentLinkEnd) -> None:
        """Have a command carried out; its answer goes to the link on which it came."""
        if isinstance(cmd.params, LoginParams) and self._can_log_in:
            task = asyncio.create_task(self._check_login(cmd.id, cmd.params, link))
            self._login_tasks.add(task)
            task.add_done_callback(self._login_tasks.discard)
            return
        identity = link.identity
        came_s = host.monotonic_s()
        self._thread.submit(lambda: self._thread.execute(cmd, link, identity, came_s))

    @property
    def _can_log_in(self) -> bool:
        return LOGIN_CHECK.needs in self.caps

    async def _check_login(self, number: int, params: LoginParams, link: AgentLinkEnd) -> None:
        answer = await self._logins.answer(number, params)
        if link is self._link:
            link.say(answer)

    def _program_folder(self) -> str:
        """Return the folder of the terminal that trades; empty where there is none."""
        return "" if self._latest is None else self._latest.terminal.path

    # --- what the thread tells ---------------------------------------------------------------

    def _tell(self, news: Sequence[News]) -> None:
        self._call_loop(lambda: self._take(news))

    def _call_loop(self, act: Callable[[], None]) -> None:
        try:
            # one queue for everything: what was found first is told first
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:
            _log.debug("the loop has ended before the thread")

    def _take(self, news: Sequence[News]) -> None:
        self._thread.taken += 1
        said: list[Message] = []
        for item in news:
            match item:
                case SwitchSnapshot():
                    said += self._take_snapshot(item)
                case TerminalGone():
                    self._lose()
                case Ended():
                    self._lose()
                    self._ended.set()
                case Reply():
                    if item.link is self._link and self._link is not None:
                        said += item.messages
                case Trade():
                    said.append(self._count(item))
                case _:
                    said.append(item)
        if said and self._link is not None:
            self._link.say(*said)

    def _count(self, event: Trade | StateEvent) -> Trade | StateEvent:
        self._q += 1
        counted = replace(event, q=self._q)
        # kept until the daemon has it: a link that breaks now must not lose a fill
        self._unacknowledged.append(counted)
        return counted

    def _take_snapshot(self, snapshot: SwitchSnapshot) -> list[Message]:
        before, self._latest = self._latest, snapshot
        self._is_seen.set()
        if before is None:
            return []
        # the queue keeps their order; if it ever did not, the daemon's flags would flicker
        assert before.number < snapshot.number
        if before.identity != snapshot.identity:
            # what was counted is about another account
            self._begin()
            self._leave("account_changed")
            return []
        if before.switches == snapshot.switches:
            return []
        connected, autotrading, allowed = snapshot.switches
        event = StateEvent(broker=connected, autotrading=autotrading, trade_allowed=allowed)
        return [self._count(event)]

    def _lose(self) -> None:
        # what changes until it is back is not counted: with a new boot the daemon looks itself
        self._begin()
        self._latest = None
        self._is_seen.clear()
        self._leave("shutdown")

    def _leave(self, code: str) -> None:
        if self._link is not None:
            link, self._link = self._link, None
            link.leave(code)


_TRADES = {int(mode): word for mode, word in TRADE_MODES.items()}
_MODES = {
    int(MarginMode.RETAIL_NETTING): "netting",
    int(MarginMode.EXCHANGE): "exchange",
    int(MarginMode.RETAIL_HEDGING): "hedging",
}


def _installation(path: Path) -> str:
    """Return the random id of this installation, which is made once."""
    if not path.exists():
        path.write_text(f"{host.token_hex(16)}\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
