"""Money of the emulated server: nothing comes from nowhere, nothing is lost."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)
from manager_bench import NOW_S, ManagerBench, Refusal

from ea_bridge.mt4_manager import commands as c
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.emulator.accounts import amount, cents, is_amount, result
from ea_bridge.mt4_manager.model import ReturnCode, TradeCommand

BALANCE, CREDIT = TradeCommand.BALANCE, TradeCommand.CREDIT


def transact(bench: ManagerBench, login: int, price: float, **changes: Any) -> int:
    given = {"cmd": int(BALANCE), "orderby": login, "price": price, **changes}
    return bench.ask(c.TRADE_TRANSACTION, mt4.TransactionParams(**given)).order


def refusal(bench: ManagerBench, login: int, price: float, **changes: Any) -> ReturnCode:
    with pytest.raises(Refusal) as caught:
        transact(bench, login, price, **changes)
    return caught.value.code


def test_an_operation_is_booked_as_the_api_has_it(bench: ManagerBench):
    """The amount is the row's profit, its times are one, it has no symbol."""
    login = bench.user()
    order = transact(bench, login, 250.5, comment="wire 7")
    [row] = bench.ask(c.TRADE_RECORDS_REQUEST, mt4.OrdersParams(orders=[order]))

    assert (row.login, row.cmd, row.profit, row.comment) == (login, BALANCE, 250.5, "wire 7")
    assert (row.symbol, row.volume) == ("", 0)
    assert row.open_time == row.close_time == NOW_S
    assert row.reason == mt4.TradeReason.API
    assert bench.money(login) == (250_50, 0)


def test_what_is_not_there_cannot_be_withdrawn(bench: ManagerBench):
    """Not above the balance, not credit, not what holds up a margin: RET_TRADE_NO_MONEY."""
    login = bench.user(deposit=2000.0)
    bench.operate(login, 500.0, CREDIT)
    assert refusal(bench, login, -2000.01) is ReturnCode.TRADE_NO_MONEY

    bench.quotes.set("EURUSD", 1.2, 1.2)
    bench.open(login, volume=100)  # 100,000 / 100 * 1.2 of margin
    assert refusal(bench, login, -800.01) is ReturnCode.TRADE_NO_MONEY
    transact(bench, login, -800.0)
    assert bench.money(login) == (1200_00, 500_00)


def test_a_floating_profit_is_not_paid_out(bench: ManagerBench):
    """The balance is all there is to withdraw from."""
    login = bench.user(deposit=2000.0)
    number = bench.open(login, volume=10)
    bench.quotes.set("EURUSD", 1.9, 1.9)
    bench.now_s += 5

    assert (
        bench.books.margins.level(
            bench.books.accounts[login], bench.manager.take_snapshot()
        ).margin_free
        > 2000
    )
    assert refusal(bench, login, -2000.01) is ReturnCode.TRADE_NO_MONEY
    closed = bench.close(login, number)
    assert bench.money(login) == (200_000 + result(closed), 0)


def test_credit_is_given_until_a_time_and_taken_as_far_as_it_goes(bench: ManagerBench):
    """Giving needs an expiration to come; taking more than there is has no money."""
    login = bench.user()
    in_time = {"cmd": int(CREDIT), "expiration": NOW_S + 1}
    for expiration in (0, NOW_S):
        given = {"cmd": int(CREDIT), "expiration": expiration}
        assert refusal(bench, login, 100.0, **given) is ReturnCode.INVALID_DATA
    order = transact(bench, login, 100.0, **in_time)
    assert bench.books.closed[order].expiration == NOW_S + 1
    assert refusal(bench, login, -100.01, **in_time) is ReturnCode.TRADE_NO_MONEY
    transact(bench, login, -40.0, cmd=int(CREDIT))
    assert bench.money(login) == (0, 60_00)


def test_credit_can_be_given_where_a_rewritten_row_left_it_below_zero(bench: ManagerBench):
    """Only what is taken has to be there."""
    login = bench.user()
    in_time = {"cmd": int(CREDIT), "expiration": NOW_S + 1}
    order = transact(bench, login, 1.0, **in_time)
    change = mt4.TradeChange(profit=-2.0)
    bench.ask(c.ADM_TRADE_RECORD_MODIFY, mt4.AdminModifyParams(order=order, change=change))
    transact(bench, login, 0.5, **in_time)
    assert bench.money(login) == (0, -150)
    assert refusal(bench, login, -0.5, cmd=int(CREDIT)) is ReturnCode.TRADE_NO_MONEY


@pytest.mark.parametrize("price", [0.0, 0.001, 10.005, -0.004, 1e9 + 1, 1e300])
def test_a_price_that_is_no_sum_of_money_is_invalid(bench: ManagerBench, price: float):
    """Whole cents, bounded, not nothing."""
    login = bench.user(deposit=100.0)
    assert refusal(bench, login, price) is ReturnCode.INVALID_DATA
    assert bench.money(login) == (100_00, 0)


