"""What an emulated terminal answers to ``login_check``: a program beside it that can log in."""

from __future__ import annotations

import pytest
from terminal_bench import Bench

from ea_bridge import commands
from ea_bridge.emulator.conditions import OWN_PASSWORD, KnownLogin
from ea_bridge.model.account import AUTH_FAILED, NO_CONNECTION, CheckedLogin, LoginParams
from ea_bridge.protocol import messages as m


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    known = KnownLogin(login=7, password="cents", server="Cents-Real", currency="USC")
    bench.terminal.handler.logins.known.append(known)
    return bench


def check(bench: Bench, login: int, password: str, server: str) -> m.Res:
    params = LoginParams(login=login, password=password, server=server)
    cmd = m.Cmd(id=1, op=commands.LOGIN_CHECK.op, params=params)
    [answer] = bench.terminal.execute(cmd)
    return answer


def test_a_known_login_opens_its_account(bench: Bench) -> None:
    """Wherever the letters of the server's name are large or small."""
    params = {"login": 7, "password": "cents", "server": "cents-real"}
    opened: CheckedLogin = bench.result(commands.LOGIN_CHECK, **params)
    assert (opened.login, opened.server, opened.currency) == (7, "Cents-Real", "USC")


def test_the_own_account_can_be_logged_in_to_as_well(bench: Bench) -> None:
    """With its money as it is now."""
    own = bench.result(commands.ACCOUNT_GET)
    params = {"login": own.login, "password": OWN_PASSWORD, "server": own.server}
    opened: CheckedLogin = bench.result(commands.LOGIN_CHECK, **params)
    assert (opened.login, opened.balance, opened.equity) == (own.login, own.balance, own.equity)
    assert check(bench, own.login, "wrong", own.server).err == AUTH_FAILED


@pytest.mark.parametrize(
    ("login", "password", "server", "err"),
    [
        (7, "wrong", "Cents-Real", AUTH_FAILED),
        (8, "cents", "Cents-Real", AUTH_FAILED),
        (7, "cents", "MetaQuotes-Demo", AUTH_FAILED),
        (7, "cents", "Nowhere-Demo", NO_CONNECTION),
    ],
)
def test_what_does_not_fit_is_refused(
    bench: Bench, login: int, password: str, server: str, err: int
) -> None:
    """By the number that MetaTrader's own package gives."""
    answer = check(bench, login, password, server)
    assert (answer.ok, answer.err) == (False, err)
    assert password not in answer.msg


def test_a_server_may_be_out_of_reach_for_a_while(bench: Bench) -> None:
    """As often as the fault says."""
    bench.terminal.faults.login_unreachable = 1
    assert check(bench, 7, "cents", "Cents-Real").err == NO_CONNECTION
    assert check(bench, 7, "cents", "Cents-Real").ok


def test_params_of_a_login_do_not_show_the_password() -> None:
    """Whatever writes them into a log."""
    params = LoginParams(login=7, password="hunter2", server="Cents-Real")
    assert "hunter2" not in f"{params} {params!r} {m.Cmd(id=1, op='x', params=params)!r}"
