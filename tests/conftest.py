"""Options of the whole test suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--long``."""
    parser.addoption(
        "--long", action="store_true", help="run the long forms of soak and fuzz tests"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked ``long``, unless it was asked for."""
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="the long form; run with --long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)
