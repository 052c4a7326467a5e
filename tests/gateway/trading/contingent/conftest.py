"""What the tests of held orders and of links share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from contingent_parts import Stand
from scripted_terminal import Scene

from gateway import background


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_S", 0.002)
    monkeypatch.setattr(background, "LAST_PAUSE_S", 0.01)


@pytest_asyncio.fixture
async def stand(mt4: Scene, tmp_path: Path) -> AsyncIterator[Stand]:
    """Before a MetaTrader 4."""
    one = Stand(mt4, tmp_path)
    yield one
    one.close()
