"""An emulated MetaTrader 4 server without users, logged in."""

from __future__ import annotations

import pytest
from manager_bench import ManagerBench


@pytest.fixture
def bench() -> ManagerBench:
    return ManagerBench()
