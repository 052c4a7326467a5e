"""Orders that a daemon sent count for the limits of the next one."""

from __future__ import annotations

from journal_scene import Kept, fresh_tickets
from msgspec.structs import replace
from scripted_answers import BROKER_NOW_S, EURUSD

from ea_bridge import host
from ea_bridge.model import TradeResult
from gateway.trading.limits import TradingLimits
from gateway.trading.risk.checker import RiskChecker
from gateway.trading.risk.counters import CounterBook, sent_orders


def begin_anew(kept: Kept) -> None:
    """Have the checks of a daemon that was just started."""
    journal = kept.scene.guarded.journal
    counter_book = CounterBook(lambda _: journal.unresolved)
    kept.scene.state.risk = RiskChecker(counter_book, sent_orders(kept.ledger.reader))


async def test_a_minute_goes_on_over_a_restart(kept: Kept) -> None:
    """Who has sent all that a minute allows waits for its end, whatever becomes of the daemon."""
    kept.scene.script.answers["order_send"] = fresh_tickets()
    kept.scene.limits = TradingLimits(max_orders_per_minute=2)
    begin_anew(kept)
    await kept.buy("a")
    kept.scene.now_ms += 30_000
    await kept.buy("b")
    kept.scene.now_ms += 29_000
    begin_anew(kept)
    error = await kept.fail("c")
    assert (error.data["rule"], error.data["value"]) == ("max_orders_per_minute", 3)
    kept.scene.now_ms += 1_001
    begin_anew(kept)
    await kept.buy("c")
    assert (await kept.fail("d")).data["rule"] == "max_orders_per_minute"


async def test_orders_that_are_alike_count_over_a_restart(kept: Kept) -> None:
    """A program that is started again and again with its gateway is stopped as well; two commands
    of one order, of which the second has another filling mode, are one.
    """
    answers = iter([TradeResult(retcode=10030)])
    fresh = fresh_tickets()
    kept.scene.script.answers["order_send"] = lambda sent: next(answers, None) or fresh(sent)
    kept.scene.script.answers["symbol_get"] = replace(EURUSD, filling_mode=3)
    kept.scene.limits = TradingLimits(max_identical_orders=2)
    for id_ in ("a", "b"):
        begin_anew(kept)
        await kept.buy(id_)
        kept.scene.now_ms += 4_000
        kept.scene.script.answers["symbol_get"] = replace(EURUSD, ask=EURUSD.ask + 0.0001)
    begin_anew(kept)
    error = await kept.fail("c")
    assert (error.data["rule"], error.data["value"]) == ("max_identical_orders", 3)
    await kept.buy("d", volume=0.2)
    kept.scene.now_ms += 2_001
    begin_anew(kept)
    await kept.buy("c")
    assert (await kept.fail("e")).data["rule"] == "max_identical_orders"


async def test_a_minute_outlasts_a_clock_that_was_set_back(kept: Kept) -> None:
    """What went by a later time than it is now went within the last minute, for all we know."""
    kept.scene.script.answers["order_send"] = fresh_tickets()
    kept.scene.limits = TradingLimits(max_orders_per_minute=1)
    begin_anew(kept)
    await kept.buy("a")
    kept.scene.now_ms -= 5_000
    begin_anew(kept)
    assert (await kept.fail("b")).data["rule"] == "max_orders_per_minute"
    kept.scene.now_ms -= 3_600_000
    begin_anew(kept)
    await kept.buy("b")


async def test_a_day_outlasts_a_clock_that_was_set_right(kept: Kept) -> None:
    """Orders are of the day that the broker's quotes showed, not of that of a wrong clock."""
    kept.scene.script.answers["order_send"] = fresh_tickets()
    kept.scene.limits = TradingLimits(max_orders_per_day=1)
    boot_ms, quote = host.boot_ms(), BROKER_NOW_S
    kept.scene.clock.see(quote - 1, boot_ms - 1000)
    kept.scene.clock.see(quote, boot_ms)
    begin_anew(kept)
    kept.scene.now_ms += 86_400_000
    await kept.buy("a")
    kept.scene.now_ms -= 86_400_000
    begin_anew(kept)
    assert (await kept.fail("b")).data["rule"] == "max_orders_per_day"


async def test_orders_before_the_first_tick_of_a_week_stay_of_their_day(kept: Kept) -> None:
    """The last quote is of a day long past; limits count by our clock then, and go on to."""
    kept.scene.script.answers["order_send"] = fresh_tickets()
    kept.scene.limits = TradingLimits(max_orders_per_day=1)
    kept.scene.clock.see(BROKER_NOW_S - 2 * 86_400, host.boot_ms())
    begin_anew(kept)
    await kept.buy("a")
    assert (await kept.fail("b")).data["rule"] == "max_orders_per_day"
    begin_anew(kept)
    assert (await kept.fail("b")).data["rule"] == "max_orders_per_day"
    to_midnight_ms = 86_400_000 - BROKER_NOW_S * 1000 % 86_400_000
    kept.scene.now_ms += to_midnight_ms
    await kept.buy("b")


async def test_orders_that_an_earlier_version_has_sent_count_by_its_quotes(kept: Kept) -> None:
    """Their rows do not name the day."""
    kept.scene.script.answers["order_send"] = fresh_tickets()
    kept.scene.limits = TradingLimits(max_orders_per_day=1)
    begin_anew(kept)
    await kept.buy("a")
    forget = "UPDATE sends SET memo = json_remove(memo, '$.day')"
    await kept.ledger.write(lambda connection: connection.execute(forget))
    begin_anew(kept)
    assert (await kept.fail("b")).data["rule"] == "max_orders_per_day"


async def test_orders_on_paper_are_none_of_the_market(kept: Kept) -> None:
    """Nor the other way round, also where an earlier daemon has sent them."""
    kept.scene.script.answers["order_send"] = fresh_tickets()
    kept.scene.limits = TradingLimits(max_orders_per_day=1)
    begin_anew(kept)
    await kept.buy("a")
    assert len(sent_orders(kept.ledger.reader)(kept.scene.guarded, 0)) == 1
    kept.scene.guarded.is_paper = True
    assert sent_orders(kept.ledger.reader)(kept.scene.guarded, 0) == []
