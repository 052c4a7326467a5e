"""Which order is whose, when comments are rewritten and orders are alike."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import DEAL, ORDER

from ea_bridge.model import LEASE_COMMENT, DealEntry, TradeAction, TradeRequest
from gateway.trading.journal import CommandRecord
from gateway.trading.reconcile.matching import (
    AROUND_MS,
    LATEST_MS,
    QUOTES_AHEAD_MS,
    SKEW_MS,
    ObservedOrder,
    assign_alike,
    match,
    may_be,
)
from gateway.trading.reconcile.snapshot import AccountSnapshot
from gateway.trading.requests import ReceiptContext, tag

AT_MS = 1_780_000_000_000


def send(command_id: int, *, at_ms: int = AT_MS, **more: object) -> CommandRecord:
    request = TradeRequest(
        action=TradeAction.DEAL,
        symbol="EURUSD",
        volume=0.1,
        magic=7,
        comment=f"{tag(1, 'S', str(command_id))} mine",
    )
    return CommandRecord(
        command_id=command_id,
        request=replace(request, **more),
        context=ReceiptContext(),
        created_ms=at_ms,
    )


def order(ticket: int, comment: str = "", **more: Any) -> ObservedOrder:
    fields: dict[str, Any] = {
        "symbol": "EURUSD",
        "type": 0,
        "volume": 0.1,
        "magic": 7,
        "time_ms": AT_MS + 50,
        **more,
    }
    return ObservedOrder(ticket=ticket, comment=comment, **fields)


def matched(sends: list[CommandRecord], seen: list[ObservedOrder]) -> dict[int, int]:
    return {command_id: one.ticket for command_id, one in match(sends, seen).items()}


def test_the_tag_decides() -> None:
    """Among orders that are alike, whatever came first."""
    seen = [order(10, tag(1, "S", "2")), order(11, f"{tag(1, 'S', '1')} mine"), order(12)]
    assert matched([send(1), send(2)], seen) == {1: 11, 2: 10}


@pytest.mark.parametrize("comment", ["from #9", "to #11"])
def test_a_part_as_large_as_an_order_is_of_a_larger_trade(comment: str) -> None:
    """MetaTrader 4 says so in its comment: the order's own part would be smaller."""
    assert matched([send(1)], [order(10, comment)]) == {}
    assert not may_be(send(1), order(10, comment))
    assert may_be(send(1), order(10, comment, volume=0.05))


def test_a_rewritten_comment() -> None:
    """Everything else is equal, and there is one of each."""
    assert matched([send(1)], [order(10, "by broker")]) == {1: 10}


@pytest.mark.parametrize(
    "other",
    [
        {"symbol": "GBPUSD"},
        {"type": 1},
        {"volume": 0.2},
        {"magic": 8},
        {"position": 5},
        {"time_ms": AT_MS - SKEW_MS - 1},
        {"time_ms": AT_MS + LATEST_MS + SKEW_MS + 1},
    ],
)
def test_what_differs_is_another_order(other: dict[str, Any]) -> None:
    """In any one thing."""
    assert matched([send(1)], [order(10, **other)]) == {}


def test_an_order_from_before_the_newest_quote_is_another_one() -> None:
    """By the broker's own clock, whatever ours shows; yet it is no sign that nothing was done."""
    one = send(1)
    one.context = replace(one.context, broker_ms=AT_MS, least_ms=AT_MS)
    for early_ms, is_own in ((QUOTES_AHEAD_MS, True), (QUOTES_AHEAD_MS + 1, False)):
        seen = order(10, stamp_ms=AT_MS - early_ms)
        assert matched([one], [seen]) == ({1: 10} if is_own else {})
        assert assign_alike([one], [seen]).keys() == ({1} if is_own else set())
        assert may_be(one, seen, AROUND_MS)


def test_an_order_with_another_tag_is_another_one() -> None:
    """It says itself that it is not this one."""
    assert matched([send(1)], [order(10, tag(1, "S", "other"))]) == {}


