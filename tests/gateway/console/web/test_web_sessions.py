"""The life of a session, from the side of the browser."""

from __future__ import annotations

import aiohttp
import pytest
from console_fixtures import PASSWORD, Clock, person
from page_client import PageClient, as_over_https, new_client

from gateway.console.server import PageServer
from gateway.console.service import Console
from gateway.console.sessions import ABSOLUTE_S, IDLE_S, STEP_UP_S
from gateway.console.web.request_context import BROWSER_COOKIE, SESSION_COOKIE, VISITOR_COOKIE
from gateway.credentials.passwords import FREE_TRIES

NEW_TOKEN = {"name": "demo", "platform": "mt5", "lifetime": "90", "scope": "trade"}


async def test_the_cookie_is_the_hosts_own_and_no_scripts(
    stranger: PageClient, bob: PageClient
) -> None:
    """``__Host-``, Secure, HttpOnly, SameSite=Strict, Path=/, no Domain, no expiry: 256 bits."""
    await stranger.get("/sign-in")
    page = await stranger.post("/sign-in", {"email": "bob@example.com", "password": PASSWORD})
    (cookie,) = (
        header
        for header in page.headers.getall("Set-Cookie")
        if header.startswith(f"{SESSION_COOKIE}=")
    )
    value, *flags = [part.strip() for part in cookie.split(";")]
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]
    assert len(value.partition("=")[2]) >= 43
    assert VISITOR_COOKIE not in stranger.cookies


async def test_each_sign_in_makes_a_new_session_and_ends_the_old_one(
    ann: PageClient, stranger: PageClient
) -> None:
    """A session that somebody else has put into the browser is worth nothing afterwards."""
    before = dict(ann.cookies)
    await ann.post("/sign-in", {"email": "ann@example.com", "password": PASSWORD})
    assert ann.cookies[SESSION_COOKIE] != before[SESSION_COOKIE]
    stranger.cookies = before
    assert (await stranger.get("/account")).status == 303


async def test_a_made_up_session_is_none(stranger: PageClient) -> None:
    """Whatever the cookie holds."""
    for value in ("a" * 43, "x", "../..", "\xe9" * 43):
        stranger.cookies = {SESSION_COOKIE: value}
        page = await stranger.get("/tokens")
        assert (page.status, page.location) == (303, "/sign-in?next=%2Ftokens")


