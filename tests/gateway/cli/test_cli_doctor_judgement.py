"""How ``doctor`` judges what was answered: what no emulated terminal can be made to say."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from gateway import __version__
from gateway.cli.doctor import gateway, terminal
from gateway.cli.doctor.finding import Finding, ok, problem
from gateway.cli.doctor.gateway import Heard
from gateway.cli.doctor.table import show
from gateway.shapes import AccountInfo, EaStatus, ServerInfo, TerminalInfo

OFFSET = {"broker_utc_offset_s": 10_800, "confidence": "high"}
SERVER = {"scopes": ["read", "trade"], "terminals": [{"clock": OFFSET}]}
EA = {
    "terminal": "a",
    "state": "ready",
    "platform": "mt5",
    "build": 4000,
    "login": 7,
    "server": "Broker-Demo",
    "ea_version": "1.0.0",
    "broker_connected": True,
    "autotrading": True,
    "rtt_ms": 1.0,
}
HEARD = Heard(
    ok("gateway", "answers"),
    version=__version__,
    server=cast(ServerInfo, SERVER),
    ea=cast(EaStatus, EA),
    terminal=cast(TerminalInfo, {"trade_allowed": True}),
    account=cast(AccountInfo, {"trade_allowed": True, "trade_expert": True}),
)


def judged(**ea: Any) -> dict[str, Finding]:
    """Examine a terminal that is well but for these facts."""
    heard = dataclasses.replace(HEARD, ea=cast(EaStatus, EA | ea))
    return {one.name: one for one in terminal.examine(heard)}


def test_all_is_well() -> None:
    """Every check of the terminal is there, once, and content."""
    found = judged()
    assert list(found) == ["terminal", *terminal.LIVE]
    assert {one.verdict for one in found.values()} == {"ok"}


def test_the_switch_of_the_ea() -> None:
    """The button is on and yet the EA may not trade: then it is the EA's own switch."""
    found = judged(autotrading=False)
    assert found["autotrading"].verdict == "ok"
    assert found["ea_trading"].verdict == "problem"
    assert "F7" in (found["ea_trading"].remedy or "")


def test_a_stale_terminal() -> None:
    """It is linked but silent; its switches are not believed."""
    found = judged(state="stale")
    assert "silent" in found["terminal"].found
    assert {found[name].verdict for name in terminal.LIVE} == {"skipped"}


@pytest.mark.parametrize(
    ("took_ms", "verdict"), [(50, "ok"), (50.1, "warning"), (None, "skipped")]
)
def test_a_slow_round_trip(took_ms: float | None, verdict: str) -> None:
    """More than 50 ms is a warning: it costs money, but it works."""
    assert judged(rtt_ms=took_ms)["round_trip"].verdict == verdict


def test_a_terminal_that_does_not_answer() -> None:
    """Linked, but its switches cannot be read: a problem, with what it was."""
    heard = dataclasses.replace(HEARD, account=None, silence="No answer within 10 s")
    found = {one.name: one for one in terminal.examine(heard)}
    assert found["autotrading"].verdict == "problem"
    assert "No answer within 10 s" in found["autotrading"].found


@pytest.mark.parametrize(
    ("version", "verdict"), [(__version__, "ok"), ("0.0.1", "warning"), (None, "skipped")]
)
def test_versions(version: str | None, verdict: str) -> None:
    """A gateway that was not restarted after an upgrade."""
    assert gateway.version(dataclasses.replace(HEARD, version=version)).verdict == verdict


@pytest.mark.parametrize(("skew_ms", "verdict"), [(2000, "ok"), (2001, "warning")])
def test_clocks(skew_ms: float, verdict: str) -> None:
    """Two seconds apart are nothing, more are worth a look."""
    assert gateway.clock(dataclasses.replace(HEARD, skew_ms=skew_ms)).verdict == verdict


def test_names_do_not_steer_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """A process may call itself what it likes."""
    show([problem("api_port", "taken by \x1b[2Jevil [bold]x[/bold]\n", "end it")])
    shown = capsys.readouterr().out
    assert "?[2Jevil [bold]x[/bold]?" in shown
    assert "\x1b" not in shown
    assert shown.endswith("1 problem\n")
