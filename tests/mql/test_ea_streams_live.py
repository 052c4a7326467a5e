"""Events on /ws, with the EA of MetaTrader 5: the suite of the emulated terminal."""

from __future__ import annotations

import pytest
from ea_product import shared_ea
from product import sawtooth
from test_streams_live import *  # noqa: F403 (all that are there, and will be)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-streams")]

del test_a_terminal_that_restarts  # noqa: F821 (see test_ea_scenarios.py for the EA's own)

running = shared_ea("ea-streams", speed=60.0, ticks=sawtooth, quirks={"chart_policy": 2})
"""A market with 120 ticks of EURUSD a second, and a minute each second."""
