"""What the tests of the link share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from link_fixtures import House
from scripted_console import ScriptedConsole


@pytest.fixture
async def console() -> AsyncIterator[ScriptedConsole]:
    """A console behind a free port."""
    async with ScriptedConsole().served() as served:
        yield served


@pytest.fixture
def house(tmp_path: Path, console: ScriptedConsole) -> Iterator[House]:
    """A home that takes its tokens from it; whatever happens, it is not taken for two."""
    built = House(tmp_path / "home", console)
    yield built
    built.home.close()
    assert "forked" not in console.steps
