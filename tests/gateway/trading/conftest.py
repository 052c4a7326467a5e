"""What the tests of the journal share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_scene import Kept
from scripted_terminal import Scene

from gateway.trading import receipts


@pytest.fixture
def kept(tmp_path: Path, scene: Scene) -> Iterator[Kept]:
    """A caller before a terminal whose orders are kept on the disk."""
    made = Kept(tmp_path / "home", scene)
    yield made
    made.ledger.close()


@pytest.fixture(autouse=True)
def _no_late_deals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let receipts of what is found out wait for no deals: what there are show at once."""
    monkeypatch.setattr(receipts, "LATER_DELAYS_S", ())
