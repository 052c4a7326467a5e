"""Rules of new orders and of changes before anything is asked of the terminal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import POSITION
from scripted_terminal import Scene

from ea_bridge.model import OrderTime, OrderType, PositionType, TradeAction, TradeRequest
from gateway.errors import InvalidParams, MethodNotSupported
from gateway.trading.filling import AT_MARKET
from gateway.trading.orders import (
    _tightens,
    broker_seconds,
    check_change,
    check_complete,
    check_platform,
    comment_of,
    filling_key,
    lifetime_faults,
)
from gateway.trading.requests import (
    Deadline,
    ExecutionOptions,
    OrderModification,
    OrderRequest,
)

STOP_LIMITS = (OrderType.BUY_STOP_LIMIT, OrderType.SELL_STOP_LIMIT)
PENDING = [kind for kind in OrderType if kind not in AT_MARKET and kind is not OrderType.CLOSE_BY]


def order(kind: OrderType, **more: Any) -> OrderRequest:
    return OrderRequest(symbol="EURUSD", type=kind, volume=Decimal(1), **more)


def fields(error: pytest.ExceptionInfo[InvalidParams]) -> set[str]:
    return {fault["field"] for fault in error.value.data["errors"]}


@pytest.mark.parametrize("kind", PENDING)
def test_a_pending_order_needs_its_prices(kind: OrderType) -> None:
    """All that is missing is told at once."""
    with pytest.raises(InvalidParams) as error:
        check_complete(order(kind))
    assert fields(error) == ({"price", "stoplimit"} if kind in STOP_LIMITS else {"price"})
    given = {"stoplimit": Decimal(1)} if kind in STOP_LIMITS else {}
    check_complete(order(kind, price=Decimal(1), **given))


@pytest.mark.parametrize("kind", sorted(AT_MARKET))
def test_a_market_order_has_neither_limit_nor_lifetime(kind: OrderType) -> None:
    """It is filled at once, or not at all."""
    with pytest.raises(InvalidParams) as error:
        check_complete(order(kind, stoplimit=Decimal(1), expiration_ms=1))
    assert fields(error) == {"stoplimit", "expiration"}
    check_complete(order(kind))


@pytest.mark.parametrize(
    ("lifetime", "expiration_ms", "is_fault"),
    [
        (None, None, False),
        (None, 1, False),
        (OrderTime.GTC, None, False),
        (OrderTime.GTC, 1, True),
        (OrderTime.DAY, 1, True),
        (OrderTime.SPECIFIED, None, True),
        (OrderTime.SPECIFIED, 1, False),
        (OrderTime.SPECIFIED_DAY, None, True),
    ],
)
def test_a_lifetime_and_its_end_belong_together(
    lifetime: OrderTime | None, expiration_ms: int | None, is_fault: bool
) -> None:
    """A moment alone means an order until then."""
    assert bool(lifetime_faults(lifetime, expiration_ms)) is is_fault


def test_metatrader_4_is_asked_for_nothing_that_it_would_carry_out_otherwise() -> None:
    """No stop-limits, no orders of the day, no magic that it would cut."""
    old, new = Scene("mt4").guarded, Scene().guarded
    for kind, lifetime in ((STOP_LIMITS[0], None), (OrderType.BUY_LIMIT, OrderTime.DAY)):
        check_platform(new, kind, lifetime)
        with pytest.raises(MethodNotSupported):
            check_platform(old, kind, lifetime)
    check_platform(old, OrderType.BUY, None, 2**31 - 1)
    check_platform(new, OrderType.BUY, None, 2**31)
    with pytest.raises(InvalidParams):
        check_platform(old, OrderType.BUY, None, 2**31)


def test_a_moment_goes_to_the_terminal_in_the_brokers_seconds() -> None:
    """No moment is 0."""
    scene = Scene()
    assert broker_seconds(scene.guarded, None) == 0
    expected = scene.clock.to_broker_ms(scene.now_ms) // 1000
    assert broker_seconds(scene.guarded, scene.now_ms) == expected


def test_the_comment_begins_with_the_tag_of_the_id() -> None:
    """It is how an order is found again; the caller's own words follow."""
    deadline = Deadline.of(lambda: 0, None, None)
    one, other = (
        comment_of(Scene().guarded, ExecutionOptions(client_order_id=id_, deadline=deadline), "x")
        for id_ in ("a", "b")
    )
    assert one.endswith(" x")
    assert other.endswith(" x")
    assert one != other


def test_a_filling_mode_is_remembered_by_account_symbol_and_kind() -> None:
    """A pending order may take another mode than one at the market."""
    terminal = Scene().guarded
    keys = {
        filling_key(terminal, TradeRequest(action=int(action), symbol=symbol))
        for action in (TradeAction.DEAL, TradeAction.PENDING)
        for symbol in ("EURUSD", "GBPUSD")
    }
    assert len(keys) == 4
    assert all(terminal.account in key for key in keys)  # type: ignore[operator]  # tuples


def test_a_change_changes_something() -> None:
    """Taking a stop off is a change; naming nothing is none."""
    with pytest.raises(InvalidParams):
        check_change(OrderModification(ticket=1))
    check_change(OrderModification(ticket=1, sl=None))
    check_change(OrderModification(ticket=1, price=Decimal(1)))
    with pytest.raises(InvalidParams):
        check_change(OrderModification(ticket=1, lifetime=OrderTime.SPECIFIED))


@pytest.mark.parametrize(
    ("has", "wanted", "tightens"),
    [
        (0.0, 1.05, True),
        (1.05, 1.06, True),
        (1.05, 1.04, False),
        (1.05, None, False),
    ],
)
def test_only_a_tighter_stop_may_be_set_with_lesser_rights(
    has: float, wanted: float | None, tightens: bool
) -> None:
    """Of a buy: upwards. A stop that is taken off or moved away adds risk."""
    position = replace(POSITION, type=int(PositionType.BUY), sl=has)
    request = TradeRequest(action=int(TradeAction.SLTP), sl=wanted or 0.0, tp=position.tp)
    assert _tightens(position, request) is tightens
    assert not _tightens(position, replace(request, tp=position.tp + 1))
