"""The life of orders, with the EA of MetaTrader 5: the suite of the emulated terminal."""

from __future__ import annotations

from functools import partial

import pytest
from ea_product import shared_ea
from product import sawtooth
from test_trading_life import *  # noqa: F403 (all that are there, and will be)
from test_trading_life import HIGH, LOW

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-life")]

running = shared_ea("ea-life", speed=60.0, ticks=partial(sawtooth, low=LOW, high=HIGH))
"""The same market, before an EA."""
