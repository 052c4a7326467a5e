"""Users of the emulated server: made, changed, found, moved, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manager_bench import NOW_S, ManagerBench, Refusal

from ea_bridge.mt4_manager import commands as c
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.model import GroupCommand, ReturnCode

NEW: dict[str, Any] = {
    "group": "real-usd",
    "name": "Ada Abel",
    "leverage": 100,
    "password": "Secret123",
}


def make(bench: ManagerBench, **changes: Any) -> mt4.UserRecord:
    return bench.ask(c.USER_RECORD_NEW, mt4.NewUser(**{**NEW, **changes}))


def update(bench: ManagerBench, login: int, **changes: Any) -> mt4.UserRecord:
    change = mt4.UserChange(**changes)
    return bench.ask(c.USER_RECORD_UPDATE, mt4.UserUpdate(login=login, change=change))


def group_op(bench: ManagerBench, command: int, logins: list[int], **more: Any) -> int:
    params = mt4.GroupOpParams(command=int(command), logins=logins, **more)
    return bench.ask(c.USERS_GROUP_OP, params).total


def code_of(caught: pytest.ExceptionInfo[Refusal]) -> ReturnCode:
    return caught.value.code


def test_a_login_is_allotted_or_taken_as_given(bench: ManagerBench):
    """0 means the next one; one that is taken is refused."""
    first, second = make(bench), make(bench)
    own = make(bench, login=777)

    assert second.login == first.login + 1
    assert (own.login, own.regdate, own.enable, own.balance) == (777, NOW_S, 1, 0.0)
    assert make(bench).login == second.login + 1
    with pytest.raises(Refusal) as caught:
        make(bench, login=777)
    assert code_of(caught) is ReturnCode.INVALID_DATA


def test_passwords_go_one_way(bench: ManagerBench):
    """No record has them; the server knows them all the same."""
    login = make(bench, password_investor="Invest123").login
    passwords = bench.manager.users.passwords
    secret = {"password", "password_investor", "password_phone", "otp_secret", "secure_reserved"}

    assert secret.isdisjoint(mt4.UserRecord.__struct_fields__)
    assert passwords.fits(login, "Secret123")
    assert passwords.fits(login, "Invest123", investor=True)
    bench.ask(c.USER_PASSWORD_SET, mt4.PasswordParams(login=login, password="Another1"))
    assert passwords.fits(login, "Another1")
    assert not passwords.fits(login, "Secret123")
    with pytest.raises(Refusal) as caught:  # the investor's
        bench.ask(c.USER_PASSWORD_SET, mt4.PasswordParams(login=login, password="Invest123"))
    assert code_of(caught) is ReturnCode.INVALID_DATA


@pytest.mark.parametrize(
    "changes",
    [
        {"group": "nowhere"},
        {"password": "lowercase"},
        {"password": "12345678"},
        {"password": "Päss1234"},
        {"password": "Ab1\n4567"},
        {"password_investor": "Secret123"},
        {"name": " "},
        {"name": "Ada\x00Abel"},
        {"name": "ä" * 64},
        {"comment": "a\nb"},
        {"enable": 2},
        {"send_reports": -1},
        {"taxes": 101.0},
    ],
    ids=str,
)
def test_what_no_record_can_have_is_invalid_data(bench: ManagerBench, changes: dict[str, Any]):
    """And no user is made."""
    with pytest.raises(Refusal) as caught:
        make(bench, **changes)

    assert code_of(caught) is ReturnCode.INVALID_DATA
    assert bench.ask(c.USERS_REQUEST, mt4.UsersFilter()).total == 0


def test_an_update_changes_what_it_names(bench: ManagerBench):
    """And nothing else, money least of all."""
    before = make(bench, city="Porto", comment="vip")
    bench.operate(before.login, 100.0)
    bench.now_s += 60
    after = update(bench, before.login, city="Faro", enable=0, leverage=50)

    assert (after.city, after.enable, after.leverage) == ("Faro", 0, 50)
    assert (after.comment, after.balance, after.timestamp) == ("vip", 100.0, NOW_S + 60)
    assert [after] == bench.ask(
        c.USER_RECORDS_REQUEST, mt4.LoginsParams(logins=[before.login, 5, before.login])
    )


def test_no_account_with_money_comes_to_another_currency(bench: ManagerBench):
    """Its balance would mean something else; without money it may."""
    rich, poor = make(bench).login, make(bench).login
    bench.operate(rich, 10.0)

    assert update(bench, poor, group="real-eur").group == "real-eur"
    with pytest.raises(Refusal):
        update(bench, rich, group="real-eur")
    with pytest.raises(Refusal):
        group_op(bench, GroupCommand.SETGROUP, [poor, rich], newgroup="real-eur")
    assert update(bench, rich, group="vip-usd").group == "vip-usd"


def test_users_are_found_by_what_is_asked(bench: ManagerBench):
    """Group, switch, text, time; pages with the total of what fits."""
    ada = make(bench, email="ada@example.com").login
    bench.now_s += 100
    bo = make(bench, name="Bo Berg", group="demoforex", enable=0).login
    make(bench, name="Chen", phone="+351 210 000 000")

    def found(**asked: Any) -> list[int]:
        page = bench.ask(c.USERS_REQUEST, mt4.UsersFilter(**asked))
        assert page.total >= len(page.rows)
        return [one.login for one in page.rows]

    assert found(search="ADA@") == [ada]
    assert found(search="351 210") == [bo + 1]
    assert found(group="demo*") == found(enable=0) == [bo]
    assert found(regdate_from=NOW_S + 1) == [bo, bo + 1]
    assert found(offset=1, limit=1) == [bo]
    assert found(offset=9) == []
    assert bench.ask(c.USERS_REQUEST, mt4.UsersFilter(enable=1, limit=1)).total == 2


def test_a_group_operation_is_done_to_all_or_to_none(bench: ManagerBench):
    """One login that there is not, or that cannot, stops it."""
    ada, bo = make(bench).login, make(bench).login
    bench.operate(bo, 10.0)

    assert group_op(bench, GroupCommand.DISABLE, [ada, bo, ada]) == 2
    assert [bench.books.accounts[one].user.enable for one in (ada, bo)] == [0, 0]
    assert group_op(bench, GroupCommand.LEVERAGE, [ada, bo], leverage=25) == 2
    assert bench.books.accounts[bo].user.leverage == 25
    for command, logins, code in (
        (GroupCommand.ENABLE, [ada, 5], ReturnCode.BAD_ACCOUNT_INFO),
        (GroupCommand.DELETE, [ada, bo], ReturnCode.INVALID_DATA),
        (9, [ada], ReturnCode.INVALID_DATA),
    ):
        with pytest.raises(Refusal) as caught:
            group_op(bench, command, logins)
        assert code_of(caught) is code
    assert bench.books.accounts[ada].user.enable == 0
    with pytest.raises(Refusal):
        group_op(bench, GroupCommand.LEVERAGE, [ada], leverage=0)


def test_a_deleted_user_is_gone_with_his_history(bench: ManagerBench):
    """And his login is not allotted again."""
    ada = make(bench).login
    orders = [bench.operate(ada, 10.0), bench.operate(ada, -10.0)]
    assert group_op(bench, GroupCommand.DELETE, [ada]) == 1

    assert bench.ask(c.USER_RECORDS_REQUEST, mt4.LoginsParams(logins=[ada])) == []
    assert bench.ask(c.TRADE_RECORDS_REQUEST, mt4.OrdersParams(orders=orders)) == []
    assert make(bench).login != ada


def test_who_is_online_is_asked_by_group():
    """With the group as it is now."""
    bench = ManagerBench(users=40, online=0.5)
    everybody = bench.ask(c.ONLINE_REQUEST, mt4.GroupFilter())
    demo = bench.ask(c.ONLINE_REQUEST, mt4.GroupFilter(group="demo*"))

    assert 0 < demo.total < everybody.total < 40
    assert {one.group for one in demo.rows} == {"demoforex"}
    gone = everybody.rows[0].login
    bench.books.remove_user(bench.books.accounts[gone])
    left = bench.ask(c.ONLINE_REQUEST, mt4.GroupFilter())
    assert gone not in {one.login for one in left.rows}


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["new", "delete", "enable", "disable", "setgroup"]),
            st.lists(st.integers(0, 7), min_size=1, max_size=4),
        ),
        max_size=12,
    )
)
def test_group_operations_agree_with_a_model(steps: list[tuple[str, list[int]]]):
    """A dictionary of group and switch by login, whatever comes in whatever order."""
    bench = ManagerBench()
    model: dict[int, tuple[str, int]] = {}
    for what, places in steps:
        known = sorted(model)
        logins = [known[place] if place < len(known) else 5 for place in places]
        if what == "new":
            model[make(bench).login] = ("real-usd", 1)
            continue
        try:
            group_op(bench, GroupCommand[what.upper()], logins, newgroup="vip-usd")
        except Refusal:
            assert 5 in logins
            continue
        for login in set(logins):
            group, enable = model.pop(login)
            if what == "setgroup":
                model[login] = ("vip-usd", enable)
            elif what != "delete":
                model[login] = (group, int(what == "enable"))
    users = bench.ask(c.USERS_REQUEST, mt4.UsersFilter()).rows
    assert {one.login: (one.group, one.enable) for one in users} == model