@pytest.mark.parametrize(
    "changes", [{"cmd": 0}, {"cmd": 8}, {"type": 66}, {"comment": "ä" * 16}, {"comment": "a\tb"}]
)
def test_other_transactions_are_invalid(bench: ManagerBench, changes: dict[str, Any]):
    """Orders are not sent this way here; comments fit into 31 bytes."""
    assert refusal(bench, bench.user(), 5.0, **changes) is ReturnCode.INVALID_DATA


def test_a_disabled_user_is_paid_all_the_same(bench: ManagerBench):
    """A manager's operation is not the client's."""
    login = bench.user()
    change = mt4.UserChange(enable=0, enable_read_only=1)
    bench.ask(c.USER_RECORD_UPDATE, mt4.UserUpdate(login=login, change=change))
    transact(bench, login, 5.0)
    assert bench.money(login) == (500, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_every_cent_survives_the_record(sign: int):
    """Cents to float and back, at the ends of what is allowed."""
    for whole in (1, 99, 100, 101, 12_345_678_901, 99_999_999_999, 100_000_000_000):
        assert cents(amount(sign * whole)) == sign * whole
        assert is_amount(amount(sign * whole))
    assert not is_amount(math.nan)
    assert not is_amount(sign * math.inf)


class Ledger(RuleBasedStateMachine):
    """Whatever managers, clients and administrators do: the books add up.

    The model is a sum for each account, kept by what each step is told to have done.
    """

    logins: Bundle[int] = Bundle("logins")
    sums = st.integers(-50_000, 80_000).filter(bool)

    @initialize()
    def begin(self) -> None:
        self.bench = ManagerBench()
        self.model: dict[int, list[int]] = {}

    @rule(target=logins, group=st.sampled_from(["real-usd", "real-eur", "fixed-usd"]))
    def join(self, group: str) -> Any:
        if len(self.model) == 3:
            return multiple()
        login = self.bench.user(group)
        self.model[login] = [0, 0]
        return login

    @rule(login=logins, by=sums, cmd=st.sampled_from([BALANCE, CREDIT]))
    def operate(self, login: int, by: int, cmd: TradeCommand) -> None:
        try:
            self.bench.operate(login, amount(by), cmd)
        except Refusal as refusal:
            assert refusal.code is ReturnCode.TRADE_NO_MONEY
            assert by < 0
            return
        self.model[login][cmd - BALANCE] += by

    @rule(login=logins, long=st.booleans(), volume=st.integers(1, 300), swap=st.integers(-9, 9))
    def trade(self, login: int, long: bool, volume: int, swap: int) -> None:
        cmd = TradeCommand.BUY if long else TradeCommand.SELL
        self.bench.open(login, cmd=cmd, volume=volume, storage=amount(swap), commission=-0.07)

    @rule(points=st.integers(-300, 300))
    def move(self, points: int) -> None:
        bid, _ = self.bench.manager.take_snapshot().quote("EURUSD")
        bid = max(round(bid + points / 1e5, 5), 0.5)
        self.bench.quotes.set("EURUSD", bid, round(bid + 0.00012, 5))

    @rule(login=logins)
    def close(self, login: int) -> None:
        numbers = self.bench.books.accounts[login].open
        if numbers:
            closed = self.bench.close(login, numbers[0])
            self.model[login][0] += result(closed)

    @rule(login=logins, place=st.integers(0, 9), profit=sums)
    def rewrite(self, login: int, place: int, profit: int) -> None:
        numbers = self.bench.books.accounts[login].closed
        if place < len(numbers):
            before = self.bench.books.closed[numbers[place]]
            change = mt4.TradeChange(profit=amount(profit))
            params = mt4.AdminModifyParams(order=before.order, change=change)
            after = self.bench.ask(c.ADM_TRADE_RECORD_MODIFY, params)
            self.model[login][before.cmd == CREDIT] += result(after) - result(before)

    @rule(login=logins, place=st.integers(0, 9))
    def delete(self, login: int, place: int) -> None:
        account = self.bench.books.accounts[login]
        numbers = account.closed + account.open
        if place < len(numbers):
            gone = self.bench.books.trade(numbers[place])
            assert gone is not None
            self.bench.ask(c.ADM_TRADES_DELETE, mt4.AdminDeleteParams(orders=[gone.order]))
            if gone.close_time:
                self.model[login][gone.cmd == CREDIT] -= result(gone)

    @invariant()
    def the_books_add_up(self) -> None:
        for login, (balance, credit) in self.model.items():
            assert self.bench.money(login) == (balance, credit)
        assert self.bench.drift() <= {(0, 0)}

    @invariant()
    def equity_is_money_and_what_floats(self) -> None:
        for login in self.model:
            level = self.bench.ask(c.MARGIN_LEVEL_REQUEST, mt4.UserParams(login=login))
            page = self.bench.ask(c.TRADES_GET_BY_LOGIN, mt4.LoginTradesParams(login=login))
            floats = sum(result(one) for one in page.rows)
            assert cents(level.equity) == sum(self.model[login]) + floats
            assert level.volume == sum(one.volume for one in page.rows)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
