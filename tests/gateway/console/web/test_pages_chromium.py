"""The pages in a real browser: by keyboard, without scripts, on a phone, for weak eyes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from aiohttp import web
from console_fixtures import PASSWORD, Machine, approve
from page_client import knock, mailed_path
from playwright.async_api import Browser, ConsoleMessage, Page, Request, expect

from ea_bridge.token import parse_token
from gateway.console.server import PageServer
from gateway.console.service import Console
from gateway.console.user_info import UserInfo
from gateway.console.web.request_context import BROWSER_COOKIE, SESSION_COOKIE
from gateway.credentials.daemon_api import LoginReport, TerminalDescription, TerminalReport

LOOK = Path(__file__).with_name("look.js").read_text("utf-8")
WATCH_POLICY = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation",
        (event) => window.violations.push(event.violatedDirective + " " + event.blockedURI));
"""
DESK = Machine("DESK-PC")


class Complaints:
    """What a browser complains of."""

    def __init__(self, page: Page) -> None:
        self.texts: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.texts.append(str(error)))
        page.on("requestfailed", self._failed)

    def _failed(self, request: Request) -> None:
        # what it breaks off by itself, since the next page is asked for meanwhile, did not fail
        if request.failure != "net::ERR_ABORTED":
            self.texts.append(f"failed: {request.url} ({request.failure})")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.texts.append(message.text)


async def _press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def _tab_to(page: Page, selector: str) -> None:
    """Press Tab until something has the focus, which must be seen then."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("(what) => document.activeElement.matches(what)", selector):
            outline = "getComputedStyle(document.activeElement).outlineStyle"
            assert await page.evaluate(outline) != "none", f"no focus is seen on {selector}"
            return
    raise AssertionError(f"Tab does not reach {selector}")


async def test_a_token_is_made_and_followed_by_keyboard_alone(
    browser_page: Page, server: PageServer, console: Console, ann_user: UserInfo
) -> None:
    """From the sign-in to the terminal that is live. The browser has nothing to complain of.

    The cookies are ``__Host-`` and Secure, which Chromium keeps on plain loopback http; that of
    the session goes with the browser's own.
    """
    page, complaints = browser_page, Complaints(browser_page)
    await page.context.grant_permissions(["clipboard-write"])
    await page.add_init_script(WATCH_POLICY)
    await page.goto(server.url)
    # a page has the focus a moment after it is loaded
    await expect(page.locator("#email")).to_be_focused()
    await page.keyboard.type("ann@example.com")
    await _tab_to(page, "#password")
    await page.keyboard.type(PASSWORD)
    await _press(page, "Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Terminals")
    cookies = {cookie["name"]: cookie for cookie in await page.context.cookies()}
    assert cookies.keys() == {SESSION_COOKIE, BROWSER_COOKIE}
    for cookie in cookies.values():
        assert (cookie["secure"], cookie["httpOnly"]) == (True, True)
        assert (cookie["sameSite"], cookie["path"]) == ("Strict", "/")
    assert cookies[SESSION_COOKIE]["expires"] == -1
    assert cookies[BROWSER_COOKIE]["expires"] > time.time()

    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_in_viewport()
    await _press(page, "Enter")
    await _tab_to(page, "a.primary")
    await _press(page, "Enter")
    await expect(page.locator("#name")).to_be_focused()
    await page.keyboard.type("demo-eurusd")
    await _tab_to(page, "[name=scope]")
    await _press(page, "ArrowUp")
    await _tab_to(page, "summary")
    await _press(page, "Enter")
    await _tab_to(page, "#max_lot")
    await page.keyboard.type("0.1")
    await _press(page, "Enter")
    await expect(page.locator("#step_up_password")).to_be_focused()
    await page.keyboard.type(PASSWORD)
    await _press(page, "Enter")
    await expect(page.locator("#token")).to_be_visible()
    text = await page.locator("#token").inner_text()
    token = await console.tokens.get(ann_user.id, parse_token(text))
    assert (token.limits.max_lot, [str(scope) for scope in token.scopes]) == ("0.1", ["read"])

    await _tab_to(page, "[data-copy]")
    await _press(page, "Enter")
    await expect(page.locator("[data-copy]")).to_have_text("Copied")
    assert await _pasted(page) == text

    await expect(page.locator("main .chip")).to_have_text("Not connected yet")
    await knock(console, text, DESK)
    await expect(page.locator("main .chip")).to_have_text("Waiting for approval")
    await expect(page.locator(".count")).to_have_text("1")
    await expect(page.locator("[data-copy]")).to_be_focused()
    await page.goto(server.url + await mailed_path(console, "/approve/"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Is this machine yours?")
    await approve(console, token, DESK)
    await page.goto(server.url)
    facts = TerminalDescription(platform="mt5", login=77, server="Demo", fp="ab" * 32)
    report = TerminalReport(tid=token.tid, state="online", since=console.now_s(), terminal=facts)
    await console.reports.report(DESK.did, [report])
    await expect(page.locator(".rows .chip:not(.none)")).to_have_text("Live")
    await console.tokens.revoke(ann_user.id, token.tid)
    await expect(page.locator(".rows .chip:not(.none)")).to_have_text("Stopped")
    assert not complaints.texts
    assert not await page.evaluate("window.violations")


async def test_times_have_day_zone_and_24_hours(
    browser: Browser, server: PageServer, ann_user: UserInfo
) -> None:
    """In the reader's own zone, today's too, whatever the browser's language would rather have."""
    context = await browser.new_context(timezone_id="Asia/Tokyo", locale="en-US")
    page = await context.new_page()
    await page.clock.set_fixed_time(ann_user.created_at * 1000)
    await page.goto(server.url)
    await page.fill("#email", ann_user.email)
    await page.fill("#password", PASSWORD)
    await page.click("main button")
    await page.goto(server.url + "/account")
    shown = page.locator("main time").first
    at = datetime.fromisoformat(await shown.get_attribute("datetime") or "")
    tokyo = at.astimezone(timezone(timedelta(hours=9)))
    expected = f"{tokyo.day} {tokyo:%b %Y, %H:%M} GMT+9"
    await expect(shown).to_have_text(expected)
    await context.close()


