"""The process from which :mod:`warm_process` forks programs: it has imported what they need.

``python warm_parent.py FD``: each packet on the socket asks for a program, by its arguments,
environment and folder, with its standard input, output and errors; the answer is a process id.
It has one thread and runs no loop, so that a fork is a whole process. One that is orphaned at
once goes to the nearest ancestor that takes orphans: to the test that asked, which waits for it
as for a child of its own.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import socket
import sys
import time
from typing import Any

MAX_REQUEST = 2**17


def prepare() -> None:
    """Import what programs import when they run, and make what they make first."""
    import gateway.app.console
    import gateway.app.demo
    import gateway.app.emulator
    import gateway.cli.commands
    import gateway.cli.process
    from ea_bridge.emulator.factory import build_terminal
    from ea_bridge.mt4_manager.emulator.factory import build_manager

    for name in gateway.cli.commands.COMMANDS:
        gateway.cli.commands.command([name])
    gateway.cli.process.loop_factory()
    # both look at prices of their market, whose minutes take longest to make
    build_terminal()
    build_manager(password="")
    gc.collect()
    gc.freeze()  # what is never looked at is never copied


def next_program(channel: socket.socket) -> dict[str, Any] | None:
    """Fork as often as asked; return what to be in each fork, and ``None`` at the end here."""
    while True:
        request, streams, _, _ = socket.recv_fds(channel, MAX_REQUEST, 3)
        if not request:
            return None
        pid = fork_orphan()
        if pid == 0:
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            os.closerange(3, max(channel.fileno(), *streams) + 1)
            # those of the parent know whether its files can be sought, and these are others
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # as long as it lives
            sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
            channel.detach()
            asked: dict[str, Any] = json.loads(request)
            return asked
        for stream in streams:
            os.close(stream)
        channel.send(str(pid).encode())


def fork_orphan() -> int:
    """Fork a process that is nobody's child any more; return its id, and 0 in it."""
    reader, writer = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid:
            os.write(writer, str(pid).encode())
            os._exit(0)
        os.close(reader)
        os.close(writer)
        return 0
    os.waitpid(between, 0)
    pid = int(os.read(reader, 32))
    os.close(reader)
    os.close(writer)
    return pid


def run(asked: dict[str, Any]) -> None:
    """Be what ``python`` is with these arguments: ``-m MODULE ...`` or ``SCRIPT ...``."""
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    os.chdir(asked["folder"])
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    if asked["command"][0] == "-m":
        _, module, *arguments = asked["command"]
        sys.argv = [module, *arguments]
        sys.path[0] = os.getcwd()
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv = asked["command"]
        sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    prepare()
    program = next_program(socket.socket(fileno=int(sys.argv[1])))
    if program is not None:
        run(program)
