"""A command that runs until it is told to stop: loop, signals, log, memory, a bounded end.

Memory holds tokens and keys: it is kept from disks and debuggers.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

from gateway.cli.output import CliError, known_failures
from gateway.storage.reserve import full_text, is_full

STOP_WITHIN_S = 8.0
"""After SIGINT or SIGTERM; what has not ended by then hangs, and is cut.

An end takes a fraction of a second. A busy machine makes it slow, which is no fault; containers
are killed after ten seconds, and our systemd unit after fifteen.
"""
CUT_SHORT = 1
"""Exit code of a process that had to be cut."""

TOLD = "gateway.home.terminals_file"
"""Its log is of interest to everybody: which terminal has linked, and which has left."""

_PR_SET_DUMPABLE = 4  # <linux/prctl.h>

log = logging.getLogger(__name__)


def run_until_stopped(
    start: Callable[[], Coroutine[Any, Any, None]], *, verbose: bool, ports: str = ""
) -> None:
    """Run a coroutine until it ends, or until a signal cancels it.

    Args:
        start: called inside the signal protection, so that it may import slowly.
        verbose: log what happens, not just what is wrong.
        ports: what names another port, for who finds one taken.

    Raises:
        CliError: a port is taken, a file cannot be read or makes no sense.

    """
    # from the first moment: what is imported below takes longer than some people wait
    for number in _STOP_SIGNALS:
        signal.signal(number, _leave)
    _log_to_stderr(verbose=verbose)
    keep_memory_private()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_cancelled_by_signals(start()))
    except OSError as error:
        raise _complaint(error, ports) from error
    except known_failures() as error:
        raise CliError(str(error)) from error


_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def _cancelled_by_signals(main: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)

    def stop() -> None:
        task.cancel()
        _cut_after(STOP_WITHIN_S)

    for number in _STOP_SIGNALS:
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows: the handler runs between two byte codes
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
    # wait, not await: that the task was cancelled is its normal end, and no error
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def _complaint(error: OSError, ports: str) -> CliError:
    if error.errno == errno.EADDRINUSE:
        port = error.filename or "the port"
        other = f"give another with {ports}" if ports else "give another"
        who = _holder(port)
        return CliError(f"{port} is taken by {who}: stop it, or {other} (0: a free one)")
    if error.filename and is_full(error, (path := Path(str(error.filename))).parent):
        return CliError(full_text(path))
    place = f"{error.filename}: " if error.filename else ""
    return CliError(f"{place}{error.strerror or error}")


def _holder(port: str) -> str:
    """Return who has a port, where the system tells; it is named as in the loopback's errors."""
    from gateway.cli.doctor.machine import holder

    number = port.removeprefix("port ")
    if number.isdecimal():
        for family in (socket.AF_INET, socket.AF_INET6):
            if (found := holder(family, int(number))) is not None:
                return str(found)
    return "another program"


def _leave(*_: object) -> NoReturn:
    """End before the loop runs: nothing was begun that needs an end of its own."""
    sys.exit(0)


def _cut_after(seconds: float) -> None:
    """End the process from a thread: a blocked loop or executor cannot hold it up."""

    def cut() -> None:
        log.critical("did not end within %.1f s: cut short", seconds)
        # not sys.exit: that would wait for the threads that hold it up
        os._exit(CUT_SHORT)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()


def _log_to_stderr(*, verbose: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger(TOLD).setLevel(logging.INFO)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the quicker loop, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def keep_memory_private() -> None:
    """Have no core dumps written, and on Linux no other process of the user look into us.

    Where the system does not let us, a warning is logged. Windows writes no dumps by itself.
    """
    if sys.platform == "win32":
        return
    import resource

    try:
        # both limits: no program that we start can raise it again
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":
            _forbid_looking()
    except (OSError, ValueError) as error:
        log.warning("a crash may write secrets to the disk: %s", error)


def _forbid_looking() -> None:
    import ctypes

    # also closes /proc/PID/mem and debuggers to other processes of the same user
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
