"""A console to be judged by ``doctor``, and the checks of it."""

from __future__ import annotations

from gateway.cli.doctor.console import ConsoleCase, examine
from gateway.cli.doctor.finding import Finding
from gateway.credentials.daemon_api import OpenRequest, TerminalDescription

URL = "https://console.example.com"
NAMES = ["console", "console_clock", "device", "approval", "lease"]
WAITING = OpenRequest(
    rid="r" * 16,
    tid="A1b2C3d4E5f6",
    terminal=TerminalDescription(platform="mt5", login=7, server="Broker-Demo", fp="0" * 64),
    expires_s=480,
)


def judged(case: ConsoleCase) -> dict[str, Finding]:
    """Examine a case; every check is there, once, and holds to the form."""
    found = list(examine(case))
    assert [one.name for one in found] == NAMES
    for one in found:
        assert (one.remedy is None) == (one.verdict == "ok") or one.verdict == "skipped", one
    return {one.name: one for one in found}
