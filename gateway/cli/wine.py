"""Wine, by which MetaTrader runs without Windows: its version, and which ones are too old."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

OLDEST = 10
"""The oldest that MetaTrader does not call unsupported."""
ANSWER_S = 3.0
"""For the program's answer which one it is: ``doctor`` asks it, and a person waits."""


def wine_version() -> str | None:
    """Return the version of this machine's Wine, such as ``8.0``, if there is one.

    A program of Windows that runs under Wine asks its own; a real Windows has none.
    """
    told = _told_from_within() if sys.platform == "win32" else _told_by_program()
    found = re.match(r"\d+(?:\.\d+)*", told)
    return found and found[0]


def too_old(version: str | None) -> str | None:
    """Return what to say of a version, if MetaTrader calls it unsupported."""
    if version is None or int(version.partition(".")[0]) >= OLDEST:
        return None
    return f"Wine {version} is too old: MetaTrader supports {OLDEST} and later alone"


def _told_by_program() -> str:
    program = shutil.which("wine")
    if program is None:
        return ""
    command = (program, "--version")
    try:
        done = subprocess.run(  # noqa: S603  # the Wine that runs the terminal, too
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=ANSWER_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("ascii", "replace").removeprefix("wine-")


def _told_from_within() -> str:
    if sys.platform != "win32":
        return ""
    import ctypes

    # the one function of Wine's that Windows lacks
    ask = getattr(ctypes.WinDLL("ntdll"), "wine_get_version", None)
    if ask is None:
        return ""
    ask.restype = ctypes.c_char_p
    told: bytes = ask()
    return told.decode("ascii", "replace")
