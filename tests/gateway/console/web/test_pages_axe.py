"""Every page of the console before axe-core, light and dark, in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyotp
import pytest
from aiohttp import web
from axe import Axe
from console_fixtures import PASSWORD, Clock, Machine, approve
from page_client import PageClient, at_localhost, knock, question
from playwright.async_api import Page, Route, ViewportSize
from soft_authenticator import SoftAuthenticator

from ea_bridge.token import parse_token
from gateway.console import pages
from gateway.console.daemon_calls import MachineAnswer
from gateway.console.pages import Templates
from gateway.console.server import PageServer
from gateway.console.service import Console
from gateway.console.user_info import UserInfo
from gateway.credentials.console_call import LineSecret
from gateway.credentials.daemon_api import (
    LoginReport,
    Summary,
    TerminalDescription,
    TerminalReport,
    TerminalSummary,
)

DESK = Machine("DESK-PC")
HOOK = {"name": "tv", "sizing": "volume", "size": "0.1", "sl": "none", "tp": "none"}
HOOK |= {"deadline_s": "30", "symbols": "EURUSD"}
ALERT = {"symbol": "EURUSD", "side": "buy"}

ACCOUNT: dict[str, Any] = {"id": 1, "name": "Main", "broker": "MetaQuotes", "login": 77}
ACCOUNT |= {"server": "Demo", "is_live": True, "paper_trade_enabled": True, "max_lot_size": 0.5}
ACCOUNT |= {"risk_pct": 0.01, "allowed_symbols": ["EURUSD"], "auto_trade_enabled": True}
ACCOUNT |= {"mt5_path": "", "account_type": "USD", "created_at": "2026-11-24T04:00:00Z"}
LINE = {"action": "activated", "triggered_by": "cli", "reason": "news"}
ANSWERS: dict[str, Any] = {
    "list_accounts": [ACCOUNT],
    "list_kill_switch_log": [LINE | {"created_at": "2026-11-24T04:00:00Z"}],
    "get_account_stats": {"trade_count": 2, "winning_trades": 1, "win_rate": 0.5, "total_pnl": 3},
}
OPEN = "for (const one of document.querySelectorAll('details')) one.open = true"
PHONE: ViewportSize = {"width": 390, "height": 800}
GOES_ON = 'http-equiv="refresh"'
"""The page would be gone before anybody has looked at it."""


class Seen:
    """The pages that the console has given out: the longest of each template and status."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages: dict[tuple[str, int], str] = {}
        render = Templates.render

        def keep(
            templates: Templates, name: str, values: Mapping[str, Any], status: int = 200
        ) -> web.Response:
            answer = render(templates, name, values, status)
            text = answer.text or ""
            self.pages[name, status] = max(text, self.pages.get((name, status), ""), key=len)
            return answer

        monkeypatch.setattr(Templates, "render", keep)

    def missing(self) -> set[str]:
        """Return the templates of whole pages that were not seen."""
        folder = files(pages) / "templates"
        whole = {
            one.name for one in folder.iterdir() if '"base.html" %}' in one.read_text("utf-8")
        }
        return whole - {name for name, _ in self.pages}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What the console gives out from now on."""
    return Seen(monkeypatch)


async def _terminals(ann: PageClient, console: Console, user: UserInfo) -> str:
    """Pages of tokens, machines, approvals, hooks and history, with something on each.

    Returns:
        The id of a request that is still open.

    """
    for path in ("/", "/tokens", "/hooks", "/devices", "/approve", "/history"):
        await ann.get(path)  # with nothing on them
    await ann.post("/tokens", {"name": "two words"})
    made = await ann.post("/tokens", {"name": "main", "scope": "trade", "lifetime": "30"})
    token = await console.tokens.get(user.id, parse_token(made.token))
    await approve(console, token, DESK)
    facts = TerminalDescription(platform="mt5", login=77, server="Demo", fp="ab" * 32)
    online = TerminalReport(tid=token.tid, state="online", since=console.now_s(), terminal=facts)
    await console.reports.report(DESK.did, [online])
    login = LoginReport(line="b.1", tid=token.tid, way="http", reason="unknown", first=1, last=2)
    await console.logins.note(DESK.did, [login])
    hook = re.findall(
        r"/hook/[\w-]{43}", (await ann.post("/hooks", HOOK | {"tid": token.tid})).text
    )
    await ann.ask("POST", hook[0], {"Origin": None, "Content-Type": "text/plain"}, json=ALERT)
    await ann.post("/hooks", HOOK | {"tid": token.tid, "size": "0", "sl": "x", "symbols": "="})
    [its] = await console.hooks.list(user.id)
    laptop, tablet = Machine("LAPTOP"), Machine("TABLET")
    first, second = [await knock(console, made.token, one) for one in (laptop, tablet)]
    _, gone = await console.tokens.create(user.id, "gone")
    await console.tokens.suspend(user.id, gone.tid)
    one = f"/tokens/{token.tid}"
    for path in (
        *("/", "/tokens", "/tokens/new", one, f"{one}/limits", f"{one}/replace", f"{one}/revoke"),
        *(f"/tokens/{gone.tid}", "/hooks", "/hooks/new", f"/hooks/{its.id}"),
        *(f"/hooks/{its.id}/delete", "/devices", f"/devices/{DESK.did}/revoke", "/approve"),
        *(f"/requests/{first.rid}", f"/requests/{first.rid}/not-me", "/history"),
        "/history/logins",
    ):
        page = await ann.get(path)
        assert page.status == 200, path
    await ann.post(f"/requests/{first.rid}", {"user_code": "1"})
    await ann.post(f"/requests/{first.rid}", {"user_code": first.user_code or ""})
    await ann.get(f"/requests/{first.rid}")
    return second.rid or ""


async def _trading_accounts(
    ann: PageClient, console: Console, user: UserInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of trading accounts and halts, of a machine that answers what stands here."""
    await ann.get("/accounts")
    _, token = await console.tokens.create(user.id, "desk", scopes=["admin"])
    await approve(console, token, DESK)
    facts = TerminalDescription(platform="mt5", login=77, server="Demo", fp="ab" * 32)
    online = TerminalReport(tid=token.tid, state="online", since=console.now_s(), terminal=facts)
    await console.reports.report(DESK.did, [online])
    await ann.get("/accounts")
    told = TerminalSummary(
        tid=token.tid,
        at=1,
        linked=True,
        login=77,
        server="Demo",
        currency="USD",
        balance=10_000.0,
        equity=9_990.5,
        halted_by="console",
        halted_at=console.now_s(),
        halt_reason="news",
    )

    async def answer(did: str, tid: str, name: str, **_: Any) -> MachineAnswer:
        if name in ("register_account", "delete_account"):
            return MachineAnswer(503, {"detail": "Nobody can try it."})
        return MachineAnswer(200, ANSWERS.get(name, ACCOUNT))

    monkeypatch.setattr(console.calls, "ask", answer)
    one = f"/accounts/{DESK.did}/1"
    broker = {"login": "77", "server": "Demo", "name": "Main", "broker": "MetaQuotes"}
    broker |= {"max_lot_size": "1", "risk_percent": "1", "account_type": "USD"}
    broker |= {"broker_password": "secret", "step_up_password": PASSWORD}
    with console.calls.line(DESK.did, LineSecret().public, lambda: None):
        console.calls.told(DESK.did, Summary(t="summary", manages=True, terminals=(told,)))
        halt = f"/terminals/{token.tid}/{DESK.did}/halt"
        for path in ("/", "/tokens", "/accounts", one, f"{one}/password", f"{one}/delete", halt):
            page = await ann.get(path)
            assert page.status == 200, (path, page.words)
        await ann.get(f"/accounts/{DESK.did}/new")
        for path in (f"/accounts/{DESK.did}", f"{one}/password", one):
            assert (await ann.post(path, {})).status == 422, path
        await ann.post(f"/accounts/{DESK.did}", broker)
        await ann.get("/account")
        await ann.post(f"{one}/delete")
        await ann.post(halt, {"reason": "x" * 300})
    assert (await ann.get(halt)).status == 200


