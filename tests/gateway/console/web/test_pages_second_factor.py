"""The second factor on the pages and in the API."""

from __future__ import annotations

import json
import re

import pyotp
from console_fixtures import PASSWORD, Clock
from page_client import Page, PageClient

from gateway.console.second_factor import RECOVERY_CODES, STEP_S
from gateway.console.server import PageServer
from gateway.console.service import Console
from gateway.console.web.request_context import SESSION_COOKIE


async def set_up(ann: PageClient, clock: Clock) -> tuple[pyotp.TOTP, list[str]]:
    """Switch it on as a person does."""
    page = await ann.post("/account/second-factor/begin")
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)
    assert found is not None
    assert 'src="data:image/svg+xml' in page.text
    app = pyotp.TOTP(found[1])
    wrong = await ann.post("/account/second-factor", {"code": "000000"})
    assert wrong.status == 422
    assert found[1] in wrong.text
    page = await ann.post("/account/second-factor", {"code": app.at(clock())})
    codes = re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", page.text)
    assert len(codes) == RECOVERY_CODES
    clock.forward(STEP_S)
    return app, codes


async def halfway(visitor: PageClient) -> tuple[Page, str]:
    await visitor.get("/sign-in")
    page = await visitor.post("/sign-in", {"email": "ann@example.com", "password": PASSWORD})
    found = re.search(r'name="pending" value="([\w-]{43})"', page.text)
    assert found is not None, page.words
    return page, found[1]


async def test_a_sign_in_asks_for_the_code(
    ann: PageClient, stranger: PageClient, clock: Clock
) -> None:
    """Neither the password nor a code alone opens anything."""
    app, codes = await set_up(ann, clock)
    page, pending = await halfway(stranger)
    assert SESSION_COOKIE not in stranger.cookies
    assert "six digits" in page.words
    form = {"pending": pending, "next": "/tokens"}
    wrong = await stranger.post("/sign-in/code", {**form, "code": "1"})
    assert (wrong.status, SESSION_COOKIE in stranger.cookies) == (401, False)
    page = await stranger.post("/sign-in/code", {**form, "code": app.at(clock())})
    assert (page.status, page.location) == (303, "/tokens")
    assert (await stranger.get("/tokens")).status == 200
    again = await stranger.post("/sign-in/code", {**form, "code": codes[0]})
    assert again.status in (303, 403)
    assert "Second factor" in (await ann.get("/account")).words


async def test_the_api_asks_for_the_code(
    ann: PageClient, server: PageServer, clock: Clock
) -> None:
    """In the same call as the password."""
    app, codes = await set_up(ann, clock)
    body = {"email": "ann@example.com", "password": PASSWORD}
    other = PageClient(server.url, ann.http)
    page = await other.api("POST", "/session", body)
    assert (page.status, json.loads(page.text)["error"]) == (403, "code_needed")
    page = await other.api("POST", "/session", {**body, "code": "123456"})
    assert (page.status, json.loads(page.text)["error"]) == (401, "code_refused")
    assert SESSION_COOKIE not in other.cookies
    for code in (app.at(clock()), codes[0]):
        fresh = PageClient(server.url, ann.http)
        page = await fresh.api("POST", "/session", {**body, "code": code})
        assert page.status == 200


async def test_it_is_changed_with_the_password_alone_by_nobody(
    ann: PageClient, console: Console, clock: Clock
) -> None:
    """The page asks for the password, and to switch it off for a code as well."""
    app, _ = await set_up(ann, clock)
    page = await ann.post("/account/second-factor/off", {"code": "000000"})
    assert page.status == 422
    page = await ann.post("/account/second-factor/codes")
    assert "Your recovery codes" in page.words
    ann.password = ""
    for path in ("begin", "codes", "off"):
        page = await ann.post(f"/account/second-factor/{path}", {"code": app.at(clock())})
        assert "give your password again" in page.words
    user = (await console.users.list())[0]
    assert await console.second_factors.info(user.id) is not None
    ann.password = PASSWORD
    page = await ann.post("/account/second-factor/off", {"code": app.at(clock())})
    assert page.location == "/account?done=off"
    assert await console.second_factors.info(user.id) is None
