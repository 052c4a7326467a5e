"""The EAs as programs, compiled once; see :mod:`mql_compiler`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from ea_sources import INCLUDES, MAINS
from external_programs import needed_cxx
from mql_compiler import Build, compiled

Compile = Callable[..., Path]


@pytest.fixture(scope="session")
def mql_cache(pytestconfig: pytest.Config) -> Path:
    """Where compiled programs are kept between runs."""
    needed_cxx()
    return pytestconfig.cache.mkdir("mql")


@pytest.fixture(scope="session")
def compile_ea(mql_cache: Path, pytestconfig: pytest.Config) -> Compile:
    """Compiles the EA of a platform, with all warnings as errors."""
    sanitized = bool(pytestconfig.getoption("--sanitized"))

    @cache
    def compile_one(platform: str, *, optimize: str = "0") -> Path:
        build = Build(
            MAINS[platform],
            mql_cache,
            INCLUDES[platform],
            sanitized=sanitized,
            optimize=optimize,
        )
        return compiled(build)

    return compile_one


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the first test of a worker the time to compile, or to wait for the one that does."""
    seconds = 1200 if config.getoption("--sanitized") else 400
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(seconds))
