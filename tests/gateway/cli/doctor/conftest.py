"""``doctor`` as a program runs it, and a home to be examined."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from findings import Run

from gateway.cli.doctor.finding import Finding
from gateway.home.home import Home


@pytest.fixture
def examine(run: Run) -> Callable[..., dict[str, Finding]]:
    """Run ``doctor --json``; the exit code must be that of what it found."""

    def findings(*arguments: str | Path) -> dict[str, Finding]:
        done = run("doctor", "--json", *map(str, arguments))
        assert done.err == ""
        found = [Finding(**one) for one in json.loads(done.out)]
        assert done.code == any(one.verdict == "problem" for one in found)
        for one in found:
            assert (one.remedy is None) or one.verdict != "ok"
            assert one.remedy or one.verdict in ("ok", "skipped"), one
        return {one.name: one for one in found}

    return findings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which a gateway has run."""
    place = tmp_path / "home"
    with Home(place):
        return place
