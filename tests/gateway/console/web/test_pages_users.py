"""Users on the pages of administrators: invited, again, by a link, roles, deleted."""

from __future__ import annotations

import re

import pyotp
import pytest
from console_fixtures import PASSWORD, Clock
from page_client import PageClient, mailed_path

from gateway.console.pages.account import LOG_LINES
from gateway.console.service import Console
from gateway.console.user_info import UserInfo

EVE = {"name": "Eve", "email": "eve@example.com"}
NEW = "another horse battery staple"


async def _user(console: Console, name: str) -> UserInfo:
    return next(user for user in await console.users.list() if user.name == name)


async def test_what_an_administrator_did_stands_in_both_logs(
    ann: PageClient, bob: PageClient, console: Console
) -> None:
    """In the other's with who did it, in one's own with whom it concerned; older lines follow."""
    other = await _user(console, "bob")
    for act in ("disable", "enable"):
        assert (await ann.post(f"/users/{other.id}/{act}")).status == 303
    words = (await ann.get("/account")).words
    assert "Account disabled bob@example.com" in words
    await bob.sign_in(other.email)
    assert "Account enabled by an administrator" in (await bob.get("/account")).words
    assert "Older" not in words
    ann_id = (await _user(console, "ann")).id
    async with console.db.begin() as session:
        for _ in range(LOG_LINES):
            console.activity.note(session, "second_factor.codes", user_id=ann_id)
    page = await ann.get("/account")
    assert "Account disabled" not in page.words
    [older] = re.findall(r"/account\?before=\d+", page.text)
    assert "Account disabled bob@example.com" in (await ann.get(older)).words
    for odd in ("", "x", "\N{SUPERSCRIPT TWO}", "9" * 400):
        assert (await ann.get(f"/account?before={odd}")).status == 200


async def test_an_invitation_is_sent_again_or_copied(
    ann: PageClient, stranger: PageClient, console: Console, clock: Clock
) -> None:
    """A fresh link each time; the one before opens nothing, and none is there once used."""
    await ann.post("/users", EVE)
    eve = await _user(console, "Eve")
    first = await mailed_path(console, "/invitation/")
    assert "Invited" in (await ann.get("/users")).words
    clock.forward(60)
    assert (await ann.post(f"/users/{eve.id}/resend")).location == "/users?done=resent"
    assert (await stranger.get(first)).status == 410
    page = await ann.post(f"/users/{eve.id}/link")
    [link] = re.findall(r"/invitation/[\w-]{43}", page.text)
    form = {"password": NEW, "again": NEW}
    await stranger.get(link)
    assert (await stranger.post(link, form)).location == "/sign-in?done=welcome"
    assert "Invited" not in (await ann.get("/users")).words
    for act in ("resend", "link"):
        assert (await ann.post(f"/users/{eve.id}/{act}")).status == 400


async def test_roles_change_but_the_last_administrator_stays(
    ann: PageClient, bob: PageClient, console: Console
) -> None:
    """And nobody changes an own role."""
    await bob.get("/account")
    me, other = await _user(console, "ann"), await _user(console, "bob")
    assert (await bob.get("/users")).status == 403
    assert (await ann.post(f"/users/{other.id}/role", {"admin": "yes"})).status == 303
    assert (await bob.get("/users")).status == 200
    assert (await ann.post(f"/users/{other.id}/role", {"admin": "no"})).status == 303
    assert (await bob.get("/users")).status == 403
    for act in ("role", "delete", "second-factor", "disable"):
        assert (await ann.post(f"/users/{me.id}/{act}", {"admin": "no"})).status == 400, act
    assert (await _user(console, "ann")).is_admin


async def test_an_account_is_deleted_only_while_it_has_made_nothing(
    ann: PageClient, bob: PageClient, console: Console
) -> None:
    """Its sessions end; of one with tokens the history is kept."""
    other = await _user(console, "bob")
    assert "Delete the account of bob?" in (await ann.get(f"/users/{other.id}/delete")).words
    token = (await console.tokens.create(other.id, "swing"))[1]
    page = await ann.post(f"/users/{other.id}/delete")
    assert (page.status, "has made tokens" in page.words) == (400, True)
    await ann.post("/users", EVE)
    eve = await _user(console, "Eve")
    assert (await ann.post(f"/users/{eve.id}/delete")).location == "/users?done=deleted"
    assert "stays" in (await ann.get(f"/users/{other.id}/delete")).words
    for words in ("Account deleted eve@example.com", "Invitation sent eve@example.com"):
        assert words in (await ann.get("/account")).words, words
    assert [user.name for user in await console.users.list()] == ["ann", "bob"]
    assert (await console.tokens.get(other.id, token.tid)).is_live


async def test_another_ones_second_factor_is_switched_off(
    ann: PageClient, bob: PageClient, console: Console, clock: Clock
) -> None:
    """For who has lost the phone and the codes; all sessions of that person end."""
    other = await _user(console, "bob")
    setup = await console.second_factors.begin(other)
    await console.second_factors.confirm(other, pyotp.TOTP(setup.secret).at(clock()))
    assert "Second factor off" in (await ann.get("/users")).words
    assert (await ann.post(f"/users/{other.id}/second-factor")).status == 303
    assert await console.second_factors.info(other.id) is None
    assert (await bob.get("/")).status == 303


WRONG = (
    ("/tokens", {"name": "two words"}),
    ("/tokens/{tid}/limits", {"max_lot": "much"}),
    ("/tokens/{tid}/replace", {"overlap_s": "5"}),
    ("/users", {"name": "Eve", "email": "nobody"}),
    ("/users", {"name": "Ann", "email": "ann@example.com"}),
    ("/hooks", {"name": "tv", "sizing": "all"}),
)


@pytest.mark.parametrize(("path", "form"), WRONG)
async def test_a_form_is_checked_before_the_password_is_asked_for(
    ann: PageClient, console: Console, path: str, form: dict[str, str]
) -> None:
    """Who has to correct it gives the password once."""
    me = await _user(console, "ann")
    token = (await console.tokens.create(me.id, "swing"))[1]
    ann.password = ""
    page = await ann.post(path.format(tid=token.tid), form)
    assert page.status == 422
    assert "give your password again" not in page.words
    assert len(await console.tokens.list(me.id)) == 1


async def test_what_a_person_is_told_is_chosen_with_the_password(
    ann: PageClient, ann_user: UserInfo, console: Console
) -> None:
    """A wrong time is said on the page; a second test within a minute is refused."""
    form = {"notice_away": "yes", "notice_halt": "yes", "away_minutes": "x"}
    page = await ann.post("/account/notices", form)
    assert (page.status, "whole numbers" in page.words) == (422, True)
    ann.password = ""
    page = await ann.post("/account/notices", {**form, "away_minutes": "10"})
    assert "give your password again" in page.words
    assert (await console.notices.choice(ann_user.id)).events == frozenset()
    ann.password = PASSWORD
    page = await ann.post("/account/notices", {**form, "away_minutes": "10"})
    assert page.location == "/account?done=notices"
    choice = await console.notices.choice(ann_user.id)
    assert (choice.events, choice.away_s) == ({"away", "halt"}, 600)
    assert (await ann.post("/account/notices/test")).location == "/account?done=test"
    assert (await ann.post("/account/notices/test")).status == 429
