"""What the tests of methods and trading share."""

from __future__ import annotations

import pytest
from scripted_terminal import Scene


@pytest.fixture
def scene() -> Scene:
    """A caller with the scope ``trade`` before a MetaTrader 5 on a hedging account."""
    return Scene()


@pytest.fixture
def mt4() -> Scene:
    """The same before a MetaTrader 4."""
    return Scene("mt4")
