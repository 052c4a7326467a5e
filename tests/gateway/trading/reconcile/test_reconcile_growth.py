"""An account that trades a lot: what is unknown is looked for without reading all of its past."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept
from msgspec.structs import replace
from scripted_answers import DEAL, NOW_MS, OFFSET_MS, ORDER
from test_matching import AT_MS, order, send
from test_reconcile import filled, mine, outcome

from ea_bridge.commands import TOO_LARGE, HistoryParams
from ea_bridge.errors import ResultTooLarge
from ea_bridge.model import Deal, Order, TradeResult, TradeRetcode
from gateway import errors
from gateway.trading.reconcile.matching import LATEST_MS, SKEW_MS, match, may_be
from gateway.trading.reconcile.patience import DENSE_S, MAX_DENSE_S, MAX_PAUSE_S, RetrySchedule
from gateway.trading.reconcile.snapshot import CandidateFilter
from gateway.trading.requests import tag
from gateway.trading.risk.facts import _brought_today
from gateway.trading.terminal import was_refused

HERE_S = (NOW_MS + OFFSET_MS) // 1000


@pytest.fixture(name="searched")
async def search_alone(kept: Kept) -> Kept:
    """A buy whose answer was lost, before a terminal that has no table of results."""
    kept.equip("ticks,book,deals,check")
    await kept.lose("a")
    return kept


def shown(rows: list[Any], at_s: Callable[[Any], int], most: int) -> Callable[[Any], list[Any]]:
    """What a terminal answers whose answers hold so many rows."""

    def answer(params: HistoryParams) -> list[Any]:
        assert params.from_s is not None
        assert params.to_s is not None
        found = [one for one in rows if params.from_s <= at_s(one) <= params.to_s]
        if len(found) > most:
            raise ResultTooLarge("history", 8_388_608)
        return found

    return answer


async def test_a_past_that_no_answer_holds_is_read_in_pieces(searched: Kept) -> None:
    """Each row once, oldest first, down to a second; the order of the command is among them."""
    past = [filled(n, "", symbol="GBPUSD", time_done=HERE_S + n) for n in range(-100, 100)]
    past += [filled(900, mine(), time_done=HERE_S + 70)]
    deals = [replace(DEAL, ticket=n, order=n, time=HERE_S + n, symbol="X") for n in range(40)]
    deals += [replace(DEAL, ticket=55, order=900, volume=0.1, price=1.5, time=HERE_S + 70)]
    searched.scene.script.answers |= {
        "history_orders_get": shown(past, lambda one: one.time_done, most=2),
        "history_deals_get": shown(deals, lambda one: one.time, most=2),
    }
    await searched.look()
    receipt = (await searched.buy("a"))["order"]
    assert (receipt["order"], receipt["avg_price"]) == (900, 1.5)
    spans = [
        (one.from_s, one.to_s) for one in searched.scene.script.asked_for("history_deals_get")
    ]
    assert spans[0][1] - spans[0][0] > 86_400, "all of it first"
    assert len(spans) > 20


async def test_a_second_that_no_answer_holds_ends_the_look(searched: Kept) -> None:
    """It is tried again; nothing is concluded from what could not be read."""
    past = [filled(900, mine()), filled(901, "")]
    searched.scene.script.answers["history_orders_get"] = shown(
        past, lambda one: one.time_done, most=1
    )
    await searched.look()
    assert await outcome(searched) == "unknown"


async def test_a_change_is_looked_for_by_its_ticket(kept: Kept) -> None:
    """However much has happened since: the past is not read for it."""
    kept.equip("ticks,book,deals,check")
    pending = replace(ORDER, ticket=900)
    script = kept.scene.script
    script.answers |= {**NOTHING, "order_send": LOST, "orders_get": [pending]}
    with pytest.raises(errors.OrderUnresolved):
        await kept.scene.ask("cancel_order", ticket=900, client_order_id="a")
    kept.link()
    script.answers |= {"orders_get": [], "history_orders_get": [replace(pending, state=2)]}
    await kept.look()
    assert script.asked_for("history_orders_get") == [HistoryParams(ticket=900)]
    assert script.asked_for("history_deals_get") == []
    assert await outcome(kept) == "done"


async def test_the_loss_of_a_day_that_no_answer_holds_is_counted() -> None:
    """Whoever trades a lot is not refused for that; every deal counts once."""
    deals = [Deal(ticket=n, order=n, time=HERE_S + n, type=0, profit=-1.0) for n in range(50)]
    answer = shown(deals, lambda one: one.time, most=7)

    class Terminal:
        is_mt4 = False
        broker_ms = HERE_S * 1000

        @staticmethod
        async def request(_: object, params: HistoryParams) -> list[Any]:
            try:
                return answer(params)
            except ResultTooLarge:
                raise errors.RangeTooLarge from None

    assert await _brought_today(Terminal) == -50.0  # type: ignore[arg-type]  # all that it asks


# --- what may be of a command ------------------------------------------------------------------


def test_nothing_is_left_out_that_may_be_of_a_command() -> None:
    """And of what may not, nearly all: by tag, and by kind and time."""
    dice = random.Random(7)  # noqa: S311 (a test's)
    sends = [
        send(n, at_ms=AT_MS + dice.randrange(10**7), volume=dice.choice((0.1, 0.2)))
        for n in range(6)
    ]
    now_ms = AT_MS + 10**8
    wanted = CandidateFilter(sends, now_ms, offset_ms=OFFSET_MS)
    kept = left = 0
    for ticket in range(4000):
        comment = dice.choice(("", "by broker", tag(1, "S", str(dice.randrange(12)))))
        symbol = dice.choice(("EURUSD", "EURUSD", "GBPUSD"))
        one = order(
            ticket,
            comment,
            symbol=symbol,
            volume=dice.choice((0.1, 0.2, 0.3)),
            time_ms=AT_MS + dice.randrange(-(10**6), 10**7 + 10**6),
        )
        shown_one = Order(
            ticket=ticket,
            symbol=symbol,
            type=0,
            magic=7,
            volume_initial=one.volume,
            comment=comment,
            time_setup_msc=one.time_ms + OFFSET_MS,
        )
        assert wanted.order(shown_one) == wanted.sighting(one)
        if any(may_be(each, one) for each in sends):
            assert wanted.sighting(one)
            kept += 1
        else:
            left += not wanted.sighting(one)
    assert min(kept, left) > 500


@pytest.mark.parametrize(
    ("late_ms", "expected"),
    [(-SKEW_MS, True), (-SKEW_MS - 1, False), (LATEST_MS + SKEW_MS, True)],
)
def test_the_bounds_of_time_are_those_of_matching(late_ms: int, expected: bool) -> None:
    """Both ends count; what is recent is kept whatever its time."""
    wanted = CandidateFilter([send(1)], AT_MS + 10**8, offset_ms=0)
    assert wanted.sighting(order(9, time_ms=AT_MS + late_ms)) is expected
    assert not wanted.sighting(order(9, time_ms=AT_MS + LATEST_MS + SKEW_MS + 1))
    assert wanted.sighting(order(9, time_ms=AT_MS + 10**8))


def test_a_ticket_that_the_broker_named_is_kept() -> None:
    """And the deals of orders that are."""
    named = send(1)
    named.result = TradeResult(retcode=TradeRetcode.TIMEOUT, order=77)
    wanted = CandidateFilter([named], AT_MS + 10**8, offset_ms=0)
    assert wanted.sighting(order(77, symbol="other"))
    assert wanted.deal(Deal(ticket=1, order=5, type=0), {5})
    assert not wanted.deal(Deal(ticket=1, order=6, type=0), {5})


def test_one_that_was_not_looked_for_makes_nothing_sure() -> None:
    """Two commands that are alike and one order: if only one of them was looked for, the order of
    the other may lie further back. By a tag it is still known."""
    seen = [order(10), order(11)]
    assert set(match([send(1), send(2)], seen)) == {1, 2}
    assert match([send(1), send(2)], seen, partly=[send(2)]) == {}
    tagged = [order(10, tag(1, "S", "1")), order(11)]
    assert set(match([send(1), send(2)], tagged, partly=[send(2)])) == {1}


# --- when --------------------------------------------------------------------------------------


class Times:
    """A pacing whose clock a test drives."""

    def __init__(self, age_s: float = 0.0) -> None:
        self.now_s = 1000.0
        self.send = send(1, at_ms=AT_MS)
        self.pacing = RetrySchedule(lambda: AT_MS + round(age_s * 1000), lambda: self.now_s)

    def looks(self, until_s: float, step_s: float, scene: object = "s-1") -> list[float]:
        """When it was looked, since now."""
        begun_s, found = self.now_s, []
        while self.now_s <= begun_s + until_s:
            if self.pacing.due([self.send], scene):
                self.pacing.looked([self.send])
                found.append(self.now_s - begun_s)
            self.now_s += step_s
        return found


def test_it_is_looked_for_often_at_first_and_then_ever_less() -> None:
    """Under a minute apart for ten minutes; all the looks of a day are few."""
    looks = Times().looks(86_400, 1.0)
    pauses = [after - before for before, after in pairwise(looks)]
    assert looks[:3] == [0.0, 1.0, 2.0]
    early = [gap for at, gap in zip(looks, pauses, strict=False) if at < DENSE_S]
    assert max(early) <= MAX_DENSE_S + 1
    assert max(pauses) == MAX_PAUSE_S
    assert len(looks) < 110


def test_what_is_old_already_waits_longer_for_the_second_look() -> None:
    """The first one mostly tells."""
    assert Times(age_s=1000.0).looks(11.0, 1.0) == [0.0, 10.0]


def test_a_new_link_is_looked_at_at_once() -> None:
    """It may show what the last one did not; so may a broker that is back."""
    times = Times(age_s=5000.0)
    assert times.looks(5.0, 1.0, ("s-1", False)) == [0.0]
    assert times.looks(5.0, 1.0, ("s-1", True)) == [0.0]
    assert times.looks(5.0, 1.0, ("s-2", True)) == [0.0]


async def test_an_unknown_order_is_paced_in_its_terminal(searched: Kept) -> None:
    """Between two looks that are due the past is not asked for; on a new link it is."""
    searched.reconciler._schedule = RetrySchedule(
        lambda: searched.scene.now_ms + 10**7, lambda: 5.0
    )
    asked = searched.scene.script.asked_for
    await searched.look()
    await searched.look()
    assert len(asked("history_orders_get")) == 1
    searched.link()
    await searched.look()
    assert len(asked("history_orders_get")) == 2


async def test_what_may_be_of_one_who_waits_is_given_to_nobody(searched: Kept) -> None:
    """Two unknown commands and two orders are alike, but only one of the two is looked for now."""
    searched.reconciler._schedule = RetrySchedule(
        lambda: searched.scene.now_ms + 10**7, lambda: 5.0
    )
    await searched.look()
    await searched.fail("b")
    alike = [filled(900, "rewritten"), filled(901, "rewritten")]
    searched.scene.script.answers["history_orders_get"] = alike
    await searched.look()
    assert (await outcome(searched), await outcome(searched, "b")) == ("unknown", "unknown")
    searched.link()
    await searched.look()
    assert (await outcome(searched), await outcome(searched, "b")) == ("done", "done")


def test_an_answer_that_was_too_large_says_nothing_of_a_trade() -> None:
    """It may have been executed: that is unknown, and no refusal."""
    assert not was_refused(TOO_LARGE, 0)
