"""From the mail to the approved machine."""

from __future__ import annotations

import pytest
from console_fixtures import PASSWORD, Clock, Machine
from page_client import PageClient, knock, mailed_path

from gateway.console.service import Console
from gateway.credentials.daemon_api import ApprovalVerdict

DESK = Machine("DESK-PC")


async def _asked(console: Console) -> tuple[ApprovalVerdict, str, str]:
    """Have DESK-PC ask; return the verdict, and the paths of Review and of "not me"."""
    user = await console.users.by_email("ann@example.com")
    assert user is not None
    text, _ = await console.tokens.create(user.id, "demo-eurusd")
    verdict = await knock(console, text, DESK)
    return (
        verdict,
        await mailed_path(console, "/approve/"),
        await mailed_path(console, "/not-me/"),
    )


async def _is_open(console: Console) -> bool:
    users = await console.users.list()
    return bool(await console.approvals.open_requests(users[0].id))


async def test_a_click_in_a_mail_does_not_lose_the_person(
    ann: PageClient, stranger: PageClient, console: Console
) -> None:
    """The cookie is not sent from another site: one step from a page of ours, and it is."""
    verdict, review, _ = await _asked(console)
    cookies, ann.cookies = ann.cookies, {}
    page = await ann.get(review, Sec_Fetch_Site="cross-site")
    assert page.status == 200
    assert f'http-equiv="refresh" content="0; url={review}"' in page.text
    assert f'href="{review}"' in page.text, "for browsers that follow no refresh"
    ann.cookies = cookies
    assert (await ann.get(review)).location == f"/requests/{verdict.rid}"
    # without a session there is the sign-in, and then the way back
    page = await stranger.get(review)
    assert page.location.startswith("/sign-in?next=%2Fapprove%2F")
    await stranger.get(page.location)
    page = await stranger.post(
        "/sign-in", {"email": "ann@example.com", "password": PASSWORD, "next": review}
    )
    assert page.location == review


async def test_the_page_shows_all_that_one_should_look_at(
    ann: PageClient, console: Console
) -> None:
    """Device, place, terminal, the machine's words; not the code, which the terminal shows."""
    verdict, _, _ = await _asked(console)
    words = (await ann.get(f"/requests/{verdict.rid}")).words
    view = (await console.approvals.open_requests((await console.users.list())[0].id))[0]
    for text in ("DESK-PC", "Windows 11", "203.0.113.7", "5012345", "MetaQuotes-Demo"):
        assert text in words
    assert view.device_words in words
    assert verdict.user_code is not None
    assert verdict.user_code not in words
    assert verdict.user_code.replace("-", "") not in words


async def test_opening_the_links_changes_nothing(ann: PageClient, console: Console) -> None:
    """Mail scanners open them all, with HEAD and GET."""
    verdict, review, not_me = await _asked(console)
    for path in (review, not_me, f"/requests/{verdict.rid}"):
        for method in ("GET", "HEAD"):
            await ann.ask(method, path, {"Cookie": ""})
            await ann.ask(method, path)
    assert await _is_open(console)
    tokens = await console.tokens.list((await console.users.list())[0].id)
    assert tokens[0].status == "active"


async def test_the_terminals_code_approves(ann: PageClient, console: Console) -> None:
    """And a wrong one says how many tries are left, at the field."""
    verdict, _, _ = await _asked(console)
    assert verdict.user_code is not None
    path = f"/requests/{verdict.rid}"
    page = await ann.post(path, {"user_code": "BBBB-BBBB"})
    assert page.status == 422
    assert "4 tries are left" in page.words
    assert 'aria-invalid="true"' in page.text
    page = await ann.post(path, {"user_code": verdict.user_code.lower().replace("-", " ")})
    assert page.location == path
    assert "may use your token" in (await ann.get(path)).words
    assert "DESK-PC" in (await ann.get("/devices")).words


async def test_five_wrong_codes_close_the_question(ann: PageClient, console: Console) -> None:
    """The page says so; the right one is too late then."""
    verdict, _, _ = await _asked(console)
    assert verdict.user_code is not None
    path = f"/requests/{verdict.rid}"
    for _ in range(5):
        page = await ann.post(path, {"user_code": "BBBB-BBBB"})
    assert "This request is closed" in (await ann.get(path)).words
    await ann.post(path, {"user_code": verdict.user_code})
    assert not (await console.devices.list((await console.users.list())[0].id))
    assert page.status in (200, 303, 422)


