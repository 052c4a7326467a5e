"""The emulated server: logging in, rights, symbols, groups, mail, and what each call needs."""

from __future__ import annotations

from typing import Any

import pytest
from manager_bench import NOW_S, ManagerBench, Refusal

from ea_bridge.commands import Command, NoParams, ResultsParams, SymbolParams
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import commands as c
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.emulator.server import NEEDED
from ea_bridge.mt4_manager.model import ReturnCode
from ea_bridge.protocol.messages import Cmd

ASKED: dict[str, Struct] = {
    "ping": NoParams(),
    "server_time": NoParams(),
    "manager_common": NoParams(),
    "users_request": mt4.UsersFilter(),
    "user_records_request": mt4.LoginsParams(logins=[1]),
    "user_record_new": mt4.NewUser(
        group="real-usd", name="Bo", leverage=100, password="Secret123"
    ),
    "user_record_update": mt4.UserUpdate(login=1, change=mt4.UserChange()),
    "user_password_set": mt4.PasswordParams(login=1, password="Secret123"),
    "users_group_op": mt4.GroupOpParams(command=1, logins=[1]),
    "online_request": mt4.GroupFilter(),
    "trade_transaction": mt4.TransactionParams(cmd=6, orderby=1, price=1.0),
    "margin_level_request": mt4.UserParams(login=1),
    "margins_get": mt4.MarginsFilter(),
    "trades_request": mt4.OpenTradesFilter(),
    "trades_get_by_login": mt4.LoginTradesParams(login=1),
    "trades_user_history": mt4.TradeHistoryParams(login=1, from_s=0, to_s=1),
    "trade_records_request": mt4.OrdersParams(orders=[1]),
    "adm_trades_request": mt4.AdminTradesParams(group="*"),
    "adm_trade_record_modify": mt4.AdminModifyParams(order=1, change=mt4.TradeChange()),
    "adm_trades_delete": mt4.AdminDeleteParams(orders=[1]),
    "groups_request": mt4.GroupFilter(),
    "symbols_get_all": mt4.SymbolsFilter(),
    "symbol_get": SymbolParams(symbol="EURUSD"),
    "symbol_info_get": SymbolParams(symbol="EURUSD"),
    "mail_send": mt4.Mail(logins=[1], subject="s", body="b"),
}
ALWAYS = {"connect", "disconnect", "is_connected", "results_get"}


def code_of(bench: ManagerBench, op: str) -> ReturnCode:
    [res] = bench.give(c.MANAGER_COMMANDS[op], ASKED[op])
    return ReturnCode.OK if res.ok else ReturnCode(res.retcode)


def refused(bench: ManagerBench, command: Command[Any, Any], params: Struct) -> ReturnCode:
    with pytest.raises(Refusal) as caught:
        bench.ask(command, params)
    return caught.value.code


def test_every_command_is_asked_here():
    """So that the two tests below are about all of them."""
    assert ASKED.keys() | ALWAYS == c.MANAGER_COMMANDS.keys()


def test_before_connect_nothing_is_answered():
    """RET_NO_CONNECT; but what became of a command can be asked."""
    bench = ManagerBench(connected=False)

    assert {code_of(bench, op) for op in ASKED} == {ReturnCode.NO_CONNECT}
    assert bench.ask(c.RESULTS_GET, ResultsParams(ids="9000000"))[0].state == "absent"
    assert not bench.ask(c.IS_CONNECTED).connected


def test_after_disconnect_all_fail_until_connected_again(bench: ManagerBench):
    """As endpoint 5 of the API says."""
    assert code_of(bench, "ping") is ReturnCode.OK
    assert bench.ask(c.DISCONNECT) == mt4.ManagerConnection(connected=False)
    assert {code_of(bench, op) for op in ASKED} == {ReturnCode.NO_CONNECT}

    assert bench.connect() == mt4.ManagerConnection(
        connected=True, server="127.0.0.1:443", login=224
    )
    assert code_of(bench, "ping") is ReturnCode.OK


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": "Manager-225"}, ReturnCode.BAD_ACCOUNT_INFO),
        ({"login": 225}, ReturnCode.BAD_ACCOUNT_INFO),
        ({"server": "203.0.113.10:443"}, ReturnCode.NO_CONNECT),
    ],
)
def test_a_wrong_login_ends_the_connection_that_was(
    bench: ManagerBench, changes: dict[str, Any], code: ReturnCode
):
    """The API leaves the old one before it makes the new one."""
    with pytest.raises(Refusal) as caught:
        bench.connect(**changes)

    assert caught.value.code is code
    assert not bench.ask(c.IS_CONNECTED).connected


def test_a_lost_server_is_told_until_connect(bench: ManagerBench):
    """The fault: the connection between peer and server breaks."""
    bench.faults.lose_server = 1

    assert code_of(bench, "server_time") is ReturnCode.NO_CONNECT
    assert code_of(bench, "server_time") is ReturnCode.NO_CONNECT
    bench.connect()
    assert bench.ask(c.SERVER_TIME).time == NOW_S


