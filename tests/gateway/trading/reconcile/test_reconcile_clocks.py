"""Clocks that are wrong, and terminals that come and go: what was executed is not given up."""

from __future__ import annotations

from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept
from msgspec.structs import replace
from scripted_answers import DEAL, POSITION
from test_reconcile import HERE_MS, filled, mine, outcome
from test_reconcile_growth import shown

from ea_bridge.commands import HistoryParams
from ea_bridge.host import boot_ms
from ea_bridge.model import Order
from gateway import errors
from gateway.trading.reconcile import patience
from gateway.trading.reconcile.matching import AROUND_MS, SKEW_MS

HOUR_MS = 3_600_000


@pytest.fixture(name="searched")
async def search_alone(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """A buy whose answer was lost, which is given up as soon as nothing shows it."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    kept.equip("ticks,book,deals,check")
    await kept.lose("a")
    return kept


def past_order(at_ms: int, comment: str) -> Order:
    """An order that was filled, and is over, at a moment of the broker's clock."""
    times = {"time_setup": at_ms // 1000, "time_done": at_ms // 1000}
    return filled(900, comment, time_setup_msc=at_ms, time_done_msc=at_ms, **times)


def show(kept: Kept, one: Order) -> None:
    """Have the terminal's history hold an order, by its ticket and by its time."""
    of_time = shown([one], lambda each: each.time_done, 10)

    def answer(params: HistoryParams) -> list[Order]:
        return of_time(params) if params.ticket is None else [one]

    kept.scene.script.answers["history_orders_get"] = answer


@pytest.mark.parametrize("early_ms", [4 * 60_000, HOUR_MS, 23 * HOUR_MS])
async def test_an_order_of_before_its_command_is_found_by_its_tag(
    searched: Kept, early_ms: int
) -> None:
    """The PC's clock was ahead, or the broker's was put on for the summer since."""
    show(searched, past_order(HERE_MS - early_ms, mine()))
    await searched.look()
    assert await outcome(searched) == "done"


@pytest.mark.parametrize(
    ("off_ms", "expected"),
    [(-HOUR_MS, "unknown"), (HOUR_MS, "unknown"), (-2 * HOUR_MS, "rejected")],
)
async def test_what_is_alike_but_for_an_hour_keeps_a_command_unknown(
    searched: Kept, off_ms: int, expected: str
) -> None:
    """Its comment is rewritten: it may be the command's, and is given to nobody."""
    show(searched, past_order(HERE_MS + off_ms, "rewritten"))
    await searched.look()
    assert await outcome(searched) == expected


def set_clock(kept: Kept, by_ms: int) -> None:
    """Set the clock of the PC, which the daemon and the terminal read; the broker's goes on."""
    kept.scene.now_ms += by_ms
    answers = kept.scene.script.answers
    answers["clock_get"] = replace(answers["clock_get"], tgmt=kept.scene.now_ms // 1000)


@pytest.mark.parametrize("by_ms", [-6 * HOUR_MS, -7 * 60_000, 7 * 60_000, 6 * HOUR_MS])
async def test_a_clock_that_is_set_while_an_order_is_unknown(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, by_ms: int
) -> None:
    """Its comment is rewritten, and the terminal has forgotten it; the broker's clock tells that
    it is the command's: at the first look, also after a restart."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    kept.equip("ticks,book,deals,check")
    kept.scene.clock.see(HERE_MS // 1000 - 1, boot_ms())
    await kept.lose("a")
    set_clock(kept, by_ms)
    kept.restart()
    show(kept, past_order(HERE_MS, "rewritten"))
    await kept.look()
    assert await outcome(kept) == "done"


@pytest.mark.parametrize("off_ms", [-7 * 60_000, 7 * 60_000])
async def test_a_clock_that_is_wrong_all_the_time(kept: Kept, off_ms: int) -> None:
    """By minutes, which no time zone explains: the offset of the broker's is not taken for one."""
    set_clock(kept, off_ms)
    kept.equip("ticks,book,deals,check")
    await kept.lose("a")
    show(kept, past_order(HERE_MS, "rewritten"))
    await kept.look()
    assert await outcome(kept) == "done"


@pytest.mark.parametrize("off_ms", [-7 * 60_000, 7 * 60_000])
async def test_a_close_on_metatrader_4_while_the_clock_is_wrong(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, off_ms: int
) -> None:
    """What was executed is not told to be refused."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    set_clock(kept, off_ms)
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, platform="mt4")
    kept.equip("")
    held = replace(POSITION, ticket=900, volume=0.1, type=0, magic=0)
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST, "positions_get": [held]}
    with pytest.raises(errors.OrderUnresolved):
        await kept.scene.ask("close_position", ticket=900, client_order_id="a")
    kept.link()
    kept.scene.script.answers["positions_get"] = []
    show(kept, replace(past_order(HERE_MS, ""), state=0))
    await kept.look()
    assert await outcome(kept) == "done"


async def lose_a_close(kept: Kept) -> None:
    """Close a trade of 0.1 lots on MetaTrader 4; the answer is lost, and the trade is gone."""
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, platform="mt4")
    kept.equip("")
    held = replace(POSITION, ticket=900, volume=0.1, type=0, magic=0)
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST, "positions_get": [held]}
    with pytest.raises(errors.OrderUnresolved):
        await kept.scene.ask("close_position", ticket=900, client_order_id="a")
    kept.link()
    kept.scene.script.answers["positions_get"] = []


@pytest.mark.parametrize("off_s", [-86_400, 86_400])
async def test_a_close_on_metatrader_4_while_the_broker_s_clock_is_taken_wrong(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, off_s: int
) -> None:
    """The PC's is right: what was executed is not told to be refused."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    kept.scene.clock.see(HERE_MS // 1000 + off_s, boot_ms())
    await lose_a_close(kept)
    show(kept, replace(past_order(HERE_MS, ""), state=0))
    await kept.look()
    assert await outcome(kept) == "done"


async def test_a_trade_on_metatrader_4_that_was_closed_hours_later(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand, while the terminal was away: the command has not closed it."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    kept.scene.clock.see(HERE_MS // 1000, boot_ms())
    await lose_a_close(kept)
    kept.scene.now_ms += 3 * HOUR_MS
    answers = kept.scene.script.answers
    clock = answers["clock_get"]
    later = {name: getattr(clock, name) + 3 * 3600 for name in ("tgmt", "tcur", "tsrv")}
    answers["clock_get"] = replace(clock, **later)
    show(kept, replace(past_order(HERE_MS + 3 * HOUR_MS, ""), state=0))
    await kept.look()
    await kept.look()
    assert await outcome(kept) == "rejected"


YEAR_MS = 365 * 24 * HOUR_MS


@pytest.mark.parametrize(
    ("ours_ms", "stamp_ms"),
    [(0, None), (0, 0), (0, 1_000), (0, -30 * YEAR_MS), (-17 * YEAR_MS, 0), (2 * YEAR_MS, 0)],
    ids=["none", "zero", "the first second", "long ago", "PC long ago", "PC far ahead"],
)
async def test_a_clock_that_is_years_off_has_not_all_of_the_past_read(
    kept: Kept, ours_ms: int, stamp_ms: int | None
) -> None:
    """Of two clocks that are more than a year apart only one can be right."""
    kept.equip("ticks,book,deals,check")
    await kept.lose("a")
    [intent] = kept.log.unresolved(kept.here())
    [send] = intent.sends
    known_ms = stamp_ms if stamp_ms in (None, 0, 1_000) else HERE_MS + stamp_ms
    if ours_ms:
        known_ms = HERE_MS
    send.context = replace(send.context, broker_ms=known_ms)
    send.created_ms += ours_ms
    await kept.look()
    spans = kept.scene.script.asked_for("history_orders_get")
    assert {params.from_s for params in spans} == {(HERE_MS - SKEW_MS) // 1000}


async def test_an_order_without_a_time_is_not_as_late_as_a_command_without_a_stamp(
    searched: Kept,
) -> None:
    """A stamp of 0 is none: two of them are no sign that one is the other's."""
    [intent] = searched.log.unresolved(searched.here())
    [send] = intent.sends
    send.context = replace(send.context, broker_ms=0)
    searched.scene.script.answers["orders_get"] = [past_order(0, "rewritten")]
    await searched.look()
    assert await outcome(searched) == "rejected"


async def test_what_was_done_by_hand_an_hour_ago_is_no_command_s(searched: Kept) -> None:
    """MetaTrader 5 tells; the symbol is not closed for it."""
    at_ms = HERE_MS - SKEW_MS - AROUND_MS
    show(searched, replace(past_order(at_ms, "rewritten"), reason=0))
    await searched.look()
    assert await outcome(searched) == "rejected"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [*((0, "unknown"), (1, "unknown")), *((one, "rejected") for one in (4, 5, 6))],
)
async def test_what_a_stop_has_done_keeps_nothing_unknown(
    searched: Kept, reason: int, expected: str
) -> None:
    """However alike it is: the server places those orders, and no program can."""
    show(searched, replace(past_order(HERE_MS, "rewritten"), reason=reason))
    await searched.look()
    assert await outcome(searched) == expected


async def test_the_day_before_is_read_at_last_alone(
    searched: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The looks before that, of which there are many, read what is since the command."""
    monkeypatch.setattr(patience, "GONE_S", 1e9)
    await searched.look()
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    await searched.look()
    near, far = [params.from_s for params in searched.scene.script.asked_for("history_orders_get")]
    assert near - far == 86_400


class Minutes:
    """Looks of a reconciler whose patience has a clock of its own, from 0 s."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self.now_s = 0.0
        kept.reconciler._patience = patience.Patience(lambda: self.now_s)

    async def look_until(self, until_s: float) -> None:
        """Look once a minute, as it does at the longest."""
        while self.now_s < until_s:
            self.now_s = min(self.now_s + 60.0, until_s)
            await self._kept.look()


@pytest.fixture(name="minutes")
def make_minutes(searched: Kept, monkeypatch: pytest.MonkeyPatch) -> Minutes:
    monkeypatch.setattr(patience, "GONE_S", 300.0)
    return Minutes(searched)


async def test_what_one_link_lacked_says_nothing_on_the_next(
    searched: Kept, minutes: Minutes
) -> None:
    """A terminal's lists are empty for a while after its login: five minutes of one link count."""
    await searched.look()
    searched.link()
    await minutes.look_until(60.0)
    await minutes.look_until(359.0)
    assert await outcome(searched) == "unknown"
    await minutes.look_until(360.0)
    assert isinstance(await searched.fail("a"), errors.OrderRejected)


async def test_the_sleep_of_the_computer_is_no_patience(searched: Kept, minutes: Minutes) -> None:
    """What is on its way to the terminal sleeps as well, and may be carried out after it."""
    await searched.look()
    minutes.now_s = 30_000.0
    await searched.look()
    assert await outcome(searched) == "unknown"
    await minutes.look_until(30_300.0)
    assert isinstance(await searched.fail("a"), errors.OrderRejected)


async def test_a_part_of_another_s_order_is_no_command_s(
    searched: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history has its deals before the order itself; the volume of one is the command's."""
    monkeypatch.setattr(patience, "GONE_S", 1e9)
    part: dict[str, Any] = {
        "order": 900,
        "position_id": 900,
        "entry": 0,
        "magic": 0,
        "time_msc": HERE_MS,
        "comment": "",
    }
    searched.scene.script.answers["history_deals_get"] = [
        replace(DEAL, ticket=1, volume=0.1, **part),
        replace(DEAL, ticket=2, volume=0.05, **part),
    ]
    await searched.look()
    assert await outcome(searched) == "unknown"


@pytest.mark.parametrize("ended", [False, True])
async def test_on_metatrader_4_a_part_of_its_trade_is_a_trace(searched: Kept, ended: bool) -> None:
    """Somebody has closed a part: neither that nor the rest has its tag, its ticket or its volume.
    A part of something larger is none of it.
    """
    searched.scene.hello = searched.scene.script.hello = replace(
        searched.scene.hello, platform="mt4"
    )
    part = {"magic": 0, "type": 0, "time_msc": HERE_MS, "time": HERE_MS // 1000}
    rest = replace(POSITION, ticket=901, volume=0.06, comment="from #900", **part)
    closed = replace(past_order(HERE_MS, "to #901"), volume_initial=0.04)
    if ended:
        show(searched, closed)
    else:
        searched.scene.script.answers["positions_get"] = [rest]
    await searched.look()
    assert await outcome(searched) == "unknown"
    show(searched, replace(closed, volume_initial=0.2))
    searched.scene.script.answers["positions_get"] = [replace(rest, volume=0.2)]
    await searched.look()
    assert await outcome(searched) == "rejected"
