"""Every command, answered by the library's methods."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from dispatcher_parts import add, ask, pay
from manager_library import CREDENTIALS, Clock, Fake

from ea_bridge.commands import NoParams, SymbolParams
from ea_bridge.mt4_manager import commands
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.endpoint import CommandRefused
from ea_bridge.mt4_manager.peer.manager_peer import CommandDispatcher
from ea_bridge.mt4_manager.peer.queries import SNAPSHOT_S

ANN = mt4.NewUser(group="demo", name="Ann Ö", leverage=100, password="Secret12", city="Köln")


def test_every_command_has_an_answer(dispatcher: CommandDispatcher):
    """But ``results_get``, which is about the peer and not about the server."""
    assert set(dispatcher._answers) == set(commands.MANAGER_COMMANDS) - {commands.RESULTS_GET.op}


# --- the server ------------------------------------------------------------------------------


def test_the_connection_is_a_commands_business(dispatcher: CommandDispatcher):
    """Connected, not, and again."""
    assert ask(dispatcher, commands.IS_CONNECTED, NoParams()).login == 224
    assert not ask(dispatcher, commands.DISCONNECT, NoParams()).connected
    with pytest.raises(CommandRefused) as refused:
        ask(dispatcher, commands.PING, NoParams())
    assert refused.value.retcode == 6
    assert ask(dispatcher, commands.CONNECT, CREDENTIALS).connected
    assert ask(dispatcher, commands.PING, NoParams()).total == 1
    assert ask(dispatcher, commands.SERVER_TIME, NoParams()).time == 1772901814


def test_the_servers_configuration_is_told(dispatcher: CommandDispatcher):
    """To its last member; numbers beyond ours at our bounds."""
    config = ask(dispatcher, commands.MANAGER_COMMON, NoParams())

    assert (config.name, config.port, config.server_build) == ("Fake-Server", 443, 1353)
    assert (config.address, config.bind_adresses) == (0xC0A80001, [0x7F000001])
    assert config.account_url == "https://example.com/account"
    assert (config.timeout, config.last_activate) == (2**31 - 1, 0)


# --- users -----------------------------------------------------------------------------------


def test_a_new_user_gets_a_login_and_passwords(fake: Fake, dispatcher: CommandDispatcher):
    """Passwords go in, the one for looking is made up, and none comes out."""
    user = ask(dispatcher, commands.USER_RECORD_NEW, ANN)

    raw = fake.user(user.login)
    assert (user.login, user.name, user.city, user.enable) == (100, "Ann Ö", "Köln", 1)
    assert user.user_color == mt4.NO_COLOR
    assert (raw.password, raw.name, raw.leverage) == (b"Secret12", b"Ann \xd6", 100)
    assert len(raw.password_investor) == 12
    assert b"Secret12" not in msgspec.json.encode(user)


def test_an_update_changes_what_it_says(fake: Fake, dispatcher: CommandDispatcher):
    """And nothing else, secrets and bytes that we do not know among it."""
    login = add(dispatcher, city="Paris")
    fake.user(login).secure_reserved[3] = 7
    change = mt4.UserUpdate(login=login, change=mt4.UserChange(name="Eve", leverage=200))

    user = ask(dispatcher, commands.USER_RECORD_UPDATE, change)

    assert (user.name, user.leverage, user.city, user.group) == ("Eve", 200, "Paris", "demo")
    assert fake.user(login).secure_reserved[3] == 7
    assert fake.user(login).password == b"Secret12"


def test_who_is_not_there_cannot_be_changed(dispatcher: CommandDispatcher):
    """Bad account info."""
    change = mt4.UserUpdate(login=9, change=mt4.UserChange(name="Eve"))
    for command, params in (
        (commands.USER_RECORD_UPDATE, change),
        (commands.USER_PASSWORD_SET, mt4.PasswordParams(login=9, password="Secret12")),
        (commands.TRADES_GET_BY_LOGIN, mt4.LoginTradesParams(login=9)),
        (commands.MARGIN_LEVEL_REQUEST, mt4.UserParams(login=9)),
    ):
        with pytest.raises(CommandRefused) as refused:
            dispatcher.answer(command.op, params)
        assert refused.value.retcode == 65


def test_users_are_listed_by_what_is_asked(dispatcher: CommandDispatcher):
    """Groups, texts, a window; ``total`` counts all that fit."""
    logins = [add(dispatcher, group) for group in ("demo", "real-1", "demo", "demo")]
    seek = add(dispatcher, "demo", email="eve@EXAMPLE.com", enable=0)

    def found(**wanted: Any) -> tuple[int, list[int]]:
        page = ask(dispatcher, commands.USERS_REQUEST, mt4.UsersFilter(**wanted))
        return page.total, [user.login for user in page.rows]

    assert found() == (5, [*logins, seek])
    assert found(group="real*") == (1, [logins[1]])
    assert found(group="*,!real*", offset=1, limit=2) == (4, [logins[2], logins[3]])
    assert found(search="Eve@example") == (1, [seek])
    assert found(enable=0) == (1, [seek])
    assert found(regdate_from=1) == (0, [])
    assert found(offset=99) == (5, [])
    some = ask(dispatcher, commands.USER_RECORDS_REQUEST, mt4.LoginsParams(logins=[seek, 9]))
    assert [user.login for user in some] == [seek]


def test_pages_are_cut_from_one_list(fake: Fake, dispatcher: CommandDispatcher, clock: Clock):
    """Who is made meanwhile is not among them; the server is asked once, and again by the next
    first page, by another question, and after a while.
    """
    logins = [add(dispatcher) for _ in range(5)]

    def page(offset: int, **wanted: Any) -> tuple[list[int], int]:
        before = fake.do("lists")
        asked = mt4.UsersFilter(offset=offset, limit=2, **wanted)
        rows = ask(dispatcher, commands.USERS_REQUEST, asked).rows
        return [user.login for user in rows], fake.do("lists") - before

    assert page(0) == (logins[:2], 1)
    logins.append(add(dispatcher))
    assert page(2) == (logins[2:4], 0)
    assert page(4) == (logins[4:5], 0)
    assert page(0) == (logins[:2], 1)
    assert page(4) == (logins[4:6], 0)
    assert page(4, group="demo") == (logins[4:6], 1)
    assert page(2) == (logins[2:4], 1)
    clock.now += SNAPSHOT_S
    assert page(2) == (logins[2:4], 1)
    pay(dispatcher, logins[0], 1.0)
    trades = mt4.AdminTradesParams(group="*", offset=1, limit=1)
    assert ask(dispatcher, commands.ADM_TRADES_REQUEST, trades).total == 1
    ask(dispatcher, commands.CONNECT, CREDENTIALS)
    assert page(2) == (logins[2:4], 1)


def test_a_list_is_not_kept_for_longer(dispatcher: CommandDispatcher, clock: Clock):
    """It may be a hundred megabytes."""
    for _ in range(3):
        add(dispatcher)
    ask(dispatcher, commands.USERS_REQUEST, mt4.UsersFilter(limit=1))

    dispatcher.cleanup()
    assert dispatcher._lists._snapshot is not None
    clock.now += SNAPSHOT_S
    dispatcher.cleanup()

    assert dispatcher._lists._snapshot is None


def test_no_list_is_not_an_empty_list(fake: Fake, dispatcher: CommandDispatcher):
    """The library gives the same for both; a ping tells them apart."""
    assert ask(dispatcher, commands.USERS_REQUEST, mt4.UsersFilter()).total == 0
    fake.do("mute", 1)

    with pytest.raises(CommandRefused, match="Ping: No connection"):
        ask(dispatcher, commands.USERS_REQUEST, mt4.UsersFilter())


def test_a_password_goes_where_it_belongs(fake: Fake, dispatcher: CommandDispatcher):
    """The investor's beside the user's own."""
    login = add(dispatcher)
    for investor, password in ((0, "Newpass1"), (1, "Looking1")):
        params = mt4.PasswordParams(
            login=login, password=password, change_investor=investor, clean_pubkey=5
        )
        ask(dispatcher, commands.USER_PASSWORD_SET, params)

    raw = fake.user(login)
    assert (raw.password, raw.password_investor) == (b"Newpass1", b"Looking1")
    assert raw.api_data[0] == 5


def test_a_group_operation_reaches_all_its_logins(fake: Fake, dispatcher: CommandDispatcher):
    """With its command and what it needs."""
    logins = [add(dispatcher), add(dispatcher)]
    params = mt4.GroupOpParams(command=4, logins=logins, newgroup="real-1")

    assert ask(dispatcher, commands.USERS_GROUP_OP, params).total == 2

    assert [fake.user(login).group for login in logins] == [b"real-1", b"real-1"]


def test_a_command_that_a_byte_cuts_is_not_another_one(fake: Fake, dispatcher: CommandDispatcher):
    """256 is not 0, which deletes."""
    login = add(dispatcher)

    with pytest.raises(CommandRefused, match="command cannot be 256") as refused:
        dispatcher.answer("users_group_op", mt4.GroupOpParams(command=256, logins=[login]))

    assert refused.value.retcode == 3
    assert fake.do("users") == 1


def test_who_is_online_is_told(dispatcher: CommandDispatcher):
    """With the address packed as the API has it."""
    page = ask(dispatcher, commands.ONLINE_REQUEST, mt4.GroupFilter(group="demo"))

    assert [(one.login, one.ip) for one in page.rows] == [(100, 0x0A000001)]
    assert ask(dispatcher, commands.ONLINE_REQUEST, mt4.GroupFilter(group="no")).total == 0


def test_what_can_be_done_twice_is_refused_when_it_is_open(
    fake: Fake, dispatcher: CommandDispatcher
):
    """The same change again makes the same of it."""
    login = add(dispatcher)
    change = mt4.UserUpdate(login=login, change=mt4.UserChange(name="Eve"))
    fake.do("lose_after")

    with pytest.raises(CommandRefused) as refused:
        dispatcher.answer("user_record_update", change)
    fake.do("server", 1)
    dispatcher.answer("connect", CREDENTIALS)

    assert refused.value.retcode == 6
    assert ask(dispatcher, commands.USER_RECORD_UPDATE, change).name == "Eve"


def test_what_was_made_is_told_even_if_it_cannot_be_read_again(
    fake: Fake, dispatcher: CommandDispatcher
):
    """As it was written; a refusal would be wrong."""
    fake.do("hide_users", 1)

    user = ask(dispatcher, commands.USER_RECORD_NEW, ANN)

    assert (user.login, user.name) == (100, "Ann Ö")


# --- groups, symbols, mail -------------------------------------------------------------------


def test_groups_are_told_without_their_secret(dispatcher: CommandDispatcher):
    """The password of the mail server stays."""
    page = ask(dispatcher, commands.GROUPS_REQUEST, mt4.GroupFilter())

    assert [group.group for group in page.rows] == ["demo", "real-1"]
    assert page.rows[0].secgroups[2].lot_step == 10
    assert page.rows[0].secmargins[0].margin_divider == 2.5
    assert page.rows[0].archive_pending_period == 77
    assert b"mail-secret" not in msgspec.json.encode(page)


def test_symbols_and_prices_are_told(dispatcher: CommandDispatcher):
    """With their sessions; a symbol without a price is not one at 0."""
    page = ask(dispatcher, commands.SYMBOLS_GET_ALL, mt4.SymbolsFilter(symbol="EUR*"))
    symbol = ask(dispatcher, commands.SYMBOL_GET, SymbolParams(symbol="EURUSD"))
    price = ask(dispatcher, commands.SYMBOL_INFO_GET, SymbolParams(symbol="EURUSD"))

    assert page.rows == [symbol]
    assert symbol.sessions[1].trade == [(0, 5, 23, 55)]
    assert symbol.sessions[0].trade == []
    assert (symbol.contract_size, symbol.swap_variation_margin) == (100_000.0, 7)
    assert (price.bid, price.ask, price.lasttime) == (1.10001, 1.10003, 1_700_000_000)
    for name, code in (("GOLD", 136), ("NONE", 3), ("A_NAME_TOO_LONG", 3)):
        with pytest.raises(CommandRefused) as refused:
            ask(dispatcher, commands.SYMBOL_INFO_GET, SymbolParams(symbol=name))
        assert refused.value.retcode == code


def test_a_mail_reaches_the_library_whole(fake: Fake, dispatcher: CommandDispatcher):
    """Its body lies where 4 bytes can point to, also when it is the longest there is."""
    mail = mt4.Mail(logins=[100, 101], subject="Hello", body="Grüße\n", sender="CommandDispatcher")

    assert ask(dispatcher, commands.MAIL_SEND, mail).total == 2
    assert fake.text("mail_body") == "Grüße\n".encode("cp1252")
    assert fake.do("mail_length") == len("Grüße\n")
    assert (fake.text("mail_subject"), fake.text("mail_from")) == (b"Hello", b"CommandDispatcher")
    assert fake.do("mailed_to") == 201

    longest = mt4.Mail(logins=[1], subject="", body="x" * mt4.MAX_MAIL_BODY)
    ask(dispatcher, commands.MAIL_SEND, longest)
    assert fake.text("mail_body") == b"x" * mt4.MAX_MAIL_BODY


def test_a_text_that_the_server_cannot_have_is_refused(fake: Fake, dispatcher: CommandDispatcher):
    """Before anything is sent."""
    mail = mt4.Mail(logins=[1], subject="₿", body="x")

    with pytest.raises(CommandRefused, match=r"subject: U\+20BF is not in cp1252") as refused:
        dispatcher.answer("mail_send", mail)

    assert refused.value.retcode == 3
    assert fake.do("mails") == 0
