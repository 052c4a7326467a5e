"""The house of the gate's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path / "home")
    yield built
    built.home.close()