def test_what_the_ea_closes_by_itself_is_of_no_command() -> None:
    """Its comment says so; if the broker has rewritten that, nothing does."""
    assert matched([send(1)], [order(10, LEASE_COMMENT)]) == {}
    assert assign_alike([send(1)], [order(10, LEASE_COMMENT)]) == {}
    assert not may_be(send(1), order(10, LEASE_COMMENT))
    assert may_be(send(1), order(10, "by broker"))


def test_the_tag_of_another_symbol_is_none() -> None:
    """A comment that somebody has copied."""
    assert matched([send(1)], [order(10, tag(1, "S", "1"), symbol="GBPUSD")]) == {}


def test_equal_ones_are_matched_one_to_one() -> None:
    """Three commands and three orders: each has one, and none has two."""
    found = matched([send(1), send(2), send(3)], [order(12), order(10), order(11)])
    assert sorted(found) == [1, 2, 3]
    assert sorted(found.values()) == [10, 11, 12]


@pytest.mark.parametrize(("commands", "orders"), [(2, 1), (1, 2), (3, 2)])
def test_nobody_guesses(commands: int, orders: int) -> None:
    """More commands than orders, or fewer: whose they are cannot be told."""
    sends = [send(one) for one in range(commands)]
    assert matched(sends, [order(10 + one) for one in range(orders)]) == {}


def test_what_the_tag_settles_leaves_the_rest_clear() -> None:
    """Of two equal commands one is told by its tag, so the other order is the other's."""
    assert matched([send(1), send(2)], [order(10), order(11, tag(1, "S", "2"))]) == {1: 10, 2: 11}


def test_clusters_do_not_disturb_each_other() -> None:
    """An undecidable pair here, a clear one there."""
    sends = [send(1), send(2), send(3, volume=0.3)]
    assert matched(sends, [order(10), order(11, volume=0.3)]) == {3: 11}


def test_exits_are_told_by_their_position() -> None:
    """Two closings of equal volume, of different positions."""
    sends = [send(1, type=1, position=5), send(2, type=1, position=6)]
    seen = [order(10, type=1, position=6), order(11, type=1, position=5)]
    assert matched(sends, seen) == {1: 11, 2: 10}


def test_an_order_that_opened_a_position_has_closed_none() -> None:
    """On a hedging account each has its own; one of which that is not known may be a close."""
    close = send(1, type=1, position=5)
    assert matched([close], [order(10, type=1, opens=True)]) == {}
    assert not may_be(close, order(10, type=1, opens=True))
    assert matched([close], [order(10, type=1)]) == {1: 10}


def test_what_an_order_shows_of_the_position_that_it_opened() -> None:
    """Its identifier is that of the order; before the order has one its deal says so."""
    at_work = replace(ORDER, ticket=10, position_id=0)
    deal = replace(DEAL, order=10, entry=DealEntry.IN)
    for made, deals, opens in (
        (replace(at_work, position_id=10), [], True),
        (replace(at_work, position_id=5), [], None),
        (at_work, [], None),
        (at_work, [deal], True),
        (at_work, [replace(deal, entry=DealEntry.OUT), deal], False),
    ):
        view = AccountSnapshot(
            is_mt4=False, is_netting=False, offset_ms=0, past={10: made}, deals=deals
        )
        assert [one.opens for one in view.sightings()] == [opens]


def test_no_order_is_ever_given_twice() -> None:
    """Whatever is executed, tagged, rewritten, or made by somebody else."""
    dice = random.Random(4)  # noqa: S311 - cases for a test
    for _ in range(300):
        sends = [send(one, volume=dice.choice((0.1, 0.2))) for one in range(dice.randrange(1, 7))]
        truth = {one.command_id: 100 + one.command_id for one in sends if dice.random() < 0.7}
        seen = [
            order(
                ticket,
                tag(1, "S", str(command_id)) if dice.random() < 0.5 else "rewritten",
                volume=sends[command_id].request.volume,
            )
            for command_id, ticket in truth.items()
        ]
        dice.shuffle(seen)
        found = matched(sends, seen)
        assert len(set(found.values())) == len(found)
        for one in seen:  # a tag is never overruled
            if one.comment != "rewritten":
                assert found[one.ticket - 100] == one.ticket
        for command_id, ticket in found.items():  # and nothing is claimed for what is different
            assert sends[command_id].request.volume == sends[ticket - 100].request.volume
