"""Lost pending orders on MetaTrader 4 that were filled, at a broker that rewrites comments."""

from __future__ import annotations

from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept
from msgspec.structs import replace
from scripted_answers import NOW_MS, OFFSET_MS, ORDER, POSITION
from test_matching import AT_MS, matched, order, send
from test_reconcile import outcome

from ea_bridge.model import Order, OrderType, Position, TradeAction
from gateway.trading.journal import CommandRecord
from gateway.trading.reconcile import patience
from gateway.trading.reconcile.matching import (
    LATEST_MS,
    SKEW_MS,
    ObservedOrder,
    assign_alike,
    may_be,
)

HERE_MS = NOW_MS + OFFSET_MS
STOP = 1.08
"""Price of the lost order, a stop to sell; the bid is above it when it is placed."""
LATER_MS = 2 * LATEST_MS + 2 * SKEW_MS


@pytest.fixture(name="mt4")
def on_metatrader_4(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """A terminal without a table of results; what leaves no trace is given up at once."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, platform="mt4")
    kept.equip("")
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST}
    return kept


async def lose(kept: Kept, client_order_id: str = "a", **more: Any) -> None:
    """Lose the answer to a stop order to sell."""
    asked = {"type": "sell_stop", "side": None, "price": STOP, **more}
    await kept.fail(client_order_id, **asked)
    kept.link()


def trade(ticket: int, opened: float, after_ms: int = 0) -> Position:
    """An open trade to sell."""
    at_ms = HERE_MS + after_ms
    return replace(
        POSITION,
        ticket=ticket,
        identifier=ticket,
        type=1,
        volume=0.1,
        magic=0,
        price_open=opened,
        sl=0.0,
        tp=0.0,
        time=at_ms // 1000,
        time_msc=at_ms,
        comment="online order",
    )


def closed(one: Position) -> Order:
    """The same when it was closed, as the history has it."""
    return replace(
        ORDER,
        ticket=one.ticket,
        position_id=one.ticket,
        type=one.type,
        state=4,
        volume_initial=one.volume,
        volume_current=0.0,
        magic=one.magic,
        price_open=one.price_open,
        sl=one.sl,
        tp=one.tp,
        time_setup=one.time,
        time_setup_msc=one.time_msc,
        comment=one.comment,
    )


@pytest.mark.parametrize("after_ms", [0, LATER_MS], ids=["at once", "later"])
@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
async def test_a_lost_stop_that_was_filled_is_done(
    mt4: Kept, after_ms: int, is_open: bool
) -> None:
    """It is in the list of orders no more, and is a sale at the market's price: it was told to be
    rejected while its position was open.
    """
    await lose(mt4)
    one = trade(900, STOP - 0.0001, after_ms)
    mt4.scene.script.answers |= {
        "positions_get": [one] if is_open else [],
        "history_orders_get": [] if is_open else [closed(one)],
    }
    await mt4.look()
    assert await outcome(mt4) == "done"
    receipt = await mt4.buy("a", type="sell_stop", side=None, price=STOP)
    assert receipt["order"]["order"] == 900


async def test_a_trade_of_long_before_is_none_of_a_command_without_a_true_stamp(
    mt4: Kept,
) -> None:
    """By a clock that showed the year 1970 everything was later."""
    await lose(mt4)
    [intent] = mt4.log.unresolved(mt4.here())
    intent.sends[0].context = replace(intent.sends[0].context, broker_ms=1_000)
    old = trade(900, STOP - 0.0001, -86_400_000)
    mt4.scene.script.answers["positions_get"] = [old]
    await mt4.look()
    assert await outcome(mt4) == "rejected"


async def test_what_was_opened_on_the_wrong_side_of_its_price_is_doubtful(mt4: Kept) -> None:
    """Its price may have been changed by hand; nobody is told that it was not executed."""
    await lose(mt4)
    mt4.scene.script.answers["positions_get"] = [trade(900, STOP + 0.001)]
    await mt4.look()
    assert await outcome(mt4) == "unknown"


async def test_on_metatrader_5_a_trade_is_no_pending_order(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the order stays in the history as what it was."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    kept.equip("ticks,book,deals,check")
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST}
    await lose(kept)
    kept.scene.script.answers["positions_get"] = [trade(900, STOP - 0.0001)]
    await kept.look()
    assert await outcome(kept) == "rejected"


# --- whose a trade is ----------------------------------------------------------------------------


def stop(command_id: int, price: float = STOP) -> CommandRecord:
    """A stop order to sell."""
    return send(command_id, action=TradeAction.PENDING, type=int(OrderType.SELL_STOP), price=price)


def sale(command_id: int) -> CommandRecord:
    """An order to sell at market."""
    return send(command_id, type=1)


def sold(ticket: int, opened: float) -> ObservedOrder:
    return order(ticket, "online order", type=1, opened=opened, terms=(0.0, 0.0, 0.0, 0.0))


def waiting(ticket: int, price: float) -> ObservedOrder:
    return order(ticket, "online order", type=5, terms=(price, 0.0, 0.0, 0.0))


def test_a_trade_that_may_be_of_unequal_commands_is_nobodys() -> None:
    """Not even when all is given up: one would be told what the other one did."""
    for sends in ([stop(1), sale(2)], [stop(1), stop(2, STOP + 0.001)]):
        assert matched(sends, [sold(10, STOP - 0.0001)]) == {}
        assert assign_alike(sends, [sold(10, STOP - 0.0001)]) == {}
        assert all(may_be(one, sold(10, STOP - 0.0001)) for one in sends)


def test_prices_may_leave_one_way_only() -> None:
    """The stop cannot have been filled above its price, so that trade is the sale's."""
    seen = [sold(10, STOP + 0.0005), sold(11, STOP - 0.0001)]
    assert matched([sale(1), stop(2)], seen) == {1: 10, 2: 11}


def test_orders_that_still_wait_have_their_prices() -> None:
    """What is left is then the one that was filled."""
    sends = [stop(1), stop(2, STOP + 0.001), stop(3, STOP + 0.002)]
    seen = [waiting(10, STOP + 0.001), waiting(11, STOP + 0.002), sold(12, STOP - 0.0001)]
    assert matched(sends, seen) == {1: 12, 2: 10, 3: 11}


def test_equal_stops_are_matched_one_to_one_filled_or_not() -> None:
    """Or shared out, the oldest first, where there are fewer."""
    sends = [stop(1), stop(2)]
    assert matched(sends, [waiting(11, STOP), sold(10, STOP)]) == {1: 10, 2: 11}
    assert matched(sends, [sold(10, STOP)]) == {}
    found = assign_alike(sends, [sold(10, STOP)])
    assert {id_: one.ticket for id_, one in found.items()} == {1: 10}


@pytest.mark.parametrize(
    ("kind", "above"),
    [
        (OrderType.BUY_LIMIT, False),
        (OrderType.BUY_STOP, True),
        (OrderType.SELL_LIMIT, True),
        (OrderType.SELL_STOP, False),
    ],
)
def test_limits_are_filled_at_their_price_or_better_and_stops_at_worse(
    kind: OrderType, above: bool
) -> None:
    """Each kind in its own direction."""
    asked = send(1, action=TradeAction.PENDING, type=int(kind), price=STOP)
    for opened, fits in ((STOP, True), (STOP + 0.001, above), (STOP - 0.001, not above)):
        one = order(10, type=kind % 2, opened=opened, terms=(0.0, 0.0, 0.0, 0.0))
        assert matched([asked], [one]) == ({1: 10} if fits else {})


def test_no_trade_from_before_the_command_is_its_own() -> None:
    """By more than clocks differ."""
    early = order(10, type=1, opened=STOP, time_ms=AT_MS - SKEW_MS - 1)
    assert matched([stop(1)], [early]) == {}
    assert not may_be(stop(1), early)
