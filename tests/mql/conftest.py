"""The EAs as programs, compiled once; see :mod:`mql_compiler`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from external_programs import needed_cxx
from mql_compiler import Build, compiled

BRIDGE = Path(__file__).parents[2] / "ea_bridge"
MAINS = {
    "mt5": BRIDGE / "mql5" / "Experts" / "TerminalGateway.mq5",
    "mt4": BRIDGE / "mql4" / "Experts" / "TerminalGateway.mq4",
}
INCLUDES = {
    "mt5": (BRIDGE / "mql5" / "Include",),
    "mt4": (BRIDGE / "mql4" / "Include", BRIDGE / "mql5" / "Include"),
}

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
    for item in items:
        here = Path(__file__).parent in item.path.parents
        if here and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(seconds))
