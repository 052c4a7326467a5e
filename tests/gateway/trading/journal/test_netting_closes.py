"""Closes on a netting account, where any order goes into the symbol's one position."""

from __future__ import annotations

import pytest
from journal_scene import LOST, NOTHING, Kept
from msgspec.structs import replace
from scripted_answers import DEAL, NOW_MS, OFFSET_MS, ORDER, POSITION
from scripted_terminal import Scene

from ea_bridge.model import Deal, DealEntry, Order, Position, TradeAction, TradeRequest
from gateway.errors import GatewayError
from gateway.trading.journal import Memo, Send, patience
from gateway.trading.journal.matching import match, share
from gateway.trading.journal.observed_order import Sighting

HERE_MS = NOW_MS + OFFSET_MS
AT_MS = 1_780_000_000_000


@pytest.fixture(name="scene")
def make_scene() -> Scene:
    """Return a caller before the terminal of a netting account."""
    return Scene(mode="netting")


async def close_and_lose(kept: Kept, client_order_id: str, position: Position) -> None:
    """Close 0.1 of a position; the answer is lost."""
    kept.scene.script.answers |= NOTHING | {"positions_get": [position], "order_send": LOST}
    close = {"ticket": position.ticket, "volume": 0.1, "client_order_id": client_order_id}
    with pytest.raises(GatewayError):
        await kept.scene.ask("close_position", **close)


def sold(ticket: int, identifier: int) -> tuple[Order, Deal]:
    """Return a sale of 0.1 that went into a position, as the history shows it."""
    order = replace(
        ORDER,
        ticket=ticket,
        type=1,
        state=4,
        magic=POSITION.magic,
        volume_initial=0.1,
        volume_current=0.0,
        position_id=identifier,
        time_setup=HERE_MS // 1000,
        time_setup_msc=HERE_MS,
        comment="by broker",
    )
    deal = replace(
        DEAL,
        ticket=ticket + 100,
        order=ticket,
        type=1,
        entry=DealEntry.OUT,
        magic=POSITION.magic,
        volume=0.1,
        position_id=identifier,
        time=HERE_MS // 1000,
        time_msc=HERE_MS,
        comment="by broker",
    )
    return order, deal


async def outcomes(kept: Kept, *ids: str) -> list[str]:
    """Return what ``get_order`` says of some orders."""
    return [(await kept.scene.ask("get_order", client_order_id=one))["outcome"] for one in ids]


async def test_a_close_is_told_by_the_position_that_its_order_went_into(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two equal closes the younger was executed, and the terminal has forgotten both. The
    history does not name the position by its ticket, which is another one since it was reversed.
    """
    first = replace(POSITION, ticket=5, identifier=5, type=0, volume=0.3)
    second = replace(POSITION, ticket=9, identifier=8, type=0, volume=0.3)
    await close_and_lose(kept, "a", first)
    await close_and_lose(kept, "b", second)
    order, deal = sold(20, second.identifier)
    kept.scene.script.answers |= NOTHING | {
        "history_orders_get": [order],
        "history_deals_get": [deal],
    }
    kept.results("absent")
    kept.equip("ticks,book,deals,check,results", "a" * 64)
    kept.link()
    await kept.look()
    assert await outcomes(kept, "a", "b") == ["unknown", "done"]

    monkeypatch.setattr(patience, "GONE_S", 0.0)
    await kept.look()
    assert await outcomes(kept, "a", "b") == ["rejected", "done"]


# --- who gets what -----------------------------------------------------------------------------


def send(command_id: int, closes: int | None = None) -> Send:
    """Return a sale of 0.1, which closes a position or opens one."""
    request = TradeRequest(
        action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, type=1, position=closes or 0
    )
    memo = Memo(position=closes, closes=closes)
    return Send(command_id=command_id, request=request, memo=memo, created_ms=AT_MS + command_id)


def order(ticket: int, entered: int) -> Sighting:
    """Return such a sale as the terminal shows it, which went into a position."""
    return Sighting(
        ticket=ticket,
        symbol="EURUSD",
        type=1,
        volume=0.1,
        magic=0,
        comment="by broker",
        time_ms=AT_MS + 50,
        entered=entered,
        terms=(0.0, 0.0, 0.0, 0.0),
    )


def given(sends: list[Send], seen: list[Sighting]) -> list[dict[int, int]]:
    """Return whom orders are given to at once, and whom at last."""
    return [
        {command_id: one.ticket for command_id, one in some(sends, seen).items()}
        for some in (match, share)
    ]


def test_an_order_that_went_into_another_position_is_no_close_of_this_one() -> None:
    """Though there is no other command that it could be of."""
    assert given([send(1, closes=5)], [order(10, entered=6)]) == [{}, {}]
    assert given([send(1, closes=5)], [order(10, entered=5)]) == [{1: 10}, {1: 10}]


def test_an_order_that_opened_a_position_is_rather_one_that_was_to_open() -> None:
    """A close may have opened one if its position had gone at that moment."""
    assert given([send(1, closes=5)], [order(10, entered=10)]) == [{1: 10}, {1: 10}]
    both = [send(1, closes=5), send(2)]
    assert given(both, [order(10, entered=10)]) == [{2: 10}, {2: 10}]
    assert given(both, [order(10, entered=5)]) == [{1: 10}, {1: 10}]


def test_positions_are_compared_only_where_each_is_known() -> None:
    """An order that still works has entered none: it may be the close."""
    both = [send(1, closes=5), send(2)]
    assert given(both, [order(10, entered=0)])[0] == {}
    assert given(both, [order(10, entered=0), order(11, entered=5)])[0] == {1: 11, 2: 10}
    assert given(both, [order(10, entered=0), order(11, entered=11)])[0] == {1: 10, 2: 11}
