"""People are told of sign-ins from where nobody signed in before, and of new passwords."""

from __future__ import annotations

import pytest
from approval_fixtures import last_post, posts
from console_fixtures import PASSWORD, Clock, person

from gateway.console.errors import SignInRefused
from gateway.console.links import RESET
from gateway.console.service import Console

pytestmark = pytest.mark.alike

DAY_S = 86_400
NEW = "another fine sentence"
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.9"


async def _sign_in(console: Console, ip: str, password: str = PASSWORD) -> None:
    await console.users.authenticate("ann@example.com", password, ip, agent="Firefox")


async def test_a_sign_in_from_elsewhere_is_told(console: Console, clock: Clock):
    """Not the first of all, not one from a known address; once a day for one address."""
    ann = await person(console)
    await _sign_in(console, HOME)
    await _sign_in(console, HOME)
    assert await posts(console) == []

    await _sign_in(console, ELSEWHERE)
    await _sign_in(console, ELSEWHERE)
    post = await last_post(console, "new-sign-in")
    assert post.address == ann.email
    assert f"address {ELSEWHERE}" in post.text
    assert "Firefox" in post.text
    assert len(await posts(console)) == 1

    clock.forward(91 * DAY_S)
    await _sign_in(console, HOME)
    assert len(await posts(console)) == 2


async def test_what_is_no_sign_in_is_not_told(console: Console):
    """A wrong password, and a password that is given again."""
    await person(console)
    await _sign_in(console, HOME)
    with pytest.raises(SignInRefused):
        await _sign_in(console, ELSEWHERE, "wrong horse battery staple")
    await console.users.authenticate("ann@example.com", PASSWORD, ELSEWHERE, event="step_up")
    assert await posts(console) == []


async def test_a_new_password_is_told(console: Console, clock: Clock):
    """After a change and after a reset, each once, with the way to undo it; not one refused."""
    ann = await person(console)
    with pytest.raises(SignInRefused):
        await console.users.change_password(ann.id, "wrong", NEW, HOME)
    assert await posts(console) == []
    await console.users.change_password(ann.id, PASSWORD, NEW, HOME)
    link = await console.links.make(RESET, ann.id, 1800)
    await console.users.reset_password(link, PASSWORD)
    told = await posts(console, "password-changed")

    assert len(await posts(console)) == len(told) == 2
    for post in told:
        assert post.address == ann.email
        assert f"{console.url()}/forgot" in post.text
        assert NEW not in post.text
        assert PASSWORD not in post.text
