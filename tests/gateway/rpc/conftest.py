"""Fixtures of the doors' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from web_server_fixture import Server, open_server


@pytest.fixture
async def house() -> AsyncIterator[Server]:
    """A server with the default limits."""
    async with open_server() as opened:
        yield opened
