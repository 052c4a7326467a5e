"""Counters of an account: one, whichever terminals are logged in to it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import pytest

from gateway.trading.journal import AccountKey
from gateway.trading.risk import counters as module
from gateway.trading.risk.counters import (
    SETTLE_S,
    AccountCounters,
    CounterBook,
    Reservation,
    Reservations,
)


@dataclass
class Terminal:
    """Terminal, as far as counters look at it."""

    account: AccountKey | None
    is_paper: bool = False

    def trading_account_of(self, account: AccountKey | None) -> AccountKey | None:
        return account.on_paper if account and self.is_paper else account


def counters(counter_book: CounterBook, login: int, *, is_paper: bool = False) -> AccountCounters:
    return counter_book.of(cast(Any, Terminal(AccountKey(login, "Demo"), is_paper)))


def one(name: str = "a") -> Reservation:
    return Reservation(
        client_order_id=name, symbol="EURUSD", volume=Decimal("0.1"), buys=True, waits=False
    )


def test_an_account_has_one_set_of_counters() -> None:
    """On paper another one; and a terminal that was never linked has none of theirs."""
    counter_book = CounterBook()
    assert counters(counter_book, 1) is counters(counter_book, 1)
    assert counters(counter_book, 1) is not counters(counter_book, 2)
    assert counters(counter_book, 1, is_paper=True) is not counters(counter_book, 1)
    nowhere = counter_book.of(cast(Any, Terminal(None)))
    assert nowhere not in (counters(counter_book, 1), counters(counter_book, 2))


def test_the_journal_is_asked_about_its_account() -> None:
    """Also for what is on paper: the journal keeps both under one account."""
    counter_book = CounterBook(
        lambda account: lambda symbol: [f"{account.login} {account.server} {symbol}"]
    )
    for is_paper in (False, True):
        reservations = counters(counter_book, 7, is_paper=is_paper).reservations
        assert reservations.unresolved("EURUSD") == ["7 Demo EURUSD"]


def test_what_is_idle_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever logs in to account after account fills no memory, and frees no account of what is
    on its way.
    """
    monkeypatch.setattr(module, "MAX_IDLE", 3)
    counter_book = CounterBook()
    busy, over = counters(counter_book, 1), counters(counter_book, 2)
    busy.reservations.hold(one())
    gone = one()
    over.reservations.hold(gone)
    over.reservations.end(gone, "gone")
    for login in range(3, 20):
        counters(counter_book, login)
    assert len(counter_book._counters) <= 3 + 1
    assert counters(counter_book, 1) is busy
    assert counters(counter_book, 2) is not over


def test_each_terminals_lists_are_their_own() -> None:
    """What one of them has shown may be news to another, for a second at most."""
    now_s = 0.0
    reservations = Reservations(monotonic_s=lambda: now_s)
    done = one()
    reservations.hold(done)
    reservations.end(done, "done", 5)
    asked = reservations.moment
    assert reservations.beside(asked, {5: (0.1, 1)}, "a") == ([], [])
    assert reservations.beside(asked, {}, "b") == ([done], [])
    assert reservations.beside(asked, {}, "a") == ([], [])
    now_s = SETTLE_S
    assert reservations.beside(asked, {}, "b") == ([], [])


def test_a_position_that_was_there_shows_what_was_added_once_it_changes() -> None:
    """On a netting account its ticket proves nothing: a list may lag behind the fill."""
    reservations = Reservations(monotonic_s=lambda: 0.0)
    added = one()
    added.before = {5: (1.0, 100)}
    reservations.hold(added)
    reservations.end(added, "done", 7, 5)
    asked = reservations.moment
    assert reservations.beside(asked, {5: (1.0, 100)}, "a") == ([added], [])
    assert reservations.beside(asked, {5: (1.5, 200)}, "a") == ([], [])


def test_what_is_closed_needs_no_list() -> None:
    """Through whichever terminal."""
    reservations = Reservations(monotonic_s=lambda: 0.0)
    done = one()
    reservations.hold(done)
    reservations.end(done, "done", 5, 6)
    reservations.closed(6)
    assert reservations.beside(reservations.moment, {}, "b") == ([], [])


def test_what_counts_no_more_needs_no_price() -> None:
    """The worth of what counts is asked for by symbol: one that has ended is not among them."""
    reservations = Reservations()
    gone, waiting = one(), one("b")
    gone.symbol, waiting.symbol = "GBPUSD", "EURUSD"
    reservations.hold(gone)
    reservations.hold(waiting)
    reservations.end(gone, "gone")
    assert reservations.symbols() == {"EURUSD"}
