"""What all tests share: a running demo, and the option for long forms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_process import Demo, running_demo
from node_packages import installed_modules


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--long`` and ``--pictures``."""
    parser.addoption("--pictures", metavar="FOLDER", help="keep pictures of the console's pages")
    parser.addoption(
        "--long", action="store_true", help="run the long forms of soak and fuzz tests"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked ``long``, unless it was asked for."""
    if config.getoption("--long"):
        return
    left_out = [item for item in items if "long" in item.keywords]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if "long" not in item.keywords]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that all tests of one worker share; it is ended by SIGTERM, with exit code 0."""
    with running_demo(tmp_path_factory.mktemp("demo") / "home", "--speed", "20") as running:
        yield running


@pytest.fixture(scope="session")
def node_modules(pytestconfig: pytest.Config) -> Path:
    """The folder ``node_modules`` of the third-party clients; see :mod:`node_packages`."""
    return installed_modules(pytestconfig.cache.mkdir("node"))
