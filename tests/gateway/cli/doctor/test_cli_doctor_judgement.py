"""How ``doctor`` judges what was answered: what no emulated terminal can be made to say."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from ea_bridge.protocol.messages import DENIALS
from gateway import __version__
from gateway.audit import note
from gateway.cli.doctor import gateway, terminal
from gateway.cli.doctor.finding import Finding, ok, problem, show
from gateway.cli.doctor.gateway import GatewayAnswers
from gateway.cli.doctor.terminal import TerminalRefusal, last_refusal
from gateway.cli.install_ea.installation import shipped_version
from gateway.home.ledger import open_ledger_store
from gateway.schemas import AccountInfo, EaStatus, ServerInfo, TerminalInfo

OFFSET = {"broker_utc_offset_s": 10_800, "confidence": "high"}
SERVER = {"scopes": ["read", "trade"], "terminals": [{"clock": OFFSET}]}
EA = {
    "terminal": "a",
    "state": "ready",
    "platform": "mt5",
    "build": 4000,
    "login": 7,
    "server": "Broker-Demo",
    "ea_version": shipped_version(),
    "broker_connected": True,
    "autotrading": True,
    "rtt_ms": 1.0,
}
HEARD = GatewayAnswers(
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
    ("version", "verdict", "remedy"),
    [
        (shipped_version(), "ok", None),
        ("0.9.12", "warning", "mt-gateway install-ea, and compile"),
        ("99.0.0", "warning", "upgrade mt-gateway"),
        ("another maker's", "ok", None),
        (None, "ok", None),
    ],
)
def test_an_ea_of_another_version(version: str | None, verdict: str, remedy: str | None) -> None:
    """It is linked, so it works; but the older of EA and gateway should be brought up to date."""
    found = judged(ea_version=version)["ea"]
    assert found.verdict == verdict
    assert (remedy or "") in (found.remedy or "")


def away(refusal: TerminalRefusal | None = None, **ea: Any) -> Finding:
    """Look at a terminal that is not linked."""
    heard = dataclasses.replace(HEARD, ea=cast(EaStatus, EA | {"state": "disconnected"} | ea))
    return next(iter(terminal.examine(heard, refusal)))


def test_an_ea_that_never_knocked() -> None:
    """The gateway cannot know why: all that lets an EA dial is told, of either MetaTrader."""
    found = away(platform=None)
    assert "no EA has dialled" in found.found
    for told in ("install-ea", "127.0.0.1", "MetaTrader 4: allow DLL imports", "tab Experts"):
        assert told in (found.remedy or "")


@pytest.mark.parametrize(
    ("platform", "told", "not_told"), [("mt5", "127.0.0.1", "DLL"), ("mt4", "DLL", "127.0.0.1")]
)
def test_an_ea_that_has_gone(platform: str, told: str, not_told: str) -> None:
    """Then it is known which MetaTrader it is, and what that one needs."""
    remedy = away(platform=platform).remedy or ""
    assert told in remedy
    assert not_told not in remedy


@pytest.mark.parametrize("reason", DENIALS)
def test_an_ea_that_was_turned_away(reason: str) -> None:
    """It has dialled, so nothing is said of addresses: the reason has its own remedy."""
    found = away(TerminalRefusal("A1b2C3d4E5f6", reason, 0), platform=None)
    assert found.verdict == "problem"
    assert f"A1b2C3d4E5f6 was turned away ({reason}, 1970-01-01 00:00 UTC)" in found.found
    assert found.remedy not in (None, "see token")
    assert "127.0.0.1" not in (found.remedy or "")


def test_a_linked_ea_that_was_turned_away_before() -> None:
    """That is over."""
    refusal = TerminalRefusal("A1b2C3d4E5f6", "proto", 0)
    assert {one.verdict for one in terminal.examine(HEARD, refusal)} == {"ok"}


def test_how_the_last_try_ended(tmp_path: Path) -> None:
    """Of this token the last one; else the last with a token that nobody knows, as long as the
    terminal has not been linked since; reading makes no trail where there is none."""
    mine, other = "A1b2C3d4E5f6", "Z9y8X7w6V5u4"

    def noted(event: str, **fields: Any) -> None:
        with closing(open_ledger_store(tmp_path)) as store, store.transaction() as connection:
            note(connection, event, **fields)

    def refused(tid: str | None, reason: str) -> None:
        noted("terminal_refused", outcome="refused", reason=reason, object=tid)

    def told() -> tuple[str, str] | None:
        found = last_refusal(tmp_path, mine)
        return None if found is None else (found.tid, found.reason)

    assert told() is None
    assert list(tmp_path.iterdir()) == []
    refused(None, "busy")
    refused(other, "expired")
    assert told() is None
    refused("A0b0C0d0E0f0", "unknown")
    refused(other, "unknown")
    assert told() == (other, "unknown")
    refused(mine, "proto")
    refused(mine, "expired")
    refused(other, "unknown")
    assert told() == (mine, "expired")
    noted("terminal_linked", actor=other)
    assert told() == (mine, "expired")
    noted("terminal_linked", actor=mine)
    assert told() is None
    refused(other, "unknown")
    assert told() == (other, "unknown")


def test_a_trail_that_cannot_be_read(tmp_path: Path) -> None:
    """Nothing is known then; the finding about the home tells what is wrong."""
    (tmp_path / "ledger.db").write_bytes(b"no database at all" * 1000)
    assert last_refusal(tmp_path, "A1b2C3d4E5f6") is None


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
    assert r"\x1b[2Jevil [bold]x[/bold]\n" in shown
    assert "\x1b" not in shown
    assert shown.endswith("1 problem\n")
