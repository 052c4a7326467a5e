"""Logins to other accounts, tried in a terminal that is there for nothing else.

A login changes the account of the terminal that it is made in. So it is never made in the one
that trades, and never by its thread: another process with a package of its own does it, which may
take half a minute, and can be ended if it hangs. The password goes to it by its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ntpath
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ea_bridge.model.account import (
    AUTH_FAILED,
    BAD_PATH,
    NO_CONNECTION,
    CheckedLogin,
    LoginParams,
)
from ea_bridge.protocol.messages import Res

from .package import Package, PackageError, import_package, struct_of

LOGIN_S = 25.0
"""For which the terminal may try; the daemon waits for half a minute."""
PROCESS_S = 29.0
"""For which the process may run: its start takes a moment, too."""
MAX_ANSWER = 64 * 1024
"""Bytes."""
INTERNAL_ERROR = 4024

_log = logging.getLogger(__name__)


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
