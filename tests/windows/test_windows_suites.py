"""The suites of bridge, gateway and command line on ``win32``: run with ``--windows``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from known_failures import FAILS, LEFT_OUT
from run_record import HUNG, Outcomes, read_record
from windows_installer import ROOT
from wine import Wine
from wine_environment import copy_checkout, environment

ROOMS = ("tests/ea_bridge", "tests/gateway")
SUITES = sorted(
    {
        path.parent.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("test_*.py")
    }
)
"""By folder, each without those in it: what Wine does not give back ends with each."""
TEST_S = 180
"""After that a test hangs; a demo alone may take a minute to start there."""
SILENT_S = 300
"""After that one hangs that cannot be ended from within, or a file that is only read."""
RECORD, TEMPORARY = "record.jsonl", "t"
"""In the drive C."""


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
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / suite).glob("test_*.py"))]


def run_to_its_end(suite: str, checkout: Path, wine: Wine) -> Outcomes:
    """Run a suite; behind a test or a file that hangs it goes on in a new process."""
    record = wine.drive / RECORD
    record.unlink(missing_ok=True)
    left_out = [word for name in LEFT_OUT for word in ("--deselect", name)]
    while True:
        before = size_of(record)
        done = wine.run(
            str(environment().python),
            *("-m", "pytest", "-q", "-n0", "--tb=short", "-p", "no:cacheprovider"),
            *("-p", "tests.windows.run_record", f"--record=C:\\{RECORD}", "-o", "addopts="),
            *(f"--basetemp=C:\\{TEMPORARY}", f"--timeout={TEST_S}"),
            *("--continue-on-collection-errors", *left_out, *arguments(suite)),
            cwd=checkout,
            timeout=SILENT_S,
            is_last=True,
            progress=lambda: size_of(record),
        )
        # descriptors that Wine keeps are given back, and processes that outlived their test
        wine.end()
        shutil.rmtree(wine.drive / TEMPORARY, ignore_errors=True)
        assert size_of(record) > before, f"{done.said[-4000:]}\n{done.complained[-2000:]}"
        found = read_record(record)
        if found.is_whole:
            return found


def size_of(record: Path) -> int:
    """Return how far a run has come."""
    return record.stat().st_size if record.exists() else 0


@pytest.mark.windows
@pytest.mark.timeout(7200)
@pytest.mark.xdist_group("wine")
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_fails_where_it_is_known_to(suite: str, checkout: Path, wine: Wine) -> None:
    """And nowhere else; what does not fail any more has to leave the list."""
    found = run_to_its_end(suite, checkout, wine)
    count = Counter(found.ended.values())
    # for who runs it with -s
    print(f"{suite}: {', '.join(f'{number} {how}' for how, number in sorted(count.items()))}")
    by_test: dict[str, set[str]] = {}
    for name, how in found.ended.items():
        by_test.setdefault(name.partition("[")[0], set()).add(how)
    failed = {name for name, how in by_test.items() if how & {"failed", HUNG}}
    known = FAILS.keys() & by_test.keys()
    told = "\n".join(f"{name}: {by_test[name]}\n{reasons_of(name, found)}" for name in failed)
    assert failed - known == set(), told[-8000:]
    assert known - failed == set(), "they pass now: take them out of known_failures.py"


def reasons_of(test: str, found: Outcomes) -> str:
    """Return why a test failed, whatever its parameters."""
    return "\n".join(why for name, why in found.reasons.items() if name.startswith(test))


HANGS = """
import os, pathlib

def test_before(): pass
def test_hangs(): os._exit(3)
def test_behind(): assert False, "a reason"
"""


def test_what_hangs_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    """A test that never comes back, as little as a file that is only read, hides no other."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (tmp_path / "test_a.py").write_text("import os\nos._exit(3)\n", "utf-8")
    (tmp_path / "test_b.py").write_text(HANGS, "utf-8")
    record = tmp_path / RECORD
    ended = []
    for _ in range(3):
        words = ("-p", "tests.windows.run_record", f"--record={record}")
        subprocess.run(
            (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words, str(tmp_path)),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        found = read_record(record)
        ended.append((found.is_whole, len(found.ended)))
    assert ended == [(False, 1), (False, 3), (True, 4)]
    assert found.ended == {
        "test_a.py": HUNG,
        "test_b.py::test_before": "passed",
        "test_b.py::test_hangs": HUNG,
        "test_b.py::test_behind": "failed",
    }
    assert "a reason" in found.reasons["test_b.py::test_behind"]


def test_the_list_names_tests_with_reasons() -> None:
    """Each name is that of a test there is."""
    for name, reason in (FAILS | LEFT_OUT).items():
        file, _, test = name.partition("::")
        assert (ROOT / file).is_file(), name
        assert not test or f"def {test}(" in (ROOT / file).read_text("utf-8"), name
        assert reason
