"""Trades of the emulated server: asked for, changed and deleted by an administrator."""

from __future__ import annotations

from typing import Any

import pytest
from manager_bench import NOW_S, ManagerBench, Refusal

from ea_bridge.mt4_manager import commands as c
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.model import ReturnCode, TradeCommand, TradeState


def modify(
    bench: ManagerBench, order: int, fix_balance: int = 1, **changes: Any
) -> mt4.TradeRecord:
    params = mt4.AdminModifyParams(
        order=order, change=mt4.TradeChange(**changes), fix_balance=fix_balance
    )
    return bench.ask(c.ADM_TRADE_RECORD_MODIFY, params)


def code_of(bench: ManagerBench, order: int, **changes: Any) -> ReturnCode:
    with pytest.raises(Refusal) as caught:
        modify(bench, order, **changes)
    return caught.value.code


def orders(page: mt4.Page[mt4.TradeRecord]) -> list[int]:
    return [one.order for one in page.rows]


def test_open_trades_are_shown_with_the_markets_price(bench: ManagerBench):
    """Positions with their profit, pending orders with none."""
    login = bench.user(deposit=1000.0)
    bought = bench.open(login, volume=10)
    waiting = bench.open(login, cmd=TradeCommand.SELL_LIMIT, volume=10, open_price=2.0)
    opened = bench.books.open[bought].open_price
    bench.quotes.set("EURUSD", round(opened + 0.001, 5), round(opened + 0.002, 5))
    page = bench.ask(c.TRADES_REQUEST, mt4.OpenTradesFilter())

    assert orders(page) == [bought, waiting]
    assert [one.profit for one in page.rows] == [10.0, 0.0]
    assert page.rows[0].close_price == round(opened + 0.001, 5)
    assert [one.close_time for one in page.rows] == [0, 0]


def test_trades_are_found_by_what_is_asked():
    """Group, login, symbol, page; the total is of all that fits."""
    bench = ManagerBench()
    usd, eur = bench.user(deposit=9000.0), bench.user("real-eur", deposit=9000.0)
    numbers = [
        bench.open(usd, "EURUSD", volume=1),
        bench.open(usd, "XAUUSD", volume=1),
        bench.open(eur, "EURUSD", volume=1),
    ]

    def found(**asked: Any) -> list[int]:
        return orders(bench.ask(c.TRADES_REQUEST, mt4.OpenTradesFilter(**asked)))

    assert found() == numbers
    assert found(login=usd) == numbers[:2]
    assert found(login=5) == []
    assert found(symbol="EURUSD") == [numbers[0], numbers[2]]
    assert found(group="*,!real-usd") == numbers[2:]
    assert found(offset=1, limit=1) == numbers[1:2]
    assert bench.ask(c.TRADES_REQUEST, mt4.OpenTradesFilter(limit=1)).total == 3
    of_login = mt4.LoginTradesParams(login=eur, group="real-eur")
    assert orders(bench.ask(c.TRADES_GET_BY_LOGIN, of_login)) == numbers[2:]
    with pytest.raises(Refusal):
        bench.ask(c.TRADES_GET_BY_LOGIN, mt4.LoginTradesParams(login=eur, group="real-usd"))


def test_history_is_by_the_time_of_closing(bench: ManagerBench):
    """Both ends included; operations are history too."""
    login = bench.user(deposit=1000.0)
    first = bench.open(login, volume=1)
    bench.now_s += 10
    bench.close(login, first)
    bench.now_s += 10
    paid = bench.operate(login, 1.0)

    def between(from_s: int, to_s: int) -> list[int]:
        params = mt4.TradeHistoryParams(login=login, from_s=from_s, to_s=to_s)
        return orders(bench.ask(c.TRADES_USER_HISTORY, params))

    assert between(NOW_S + 10, NOW_S + 20) == [first, paid]
    assert between(NOW_S + 11, NOW_S + 20) == [paid]
    assert between(NOW_S + 10, NOW_S + 19) == [first]
    with pytest.raises(Refusal):
        between(NOW_S + 1, NOW_S)


def test_an_administrator_sees_groups_open_or_all(bench: ManagerBench):
    """Open ones first."""
    login = bench.user()
    paid = bench.operate(login, 1000.0)
    number = bench.open(login, volume=1)

    def asked(**params: Any) -> list[int]:
        return orders(bench.ask(c.ADM_TRADES_REQUEST, mt4.AdminTradesParams(**params)))

    assert asked(group="real*") == [number, paid]
    assert asked(group="real*", open_only=1) == [number]
    assert asked(group="demo*") == []
    by_number = mt4.OrdersParams(orders=[paid, 5, number, paid])
    found = bench.ask(c.TRADE_RECORDS_REQUEST, by_number)
    assert [one.order for one in found] == [paid, number]


def test_a_record_is_changed_where_it_is_named(bench: ManagerBench):
    """An open trade's margin and profit follow; a comment is a comment."""
    login = bench.user(deposit=5000.0)
    bench.quotes.set("EURUSD", 1.2, 1.2)
    number = bench.open(login, volume=100)
    after = modify(bench, number, volume=50, open_price=1.19, comment="corrected", storage=-3.0)

    assert (after.volume, after.profit, after.comment) == (50, 500.0, "corrected")
    level = bench.ask(c.MARGIN_LEVEL_REQUEST, mt4.UserParams(login=login))
    assert (level.margin, level.equity, level.volume) == (600.0, 5497.0, 50)
    assert bench.money(login) == (5000_00, 0)


