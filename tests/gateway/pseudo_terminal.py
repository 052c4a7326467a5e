"""Programs that ask a person: run in a terminal of their own, whose other side is ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping


def run_in_terminal(
    *words: str, environment: Mapping[str, str] | None = None
) -> tuple[int, subprocess.Popen[bytes]]:
    """Run a program in a terminal of its own; return our side of it, to be closed, and it."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        words,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
        preexec_fn=_own_terminal,
    )
    os.close(theirs)
    return ours, process


def shown_until(terminal: int, end: str | None) -> str:
    """Read what the terminal shows, until it ends so or, with ``None``, is closed."""
    shown = ""
    while end is None or not shown.endswith(end):
        try:
            new = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other side is gone
            break
        if not new:
            break
        shown += new.decode()
    return shown


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
