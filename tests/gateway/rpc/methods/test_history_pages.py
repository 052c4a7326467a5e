"""Rules of pages of the past: together they are the whole, and each asks the terminal little."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from operator import itemgetter
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import BROKER_NOW_S, DEAL, ORDER
from scripted_terminal import Scene

from ea_bridge.commands import HistoryParams
from ea_bridge.errors import ResultTooLarge
from ea_bridge.model import Deal, DealEntry, DealType, Order
from gateway.rpc.methods.history import MAX_ASKED
from gateway.trading.history import GATHER, round_trips

SPAN_S = 20 * 86_400
SYMBOLS = ("EURUSD", "XAUUSD")
FORMS = ["in one go", "in parts", "opened by an order that is not its number", "reversed", "open"]


class Records:
    """Records by their second and by their position; told in the order in which they came."""

    def __init__(self, records: Sequence[tuple[int, Any]]) -> None:
        self._rows = sorted(
            ((at_s, number, one) for number, (at_s, one) in enumerate(records)),
            key=itemgetter(0),
        )
        self.of_position = defaultdict[int, list[Any]](list)
        for _, one in records:
            self.of_position[one.position_id].append(one)

    def between(self, from_s: int, to_s: int, count: int | None) -> list[Any]:
        """Return those of a span: the first ``count``, and what shares a second with the last."""
        begin = bisect_left(self._rows, from_s, key=itemgetter(0))
        end = bisect_right(self._rows, to_s, key=itemgetter(0))
        if count and count < end - begin:
            last_s = self._rows[begin + count - 1][0]
            end = bisect_right(self._rows, last_s, key=itemgetter(0))
        return [one for _, _, one in sorted(self._rows[begin:end], key=itemgetter(1))]


@dataclass
class Past:
    """An account's records, and a terminal that tells of them.

    With ``counts`` its EA knows ``count``; without it is of an earlier version. More than ``most``
    records do not fit in an answer.
    """

    counts: bool = True
    most: int = 10**6
    orders: list[Order] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)
    told: int = 0
    """Records that were told in all."""

    def serve(self, scene: Scene) -> None:
        """Answer for the past, of which nothing is added any more."""
        orders = Records([(one.time_done, one) for one in self.orders])
        deals = Records([(one.time, one) for one in self.deals])
        scene.script.answers["history_orders_get"] = partial(self._answer, orders)
        scene.script.answers["history_deals_get"] = partial(self._answer, deals)

    def _answer(self, records: Records, params: HistoryParams) -> Any:
        if params.position is not None:
            found = records.of_position[params.position]
        else:
            assert params.from_s is not None
            assert params.to_s is not None
            found = records.between(
                params.from_s, params.to_s, params.count if self.counts else None
            )
        if len(found) > self.most:
            return ResultTooLarge("history", 1)
        self.told += len(found)
        return found

    def deal(self, number: int, order: int, at_s: float, entry: int, **more: Any) -> None:
        """Note a deal of a position."""
        at_ms = round((BROKER_NOW_S + at_s) * 1000)
        side = DealType.BUY if entry == DealEntry.IN else DealType.SELL
        made = replace(
            DEAL,
            ticket=9_000_000 + len(self.deals),
            order=order,
            position_id=number,
            time=at_ms // 1000,
            time_msc=at_ms,
            entry=entry,
            **{"type": side, **more},
        )
        self.deals.append(made)

    def order(self, ticket: int, number: int, at_s: float, volume: float, symbol: str) -> None:
        """Note an order that was filled."""
        at_ms = round((BROKER_NOW_S + at_s) * 1000)
        self.orders.append(
            replace(
                ORDER,
                ticket=ticket,
                state=4,
                position_id=number,
                time_done=at_ms // 1000,
                time_done_msc=at_ms,
                volume_initial=volume,
                volume_current=0.0,
                symbol=symbol,
            )
        )

    def position(self, number: int, begin_s: float, end_s: float, form: str, symbol: str) -> None:
        """Note a position, and the orders that made it."""
        opening = number + (5 if "not its number" in form else 0)
        more = {"symbol": symbol}
        middle_s = (begin_s + end_s) / 2
        self.order(opening, number, begin_s + 40, 0.2, symbol)
        self.deal(number, opening, begin_s, DealEntry.IN, volume=0.1, **more)
        self.deal(number, opening, begin_s + 40, DealEntry.IN, volume=0.1, **more)
        if form == "open":
            self.deal(number, number + 1, end_s, DealEntry.OUT, volume=0.1, **more)
            return
        if form == "in parts":
            self.deal(number, number + 1, middle_s, DealEntry.OUT, volume=0.05, **more)
            self.deal(number, number + 2, end_s, DealEntry.OUT, volume=0.15, **more)
            return
        if form == "reversed":
            reversing = {"type": DealType.SELL, **more}
            self.deal(number, number + 1, middle_s, DealEntry.INOUT, volume=0.3, **reversing)
            back = {"type": DealType.BUY, **more}
            self.deal(number, number + 2, end_s, DealEntry.OUT, volume=0.1, **back)
            return
        self.order(number + 3, number, end_s, 0.2, symbol)
        self.deal(number, number + 3, end_s, DealEntry.OUT, volume=0.2, **more)

    def closed(self, from_s: int) -> list[tuple[int, float]]:
        """Return the positions that were closed since then, and their volumes, oldest first."""
        by_number = defaultdict(list)
        for one in sorted(self.deals, key=lambda one: (one.time_msc, one.ticket)):
            by_number[one.position_id].append(one)
        over = [
            (trip.last.time_msc, number, float(trip.opened))
            for number, deals in by_number.items()
            for trip in round_trips(deals)
            if trip.is_over and trip.last is not None
        ]
        since_ms = (BROKER_NOW_S + from_s) * 1000
        return [(number, volume) for at_ms, number, volume in sorted(over) if at_ms >= since_ms]


def random_past(seed: int, positions: int, **ea: Any) -> Past:
    """Return a past with positions of all kinds; some began before the span, some share seconds.

    At most 20 are open at a time, so that few lie across the ends of pages.
    """
    dice, past = Random(seed), Past(**ea)  # noqa: S311 (a past, not a secret)
    step_s = (SPAN_S + 86_400) / positions
    for at in range(positions):
        begin_s = int(-SPAN_S - 86_400 + at * step_s)
        end_s = min(begin_s + 41 + dice.randrange(int(20 * step_s)), 3600)
        past.position(1000 + 10 * at, begin_s, end_s, dice.choice(FORMS), dice.choice(SYMBOLS))
    return past


async def pages(scene: Scene, **params: Any) -> list[list[dict[str, Any]]]:
    """Turn the pages up to the last."""
    found = []
    while True:
        page = await scene.ask("get_history_orders", **params)
        items = [*page["orders"], *page["deals"], *page["positions"]]
        assert len(items) <= params["limit"]
        found.append(items)
        if page["next_cursor"] is None:
            return found
        assert page["next_cursor"] != params.get("cursor"), "no page may lead to itself"
        params["cursor"] = page["next_cursor"]


def since(scene: Scene) -> int:
    """Return when the span begins."""
    return scene.now_ms - SPAN_S * 1000


EAS = pytest.mark.parametrize(
    "ea", [{}, {"counts": False}, {"counts": False, "most": 60}], ids=["new", "earlier", "much"]
)


@EAS
@pytest.mark.parametrize("limit", [2, 7, 500])
@pytest.mark.parametrize("count", [30, pytest.param(60, marks=pytest.mark.long)])
@pytest.mark.parametrize("seed", range(2))
async def test_pages_of_positions_are_the_whole(
    scene: Scene, ea: dict[str, Any], limit: int, count: int, seed: int
) -> None:
    """None is lost, told twice or told wrongly, whatever the EA and the page's size."""
    past = random_past(seed, count, **ea)
    past.serve(scene)
    found = await pages(scene, kind="positions", from_=since(scene), limit=limit)
    told = [(one["position_id"], one["volume"]) for page in found for one in page]
    assert told == past.closed(-SPAN_S)


