"""A record of a run of pytest, kept as it goes: what began, and how it ended.

A report at the end tells nothing of a run that hangs or is killed. This one tells which test or
file was under way, and a further run with the same record goes on behind it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HUNG = "hung"
"""How a test or a file ended that has begun and not ended: nothing came back from it."""
WHOLE = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
"""What pytest ends with where every test has had its turn."""


@dataclass
class Outcomes:
    """How tests and files ended, by their names; those of tests with their parameters."""

    ended: dict[str, str] = field(default_factory=dict)
    """``passed``, ``failed``, ``skipped`` or :data:`HUNG`; a file that was collected is absent."""
    reasons: dict[str, str] = field(default_factory=dict)
    """What pytest told of those that failed."""
    is_whole: bool = False
    """Whether pytest came to its end."""


class Recorder:
    """A plugin of pytest that writes the record, a line a step, each at once on the disk."""

    def __init__(self, place: Path) -> None:
        """Go on behind what the record tells of."""
        self.done = read_record(place).ended if place.exists() else {}
        self.place = place

    def write(self, kind: str, name: str, **told: str) -> None:
        """Add a line."""
        with self.place.open("a", encoding="utf-8") as record:
            record.write(json.dumps({"kind": kind, "name": name, **told}) + "\n")

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave out a file that hung."""
        hung = (name for name, how in self.done.items() if how == HUNG)
        return True if collection_path in {config.rootpath / name for name in hung} else None

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Tell which file is read."""
        if isinstance(collector, pytest.Module):
            self.write("began", collector.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell that a file was read, or why it was not."""
        if report.nodeid.endswith(".py"):
            self.write("collected", report.nodeid)
        if report.failed:
            self.write("failed", report.nodeid, reason=report.longreprtext)

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave out what has begun in an earlier run."""
        left_out = [item for item in items if item.nodeid in self.done]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item.nodeid not in self.done]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell that a test begins."""
        self.write("began", nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell how a part of a test ended; the last one is its teardown."""
        if report.failed:
            self.write("failed", report.nodeid, reason=report.longreprtext)
        elif report.skipped:
            self.write("skipped", report.nodeid)
        if report.when == "teardown":
            self.write("passed", report.nodeid)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Tell that nothing follows, unless pytest itself failed or was stopped."""
        if exitstatus in WHOLE:
            self.write("whole", "")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--record``."""
    parser.addoption("--record", type=Path, help="keep a record here, and go on behind it")


def pytest_configure(config: pytest.Config) -> None:
    """Write a record if one is asked for."""
    if config.option.record is not None:
        config.pluginmanager.register(Recorder(config.option.record))


def read_record(place: Path) -> Outcomes:
    """Return what a record tells."""
    return outcomes(place.read_text("utf-8").splitlines())


def outcomes(lines: Iterable[str]) -> Outcomes:
    """Return what the lines of a record tell; the last may be cut off."""
    found = Outcomes()
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            continue
        kind, name = told["kind"], told["name"]
        if kind == "began":
            found.ended[name] = HUNG
        elif kind == "collected":
            del found.ended[name]
        elif kind == "whole":
            found.is_whole = True
        elif kind != "passed" or found.ended[name] == HUNG:
            found.ended[name] = kind
        if kind == "failed":
            found.reasons[name] = found.reasons.get(name, "") + told["reason"]
    return found
