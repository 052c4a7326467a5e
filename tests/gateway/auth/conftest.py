"""What the tests of a home with a console share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from console_machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    built = Machine(tmp_path / "home")
    yield built
    built.home.close()