@EAS
@pytest.mark.parametrize("kind", ["orders", "deals", "orders_deals"])
@pytest.mark.parametrize("limit", [pytest.param(2, marks=pytest.mark.long), 7, 500])
async def test_pages_of_records_are_the_whole(
    scene: Scene, ea: dict[str, Any], kind: str, limit: int
) -> None:
    """Of one list or of both, with a symbol or without."""
    past = random_past(1, 30, **ea)
    past.serve(scene)
    for symbol in (None, "XAUUSD"):
        params: dict[str, Any] = {"kind": kind, "limit": limit, "symbol": symbol}
        found = await pages(scene, from_=since(scene), **params)
        wanted = [
            (one.ticket, at_s)
            for name, records in (("orders", past.orders), ("deals", past.deals))
            for one in records
            for at_s in [one.time_done if isinstance(one, Order) else one.time]
            if name in kind and symbol in (None, one.symbol) and at_s >= BROKER_NOW_S - SPAN_S
        ]
        told = [one["ticket"] for page in found for one in page]
        assert sorted(told) == sorted(ticket for ticket, _ in wanted)
        ends = [
            sorted(one.get("time_done") or one["time"] for one in page) for page in found if page
        ]
        assert all(page[-1] <= after[0] for page, after in pairwise(ends))


