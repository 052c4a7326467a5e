"""The command ``mt-gateway``.

Each command imports what it needs when it runs, so that ``--help`` and short commands are quick.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; errors that people can act on are one line, without a traceback."""
    try:
        _run()
    except KeyboardInterrupt:  # at any moment, even while the command is still being imported
        # 128 and the number of SIGINT, as shells have it
        sys.exit(130)


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
