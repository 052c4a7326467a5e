"""Output of commands to a person: errors, and texts of others."""

from __future__ import annotations

import re
import shlex
import sys
import time

_PLAIN_IN_POWERSHELL = re.compile(r"[\w.:\\/=+-]+")


def shell_word(text: str, platform: str | None = None) -> str:
    """Return a text as one word of the shell that a person uses: on Windows PowerShell's.

    Args:
        text: the word.
        platform: as ``sys.platform`` has it; that of this machine if absent.

    """
    if (platform or sys.platform) != "win32":
        return shlex.quote(text)
    return text if _PLAIN_IN_POWERSHELL.fullmatch(text) else "'{}'".format(text.replace("'", "''"))


def visible(text: str) -> str:
    """Return a text with its control characters spelled out.

    A broker's comment or the reason of a halt must not move the cursor of a screen.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def utc_minute(seconds: float) -> str:
    """Return a moment with its date, 24 hours and zone."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


class CliError(Exception):
    """Error of a command, in one line: what is wrong and what to do about it."""

    def __init__(self, line: str, exit_code: int = 1) -> None:
        super().__init__(line)
        self.exit_code = exit_code


def known_failures() -> tuple[type[Exception], ...]:
    """Return the exceptions whose message is written for the person who runs the gateway."""
    # imported here: most commands succeed, and should start fast
    from ea_bridge.agent.package import PackageMissing
    from ea_bridge.agent.terminal import ThreadEnded
    from ea_bridge.emulator.factory import BooksUnreadable
    from ea_bridge.emulator.link import LinkRefused
    from ea_bridge.simulation.faults import UnknownFault
    from ea_bridge.simulation.market import TickFileError
    from ea_bridge.token import MalformedToken
    from gateway.config import ConfigError
    from gateway.credentials.issuer import IssuerError
    from gateway.credentials.record import LimitsError
    from gateway.credentials.secrets import SecretsError
    from gateway.home.home_console import WrongHome
    from gateway.storage.store import StoreError

    return (
        BooksUnreadable,
        ConfigError,
        IssuerError,
        LimitsError,
        LinkRefused,
        MalformedToken,
        PackageMissing,
        SecretsError,
        StoreError,
        ThreadEnded,
        TickFileError,
        UnknownFault,
        WrongHome,
    )
