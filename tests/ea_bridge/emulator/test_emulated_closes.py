"""A deal that names a position closes it, on netting accounts too, and never opens one."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from terminal_bench import EURUSD, WEDNESDAY

from ea_bridge.emulator.command_handler import CommandHandler
from ea_bridge.model import (
    MarginMode,
    OrderFilling,
    OrderType,
    TradeAction,
    TradeRequest,
    TradeResult,
    TradeRetcode,
)
from ea_bridge.simulation.broker import Broker
from ea_bridge.simulation.market import open_market
from ea_bridge.simulation.specs import default_account

NOON = WEDNESDAY + 12 * 3_600_000


@pytest.fixture
def handler() -> CommandHandler:
    """A netting account with money and nothing open."""
    market = open_market(start_msc=NOON)
    account = replace(default_account(), margin_mode=int(MarginMode.RETAIL_NETTING))
    broker = Broker(market, account)
    broker.deposit(10_000.0, NOON)
    return CommandHandler(market, broker, "mt5", lambda: NOON, lambda: NOON // 1000)


def deal(handler: CommandHandler, kind: OrderType, volume: float, **more: Any) -> TradeResult:
    """Send a market order."""
    request = TradeRequest(
        action=TradeAction.DEAL,
        symbol=EURUSD,
        type=kind,
        volume=volume,
        type_filling=OrderFilling.IOC,
        **more,
    )
    return handler.send(request)


def test_what_is_gone_cannot_be_closed(handler: CommandHandler) -> None:
    """10036, and the account stays flat; without naming a position the deal opens one."""
    ticket = deal(handler, OrderType.BUY, 0.2).position
    assert deal(handler, OrderType.SELL, 0.2, position=ticket).retcode == TradeRetcode.DONE
    again = deal(handler, OrderType.SELL, 0.2, position=ticket)
    assert again.retcode == TradeRetcode.POSITION_CLOSED
    assert handler.broker.positions() == []
    assert deal(handler, OrderType.SELL, 0.2).retcode == TradeRetcode.DONE


def test_no_more_than_there_is(handler: CommandHandler) -> None:
    """10038 instead of a reversal; 10013 for a deal in the position's own direction."""
    ticket = deal(handler, OrderType.BUY, 0.2).position
    reversing = deal(handler, OrderType.SELL, 0.3, position=ticket)
    assert reversing.retcode == TradeRetcode.INVALID_CLOSE_VOLUME
    assert deal(handler, OrderType.BUY, 0.1, position=ticket).retcode == TradeRetcode.INVALID
    (position,) = handler.broker.positions()
    assert position.volume == 0.2


def test_deals_on_their_way_count(handler: CommandHandler) -> None:
    """A broker that fills later must not get the same close twice."""
    ticket = deal(handler, OrderType.BUY, 0.2).position
    handler.broker.script.delays_ms.append(500)
    assert deal(handler, OrderType.SELL, 0.15, position=ticket).retcode == TradeRetcode.PLACED
    too_much = deal(handler, OrderType.SELL, 0.1, position=ticket)
    assert too_much.retcode == TradeRetcode.INVALID_CLOSE_VOLUME
    assert deal(handler, OrderType.SELL, 0.05, position=ticket).retcode == TradeRetcode.DONE
    handler.broker.on_time(NOON + 500)
    assert handler.broker.positions() == []