def test_a_records_change_moves_no_balance_until_it_is_fixed(bench: ManagerBench):
    """As the API has it: AdmBalanceFix is a call of its own, which the peer adds unless told."""
    login = bench.user()
    paid = bench.operate(login, 100.0)
    modify(bench, paid, fix_balance=0, profit=70.0)

    assert bench.money(login) == (100_00, 0)
    assert bench.drift() == {(30_00, 0)}
    modify(bench, paid, comment="fixed")
    assert bench.money(login) == (70_00, 0)

    bench.ask(c.ADM_TRADES_DELETE, mt4.AdminDeleteParams(orders=[paid], fix_balance=0))
    assert bench.money(login) == (70_00, 0)
    assert bench.drift() == {(70_00, 0)}


def test_a_deleted_position_is_gone_without_a_result(bench: ManagerBench):
    """Its margin is free again; the balance is what it was."""
    login = bench.user(deposit=1000.0)
    number = bench.open(login, volume=10)
    bench.quotes.set("EURUSD", 0.9, 0.9001)
    done = bench.ask(c.ADM_TRADES_DELETE, mt4.AdminDeleteParams(orders=[number, number]))
    level = bench.ask(c.MARGIN_LEVEL_REQUEST, mt4.UserParams(login=login))

    assert done.total == 1
    assert (level.balance, level.equity, level.margin) == (1000.0, 1000.0, 0.0)


def test_trades_are_deleted_all_or_none(bench: ManagerBench):
    """One number that there is not stops it."""
    login = bench.user()
    paid = bench.operate(login, 100.0)
    with pytest.raises(Refusal) as caught:
        bench.ask(c.ADM_TRADES_DELETE, mt4.AdminDeleteParams(orders=[paid, 5]))

    assert caught.value.code is ReturnCode.INVALID_DATA
    assert bench.money(login) == (100_00, 0)


def test_a_pending_order_that_is_closed_was_deleted(bench: ManagerBench):
    """It books nothing, whatever the price."""
    login = bench.user(deposit=10.0)
    number = bench.open(login, cmd=TradeCommand.BUY_STOP, open_price=1.5)
    closed = bench.close(login, number)

    assert closed.state == TradeState.DELETED
    assert bench.money(login) == (10_00, 0)
    assert bench.drift() == {(0, 0)}


@pytest.mark.parametrize(
    ("kind", "changes", "code"),
    [
        ("open", {"volume": 0}, ReturnCode.TRADE_BAD_VOLUME),
        ("open", {"open_price": 0.0}, ReturnCode.TRADE_BAD_PRICES),
        ("open", {"open_price": 1e12}, ReturnCode.TRADE_BAD_PRICES),
        ("open", {"sl": -1.0}, ReturnCode.TRADE_BAD_STOPS),
        ("open", {"tp": 1e12}, ReturnCode.TRADE_BAD_STOPS),
        ("open", {"symbol": "EURUSDD"}, ReturnCode.INVALID_DATA),
        ("open", {"cmd": 6}, ReturnCode.INVALID_DATA),
        ("open", {"cmd": 9}, ReturnCode.INVALID_DATA),
        ("open", {"profit": 5.0}, ReturnCode.INVALID_DATA),
        ("open", {"close_price": 1.0}, ReturnCode.INVALID_DATA),
        ("open", {"close_time": NOW_S}, ReturnCode.INVALID_DATA),
        ("open", {"commission": 0.001}, ReturnCode.INVALID_DATA),
        ("open", {"comment": "a\nb"}, ReturnCode.INVALID_DATA),
        ("closed", {"close_time": 0}, ReturnCode.INVALID_DATA),
        ("closed", {"close_time": NOW_S - 1}, ReturnCode.INVALID_DATA),
        ("closed", {"profit": 0.001}, ReturnCode.INVALID_DATA),
        ("money", {"volume": 5}, ReturnCode.INVALID_DATA),
        ("money", {"cmd": 7}, ReturnCode.INVALID_DATA),
        ("money", {"profit": 0.0}, ReturnCode.INVALID_DATA),
        ("money", {"profit": 1e12}, ReturnCode.INVALID_DATA),
        ("none", {"comment": "x"}, ReturnCode.INVALID_DATA),
    ],
)
def test_what_no_administrator_means_is_refused(
    bench: ManagerBench, kind: str, changes: dict[str, Any], code: ReturnCode
):
    """And nothing is changed."""
    login = bench.user(deposit=1000.0)
    order = {"open": 0, "closed": 0, "money": bench.books.last_order, "none": 5}[kind]
    if not order:
        order = bench.open(login, volume=10)
    if kind == "closed":
        bench.close(login, order)
    before, money = bench.books.trade(order), bench.money(login)

    assert code_of(bench, order, **changes) is code
    assert (bench.books.trade(order), bench.money(login)) == (before, money)
