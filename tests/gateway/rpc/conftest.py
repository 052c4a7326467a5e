"""Fixtures of the doors' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from web_house import House, open_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A server with the default limits."""
    async with open_house() as opened:
        yield opened
