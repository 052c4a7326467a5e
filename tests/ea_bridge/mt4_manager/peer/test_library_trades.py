"""Money and trades, by the library's methods."""

from __future__ import annotations

from typing import Any

import pytest
from dispatcher_parts import add, ask, pay
from manager_library import Fake

from ea_bridge.mt4_manager import commands
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.endpoint import CommandRefused
from ea_bridge.mt4_manager.peer.manager_peer import CommandDispatcher


def test_money_is_booked_as_it_was_asked(dispatcher: CommandDispatcher):
    """In and out, as balance and as credit, with comment and expiration."""
    login = add(dispatcher)
    order = pay(dispatcher, login, 100.25, "in #1")
    pay(dispatcher, login, -0.25)
    credit = mt4.TransactionParams(cmd=7, orderby=login, price=50.0, expiration=1_800_000_000)
    given = ask(dispatcher, commands.TRADE_TRANSACTION, credit).order

    span = mt4.TradeHistoryParams(login=login, from_s=0, to_s=2**31 - 1)
    page = ask(dispatcher, commands.TRADES_USER_HISTORY, span)
    [user] = ask(dispatcher, commands.USER_RECORDS_REQUEST, mt4.LoginsParams(logins=[login]))

    assert (user.balance, user.credit) == (100.0, 50.0)
    assert [row.profit for row in page.rows] == [100.25, -0.25, 50.0]
    assert (page.rows[0].order, page.rows[0].comment) == (order, "in #1")
    assert page.rows[0].conv_rates == (0.0, 1.5)
    assert (page.rows[2].order, page.rows[2].expiration) == (given, 1_800_000_000)


def test_money_that_is_not_there_is_refused(dispatcher: CommandDispatcher):
    """With the server's code and words."""
    login = add(dispatcher)

    with pytest.raises(CommandRefused, match="TradeTransaction: Not enough money") as refused:
        pay(dispatcher, login, -1.0)

    assert refused.value.retcode == 134


@pytest.mark.parametrize("code", [2, 4, 6, 9, 128, 142, 143])
def test_a_code_that_leaves_it_open_is_no_refusal(
    fake: Fake, dispatcher: CommandDispatcher, code: int
):
    """The money may have been booked: the code says that it is open."""
    login = add(dispatcher)
    fake.do("fail", code)

    with pytest.raises(CommandRefused) as refused:
        pay(dispatcher, login, 1.0)
    assert refused.value.retcode == 128


def test_a_server_lost_in_the_middle_leaves_it_open(fake: Fake, dispatcher: CommandDispatcher):
    """It was booked here. Before it is begun, a lost server is a refusal."""
    login = add(dispatcher)
    fake.do("lose_after")

    with pytest.raises(CommandRefused) as open_:
        pay(dispatcher, login, 1.0)
    with pytest.raises(CommandRefused) as refused:
        pay(dispatcher, login, 1.0)

    assert (open_.value.retcode, refused.value.retcode) == (128, 6)
    assert fake.do("trades") == 1


def test_a_history_is_empty_only_when_it_was_empty_twice(
    fake: Fake, dispatcher: CommandDispatcher
):
    """From it the daemon learns whether a payment was made."""
    login = add(dispatcher)
    pay(dispatcher, login, 1.0)
    span = mt4.TradeHistoryParams(login=login, from_s=0, to_s=2**31 - 1)

    fake.do("fail", 2)
    assert ask(dispatcher, commands.TRADES_USER_HISTORY, span).total == 1
    fake.do("server", 0)
    with pytest.raises(CommandRefused):
        ask(dispatcher, commands.TRADES_USER_HISTORY, span)


def test_margins_are_told(dispatcher: CommandDispatcher):
    """One by asking the server, all from pumping, by login; infinity is none."""
    low, high = add(dispatcher), add(dispatcher, "real-1")
    pay(dispatcher, high, 1000.0)

    one = ask(dispatcher, commands.MARGIN_LEVEL_REQUEST, mt4.UserParams(login=high))
    every = ask(dispatcher, commands.MARGINS_GET, mt4.MarginsFilter())

    assert (one.equity, one.margin_level, one.group) == (1000.0, 0.0, "real-1")
    assert [level.login for level in every.rows] == [low, high]
    for wanted in (mt4.MarginsFilter(level_type=1), mt4.MarginsFilter(group="demo")):
        assert [row.login for row in ask(dispatcher, commands.MARGINS_GET, wanted).rows] == [low]


