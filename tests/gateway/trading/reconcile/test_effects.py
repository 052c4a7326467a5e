"""Results of commands, judged by what the terminal shows; a snapshot in, a result out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ea_bridge.model import (
    Deal,
    Order,
    OrderState,
    OrderType,
    Position,
    TradeAction,
    TradeRequest,
    TradeRetcode,
)
from gateway.trading.journal import CommandRecord
from gateway.trading.reconcile.matching import ObservedOrder
from gateway.trading.reconcile.outcome import result_of_change, result_of_order
from gateway.trading.reconcile.snapshot import AccountSnapshot
from gateway.trading.requests import ReceiptContext

AT_MS = 1_780_000_000_000
OBSERVED = ObservedOrder(
    ticket=10, symbol="EURUSD", type=0, volume=0.3, magic=7, comment="", time_ms=AT_MS
)
EMPTY = AccountSnapshot(is_mt4=False, is_netting=False, offset_ms=0)


def command(action: TradeAction, **more: Any) -> CommandRecord:
    request = TradeRequest(action=action, symbol="EURUSD", **more)
    return CommandRecord(command_id=1, request=request, context=ReceiptContext(), created_ms=AT_MS)


def past(state: OrderState, left: float = 0.0, **more: Any) -> Order:
    fields: dict[str, Any] = {
        "type": 0,
        "volume_initial": 0.3,
        "symbol": "EURUSD",
        "ticket": 10,
        **more,
    }
    return Order(state=state, volume_current=left, **fields)


def deal(volume: float, price: float, ticket: int = 90) -> Deal:
    return Deal(ticket=ticket, order=10, type=0, volume=volume, price=price, position_id=70)


def test_deals_of_an_order_are_summed_up() -> None:
    """The price is their mean by volume; the position has the ticket of today."""
    view = replace(
        EMPTY,
        past={10: past(OrderState.FILLED)},
        deals=[deal(0.1, 1.1), deal(0.2, 1.4, ticket=91)],
        positions={
            77: Position(
                ticket=77, identifier=70, type=0, volume=0.3, price_open=1.3, symbol="EURUSD"
            )
        },
    )
    result = result_of_order(command(TradeAction.DEAL, volume=0.3), OBSERVED, view)
    assert (result.retcode, result.order, result.deal) == (TradeRetcode.DONE, 10, 90)
    assert (result.volume, result.price, result.position) == (0.3, 1.3, 77)


def test_less_than_the_order_is_a_partial_fill() -> None:
    view = replace(EMPTY, past={10: past(OrderState.CANCELED, 0.2)}, deals=[deal(0.1, 1.1)])
    result = result_of_order(command(TradeAction.DEAL, volume=0.3), OBSERVED, view)
    assert (result.retcode, result.volume) == (TradeRetcode.DONE_PARTIAL, 0.1)


@pytest.mark.parametrize(
    ("state", "retcode"),
    [
        (OrderState.CANCELED, TradeRetcode.REJECT),
        (OrderState.EXPIRED, TradeRetcode.REJECT),
        (OrderState.STARTED, TradeRetcode.PLACED),
        (OrderState.FILLED, TradeRetcode.DONE),
    ],
)
def test_an_order_without_deals_tells_by_its_state(state: OrderState, retcode: int) -> None:
    """A filled one has traded all the same: its deals are only late."""
    left = 0.0 if state is OrderState.FILLED else 0.3
    view = replace(EMPTY, past={10: past(state, left)})
    assert result_of_order(command(TradeAction.DEAL), OBSERVED, view).retcode == retcode


@pytest.mark.parametrize("state", [OrderState.PLACED, OrderState.CANCELED, OrderState.REJECTED])
def test_a_pending_order_was_placed_unless_the_server_rejected_it(state: OrderState) -> None:
    """What became of it later is another thing."""
    view = replace(EMPTY, past={10: past(state, 0.3)})
    result = result_of_order(command(TradeAction.PENDING), OBSERVED, view)
    is_rejected = state is OrderState.REJECTED
    assert result.retcode == (TradeRetcode.REJECT if is_rejected else TradeRetcode.DONE)


@pytest.mark.parametrize(
    ("state", "retcode"),
    [(OrderState.CANCELED, TradeRetcode.DONE), (OrderState.FILLED, TradeRetcode.INVALID_ORDER)],
)
def test_a_removal_shows_in_the_past(state: OrderState, retcode: int) -> None:
    """Filled before, it could not be removed; while it is open nobody can tell."""
    remove = command(TradeAction.REMOVE, order=10)
    found = result_of_change(remove, replace(EMPTY, past={10: past(state)}))
    assert found is not None
    assert found.retcode == retcode
    assert result_of_change(remove, replace(EMPTY, orders={10: past(state)})) is None


def test_a_modification_shows_when_all_prices_are_as_asked() -> None:
    """However a terminal writes its doubles."""
    change = command(TradeAction.MODIFY, order=10, price=1.1, sl=1.0)
    asked = past(OrderState.PLACED, price_open=1.1 + 1e-13, sl=1.0)
    found = result_of_change(change, replace(EMPTY, orders={10: asked}))
    assert found is not None
    assert found.retcode == TradeRetcode.DONE
    other = past(OrderState.PLACED, price_open=1.2, sl=1.0)
    assert result_of_change(change, replace(EMPTY, orders={10: other})) is None


class TestClosedOnMetaTrader4:
    """A trade that is closed stands in the history under its ticket."""

    CLOSE = command(TradeAction.DEAL, position=10, volume=0.3)

    def found(self, **more: Any) -> int | None:
        closed = past(
            OrderState.FILLED,
            **{"time_done_msc": AT_MS + 50, "type": OrderType.BUY, "price_current": 1.1, **more},
        )
        view = AccountSnapshot(is_mt4=True, is_netting=False, offset_ms=0, past={10: closed})
        result = result_of_change(self.CLOSE, view)
        return None if result is None else result.retcode

    def test_by_the_command(self) -> None:
        """At its time, with its volume."""
        assert self.found() == TradeRetcode.DONE

    def test_by_somebody_else(self) -> None:
        """Another volume, or another time."""
        assert self.found(volume_initial=0.1) is None
        assert self.found(time_done_msc=AT_MS + 86_400_000) is None

    def test_by_its_stop(self) -> None:
        """The comment says so, and the price is there: a program may write the same words."""
        at_stop = {"comment": "[sl]", "sl": 1.1}
        assert self.found(**at_stop) == TradeRetcode.POSITION_CLOSED
        assert self.found(**at_stop, price_current=1.2) == TradeRetcode.DONE
        assert self.found(comment="so: 50%") == TradeRetcode.POSITION_CLOSED