async def test_a_short_page_of_positions_asks_little_of_a_long_past(scene: Scene) -> None:
    """Neither much more than the page's positions one by one, nor for thousands of records."""
    past = random_past(2, 3000)
    past.serve(scene)
    page = await scene.ask("get_history_orders", kind="positions", from_=since(scene), limit=10)
    assert len(page["positions"]) == 10
    assert len(scene.script.asked) <= 3 * GATHER
    assert past.told <= 500


async def test_an_earlier_ea_is_not_asked_for_more_positions_than_a_page_has(
    scene: Scene,
) -> None:
    """It tells all deals of the span, but the page is short: nor are all orders asked for."""
    past = random_past(2, 3000, counts=False)
    past.serve(scene)
    await scene.ask("get_history_orders", kind="positions", from_=since(scene), limit=10)
    assert len(scene.script.asked) <= 3 * GATHER
    assert past.told <= len(past.deals) + 500


@EAS
async def test_positions_that_began_in_the_span_are_not_asked_for_one_by_one(
    scene: Scene, ea: dict[str, Any]
) -> None:
    """Their orders show that nothing is missing: a question or two a hundred positions."""
    past = Past(**ea | ({"most": 2000} if "most" in ea else {}))
    for at in range(1000):
        begin_s = -SPAN_S + 100 * at
        past.position(1000 + 10 * at, begin_s, begin_s + 60, "in one go", "EURUSD")
    past.serve(scene)
    page = await scene.ask("get_history_orders", kind="positions", from_=since(scene), limit=1000)
    assert len(page["positions"]) == 1000
    assert len(scene.script.asked) <= 20


async def test_an_order_that_was_filled_across_the_beginning_proves_nothing(scene: Scene) -> None:
    """Half of what it opened lies before the span: what was closed of it is not the whole."""
    past = Past()
    for at in range(2 * GATHER):
        past.position(1000 + 10 * at, -SPAN_S - 20, -SPAN_S + 60 + at, "open", "EURUSD")
    past.serve(scene)
    page = await scene.ask("get_history_orders", kind="positions", from_=since(scene))
    assert page["positions"] == []


async def test_a_page_ends_where_it_has_asked_for_enough_positions(scene: Scene) -> None:
    """A broker whose orders say nothing does not make one page thousands of questions."""
    past = Past()
    for at in range(1000):
        begin_s = -SPAN_S + 100 * at
        past.position(1000 + 10 * at, begin_s, begin_s + 60, FORMS[2], "EURUSD")
    past.serve(scene)
    params: dict[str, Any] = {"kind": "positions", "from_": since(scene), "limit": 1000}
    page = await scene.ask("get_history_orders", **params)
    assert len(scene.script.asked) <= MAX_ASKED + GATHER
    assert page["next_cursor"] is not None
    found = await pages(scene, **params)
    assert sum(map(len, found)) == 1000


async def test_deals_over_what_an_answer_holds_come_in_pages(scene: Scene) -> None:
    """Of an earlier EA as well: the span is halved until it fits."""
    past = random_past(3, 2000, counts=False, most=1000)
    past.serve(scene)
    found = await pages(scene, kind="deals", from_=since(scene), limit=500)
    assert sum(map(len, found)) == sum(one.time >= BROKER_NOW_S - SPAN_S for one in past.deals)


async def test_each_page_asks_once_for_what_it_tells(scene: Scene) -> None:
    """An EA that counts tells no record that is not on the page, but for one and its second."""
    past = random_past(3, 2000)
    past.serve(scene)
    found = await pages(scene, kind="deals", from_=since(scene), limit=500)
    assert len(scene.script.asked) == len(found)
    assert past.told <= sum(map(len, found)) + 10 * len(found)