@pytest.mark.parametrize(
    ("email", "password"),
    [("ann@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("", ""), ("x\r\n", "y")],
)
async def test_a_refusal_does_not_tell_what_was_wrong(
    ann: PageClient, stranger: PageClient, email: str, password: str
) -> None:
    """The same page for a wrong password and for a wrong address."""
    await stranger.get("/sign-in")
    page = await stranger.post("/sign-in", {"email": email, "password": password})
    assert page.status == 401
    assert "Email and password do not fit" in page.words
    assert SESSION_COOKIE not in stranger.cookies


async def test_a_page_that_asks_by_itself_does_not_keep_a_session_alive(
    ann: PageClient, clock: Clock
) -> None:
    """Half an hour without a person ends the session, however often an open page asks."""
    for _ in range(IDLE_S // 600):
        clock.forward(600)
        last = await ann.get("/live")
    assert last.status == 401
    assert (await ann.get("/")).location == "/sign-in"


async def test_a_form_of_a_session_that_has_ended_leads_to_the_sign_in(
    ann: PageClient, console: Console, clock: Clock
) -> None:
    """And does nothing: whoever sits there now may be somebody else."""
    clock.forward(IDLE_S)
    for path in ("/tokens", "/sign-out", "/account/password"):
        assert (await ann.post(path, NEW_TOKEN)).location == "/sign-in"
    assert not await console.tokens.list((await console.users.list())[0].id)
    await ann.get("/sign-in")
    page = await ann.post("/sign-in", {"email": "ann@example.com", "password": PASSWORD})
    assert page.location == "/"


async def test_a_session_that_is_used_ends_after_twelve_hours(
    ann: PageClient, clock: Clock
) -> None:
    """And not before."""
    for _ in range(ABSOLUTE_S // 1200 - 1):
        clock.forward(1200)
        assert (await ann.get("/")).status == 200
    clock.forward(1200)
    assert (await ann.get("/")).status == 303


async def test_signing_out_ends_the_session_itself(ann: PageClient, stranger: PageClient) -> None:
    """Not only the cookie."""
    stranger.cookies = dict(ann.cookies)
    page = await ann.post("/sign-out")
    assert page.location == "/sign-in?done=out"
    assert SESSION_COOKIE not in ann.cookies
    assert (await stranger.get("/account")).status == 303


async def test_sessions_are_listed_and_another_browser_is_signed_out(
    ann: PageClient, server: PageServer, http: aiohttp.ClientSession
) -> None:
    """One's own is marked and has no button."""
    other = new_client(server, http)
    await other.sign_in()
    page = await ann.get("/account")
    assert page.words.count("this browser") == 1
    (path,) = (part for part in page.text.split('"') if part.endswith("/end"))
    assert (await ann.post(path)).location == "/account?done=ended"
    assert (await other.get("/")).status == 303
    assert (await ann.post(path)).status == 404


async def test_a_new_password_signs_out_everywhere_else(
    ann: PageClient, server: PageServer, http: aiohttp.ClientSession
) -> None:
    """The browser at hand goes on, with a new secret."""
    other, new = new_client(server, http), "another fine sentence"
    await other.sign_in()
    form = {"current": PASSWORD, "password": new, "again": new}
    for wrong in (
        {"again": "else"},
        {"current": "wrong"},
        {"password": "short", "again": "short"},
    ):
        assert (await ann.post("/account/password", {**form, **wrong})).status == 422
    assert (await other.get("/")).status == 200
    before = ann.cookies[SESSION_COOKIE]
    assert (await ann.post("/account/password", form)).location == "/account?done=password"
    assert ann.cookies[SESSION_COOKIE] != before
    assert (await ann.get("/")).status == 200
    assert (await other.get("/")).status == 303


async def test_a_disabled_user_is_out_at_once(
    ann: PageClient, bob: PageClient, console: Console
) -> None:
    """Pages, API, and the next sign-in."""
    user = await console.users.by_email("bob@example.com")
    assert user is not None
    assert (await ann.post(f"/users/{user.id}/disable")).location == "/users?done=disabled"
    assert (await bob.get("/")).status == 303
    assert (await bob.api("GET", "/me")).status == 401
    await bob.get("/sign-in")
    page = await bob.post("/sign-in", {"email": "bob@example.com", "password": PASSWORD})
    assert page.status == 401


async def test_nobody_is_led_elsewhere_after_signing_in(
    ann: PageClient, stranger: PageClient
) -> None:
    """Whatever ``next`` says, it is a path of ours."""
    for path in ("//evil.test", "/\\evil.test", "https://evil.test", "/a\\b", "/\t/evil.test", ""):
        stranger.cookies.clear()
        await stranger.get("/sign-in")
        page = await stranger.post(
            "/sign-in", {"email": "ann@example.com", "password": PASSWORD, "next": path}
        )
        assert page.location == "/", path
    assert (await stranger.get("/sign-in?next=/tokens")).location == "/tokens"


# --- the password again ------------------------------------------------------------------------

LOOKS = ["/tokens/new", "/tokens/{tid}/limits", "/tokens/{tid}/replace"]
ACTS = [
    ("/tokens", NEW_TOKEN, "/tokens"),
    ("/tokens/{tid}/limits", {"max_lot": "5", "strict_terminal": "yes"}, ""),
    ("/tokens/{tid}/replace", {"overlap_s": "0"}, ""),
    ("/tokens/{tid}/resume", {}, ""),
    ("/requests/{rid}", {"user_code": "BBBB-BBBB"}, ""),
    ("/users", {"name": "Eve", "email": "eve@example.com"}, ""),
    ("/users/{uid}/disable", {}, ""),
    ("/users/{uid}/enable", {}, ""),
]


async def _state(console: Console) -> object:
    users = await console.users.list()
    ann = next(user for user in users if user.name == "ann")
    return [(user.id, user.status) for user in users], await console.tokens.list(ann.id)


@pytest.mark.parametrize("https", [True, False])
async def test_what_is_delicate_needs_the_password_within_a_quarter_of_an_hour(
    ann: PageClient, console: Console, clock: Clock, *, https: bool
) -> None:
    """Nothing is done before; the page asks, and carries along what was asked for. Without https
    that somebody signed in counts for nothing, and forms can be looked at."""
    ann.password = ""
    if https:
        await as_over_https(console, ann)
        clock.forward(STEP_UP_S)
    user = await console.users.by_email("ann@example.com")
    assert user is not None
    _, token = await console.tokens.create(user.id, "swing")
    bob = await person(console, "bob")
    names = {"tid": token.tid, "rid": "a" * 24, "uid": bob.id}
    before = await _state(console)
    for path in LOOKS:
        page = await ann.get(path.format(**names))
        assert ("give your password again" in page.words) is https, path
    for path, form, _ in ACTS:
        page = await ann.post(path.format(**names), form)
        assert (page.status, "give your password again" in page.words) == (200, True), path
        assert all(f'name="{name}" value="{value}"' in page.text for name, value in form.items())
        page = await ann.post(path.format(**names), {**form, "step_up_password": "wrong"})
        assert (page.status, "give your password again" in page.words) == (403, True), path
        assert "That is not your password" in page.words
        assert "Email" not in page.words, "none was asked for"
        await console.throttle.succeeded("password.given ann@example.com")
    for path in ("/tokens", f"/tokens/{token.tid}/replace", "/users", f"/users/{bob.id}/disable"):
        body = {"name": "demo"} if path == "/tokens" else {}
        page = await ann.api("POST", path, body or None)
        assert (page.status, "step_up_needed" in page.text) == (403, True), path
    assert await _state(console) == before


async def test_after_the_password_what_was_asked_for_is_done(
    ann: PageClient, console: Console, clock: Clock
) -> None:
    """In one go: the filled-in form is not lost. The session has a new secret then."""
    await as_over_https(console, ann)
    clock.forward(STEP_UP_S)
    before = ann.cookies[SESSION_COOKIE]
    await ann.post("/tokens", NEW_TOKEN)
    page = await ann.post("/tokens", {**NEW_TOKEN, "step_up_password": PASSWORD})
    assert page.status == 200
    assert page.token.startswith("mgt_")
    assert ann.cookies[SESSION_COOKIE] != before
    clock.forward(STEP_UP_S - 1)
    assert "Name of the terminal" in (await ann.get("/tokens/new")).words


async def test_without_https_each_act_is_asked_about(ann: PageClient, console: Console) -> None:
    """The page says why. With the cookie alone, which other servers of the machine get, no token
    is made, no machine approved, no limit raised, no account made, whatever was done before."""
    user = await console.users.by_email("ann@example.com")
    assert user is not None
    ann.password = ""
    page = await ann.post("/tokens", NEW_TOKEN)
    assert "shows this console's cookie to other servers on this computer" in page.words
    before = ann.cookies[SESSION_COOKIE]
    page = await ann.post("/tokens", {**NEW_TOKEN, "step_up_password": PASSWORD})
    assert (page.status, page.token[:4]) == (200, "mgt_")
    assert ann.cookies[SESSION_COOKIE] != before
    [token] = await console.tokens.list(user.id)
    names = {"tid": token.tid, "rid": "a" * 24, "uid": user.id}
    await ann.get("/account")
    for path, form, _ in ACTS:
        page = await ann.post(path.format(**names), {**form, "name": "another"})
        assert (page.status, "give your password again" in page.words) == (200, True), path
    assert await console.tokens.list(user.id) == [token]
    # without the question in between too it is good for one
    await ann.post("/step-up", {"next": "/tokens/new", "step_up_password": PASSWORD})
    await ann.get("/tokens/new")
    assert (await ann.post("/tokens", {**NEW_TOKEN, "name": "two"})).token
    page = await ann.post("/tokens", {**NEW_TOKEN, "name": "three"})
    assert "give your password again" in page.words


async def test_the_way_back_from_the_question_is_where_one_wanted_to_go(
    ann: PageClient, console: Console, clock: Clock
) -> None:
    """And never another site."""
    await as_over_https(console, ann)
    clock.forward(STEP_UP_S)
    page = await ann.get("/tokens/new")
    assert 'name="next" value="/tokens/new"' in page.text
    form = {"purpose": "create", "step_up_password": PASSWORD}
    assert (await ann.post("/step-up", {**form, "next": "/tokens/new"})).location == "/tokens/new"
    await ann.get("/account")
    assert (await ann.post("/step-up", {**form, "next": "//evil.test"})).location == "/"


async def test_ending_something_is_quick(ann: PageClient, console: Console, clock: Clock) -> None:
    """To revoke asks for no password: it must not be in the way when it is urgent."""
    user = await console.users.by_email("ann@example.com")
    assert user is not None
    _, token = await console.tokens.create(user.id, "swing")
    clock.forward(STEP_UP_S)
    page = await ann.post(f"/tokens/{token.tid}/revoke")
    assert page.location == f"/tokens/{token.tid}?done=revoked"


async def test_who_must_change_the_password_gets_no_further(
    ann: PageClient, console: Console
) -> None:
    """Somebody else may know it."""
    user = await console.users.by_email("ann@example.com")
    assert user is not None
    await console.users.demand_password_change(user.id)
    await ann.sign_in()
    for path in ("/tokens", "/accounts", f"/accounts/{'a' * 52}/new"):
        assert (await ann.get(path)).location == "/account"
    assert (await ann.post(f"/accounts/{'a' * 52}/1/delete")).location == "/account"
    for path in ("second-factor/begin", "second-factor", "passkeys", "notices"):
        assert (await ann.post(f"/account/{path}")).location == "/account"
    assert "choose a new password now" in (await ann.get("/account")).words
    for path in ("/tokens", "/me/sessions"):
        assert "password_change_needed" in (await ann.api("GET", path)).text
    assert (await ann.api("GET", "/me")).status == 200
    assert "password_change_needed" in (await ann.get("/live")).text


async def test_strangers_do_not_lock_out_a_browser_that_was_signed_in(
    bob: PageClient, stranger: PageClient
) -> None:
    """They share its address here; what the browser keeps opens nothing by itself."""
    page = await bob.post("/sign-out")
    kept = dict(bob.cookies)
    assert BROWSER_COOKIE in kept
    await stranger.get("/sign-in")
    wrong, right = (
        {"email": "bob@example.com", "password": password} for password in ("no", PASSWORD)
    )
    for _ in range(FREE_TRIES + 2):
        page = await stranger.post("/sign-in", wrong)
    assert page.status == 401
    assert (await stranger.post("/sign-in", right)).status == 401
    await bob.get("/sign-in")
    page = await bob.post("/sign-in", right)
    assert page.status == 303
    assert bob.cookies[BROWSER_COOKIE] == kept[BROWSER_COOKIE]
    (cookie,) = (
        header
        for header in page.headers.getall("Set-Cookie")
        if header.startswith(f"{BROWSER_COOKIE}=")
    )
    flags = sorted(part.strip() for part in cookie.split(";")[1:])
    assert flags == ["HttpOnly", "Max-Age=34560000", "Path=/", "SameSite=Strict", "Secure"]
    stranger.cookies = {BROWSER_COOKIE: kept[BROWSER_COOKIE]}
    assert (await stranger.get("/tokens")).status == 303
