"""Trades and money of accounts in the ledger: what is told twice is there once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.accounts import LEDGER_TABLES
from gateway.accounts.history import (
    HOUR_MS,
    MAX_GROUP,
    MAX_HOURS,
    MAX_POINTS,
    AccountTrade,
    EquityBook,
    Sample,
    Saved,
    Stats,
    TradeBook,
)
from gateway.storage.ledger import Ledger

OPEN = AccountTrade(ticket=5, symbol="EURUSD", direction="BUY", volume=0.1, opened_ms=1_000)
CLOSED = replace(OPEN, profit=-2.5, close_price=1.1, closed_ms=9_000)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path, [LEDGER_TABLES])
    yield opened
    opened.close()


async def test_the_same_trade_is_entered_once(ledger: Ledger) -> None:
    """What is told again changes nothing; what has changed is taken over."""
    book = TradeBook(ledger)
    assert await book.save(1, [OPEN]) == Saved(imported=1)
    assert await book.save(1, [OPEN]) == Saved()
    assert await book.save(2, [OPEN]) == Saved(imported=1)
    assert book.unfinished(1) == [OPEN]
    assert await book.save(1, [CLOSED]) == Saved(updated=1)
    assert book.unfinished(1) == []
    assert book.stats(1) == Stats(1, 0, -2.5)
    assert book.stats(2) == Stats(0, 0, 0.0)


async def test_what_a_later_look_no_longer_knows_stays(ledger: Ledger) -> None:
    """Deals tell nothing of stops, nor of the order that opened a position."""
    book = TradeBook(ledger)
    pending = replace(OPEN, order_type="limit", order_status="pending", stop_loss=1.0)
    await book.save(1, [pending])
    await book.save(1, [CLOSED])
    [found] = book.find(1)
    assert found.trade == replace(CLOSED, order_type="limit", stop_loss=1.0)


async def test_more_than_one_group_is_entered_whole(ledger: Ledger) -> None:
    """In pieces, between which the orders of others come through."""
    many = [replace(CLOSED, ticket=number, profit=1.0) for number in range(2 * MAX_GROUP + 1)]
    book = TradeBook(ledger)
    assert await book.save(1, many) == Saved(imported=len(many))
    assert await book.save(1, many) == Saved()
    stats = book.stats(1)
    assert (stats.trade_count, stats.win_rate, stats.total_pnl) == (len(many), 1.0, len(many))


async def test_ways_of_a_reversed_position_are_trades_of_their_own(ledger: Ledger) -> None:
    """One ticket, two trades."""
    book = TradeBook(ledger)
    await book.save(1, [CLOSED, replace(CLOSED, round=1, profit=4.0)])
    assert book.stats(1) == Stats(2, 1, 1.5)


async def test_trades_are_found_by_what_is_asked(ledger: Ledger) -> None:
    """The newest first; paper only where it is asked for."""
    book = TradeBook(ledger)
    gold = replace(OPEN, ticket=6, symbol="XAUUSD", opened_ms=2_000)
    paper = replace(CLOSED, ticket=7, opened_ms=3_000, is_paper_trade=True)
    await book.save(1, [CLOSED, gold, paper])

    def tickets(**chosen: object) -> list[int]:
        return [one.trade.ticket for one in book.find(1, **chosen)]  # type: ignore[arg-type]

    assert tickets() == [6, 5]
    assert tickets(include_paper=True) == [7, 6, 5]
    assert tickets(symbol="XAUUSD") == [6]
    assert tickets(is_open=True) == [6]
    assert tickets(is_open=False) == [5]
    assert tickets(from_ms=1_001) == [6]
    assert tickets(to_ms=1_999) == [5]
    assert tickets(limit=1) == [6]
    assert tickets(limit=1, offset=1) == [5]
    assert book.stats(1, paper=True) == Stats(1, 0, -2.5)


async def test_old_samples_are_thrown_away(ledger: Ledger) -> None:
    """After thirty days, with the next sample."""
    book = EquityBook(ledger)
    now_ms = 2_000 * HOUR_MS
    book.note([Sample(1, now_ms - MAX_HOURS * HOUR_MS, 1.0, 1.0), Sample(2, 0, 1.0, 1.0)])
    book.note([Sample(1, now_ms + 1, 2.0, 1.5)])
    await ledger.write(lambda _: None)
    assert book.since(1, 0, now_ms + 1) == [Sample(1, now_ms + 1, 2.0, 1.5)]
    assert len(book.since(2, 0, now_ms)) == 1


async def test_a_long_time_is_told_in_fewer_points(ledger: Ledger) -> None:
    """The last of each equal part, so that the end is always there."""
    book = EquityBook(ledger)
    minutes = range(MAX_HOURS * 60)
    book.note([Sample(1, number * 60_000, float(number), 0.0) for number in minutes])
    await ledger.write(lambda _: None)
    last_ms = minutes[-1] * 60_000
    points = book.since(1, 0, last_ms)
    assert MAX_POINTS / 2 < len(points) <= MAX_POINTS
    assert points[-1].ts_ms == last_ms
    assert [one.ts_ms for one in points] == sorted(one.ts_ms for one in points)
