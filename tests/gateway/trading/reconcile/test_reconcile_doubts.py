"""What a journal must not conclude, and what it must conclude all the same."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept, fresh_tickets
from msgspec.structs import replace
from scripted_answers import DEAL, DONE, NOW_MS, OFFSET_MS, ORDER

from ea_bridge.model import Order, TradeResult
from gateway.errors import DeadlineExceeded, OrderRejected
from gateway.storage.store import StoreError
from gateway.trading.limits import TradingLimits
from gateway.trading.reconcile import patience
from gateway.trading.reconcile import service as reconciler
from gateway.trading.requests import Deadline, tag
from gateway.trading.risk.checker import RiskChecker
from gateway.trading.risk.counters import CounterBook, sent_orders

HERE_MS = NOW_MS + OFFSET_MS


async def outcome(kept: Kept, client_order_id: str = "a") -> str:
    """What ``get_order`` says."""
    record = await kept.scene.ask("get_order", client_order_id=client_order_id)
    return str(record["outcome"])


def filled(ticket: int, **more: Any) -> Order:
    """The order of a buy of 0.1, as the history shows it after the broker rewrote its comment."""
    order = replace(
        ORDER,
        ticket=ticket,
        type=0,
        type_filling=0,
        state=4,
        magic=0,
        volume_initial=0.1,
        volume_current=0.0,
        position_id=ticket,
        time_setup=HERE_MS // 1000,
        time_setup_msc=HERE_MS,
        comment="rewritten",
    )
    return replace(order, **more)


async def test_an_open_answer_that_names_the_order_leads_to_it(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10012 with a ticket: the order of that ticket is this one's own, and was filled."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    kept.equip("ticks,book,deals,check")
    kept.scene.script.answers |= NOTHING
    kept.scene.script.answers["order_send"] = TradeResult(retcode=10012, order=900)
    error = await kept.fail("a")
    assert error.data["outcome"] == "unknown"
    deal = replace(DEAL, ticket=55, order=900, position_id=900, volume=0.1, price=1.5)
    kept.scene.script.answers |= {
        "history_orders_get": [filled(900)],
        "history_deals_get": [deal],
    }
    kept.link()
    await kept.look()
    assert await outcome(kept) == "done"
    assert (await kept.buy("a"))["order"]["order"] == 900


@pytest.mark.parametrize("told", ["by the answer", "by the table"])
async def test_an_open_answer_that_leads_nowhere_ends_as_a_refusal(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """10012, and nothing to be seen for long: its caller hears an end, not that nobody knows."""
    monkeypatch.setattr(patience, "GONE_S", 0.0)
    given = TradeResult(retcode=10012)
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST if "table" in told else given}
    kept.results("done", given)
    await kept.fail("a")
    kept.link()
    await kept.look()
    error = await kept.fail("a")
    assert isinstance(error, OrderRejected)
    assert error.data["outcome"] == "rejected"


async def test_the_table_s_open_answer_leads_to_the_order_too(kept: Kept) -> None:
    """The link was lost before 10012 came; the table has kept the ticket."""
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST}
    kept.results("done", TradeResult(retcode=10012, order=900))
    await kept.fail("a")
    kept.link()
    alike = [filled(900), filled(901)]
    kept.scene.script.answers["history_orders_get"] = alike
    await kept.look()
    assert (await kept.buy("a"))["order"]["order"] == 900


async def test_an_end_is_told_when_it_is_on_the_disk(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it is unknown to all who ask, and the symbol is not open to others."""
    await kept.lose("a")
    kept.results("absent")
    write, told = kept.ledger.write, list[str]()

    async def watched(work: Any, **how: Any) -> Any:
        told.append(await outcome(kept))
        told.extend(kept.scene.guarded.journal.unresolved("EURUSD"))
        told.append((await kept.fail("a")).name())
        return await write(work, **how)

    monkeypatch.setattr(kept.ledger, "write", watched)
    await kept.look()
    assert told == ["unknown", "a", "order_unresolved"]
    assert await outcome(kept) == "not_sent"
    assert kept.scene.guarded.journal.unresolved("EURUSD") == []


