"""Netting accounts and MetaTrader 4, with the EAs: the suite of the emulated terminals."""

from __future__ import annotations

import pytest
from ea_product import shared_ea
from test_trading_kinds import *  # noqa: F403 (all that are there, and will be)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-kinds")]

netting = shared_ea("ea-netting", netting=True)
"""MetaTrader 5 on a netting account."""
mt4 = shared_ea("ea-mt4", "mt4", quirks={"blind": 1})
"""MetaTrader 4."""
