"""The command ``mt-gateway``.

Each command imports what it needs when it runs, so that ``--help`` and short commands are quick.
"""

from __future__ import annotations

import errno
import io
import os
import sys


def main() -> None:
    """Run the command line; errors that people can act on are one line, without a traceback."""
    _prepare_streams()
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EPIPE):
            raise
        # what is still unwritten would fail once more when the program ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if error.errno == errno.ENOSPC:  # whoever reads no more wants to hear no more
            sys.stderr.write(f"mt-gateway: cannot write: {error.strerror}\n")
        sys.exit(1)
    except KeyboardInterrupt:  # at any moment, even while the command is still being imported
        # 128 and the number of SIGINT, as shells have it
        sys.exit(130)


def _prepare_streams() -> None:
    """Let a command succeed whatever its output is: closed, or of an encoding without some of the
    characters that a person has typed.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # as long as the program
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # as long as the program
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run() -> None:
    from gateway.cli.commands import command
    from gateway.cli.output import CliError, visible

    try:
        command(sys.argv[1:])()
    except CliError as complaint:
        # it may quote a console, a broker or a file
        told = "\n".join(visible(line) for line in str(complaint).splitlines())
        sys.stderr.write(f"mt-gateway: {told}\n")
        sys.exit(complaint.exit_code)
