"""Who is asked for an account: never somebody else's terminal, and one login at a time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from ea_bridge.errors import CommandFailed, NotSent
from ea_bridge.model.account import AUTH_FAILED, BAD_PATH, NO_CONNECTION, CheckedLogin, LoginParams
from ea_bridge.session import SessionState
from gateway.accounts.peers import (
    MAX_WAITING,
    CredentialsRefused,
    LoginUntried,
    PathRefused,
    Peers,
)

PARAMS = LoginParams(login=7, password="hunter2", server="Demo")
OWNERS = {"t-ann": "ann", "t-ann-2": "ann", "t-bob": "bob"}


class Terminal:
    """A live session that can log in, as a test lets it."""

    def __init__(self, name: str, tid: str, *caps: str) -> None:
        self.terminal = name
        self.caps = frozenset(caps)
        self.state = SessionState.READY
        self.hello = SimpleNamespace(tid=tid, login=7, server="Demo")
        self.asked: list[LoginParams] = []
        self.answer: CheckedLogin | Exception = CheckedLogin(login=7, server="Demo")
        self.open = asyncio.Event()
        self.open.set()

    async def request(self, command: Any, params: LoginParams, *, timeout_s: float) -> Any:
        self.asked.append(params)
        await self.open.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def peers(*terminals: Terminal) -> Peers:
    registry: Any = SimpleNamespace(sessions=lambda: list(terminals))
    return Peers(registry, lambda tid: OWNERS[tid])


async def test_one_is_asked_after_another_until_one_can_tell() -> None:
    """First who is logged in to the account, then the caller's own; a refusal ends it."""
    own, other = Terminal("one", "t-ann", "login"), Terminal("two", "t-ann-2", "login")
    own.hello.login = 8
    assert (await peers(own, other).check("ann", "one", PARAMS)).login == 7
    assert (own.asked, len(other.asked)) == ([], 1)
    other.hello.login = 9
    own.answer = CommandFailed("login_check", NO_CONNECTION)
    assert (await peers(own, other).check("ann", "one", PARAMS)).login == 7
    assert (len(own.asked), len(other.asked)) == (1, 2)
    own.answer = CommandFailed("login_check", AUTH_FAILED)
    with pytest.raises(CredentialsRefused):
        await peers(own, other).check("ann", "one", PARAMS)
    assert len(other.asked) == 2


async def test_a_path_is_refused_when_no_terminal_has_it() -> None:
    """Where one could not try, nobody knows."""
    one, two = Terminal("one", "t-ann", "login"), Terminal("two", "t-ann-2", "login")
    one.answer = CommandFailed("login_check", BAD_PATH)
    assert (await peers(one, two).check("ann", "one", PARAMS)).login == 7
    two.answer = CommandFailed("login_check", BAD_PATH)
    with pytest.raises(PathRefused):
        await peers(one, two).check("ann", "one", PARAMS)
    two.answer = CommandFailed("login_check", NO_CONNECTION)
    with pytest.raises(LoginUntried):
        await peers(one, two).check("ann", "one", PARAMS)


async def test_a_password_goes_to_the_owners_terminals_alone() -> None:
    """First to the caller's own, if it can log in."""
    plain, able = Terminal("one", "t-ann"), Terminal("two", "t-ann-2", "login")
    stranger = Terminal("three", "t-bob", "login")
    all_of_them = peers(stranger, plain, able)
    assert (await all_of_them.check("ann", "one", PARAMS)).login == 7
    assert (len(able.asked), stranger.asked, plain.asked) == (1, [], [])
    with pytest.raises(LoginUntried):
        await peers(stranger, plain).check("ann", "one", PARAMS)
    assert stranger.asked == []
    assert all_of_them.logged_in("bob", 7, "DEMO") == "three"
    assert all_of_them.logged_in("bob", 7, "Live") is None
    assert all_of_them.logged_in("eve", 7, "Demo") is None


async def test_a_terminal_that_is_silent_is_not_asked() -> None:
    """It may be gone."""
    able = Terminal("one", "t-ann", "login")
    able.state = SessionState.STALE
    with pytest.raises(LoginUntried):
        await peers(able).check("ann", "one", PARAMS)
    assert peers(able).logged_in("ann", 7, "Demo") is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (CommandFailed("login_check", AUTH_FAILED), CredentialsRefused),
        (CommandFailed("login_check", NO_CONNECTION), LoginUntried),
        (CommandFailed("login_check", 4024), LoginUntried),
        (NotSent("gone"), LoginUntried),
        (CheckedLogin(login=8, server="Demo"), LoginUntried),
    ],
)
async def test_only_a_refusal_of_the_server_means_a_wrong_password(
    answer: Any, error: type[Exception]
) -> None:
    """All else says nothing of it; another account than the one asked for is none."""
    able = Terminal("one", "t-ann", "login")
    able.answer = answer
    with pytest.raises(error) as caught:
        await peers(able).check("ann", "one", PARAMS)
    assert "hunter2" not in str(caught.value)


async def test_logins_wait_for_each_other_and_are_bounded() -> None:
    """MetaTrader has one login at a time; who would wait behind too many is told at once."""
    able = Terminal("one", "t-ann", "login")
    able.open.clear()
    one = peers(able)
    waiting = [asyncio.create_task(one.check("ann", "one", PARAMS)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    assert len(able.asked) == 1
    with pytest.raises(LoginUntried):
        await one.check("ann", "one", PARAMS)
    able.open.set()
    await asyncio.gather(*waiting)
    assert len(able.asked) == MAX_WAITING
    assert (await one.check("ann", "one", PARAMS)).login == 7
