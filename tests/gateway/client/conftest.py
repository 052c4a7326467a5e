"""Fixtures of the client's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from scripted_gateway import ScriptedGateway, scripted_gateway


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    """A server that does as the test says."""
    async with scripted_gateway() as running:
        yield running