async def _accounts(ann: PageClient, console: Console, user: UserInfo, clock: Clock) -> None:
    """Pages of one's own account and of users."""
    named = at_localhost(ann)
    form, options = question(await named.get("/account/passkeys/new"))
    device = SoftAuthenticator(named.url)
    form |= {"name": "laptop", "answer": device.make(options)}
    await named.post("/account/passkeys", form)
    links = re.findall(r"/account/passkeys/[\w-]+/remove", (await named.get("/account")).text)
    await named.post(links[0], {"code": "0"})
    await ann.get("/account")
    begun = await ann.post("/account/second-factor/begin")
    app = pyotp.TOTP(re.findall(r"<code>([A-Z2-7]{32})</code>", begun.text)[0])
    await ann.post("/account/second-factor", {"code": "0"})
    await ann.post("/account/second-factor", {"code": app.at(clock())})
    await ann.post("/account/password", {"current": "x", "password": "y", "again": "z"})
    await ann.get("/account")
    await ann.post("/users", {"name": "", "email": "?"})
    await ann.post("/users", {"name": "Eve", "email": "eve@example.com"})
    eve = next(one for one in await console.users.list() if one.name == "Eve")
    await ann.post(f"/users/{eve.id}/link")
    for path in ("/users", f"/users/{eve.id}/delete", f"/users/{eve.id}/disable", "/nowhere"):
        await ann.get(path)
    await ann.get("/tokens", Sec_Fetch_Site="cross-site", Cookie=None)
    ann.password = ""
    page = await ann.post("/account/second-factor/codes")
    assert "give your password again" in page.words


