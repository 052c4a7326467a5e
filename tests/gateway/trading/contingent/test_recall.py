"""Held orders whose requests the journal lacks: done for whoever asks for them again."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from contingent_parts import LIMIT, PRICE, Stand
from contingent_parts import place as place_by_call

from ea_bridge.model import Order, OrderType
from gateway import errors
from gateway.storage.store import StoreError
from gateway.trading.contingent.service import recall_held_order, request_of
from gateway.trading.journal import CallKey, Stage
from gateway.trading.requests import Deadline, ExecutionOptions, OrderRequest
from gateway.trading.state import NullContingentOrders

PARAMS = {
    "symbol": "EURUSD",
    "type": "buy_stop_limit",
    "volume": "0.1",
    "price": str(PRICE),
    "stoplimit": str(LIMIT),
}


def call(stand: Stand, method: str = "place_order", **changes: str | int) -> CallKey:
    """Somebody asks for the order, or for another one under its id."""
    return CallKey(stand.account, "a", method, orjson.dumps(PARAMS | changes).decode())


async def hold(stand: Stand, *, asked: bool = True) -> Order:
    """Keep an order without an end of its request, as a kill between the two leaves it."""
    scene = stand.scene
    log = scene.guarded.journal._log  # type: ignore[attr-defined]  # a SqliteJournal
    request = OrderRequest(
        symbol="EURUSD",
        type=OrderType.BUY_STOP_LIMIT,
        volume=Decimal("0.1"),
        price=Decimal(str(PRICE)),
        stoplimit=Decimal(str(LIMIT)),
    )
    deadline = Deadline.of(scene.guarded.now_ms, None, None)
    options = ExecutionOptions(client_order_id="a", deadline=deadline, tid=scene.hello.tid)
    if asked:
        log.take(call(stand), "mt5-a")
    await stand.keeper.place(scene.guarded, scene.state, request, options)
    stand.stop()
    stand.start()
    [order] = stand.keeper.orders()
    return order


async def test_its_request_is_done(stand: Stand) -> None:
    """With the receipt of the order, under its ticket; from then on the journal knows it."""
    order = await hold(stand)
    guarded, state = stand.scene.guarded, stand.scene.state
    assert guarded.journal.find("a") is None
    shown = request_of(guarded, state, "a")
    assert shown is not None
    assert (shown.stage, shown.reconciled, shown.asked.params) == (
        Stage.DONE,
        True,
        call(stand).params,
    )
    await recall_held_order(guarded, state, call(stand))
    known = guarded.journal.find("a")
    assert known is not None
    assert known.stage is Stage.DONE
    assert known.answer is not None
    assert orjson.loads(known.answer)["result"]["order"]["order"] == order.ticket
    assert stand.sent == [], "the broker hears of nothing"


async def test_an_id_that_stands_for_another_order_is_refused(stand: Stand) -> None:
    """The order goes on as it is, and the caller is told what the id stands for."""
    await hold(stand)
    with pytest.raises(errors.ClientOrderIdConflict) as refused:
        await recall_held_order(stand.scene.guarded, stand.scene.state, call(stand, volume="0.2"))
    assert refused.value.data["original"]["params"]["volume"] == "0.1"
    with pytest.raises(errors.ClientOrderIdConflict):
        await recall_held_order(
            stand.scene.guarded, stand.scene.state, call(stand, "cancel_order")
        )
    assert stand.scene.guarded.journal.find("a") is None


async def test_of_a_row_without_its_params_kind_and_magic_decide(stand: Stand) -> None:
    """Its prices may have been changed since, and its volume was put onto the grid."""
    await hold(stand, asked=False)
    guarded, state = stand.scene.guarded, stand.scene.state
    for other in ({"magic": 7}, {"type": "sell_stop_limit"}):
        with pytest.raises(errors.ClientOrderIdConflict):
            await recall_held_order(guarded, state, call(stand, **other))
    await recall_held_order(guarded, state, call(stand, price="1.09", volume="0.10"))
    assert guarded.journal.find("a") is not None


async def test_what_the_journal_knows_is_left_alone(stand: Stand) -> None:
    """Its own end counts; so does that the id was made a moment ago."""
    await place_by_call(stand, client_order_id="a")
    known = stand.scene.guarded.journal.find("a")
    assert known is not None
    await recall_held_order(stand.scene.guarded, stand.scene.state, call(stand, volume="0.2"))
    again = stand.scene.guarded.journal.find("a")
    assert again is not None
    assert (again.answer, again.updated_ms) == (known.answer, known.updated_ms)


async def test_a_new_id_is_looked_up_nowhere(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can have used it: not a question to the disk for an order in the normal case."""
    await hold(stand)

    def find(_: object) -> None:
        raise AssertionError("it was looked up")

    monkeypatch.setattr(stand.scene.guarded.journal, "find", find)
    fresh = CallKey(stand.account, "a", "place_order", "{}", is_new=True)
    await recall_held_order(stand.scene.guarded, stand.scene.state, fresh)


async def test_a_journal_that_cannot_be_read_tells_that_itself(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here nothing is decided without it."""
    await hold(stand)

    def find(_: object) -> None:
        raise StoreError("broken")

    monkeypatch.setattr(stand.scene.guarded.journal, "find", find)
    await recall_held_order(stand.scene.guarded, stand.scene.state, call(stand, volume="0.2"))


async def test_who_keeps_no_orders_knows_no_requests(stand: Stand) -> None:
    """A gateway without contingent orders, and an id that nobody has used."""
    await hold(stand)
    assert request_of(stand.scene.guarded, stand.scene.state, "b") is None
    stand.scene.state.contingent = NullContingentOrders()
    assert request_of(stand.scene.guarded, stand.scene.state, "a") is None
    await recall_held_order(stand.scene.guarded, stand.scene.state, call(stand, volume="0.2"))
