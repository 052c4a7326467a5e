"""Passkeys on the pages, and in a real browser with an authenticator of its own."""

from __future__ import annotations

import json
import re

import pytest
from console_fixtures import PASSWORD
from page_client import PageClient, at_localhost, new_client, question
from playwright.async_api import Page, expect
from soft_authenticator import SoftAuthenticator

from gateway.console import passkeys
from gateway.console.pages import account
from gateway.console.server import PageServer
from gateway.console.service import Console
from gateway.console.user_info import UserInfo
from gateway.console.web.request_context import SESSION_COOKIE

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
WATCH_POLICY = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation",
        (event) => window.violations.push(event.violatedDirective + " " + event.blockedURI));
"""


async def test_a_passkey_is_added_used_and_removed(
    stranger: PageClient, server: PageServer, ann_user: UserInfo, console: Console
) -> None:
    """With the password before each change; the API takes codes alone."""
    ann = at_localhost(stranger)
    await ann.sign_in()
    device = SoftAuthenticator(ann.url)
    form, options = question(await ann.get("/account/passkeys/new"))
    form |= {"name": "laptop", "answer": device.make(options)}
    ann.password = ""
    page = await ann.post("/account/passkeys", form)
    assert "give your password again" in page.words
    assert await console.second_factors.info(ann_user.id) is None
    ann.password = PASSWORD
    page = await ann.post("/account/passkeys", form)
    found = re.search(r"(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", page.text)
    assert found is not None, page.words
    assert "laptop" in (await ann.get("/account")).words

    fresh = at_localhost(new_client(server, ann.http))
    await fresh.get("/sign-in")
    who = {"email": "ann@example.com", "password": PASSWORD}
    form, options = question(await fresh.post("/sign-in", who))
    forged = device.lying(origin="http://localhost:1").use(options)
    page = await fresh.post("/sign-in/code", {**form, "answer": forged})
    assert (page.status, SESSION_COOKIE in fresh.cookies) == (401, False)
    page = await fresh.post("/sign-in/code", {**form, "answer": device.use(options)})
    assert (page.status, SESSION_COOKIE in fresh.cookies) == (303, True)

    program = at_localhost(new_client(server, ann.http))
    page = await program.api("POST", "/session", who)
    assert (page.status, json.loads(page.text)["error"]) == (403, "code_needed")
    page = await program.api("POST", "/session", {**who, "code": found[0]})
    assert page.status == 200

    link = re.search(r"/account/passkeys/[\w-]+/remove", (await ann.get("/account")).text)
    assert link is not None
    form, options = question(await ann.get(link[0]))
    page = await ann.post(link[0], {**form, "code": "000000"})
    assert page.status == 422
    form, options = question(page)
    page = await ann.post(link[0], {**form, "answer": device.use(options)})
    assert page.location == "/account?done=removed"
    assert await console.second_factors.info(ann_user.id) is None


async def test_what_browsers_do_not_allow_is_said(
    ann: PageClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an IP address there are none; without the package neither."""
    page = await ann.get("/account")
    there = ann.url.replace("127.0.0.1", "localhost")
    assert f"Open the console at {there} to add one" in page.words
    assert (await ann.get("/account/passkeys/new")).location == "/account"
    for module in (passkeys, account):
        monkeypatch.setattr(module, "is_installed", lambda: False)
    assert "pip install 'mt-gateway[passkeys]'" in (await ann.get("/account")).words


async def test_a_browser_makes_a_passkey_and_signs_in_with_it(
    browser_page: Page, server: PageServer, ann_user: UserInfo
) -> None:
    """Chromium with an authenticator of its own; the page's policy refuses nothing."""
    page, here = browser_page, server.url.replace("127.0.0.1", "localhost")
    await page.add_init_script(WATCH_POLICY)
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    async def give_password() -> None:
        await page.goto(f"{here}/sign-in")
        await page.get_by_label("Email").fill("ann@example.com")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()

    await give_password()
    await page.goto(f"{here}/account")
    await page.get_by_role("link", name="Add a passkey").click()
    await page.get_by_label("Name").fill("laptop")
    await page.get_by_role("button", name="Make it").click()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()

    await give_password()
    await devtools.send(
        "WebAuthn.setUserVerified",
        {"authenticatorId": added["authenticatorId"], "isUserVerified": False},
    )
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.get_by_text("Nothing came of it")).to_be_visible()
    await devtools.send(
        "WebAuthn.setUserVerified",
        {"authenticatorId": added["authenticatorId"], "isUserVerified": True},
    )
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.get_by_role("heading", name="Terminals")).to_be_visible()
    assert await page.evaluate("window.violations") == []
