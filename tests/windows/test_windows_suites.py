"""The suites of bridge, gateway and command line on ``win32``: run with ``--windows``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from known_failures import FAILS, LEFT_OUT
from windows_installer import ROOT
from wine import Wine
from wine_environment import copy_checkout, environment

ROOMS = ("tests/ea_bridge", "tests/gateway")
SUITES = [
    *(room for room in ROOMS),
    *(
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in sorted((ROOT / room).iterdir())
        if path.is_dir() and next(path.rglob("test_*.py"), None)
    ),
]
"""By folder; the rooms themselves stand for what lies in no folder of theirs."""
SUITE_S = 2400
TEST_S = 180
"""After that a test ends all behind it; a demo alone may take a minute to start there."""
REPORT = "report.xml"


@pytest.fixture(scope="module")
def checkout() -> Path:
    """A copy of the project where Windows' Python finds it, and leaves its compiled code."""
    place = environment().folder / "checkout"
    shutil.rmtree(place, ignore_errors=True)
    copy_checkout(place)
    return place


@pytest.fixture(scope="module")
def wine() -> Iterator[Wine]:
    """A Windows that all suites share, one after another."""
    with environment().wine() as wine:
        yield wine


def arguments(suite: str) -> list[str]:
    """Return what pytest is to run of a suite."""
    if suite not in ROOMS:
        return [suite]
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / suite).glob("test_*.py"))]


def outcomes(report: Path) -> dict[str, set[str]]:
    """Return how tests ended, by their names without parameters."""
    found: dict[str, set[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  # pytest wrote it
        # what could not be collected has a file for a name
        file = (case.get("file") or "").replace("\\", "/")
        name = "::".join(filter(None, (file, (case.get("name") or "").partition("[")[0])))
        ended = {child.tag for child in case} & {"failure", "error", "skipped"}
        found.setdefault(name, set()).update(ended or {"passed"})
    return found


@pytest.mark.windows
@pytest.mark.timeout(3600)
@pytest.mark.xdist_group("wine")
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_fails_where_it_is_known_to(suite: str, checkout: Path, wine: Wine) -> None:
    """And nowhere else; what does not fail any more has to leave the list."""
    report = wine.drive / REPORT
    report.unlink(missing_ok=True)
    words = arguments(suite)
    left_out = [word for name in LEFT_OUT for word in ("--deselect", name)]
    done = wine.run(
        str(environment().python),
        *("-m", "pytest", "-q", "-n0", "--tb=short", "-p", "no:cacheprovider"),
        *("-o", "addopts=", "-o", "junit_family=xunit1", f"--junitxml=C:\\{REPORT}"),
        *("--basetemp=C:\\t", f"--timeout={TEST_S}", "--continue-on-collection-errors"),
        *(*left_out, *words),
        cwd=checkout,
        timeout=SUITE_S,
        is_last=True,
    )
    # descriptors that Wine keeps are given back, and processes that outlived their test
    wine.end()
    assert report.exists(), f"{done.said[-4000:]}\n{done.complained[-2000:]}"
    print(f"{suite}: {done.said.splitlines()[-1]}")  # the count, for who runs it with -s
    ended = outcomes(report)
    failed = {name for name, how in ended.items() if how & {"failure", "error"}}
    known = {name for name in FAILS if name in ended}
    assert failed - known == set(), done.said[-8000:]
    assert known - failed == set(), "they pass now: take them out of known_failures.py"


def test_the_list_names_tests_with_reasons() -> None:
    """Each name is that of a test there is."""
    for name, reason in (FAILS | LEFT_OUT).items():
        file, _, test = name.partition("::")
        assert (ROOT / file).is_file(), name
        assert not test or f"def {test}(" in (ROOT / file).read_text("utf-8"), name
        assert reason