def test_margins_wait_for_pumping(fake: Fake, dispatcher: CommandDispatcher):
    """All others do not."""
    fake.do("stop_pumping")

    with pytest.raises(CommandRefused, match="pumping has not begun") as refused:
        ask(dispatcher, commands.MARGINS_GET, mt4.MarginsFilter())

    assert refused.value.retcode == 6
    assert ask(dispatcher, commands.USERS_REQUEST, mt4.UsersFilter()).total == 0


def test_open_trades_are_found_by_what_is_asked(fake: Fake, dispatcher: CommandDispatcher):
    """Owner, group of the owner, symbol; with and without pumping."""
    one, other = add(dispatcher), add(dispatcher, "real-1")
    first = fake.open_trade(one)
    second = fake.open_trade(other, b"GOLD", 250)
    pay(dispatcher, one, 5.0)

    def found(**wanted: Any) -> list[int]:
        page = ask(dispatcher, commands.TRADES_REQUEST, mt4.OpenTradesFilter(**wanted))
        return [trade.order for trade in page.rows]

    def own(login: int) -> list[int]:
        page = ask(dispatcher, commands.TRADES_GET_BY_LOGIN, mt4.LoginTradesParams(login=login))
        return [trade.order for trade in page.rows]

    assert found() == [first, second]
    assert found(group="real*") == [second]
    assert found(login=one) == [first]
    assert found(symbol="GOLD") == [second]
    assert own(one) == [first]
    fake.do("stop_pumping")
    assert own(other) == [second]
    wanted = mt4.AdminTradesParams(group="demo", open_only=1)
    assert ask(dispatcher, commands.ADM_TRADES_REQUEST, wanted).rows[0].order == first
    [gold] = ask(dispatcher, commands.TRADE_RECORDS_REQUEST, mt4.OrdersParams(orders=[second, 7]))
    assert (gold.symbol, gold.volume, gold.margin_rate) == ("GOLD", 250, 1.25)


def test_a_trade_is_modified_whole(fake: Fake, dispatcher: CommandDispatcher):
    """What is not named stays; the balance follows unless that is switched off."""
    login = add(dispatcher)
    order = pay(dispatcher, login, 100.0, "typo")
    change = mt4.TradeChange(profit=10.0, comment="right")

    for fix, balance in ((0, 100.0), (1, 10.0)):
        params = mt4.AdminModifyParams(order=order, change=change, fix_balance=fix)
        trade = ask(dispatcher, commands.ADM_TRADE_RECORD_MODIFY, params)
        assert (trade.profit, trade.comment, trade.cmd, trade.reason) == (10.0, "right", 6, 7)
        assert fake.user(login).balance == balance


def test_trades_are_deleted_all_or_none(fake: Fake, dispatcher: CommandDispatcher):
    """One that is not there is named, and nothing is done."""
    login = add(dispatcher)
    orders = [
        pay(dispatcher, login, 1.0),
        pay(dispatcher, login, 2.0),
        pay(dispatcher, login, 4.0),
    ]

    with pytest.raises(CommandRefused, match="there is no order 9") as refused:
        dispatcher.answer("adm_trades_delete", mt4.AdminDeleteParams(orders=[orders[0], 9]))
    assert refused.value.retcode == 3
    assert fake.do("trades") == 3
    twice = mt4.AdminDeleteParams(orders=[orders[0], orders[2], orders[0]])
    assert ask(dispatcher, commands.ADM_TRADES_DELETE, twice).total == 2

    assert fake.do("trades") == 1
    assert fake.user(login).balance == 2.0


def test_balances_that_could_not_follow_are_no_refusal(fake: Fake, dispatcher: CommandDispatcher):
    """The trade is changed: who asks again must not be told that it is not."""
    login = add(dispatcher)
    order = pay(dispatcher, login, 1.0)
    change = mt4.AdminModifyParams(order=order, change=mt4.TradeChange(profit=2.0))
    fake.do("fail_fix", 6)

    with pytest.raises(CommandRefused, match="the trades were changed") as open_:
        dispatcher.answer("adm_trade_record_modify", change)
    assert open_.value.retcode == 128

    [trade] = ask(dispatcher, commands.TRADE_RECORDS_REQUEST, mt4.OrdersParams(orders=[order]))
    assert trade.profit == 2.0
