"""Trailing stops and linked orders, with the EA of MetaTrader 5: the suite of the emulated one."""

from __future__ import annotations

from functools import partial

import pytest
from ea_product import shared_ea
from product import sawtooth
from test_contingent_orders import *  # noqa: F403 (all that are there, and will be)
from test_contingent_orders import HIGH, LOW

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-life")]

del test_a_held_order_outlives_the_daemon  # noqa: F821 (it links a terminal of its own)

one = shared_ea("ea-contingent", speed=60.0, ticks=partial(sawtooth, low=LOW, high=HIGH))
"""The same market, before an EA."""