async def _strangers(stranger: PageClient, console: Console) -> None:
    """Pages of those who are not signed in."""
    eve = (await console.users.list())[-1]
    setup = await console.links.make("setup", None, 60)
    invitation = await console.invitations.link(eve.id, by=eve)
    for path in ("/sign-in", "/forgot", f"/setup/{setup}", invitation.removeprefix(console.url())):
        assert (await stranger.get(path)).status == 200, path
    await stranger.post("/forgot", {"email": "ann@example.com"})
    await stranger.get("/sign-in")
    await stranger.post("/sign-in", {"email": "ann@example.com", "password": "wrong"})
    named = at_localhost(stranger)
    await named.get("/sign-in")
    await named.post("/sign-in", {"email": "ann@example.com", "password": PASSWORD})


# sixty pages, each looked at twice: at a load of 25 on two cores that takes two minutes
@pytest.mark.timeout(300)
async def test_axe_finds_nothing_on_any_page(
    browser_page: Page,
    node_modules: Path,
    server: PageServer,
    console: Console,
    clock: Clock,
    seen: Seen,
    stranger: PageClient,
    ann: PageClient,
    ann_user: UserInfo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not one violation; a template that no page was made of fails the test."""
    request = await _terminals(ann, console, ann_user)
    await _trading_accounts(ann, console, ann_user, monkeypatch)
    await _accounts(ann, console, ann_user, clock)
    await ann.post(f"/requests/{request}/not-me")
    await _strangers(stranger, console)
    assert seen.missing() == set()
    axe, page, found, answers = Axe(node_modules), browser_page, set[str](), {"body": ""}

    async def fulfil(route: Route) -> None:
        await route.fulfill(body=answers["body"], content_type="text/html; charset=utf-8")

    await page.route("**/*.html", fulfil)
    for (name, status), text in seen.pages.items():
        # the text that was sent, at an address of the console: style and script are its own
        answers["body"] = text.replace(GOES_ON, "")
        await page.goto(f"{server.url}/{name}")
        await page.evaluate(OPEN)
        found |= {f"{name} {status}: {one}" for one in await axe.violations(page)}
    assert found == set()
    # the other pages are looked at in test_pages_chromium.py; this one has an account of all marks
    answers["body"] = seen.pages["accounts.html", 200]
    await page.set_viewport_size(PHONE)
    await page.goto(f"{server.url}/accounts.html")
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
