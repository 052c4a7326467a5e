"""What the tests of the journal share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_scene import Kept
from scripted_terminal import Scene


@pytest.fixture
def kept(tmp_path: Path, scene: Scene) -> Iterator[Kept]:
    """A caller before a terminal whose orders are kept on the disk."""
    made = Kept(tmp_path / "home", scene)
    yield made
    made.ledger.close()
