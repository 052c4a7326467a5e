"""Closes on a netting account, where any order goes into the symbol's one position."""

from __future__ import annotations

from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept
from msgspec.structs import replace
from scripted_answers import DEAL, NOW_MS, OFFSET_MS, ORDER, POSITION
from scripted_terminal import Scene

from ea_bridge import commands
from ea_bridge.model import (
    Deal,
    DealEntry,
    Order,
    Position,
    TradeAction,
    TradeRequest,
    TradeResult,
)
from ea_bridge.session import LateResult
from gateway.errors import GatewayError
from gateway.trading.journal import CommandRecord
from gateway.trading.reconcile import patience
from gateway.trading.reconcile.matching import ObservedOrder, assign_alike, match
from gateway.trading.requests import ReceiptContext

HERE_MS = NOW_MS + OFFSET_MS
AT_MS = 1_780_000_000_000


@pytest.fixture(name="scene")
def make_scene() -> Scene:
    """Return a caller before the terminal of a netting account."""
    return Scene(mode="netting")


async def close_and_lose(kept: Kept, client_order_id: str, position: Position) -> None:
    """Close 0.1 of a position; the answer is lost."""
    kept.scene.script.answers |= NOTHING | {"positions_get": [position], "order_send": LOST}
    close: dict[str, Any] = {
        "ticket": position.ticket,
        "volume": 0.1,
        "client_order_id": client_order_id,
    }
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


async def test_a_plain_sale_is_not_told_as_the_close_of_the_position_that_it_went_into(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The close was not executed; the sale was, and its answer, which names its order, comes after
    the first look."""
    held = replace(POSITION, ticket=5, identifier=5, type=0, volume=0.3)
    kept.scene.script.answers |= NOTHING | {"positions_get": [held], "order_send": LOST}
    await kept.fail("sale", side="sell", magic=POSITION.magic)
    await close_and_lose(kept, "close", held)
    made, deal = sold(20, held.identifier)
    kept.scene.script.answers |= NOTHING | {
        "positions_get": [held],
        "history_orders_get": [made],
        "history_deals_get": [deal],
    }
    kept.results("forgotten")
    kept.link()
    await kept.look()
    assert await outcomes(kept, "close", "sale") == ["unknown", "unknown"]
    [sale, _] = [row["command_id"] for row in kept.rows("sends")]
    done = TradeResult(retcode=10009, order=20, deal=120, volume=0.1, price=1.1)
    kept.reconciler._reported.late(
        LateResult(sale, commands.ORDER_SEND, commands.NoParams(), result=done, error=None)
    )
    await kept.look()
    assert await outcomes(kept, "close", "sale") == ["unknown", "done"]
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    await kept.look()
    assert await outcomes(kept, "close", "sale") == ["rejected", "done"]


@pytest.mark.parametrize("has_history", [True, False], ids=["its order", "its deal"])
async def test_a_sale_that_added_to_a_position_that_turned_round_is_no_close(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, has_history: bool
) -> None:
    """By somebody else, after the position that was to be closed had become a short one."""
    await close_and_lose(
        kept, "close", replace(POSITION, ticket=5, identifier=5, type=0, volume=0.3)
    )
    made, deal = sold(20, 5)
    kept.scene.script.answers |= NOTHING | {
        "history_orders_get": [made] if has_history else [],
        "history_deals_get": [replace(deal, entry=DealEntry.IN)],
    }
    kept.results("forgotten")
    kept.link()
    await kept.look()
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    await kept.look()
    assert await outcomes(kept, "close") == ["rejected"]


# --- who gets what -----------------------------------------------------------------------------


def send(command_id: int, closes: int | None = None) -> CommandRecord:
    """Return a sale of 0.1, which closes a position or opens one."""
    request = TradeRequest(
        action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, type=1, position=closes or 0
    )
    context = ReceiptContext(position=closes, closes=closes)
    return CommandRecord(
        command_id=command_id, request=request, context=context, created_ms=AT_MS + command_id
    )


def order(ticket: int, entered: int, *, opens: bool | None = None) -> ObservedOrder:
    """Return such a sale as the terminal shows it, which went into a position."""
    return ObservedOrder(
        ticket=ticket,
        symbol="EURUSD",
        type=1,
        volume=0.1,
        magic=0,
        comment="by broker",
        time_ms=AT_MS + 50,
        entered=entered,
        opens=opens,
        terms=(0.0, 0.0, 0.0, 0.0),
    )


def given(sends: list[CommandRecord], seen: list[ObservedOrder]) -> list[dict[int, int]]:
    """Return whom orders are given to at once, and whom at last."""
    return [
        {command_id: one.ticket for command_id, one in some(sends, seen).items()}
        for some in (match, assign_alike)
    ]


def test_an_order_that_went_into_another_position_is_no_close_of_this_one() -> None:
    """Though there is no other command that it could be of."""
    assert given([send(1, closes=5)], [order(10, entered=6)]) == [{}, {}]
    assert given([send(1, closes=5)], [order(10, entered=5)]) == [{1: 10}, {1: 10}]


def test_an_order_that_opened_a_position_is_rather_one_that_was_to_open() -> None:
    """A close may have opened one if its position had gone at that moment: it is given that one
    at last, where there is no other command that it could be of."""
    assert given([send(1, closes=5)], [order(10, entered=10)]) == [{}, {1: 10}]
    both = [send(1, closes=5), send(2)]
    assert given(both, [order(10, entered=10)]) == [{2: 10}, {2: 10}]


def test_a_plain_order_may_have_gone_into_the_position_that_another_was_to_close() -> None:
    """One order of two commands: the answer to the plain one may still come and name it. At last
    the close has it: their effect is the same."""
    both = [send(1, closes=5), send(2)]
    assert given(both, [order(10, entered=5)]) == [{}, {1: 10}]
    assert match([*both, send(3)], [order(10, entered=5), order(11, entered=11)]) == {}
    two_closes = [send(1, closes=5), send(2, closes=8), send(3)]
    assert match(two_closes, [order(10, entered=5), order(11, entered=8)]) == {}


def test_as_many_orders_as_commands_are_all_executed() -> None:
    """Then the close has the one that went into its position, or the first of two."""
    both = [send(1, closes=5), send(2)]
    assert given(both, [order(10, entered=10), order(11, entered=5)])[0] == {1: 11, 2: 10}
    assert given(both, [order(10, entered=5), order(11, entered=5)])[0] == {1: 10, 2: 11}


def test_what_added_to_a_position_has_not_closed_it() -> None:
    """The position has turned round since: a plain sale makes it larger."""
    assert given([send(1, closes=5)], [order(10, entered=5, opens=True)]) == [{}, {}]
    assert given([send(1, closes=5)], [order(10, entered=5, opens=False)])[0] == {1: 10}
    both = [send(1, closes=5), send(2)]
    assert given(both, [order(10, entered=5, opens=True)]) == [{2: 10}, {2: 10}]


def test_the_order_that_opened_a_position_has_not_closed_it() -> None:
    """It looks like its close where the position has turned round."""
    assert given([send(1, closes=5)], [order(5, entered=5)]) == [{}, {}]


def test_positions_are_compared_only_where_each_is_known() -> None:
    """An order that still works has entered none: it may be the close."""
    both = [send(1, closes=5), send(2)]
    assert given(both, [order(10, entered=0)])[0] == {}
    assert given(both, [order(10, entered=0), order(11, entered=5)])[0] == {1: 11, 2: 10}
    assert given(both, [order(10, entered=0), order(11, entered=11)])[0] == {1: 10, 2: 11}
