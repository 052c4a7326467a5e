"""A market that tests may read but not move: tiles take a moment to make."""

from __future__ import annotations

import pytest
from market_parts import NOW

from ea_bridge.simulation.market import Market, open_market


@pytest.fixture(scope="session")
def still() -> Market:
    """All symbols on a Wednesday after noon, around the clock."""
    return open_market(start_msc=NOW, seed=7)