@pytest.mark.parametrize("right", list(mt4.ManagerRight))
def test_a_right_that_is_missing_is_named(bench: ManagerBench, right: mt4.ManagerRight):
    """RET_NOT_ENOUGH_RIGHTS for exactly the calls that need it."""
    bench.manager.rights = mt4.ALL_RIGHTS & ~right
    denied = {op for op in ASKED if code_of(bench, op) is ReturnCode.NOT_ENOUGH_RIGHTS}

    assert denied == {op for op, needed in NEEDED.items() if needed is right}


def test_an_unknown_login_is_bad_account_info(bench: ManagerBench):
    """Wherever one account is meant; questions about a list leave it out."""
    told = {op: code_of(bench, op) for op in ASKED}

    bad = {op for op, code in told.items() if code is ReturnCode.BAD_ACCOUNT_INFO}
    assert bad == {
        "user_record_update",
        "user_password_set",
        "users_group_op",
        "trade_transaction",
        "margin_level_request",
        "trades_get_by_login",
        "trades_user_history",
        "mail_send",
    }


def test_symbols_and_their_prices(bench: ManagerBench):
    """The record, the price, masks; an unknown one is invalid data."""
    page = bench.ask(c.SYMBOLS_GET_ALL, mt4.SymbolsFilter(symbol="EUR*,!EURUSD*"))
    assert {one.symbol for one in page.rows} == {"EURAUD", "EURCAD", "EURGBP", "EURJPY"}

    gold = bench.ask(c.SYMBOL_GET, SymbolParams(symbol="XAUUSD"))
    assert (gold.contract_size, gold.margin_currency) == (100.0, "XAU")
    bench.quotes.set("EURUSD", 1.25, 1.2501)
    bench.ask(c.SYMBOL_INFO_GET, SymbolParams(symbol="EURUSD"))
    bench.quotes.set("EURUSD", 1.24, 1.2401)
    price = bench.ask(c.SYMBOL_INFO_GET, SymbolParams(symbol="EURUSD"))
    begun = bench.quotes.specs["EURUSD"].bid
    assert (price.bid, price.ask, price.high, price.low) == (1.24, 1.2401, 1.25, begun)
    assert price.direction == mt4.PriceDirection.DOWN
    for command in (c.SYMBOL_GET, c.SYMBOL_INFO_GET):
        wrong = SymbolParams(symbol="EURUSDD")
        assert refused(bench, command, wrong) is ReturnCode.INVALID_DATA


def test_groups_by_mask_and_page(bench: ManagerBench):
    """All, some, a part of them; the password of the mail server is no member."""
    everything = bench.ask(c.GROUPS_REQUEST, mt4.GroupFilter())
    page = bench.ask(c.GROUPS_REQUEST, mt4.GroupFilter(offset=1, limit=2))
    real = bench.ask(c.GROUPS_REQUEST, mt4.GroupFilter(group="real-*"))

    assert page.total == everything.total == len(everything.rows)
    assert page.rows == everything.rows[1:3]
    assert [one.group for one in real.rows] == ["real-usd", "real-eur"]
    assert not any("password" in name for name in mt4.GroupRecord.__struct_fields__)


def test_mail_goes_to_all_or_nobody(bench: ManagerBench):
    """Each login counts once."""
    ada, bo = bench.user(), bench.user()
    sent = bench.ask(c.MAIL_SEND, mt4.Mail(logins=[ada, bo, ada], subject="Hi", body="Hello"))
    unknown = mt4.Mail(logins=[ada, 5], subject="Hi", body="Hello")

    assert sent.total == 2
    assert refused(bench, c.MAIL_SEND, unknown) is ReturnCode.BAD_ACCOUNT_INFO
    assert len(bench.manager.mails) == 1


def test_the_configuration_tells_the_last_numbers(bench: ManagerBench):
    """``lastlogin`` and ``lastorder``."""
    login = bench.user(deposit=1.0)
    config = bench.ask(c.MANAGER_COMMON)

    assert config.lastlogin == login
    assert config.lastorder == bench.books.last_order


def test_a_command_that_comes_again_is_answered_from_the_table(bench: ManagerBench):
    """And not carried out: the deposit is there once."""
    login = bench.user()
    params = mt4.TransactionParams(cmd=6, orderby=login, price=5.0)
    first = bench.give(c.TRADE_TRANSACTION, params, 900)
    assert bench.give(c.TRADE_TRANSACTION, params, 900) == first
    assert bench.money(login) == (500, 0)

    [stored] = bench.ask(c.RESULTS_GET, ResultsParams(ids="900"))
    assert (stored.state, stored.ok) == ("done", True)
    assert c.TRADE_TRANSACTION.decoder.decode(stored.d).order == bench.books.last_order


def test_params_that_are_none_are_refused_without_the_api(bench: ManagerBench):
    """As on the wire, where the codec could not read them."""
    [res] = bench.manager.executor.execute(Cmd(id=77, op="trade_transaction"))
    assert (res.ok, res.err) == (False, 4003)
