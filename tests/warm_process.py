"""Programs that begin at once, since they are forked from a process that has imported all.

To import the gateway takes more than a second of a processor, and the tests run a hundred
programs. A :class:`WarmProcess` is a process of its own all the same: with its own standard
streams, environment and end, waited for and killed as any other.

Not so where the start is the matter: ``test_processes``, the test of a signal during the start and
the snippets of the README start the command as a person does; and so does everybody on a system
without prctl(2).
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from asyncio.streams import FlowControlMixin
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

COMMAND = (sys.executable, "-m", "gateway")
PR_SET_CHILD_SUBREAPER = 36
"""Of ``<linux/prctl.h>``."""


class WarmProcess(subprocess.Popen[Any]):
    """``python -m gateway``, or a script of Python, and its arguments.

    Takes what ``Popen`` takes of standard streams, ``env`` and ``text``.
    """

    def _execute_child(
        self,
        args: tuple[Any, ...],
        executable: object,
        preexec_fn: object,
        close_fds: object,
        pass_fds: object,
        cwd: object,
        env: Mapping[str, str] | None,
        *rest: Any,
    ) -> None:
        environment = dict(os.environ if env is None else env)
        assert (executable, preexec_fn, pass_fds, cwd) == (None, None, (), None)
        assert args[0] == sys.executable
        if not is_alike(environment):
            others = (executable, preexec_fn, close_fds, pass_fds, cwd, env)
            super()._execute_child(args, *others, *rest)  # type: ignore[misc]  # it is private
            return
        _, _, _, *pipes = rest[:9]
        stdin, _, _, stdout, _, stderr = pipes
        own = [one if one != -1 else number for number, one in enumerate((stdin, stdout, stderr))]
        self.pid = parent().fork([os.fspath(one) for one in args[1:]], environment, own)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]  # the same


def run_warm(
    *arguments: str, env: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run ``mt-gateway`` with arguments until it ends by itself; return what it wrote."""
    command = (*COMMAND, *arguments)
    pipe = subprocess.PIPE
    with WarmProcess(command, stdout=pipe, stderr=pipe, env=env, text=True) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


class Running:
    """A :class:`WarmProcess` in a loop, with the methods of ``asyncio.subprocess.Process``."""

    def __init__(self, process: WarmProcess) -> None:
        self._process = process
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.pid = process.pid
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        threading.Thread(target=self._wait, args=(self._ended.get_loop(),), daemon=True).start()

    @property
    def returncode(self) -> int | None:
        """``None`` while it runs, as far as the loop has heard."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Wait for its end; return the exit code."""
        return await asyncio.shield(self._ended)

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self._process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._ended.set_result, code)

    async def _connect(self, limit: int) -> None:
        loop, process = self._ended.get_loop(), self._process
        if process.stdin is not None:
            pipe = await loop.connect_write_pipe(FlowControlMixin, process.stdin)
            self.stdin = asyncio.StreamWriter(*pipe, None, loop)
        self.stdout = await _reader(process.stdout, limit)
        self.stderr = await _reader(process.stderr, limit)


async def _reader(pipe: Any, limit: int) -> asyncio.StreamReader | None:
    if pipe is None:
        return None
    reader = asyncio.StreamReader(limit)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader


async def start_warm(
    *command: Any,
    stdin: Any = None,
    stdout: Any = None,
    stderr: Any = None,
    env: Mapping[str, str] | None = None,
    limit: int = 2**16,
) -> Running:
    """Start a process for a loop, as ``asyncio.create_subprocess_exec`` does."""
    streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    if sys.platform == "win32":  # a loop there reads no pipes but its own
        process = await asyncio.create_subprocess_exec(*command, env=env, limit=limit, **streams)
        return cast(Running, process)  # it has the same methods
    running = Running(WarmProcess(command, bufsize=0, env=env, **streams))
    await running._connect(limit)
    return running


def is_alike(environment: Mapping[str, str]) -> bool:
    """Whether a process may be forked: what Python reads when it starts is as it was here."""
    return sys.platform == "linux" and _of_python(environment) == _of_python(os.environ)


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    read = ("PYTHON", "LC_", "LANG")
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(read) and name != "PYTHONPATH"
    }


class Parent:
    """The process that forks; see :mod:`warm_parent`."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        program = Path(__file__).with_name("warm_parent.py")
        with theirs:
            self._process = subprocess.Popen(
                (sys.executable, program, str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )

    def fork(self, command: list[str], environment: Mapping[str, str], streams: list[int]) -> int:
        """Return the id of a new process, which is a child of this one."""
        asked = {"command": command, "environment": dict(environment), "folder": os.getcwd()}
        with self._lock:
            take_orphans(True)
            try:
                socket.send_fds(self._channel, [json.dumps(asked).encode()], streams)
                answer = self._channel.recv(32)
            finally:
                take_orphans(False)
        assert answer, "the process that forks has ended"
        return int(answer)

    def end(self) -> None:
        """Let it end."""
        self._channel.close()
        self._process.wait()


@cache
def parent() -> Parent:
    """Return the one of this process."""
    one = Parent()
    atexit.register(one.end)
    return one


def take_orphans(yes: bool) -> None:
    """Say whether descendants whose parent ends become children of this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
