"""Figures that machines tell: bounded, however many there are."""

from __future__ import annotations

import pytest

from gateway.console import daemon_calls
from gateway.console.daemon_calls import DaemonCalls
from gateway.console.service import Console
from gateway.credentials.daemon_api import Summary, TerminalSummary

pytestmark = pytest.mark.alike

TID = "0123456789AB"


def told(count: int) -> Summary:
    one = TerminalSummary(tid=TID, at=1, linked=True)
    tids = (f"{number:012d}" for number in range(count))
    lines = tuple(one.model_copy(update={"tid": tid}) for tid in (TID, *tids))
    return Summary(t="summary", manages=True, terminals=lines[:count])


async def test_figures_of_many_machines_are_bounded(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those told longest ago are forgotten; who tells again takes no more room."""
    monkeypatch.setattr(daemon_calls, "MAX_FIGURES", 30)
    calls = DaemonCalls(console.signing, lambda: 1)
    for did in ("a", "b", "a", "c", "a"):
        calls.told(did, told(10))
    assert all(calls.figures(did, TID) for did in "abc")
    calls.told("d", told(1))
    assert [calls.figures(did, TID) is not None for did in "abcd"] == [True, False, True, True]
    assert calls.manages("b") is None
