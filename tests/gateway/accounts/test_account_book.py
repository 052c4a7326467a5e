"""The registered accounts on the disk: one owner each, who registers a login once at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ea_bridge.protocol.messages import Hello
from gateway.accounts import (
    AccountBook,
    AccountChanges,
    AlreadyRegistered,
    NewAccount,
    UnknownAccount,
)
from gateway.accounts.book import RiskSettings
from gateway.credentials.secrets import SecretsError
from gateway.home.home import Home

NEW = NewAccount(name="Demo", broker="MetaQuotes", login=77, server="MetaQuotes-Demo")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def book(home: Home) -> AccountBook:
    return AccountBook(home.store, home.box, now_s=lambda: 1_000)


def hello(tid: str) -> Hello:
    """A terminal says that it is logged in to the account."""
    stated: Any = SimpleNamespace(tid=tid, login=77, server="MetaQuotes-Demo")
    told: Hello = stated
    return told


def test_owners_do_not_see_each_others_accounts(book: AccountBook) -> None:
    """Nor change or delete them."""
    mine = book.create("ann", NEW, "secret")
    assert book.of("ann") == [mine]
    assert book.of("bob") == []
    with pytest.raises(UnknownAccount):
        book.get("bob", mine.id)
    with pytest.raises(UnknownAccount):
        book.change("bob", mine.id, AccountChanges(name="x"))
    with pytest.raises(UnknownAccount):
        book.delete("bob", mine.id)
    with pytest.raises(AlreadyRegistered):
        book.create("ann", replace(NEW, server="METAQUOTES-demo"), "secret")
    elsewhere = book.create("ann", replace(NEW, server="Other-Demo"), "secret")
    assert book.everybody() == [mine, elsewhere]


def test_owners_do_not_bind_each_other(home: Home) -> None:
    """Who says that a login is theirs has a terminal of their own for it: that halts nobody's
    orders and moves none onto paper, nor keeps anybody from registering the login."""
    book = AccountBook(
        home.store, home.box, owner_of={"tid-ann": "ann", "tid-bob": "bob"}.__getitem__
    )
    his = book.create("bob", replace(NEW, auto_trade_enabled=False), "whatever")
    assert book.of_terminal(hello("tid-bob")) == his
    assert book.of_terminal(hello("tid-ann")) is None
    hers = book.create("ann", NEW, "secret")
    assert book.of_terminal(hello("tid-ann")) == hers
    assert book.of_terminal(hello("tid-bob")) == his


def test_what_the_home_registered_by_itself_holds_for_everybody(home: Home) -> None:
    """A console that came later frees no account of the limits that it had."""
    account = AccountBook(home.store, home.box).create("", NEW, "secret")
    book = AccountBook(home.store, home.box, owner_of=lambda _tid: "ann")
    assert book.of_terminal(hello("tid-ann")) == account


def test_what_is_registered_is_found_by_those_who_trade(home: Home, book: AccountBook) -> None:
    """At once, also by another process; a deleted account limits nothing any more."""
    other = AccountBook(home.store, home.box)
    assert other.registered("", 77, "MetaQuotes-Demo") is None
    account = book.create("", NEW, "secret")
    assert other.registered("", 77, "metaquotes-DEMO") == account
    book.change(
        "", account.id, AccountChanges(paper_trade_enabled=True, allowed_symbols=("EURUSD",))
    )
    found = other.registered("", 77, "MetaQuotes-Demo")
    assert found is not None
    assert found.paper_trade_enabled
    assert found.limits.allowed_symbols == {"EURUSD"}
    book.delete("", account.id)
    assert other.registered("", 77, "MetaQuotes-Demo") is None


def test_risk_settings_are_an_owners_and_switched_one_by_one(book: AccountBook) -> None:
    """A rule that is off limits nothing, whatever its number."""
    account = book.create("ann", NEW, "secret")
    limits = account.limits
    assert (limits.max_positions, limits.symbol_orders, limits.max_drawdown_pct) == (None,) * 3
    assert limits.hedging_allowed
    book.set_risk("bob", RiskSettings(hedging_allowed=False))
    assert book.get("ann", account.id).limits == limits
    strict = RiskSettings(
        drawdown_check_enabled=True,
        max_drawdown_pct=7.5,
        position_limit_enabled=True,
        max_open_positions=2,
        rate_limit_enabled=True,
        rate_limit_max_trades=4,
        rate_limit_window_hours=0.5,
        hedging_allowed=False,
    )
    assert book.set_risk("ann", strict) == strict
    limits = book.get("ann", account.id).limits
    assert (limits.max_positions, limits.symbol_orders, limits.max_drawdown_pct) == (2, 4, 7.5)
    assert limits.symbol_window_s == 1800
    assert not limits.hedging_allowed


def test_a_password_opens_in_its_own_row_alone(home: Home, book: AccountBook) -> None:
    """One that was moved to another account does not open there."""
    first = book.create("", NEW, "first")
    second = book.create("", replace(NEW, login=78), "second")
    assert (book.password(first), book.password(second)) == ("first", "second")
    with home.store.transaction() as connection:
        connection.execute(
            "UPDATE accounts SET password = (SELECT password FROM accounts WHERE id = ?) "
            "WHERE id = ?",
            (first.id, second.id),
        )
    with pytest.raises(SecretsError):
        book.password(second)


def test_a_deleted_account_has_no_password(book: AccountBook) -> None:
    """And its login is free again."""
    account = book.create("", NEW, "secret")
    book.delete("", account.id)
    book.delete("", account.id)
    with pytest.raises(UnknownAccount):
        book.password(account)
    assert book.create("", NEW, "secret").id != account.id


def test_cents_count_hundredths(book: AccountBook) -> None:
    """In sums over several accounts."""
    assert book.create("", NEW, "x").unit == 1.0
    cents = replace(NEW, login=78, account_type="USC")
    assert book.create("", cents, "x").unit == 0.01
