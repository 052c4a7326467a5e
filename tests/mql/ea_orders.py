"""Orders to an EA, and what its table says of them."""

from __future__ import annotations

from typing import Any

import pytest
from linked_ea import LinkedEa

from ea_bridge.commands import (
    ORDER_SEND,
    POSITIONS_GET,
    RESULTS_GET,
    FilterParams,
    ResultsParams,
    StoredResult,
)
from ea_bridge.model import Position, TradeAction, TradeRequest, TradeResult, TradeRetcode

BOTH = pytest.mark.parametrize("platform", ["mt5", "mt4"])
BUY = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, price=2.0)
DONE = TradeRetcode.DONE


async def positions(ea: LinkedEa) -> list[Position]:
    found: list[Position] = await ea.ask(POSITIONS_GET, FilterParams())
    return found


async def stored(ea: LinkedEa, *ids: int) -> list[StoredResult]:
    params = ResultsParams(ids=",".join(map(str, ids)))
    found: list[StoredResult] = await ea.ask(RESULTS_GET, params)
    return found


async def buy(ea: LinkedEa, request: TradeRequest = BUY, **options: Any) -> TradeResult:
    result: TradeResult = await ea.ask(ORDER_SEND, request, **options)
    assert result.retcode == DONE
    return result
