"""Fixtures of the streams' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from stage import Ear, Stage, turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Streams with a terminal that is offline."""
    stage = Stage()
    yield stage
    stage.streams.close()
    await turns()


@pytest.fixture
async def live(stage: Stage) -> Stage:
    """Streams with a terminal that is connected."""
    stage.terminal.connect()
    await turns()
    return stage


@pytest.fixture
async def ear(live: Stage) -> Ear:
    """A connection that authenticated by header."""
    return live.ear()