@asynccontextmanager
async def _mail_reader(link: str) -> AsyncIterator[str]:
    """Serve a page with a link under a name that is another site than ours."""

    async def read(request: web.BaseRequest) -> web.Response:
        return web.Response(text=f'<a href="{link}">Review</a>', content_type="text/html")

    runner = web.ServerRunner(web.Server(read))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://localhost:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def _pasted(page: Page) -> str:
    """Return what Ctrl+V gives on another page; our own may not read the clipboard."""
    other = await page.context.new_page()
    await other.set_content("<input autofocus>")
    await other.press("input", "Control+V")
    value = await other.input_value("input")
    await other.close()
    return value


async def test_everything_works_without_scripts(
    browser: Browser, server: PageServer, console: Console
) -> None:
    """From the link of the first start to the approved machine."""
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    secret = await console.setup_link()
    await page.goto(f"{server.url}/setup/{secret}")
    for name, text in (("name", "Ann"), ("email", "ann@example.com")):
        await page.fill(f"#{name}", text)
    for name in ("password", "again"):
        await page.fill(f"#{name}", PASSWORD)
    await page.click("main button")
    await page.click("text=Create your first token")
    await page.fill("#name", "demo")
    await page.click("main button.primary")
    await page.fill("#step_up_password", PASSWORD)
    await page.click("main button.primary")
    assert await page.locator("[data-copy]").is_hidden(), "a button that can do nothing"
    verdict = await knock(console, await page.locator("#token").inner_text(), DESK)
    await page.click("text=Approvals")
    await page.click("main a.primary")
    await page.fill("#user_code", verdict.user_code or "")
    await page.click("text=Approve this machine")
    await page.fill("#step_up_password", PASSWORD)
    await page.click("main button.primary")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Approved")
    # a mail is read on another site: its link goes on by itself, and finds the session
    link = server.url + await mailed_path(console, "/approve/")
    async with _mail_reader(link) as mail:
        await page.goto(mail)
        await page.click("a")
    await page.click("text=See your terminals")
    await page.click("text=demo")
    await page.click("text=Revoke…")
    await page.click("text=Revoke now")
    await expect(page.get_by_role("status")).to_contain_text("The token is revoked")
    await page.click("text=Sign out")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    await context.close()


async def test_all_pages_can_be_read_by_everybody(
    browser_page: Page, server: PageServer, console: Console, ann_user: UserInfo
) -> None:
    """Labels, headings, landmarks, contrast, sizes; light and dark; nothing to scroll sideways.

    At the width of a small phone (320), of a phone (375) and of a desk.
    """
    text, token = await console.tokens.create(ann_user.id, "a" * 64)
    await approve(console, token, DESK)
    facts = TerminalDescription(platform="mt5", login=2**62, server="S" * 60, fp="ab" * 32)
    report = TerminalReport(tid=token.tid, state="online", since=console.now_s(), terminal=facts)
    await console.reports.report(DESK.did, [report])
    login = LoginReport(
        line="b.1", tid=token.tid, way="http", reason="unknown", agent="x" * 64, first=1, last=2
    )
    await console.logins.note(DESK.did, [login])
    verdict = await knock(console, text, Machine("h" * 60))
    _, gone = await console.tokens.create(ann_user.id, "gone")
    await console.tokens.suspend(ann_user.id, gone.tid)
    one = f"/tokens/{token.tid}"
    paths = [
        *("/", "/tokens", "/tokens/new", "/devices", "/approve", "/account", "/users", "/nowhere"),
        *("/history", "/history/logins", f"/requests/{verdict.rid}/not-me"),
        *(one, f"{one}/limits", f"{one}/replace", f"{one}/revoke", f"/tokens/{gone.tid}"),
        *(f"/requests/{verdict.rid}", f"/devices/{DESK.did}/revoke"),
        *(f"/users/{ann_user.id}/disable", await mailed_path(console, "/not-me/")),
    ]
    page = browser_page
    for path in ("/sign-in", "/forgot", f"/setup/{await console.links.make('setup', None, 60)}"):
        await _look(page, server.url + path)
    await page.goto(server.url)
    await page.fill("#email", "ann@example.com")
    await page.fill("#password", PASSWORD)
    await page.click("main button")
    for path in paths:
        await _look(page, server.url + path)


async def _look(page: Page, url: str) -> None:
    await page.goto(url)
    assert "/sign-in?next" not in page.url
    for width in (320, 375, 1200):
        await page.set_viewport_size({"width": width, "height": 800})
        assert not await page.evaluate(LOOK), (url, width)
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert not await page.evaluate(LOOK), (url, "dark")
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