async def test_an_end_that_could_not_be_written_is_written_later(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full when it was found out: the symbol is not closed for ever."""
    await kept.lose("a")
    kept.results("done", DONE)

    async def full(work: object) -> None:
        raise StoreError("the disk is full")

    await kept.ledger.write(lambda _: None)
    monkeypatch.setattr(kept.ledger, "write", full)
    await kept.look()
    assert kept.scene.guarded.journal.unresolved("EURUSD") == ["a"]
    monkeypatch.undo()
    await kept.look()
    assert kept.scene.guarded.journal.unresolved("EURUSD") == []
    assert [row["stage"] for row in kept.rows()] == ["done"]
    assert len(kept.settled) == 1


async def test_what_was_prepared_for_one_account_goes_to_no_other(kept: Kept) -> None:
    """The terminal is logged in elsewhere while an order is looked at: it is not sent there."""
    script = kept.scene.script
    symbol = script.answers["symbol_get"]

    def switch(params: object) -> Any:
        kept.scene.hello = script.hello = replace(kept.scene.hello, login=87654321)
        return symbol(params)

    script.answers["symbol_get"] = switch
    error = await kept.fail("a")
    assert error.data["outcome"] == "not_sent"
    assert script.sent == []


async def test_a_look_at_two_accounts_concludes_nothing(kept: Kept) -> None:
    """The terminal is logged in elsewhere while it is asked: what it shows there is no trace."""
    kept.equip("ticks,book,deals,check")
    script = kept.scene.script
    await kept.lose("a")

    def switch(_: object) -> Any:
        kept.link()
        kept.scene.hello = script.hello = replace(kept.scene.hello, login=87654321)
        return [filled(900)]

    script.answers["history_orders_get"] = switch
    await kept.look()
    kept.scene.hello = script.hello = replace(kept.scene.hello, login=12345678)
    assert await outcome(kept) == "unknown"


async def test_two_terminals_of_an_account_find_out_once(kept: Kept) -> None:
    """Both look at the same moment; whoever listens is told one end."""
    kept.equip("ticks,book,deals,check")
    await kept.lose("a")
    kept.scene.script.answers["history_orders_get"] = [filled(900)]
    other = reconciler.Reconciler(kept.log, "mt5-b", lambda: kept.scene.guarded)
    await asyncio.gather(kept.look(), other._round())
    assert len(kept.settled) == 1


async def test_what_one_terminal_has_found_is_no_other_order_s(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its end is being written another terminal of the account looks, for an order that is
    alike; the broker has rewritten the comments."""
    kept.equip("ticks,book,deals,check")
    for client_order_id in ("a", "b"):
        await kept.lose(client_order_id)
    other = reconciler.Reconciler(kept.log, "mt5-b", lambda: kept.scene.guarded)
    other._schedule = kept.reconciler._schedule
    kept.scene.script.answers["history_orders_get"] = [
        filled(900, comment=tag(12345678, "Broker-Demo", "a"))
    ]
    write = kept.ledger.write

    async def look_meanwhile(work: Any, **how: Any) -> Any:
        monkeypatch.setattr(kept.ledger, "write", write)
        kept.scene.script.answers["history_orders_get"] = [filled(900)]
        await other._round()
        return await write(work, **how)

    monkeypatch.setattr(kept.ledger, "write", look_meanwhile)
    await kept.look()
    assert [await outcome(kept, one) for one in ("a", "b")] == ["done", "unknown"]


@pytest.mark.parametrize("reason", [0, 1, 4, 5, 6])
async def test_an_order_by_hand_is_no_command_s(kept: Kept, reason: int) -> None:
    """Nor is what a stop closed: MetaTrader 5 tells who placed an order."""
    kept.equip("ticks,book,deals,check")
    await kept.lose("a")
    kept.scene.script.answers["history_orders_get"] = [filled(900, reason=reason)]
    await kept.look()
    assert await outcome(kept) == "unknown"


async def test_a_clock_that_is_put_back_prolongs_nothing(kept: Kept) -> None:
    """What was worth sending for 200 ms is not worth it for an hour."""
    symbol = kept.scene.script.answers["symbol_get"]

    def put_back(params: object) -> Any:
        kept.scene.now_ms -= 3_600_000
        return symbol(params)

    kept.scene.script.answers["symbol_get"] = put_back
    await kept.buy("a", ttl_ms=5000)
    assert kept.scene.script.ttl_ms[-1] == 5000
    arrived = Deadline.of(lambda: kept.scene.now_ms, 5000, None)
    late = dataclasses.replace(arrived, arrived_s=arrived.arrived_s - 6.0)
    with pytest.raises(DeadlineExceeded):
        late.remaining_ms()


async def test_each_account_has_its_own_orders_of_the_day(kept: Kept) -> None:
    """Whichever the terminal was logged in to first; also those of an earlier run."""

    def log_in(login: int) -> None:
        kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, login=login)

    def begin() -> None:
        journal = kept.scene.guarded.journal
        counter_book = CounterBook(lambda _: journal.unresolved)
        kept.scene.state.risk = RiskChecker(counter_book, sent_orders(kept.ledger.reader))

    kept.scene.script.answers["order_send"] = fresh_tickets()
    kept.scene.limits = TradingLimits(max_orders_per_day=2)
    begin()
    for login in (1, 2):
        log_in(login)
        await kept.buy("a")
    await kept.buy("b")
    assert (await kept.fail("c")).data["rule"] == "max_orders_per_day"
    begin()
    log_in(1)
    await kept.buy("b")
    log_in(2)
    assert (await kept.fail("c")).data["rule"] == "max_orders_per_day"