async def test_a_question_that_ran_out_says_so(
    ann: PageClient, console: Console, clock: Clock
) -> None:
    """With what to do next."""
    verdict, review, _ = await _asked(console)
    clock.forward(601)
    await ann.get("/account")
    assert "Too late" in (await ann.get(f"/requests/{verdict.rid}")).words
    assert (await ann.get(review)).status in (303, 410)


async def test_no_is_an_answer(ann: PageClient, console: Console) -> None:
    """The page leads to the revocation of the token."""
    verdict, _, _ = await _asked(console)
    page = await ann.post(f"/requests/{verdict.rid}/refuse")
    assert page.location == f"/requests/{verdict.rid}"
    words = (await ann.get(page.location)).words
    assert "gets nothing" in words
    assert "Revoke the token" in words
    assert not await _is_open(console)
    (token,) = await console.tokens.list((await console.users.list())[0].id)
    assert token.status == "active", "no is not yet This was not me"


async def test_this_was_not_me_means_one_thing(ann: PageClient, console: Console) -> None:
    """On the page it does what the mail's link does: the token stops, the password has to go."""
    verdict, _, not_me = await _asked(console)
    path = f"/requests/{verdict.rid}"
    assert "This was not me" in (await ann.get(path)).words
    asked = await ann.get(path + "/not-me")
    assert asked.words == (await ann.get(not_me)).words
    assert await _is_open(console), "to open the page changes nothing"
    assert "is suspended" in (await ann.post(path + "/not-me")).words
    (user,) = await console.users.list()
    (token,) = await console.tokens.list(user.id)
    assert (token.status, user.must_change_password) == ("disabled", True)
    assert (await ann.get(not_me)).status == 200
    assert (await ann.post(not_me)).status == 410, "it works once"


async def test_this_was_not_me_needs_no_session(
    ann: PageClient, stranger: PageClient, console: Console
) -> None:
    """Whoever has lost a token may have lost the password too. The token works nowhere then."""
    _, _, not_me = await _asked(console)
    page = await stranger.get(not_me, Sec_Fetch_Site="cross-site")
    assert f'content="0; url={not_me}"' in page.text
    assert "DESK-PC" in (await stranger.get(not_me)).words
    assert (await stranger.post(not_me, {"csrf": "0" * 64})).status == 403
    assert await _is_open(console)
    page = await stranger.post(not_me)
    assert (page.status, "suspended" in page.words) == (200, True)
    assert not await _is_open(console)
    tokens = await console.tokens.list((await console.users.list())[0].id)
    assert tokens[0].status == "disabled"
    assert (await stranger.post(not_me)).status in (403, 410)


async def test_this_was_not_me_works_for_who_is_signed_in(
    ann: PageClient, console: Console
) -> None:
    """The mail is read in another site: its page comes without the session, its form with it."""
    _, _, not_me = await _asked(console)
    cookies, ann.cookies = ann.cookies, {}
    page = await ann.get(not_me, Sec_Fetch_Site="cross-site")
    assert f'content="0; url={not_me}"' in page.text
    ann.cookies |= cookies
    await ann.get(not_me)
    assert (await ann.post(not_me)).status == 200
    assert not await _is_open(console)


@pytest.mark.parametrize("path", ["/approve/", "/not-me/"])
async def test_a_made_up_link_is_over(ann: PageClient, path: str) -> None:
    """As if it had been used."""
    page = await ann.get(path + "a" * 43)
    assert (page.status, "This link is over" in page.words) == (410, True)


async def test_texts_of_a_machine_are_shown_and_never_run(
    ann: PageClient, console: Console
) -> None:
    """A machine's name is what a program says on somebody's machine."""
    user = (await console.users.list())[0]
    text, _ = await console.tokens.create(user.id, "demo")
    evil = Machine('<img src=x onerror="alert(1)">{{7*7}}')
    verdict = await knock(console, text, evil)
    for path in ("/", "/approve", f"/requests/{verdict.rid}", "/account", "/devices"):
        page = await ann.get(path)
        assert page.status == 200
        assert "<img" not in page.text
        assert "49" not in page.words.replace(str(user.created_at), "") or path == "/account"
    assert "&lt;img" in (await ann.get("/approve")).text
