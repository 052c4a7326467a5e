"""A home, and the clock in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from issuer_clock import Clock

from gateway.home.home import Home


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path, clock: Clock) -> Iterator[Home]:
    with Home(tmp_path / "home", now_s=clock) as opened:
        yield opened
