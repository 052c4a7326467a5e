"""What people do on the console with their terminals and trading accounts.

A real console, a real daemon with an emulated terminal, real pages; for some a real browser.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import pytest_asyncio
from chromium import chromium
from console_person import PATIENCE_MS
from console_site import PASSWORD, Linked, Person, Site, linked, site
from playwright.async_api import Page, expect
from product import TIMEOUT_S, Refused, until

from ea_bridge.emulator.conditions import OWN_PASSWORD
from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.token import parse_token
from gateway.accounts import AccountChanges
from gateway.console.daemon_calls import MachineAway
from gateway.trading.kill_switch.halts import BY_CONSOLE, Halt

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("e2e-console-accounts"),
]


@dataclass
class Answer:
    """A page, as it was answered."""

    status: int
    text: str
    location: str

    @property
    def words(self) -> str:
        body = re.sub(r"<(script|style|title)\b.*?</\1>", " ", self.text, flags=re.S)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@dataclass
class Desk:
    """A trader with a console, a daemon that may be managed, and a terminal."""

    site: Site
    ann: Person
    bob: Person
    daemon: Linked
    machine: EmulatedTerminal
    token: str

    @property
    def tid(self) -> str:
        return parse_token(self.token)

    @property
    def did(self) -> str:
        return self.daemon.home.device.did

    @property
    def halt_path(self) -> str:
        return f"/terminals/{self.tid}/{self.did}"

    async def get(self, path: str, person: Person | None = None) -> Answer:
        return await self._ask("GET", path, person or self.ann, None)

    async def post(
        self, path: str, form: dict[str, str] | None = None, person: Person | None = None
    ) -> Answer:
        """Send a form; the password is given again where that is asked."""
        person = person or self.ann
        sent = {"csrf": person.csrf, **(form or {})}
        answer = await self._ask("POST", path, person, sent)
        if "step_up_password" in answer.text and "Confirm that it is you" in answer.text:
            again = {**sent, "csrf": person.csrf, "step_up_password": PASSWORD}
            answer = await self._ask("POST", path, person, again)
        if answer.status == 303:
            await self.get("/account", person)  # the session has a new secret, forms a new token
        return answer

    async def _ask(
        self, method: str, path: str, person: Person, form: dict[str, str] | None
    ) -> Answer:
        headers = {
            "Origin": self.site.url,
            "Sec-Fetch-Site": "same-origin",
            "Cookie": "; ".join(f"{name}={value}" for name, value in person.cookies.items()),
        }
        async with self.site.http.request(
            method, self.site.url + path, headers=headers, data=form, allow_redirects=False
        ) as answer:
            text = await answer.text()
            for name, morsel in answer.cookies.items():
                person.cookies[name] = morsel.value
            found = re.search(r'name="csrf" value="([0-9a-f]{64})"', text)
            if found is not None:
                person.csrf = found[1]
            return Answer(answer.status, text, answer.headers.get("Location", ""))

    async def until_told(self, check: Callable[[Any], bool]) -> None:
        """Wait until the machine has told figures of the terminal that are so."""

        def is_so() -> bool:
            figures = self.site.console.calls.figures(self.did, self.tid)
            return figures is not None and check(figures)

        await until(is_so)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    folder: Path = tmp_path_factory.mktemp("desk")
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(site(folder / "console"))
        ann, bob = await place.person("ann"), await place.person("bob")
        daemon = await stack.enter_async_context(
            linked(folder / "daemon", place.url, root=place.root, manage_accounts=True)
        )
        token = await ann.make_token("main", scopes=["admin"])
        machine = build_terminal()
        running = await daemon.terminal(ann, machine=machine, token=token)
        built = Desk(place, ann, bob, daemon, machine, running.token)
        async with asyncio.timeout(TIMEOUT_S):
            while (await ann.terminals_of(running.token))[0]["state"] != "online":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await built.until_told(lambda figures: figures.money is not None)
        yield built


async def test_figures_are_shown_with_their_age_and_to_their_owner_alone(desk: Desk) -> None:
    """What is old is greyed, and never shown as what is."""
    page = await desk.get("/")
    assert re.search(r"Balance [0-9,]+\.[0-9]{2}, equity [0-9,]+\.[0-9]{2} USD \(", page.words)
    assert "Not live" not in page.words
    assert "Balance" in (await desk.get("/tokens")).words
    assert "Balance" not in (await desk.get("/", desk.bob)).words
    live = (await desk.get("/live")).text
    assert '"stale": false' in live
    # time passes on the console while the machine says nothing: as with one that hangs
    calls = desk.site.console.calls
    later = desk.site.console.now_s() + 600
    calls._now_s, now_s = (lambda: later - 1200), calls._now_s
    try:
        await desk.until_told(lambda figures: figures.heard_at < now_s() - 300)
        page = await desk.get("/")
        assert "Not live, from" in page.words
        assert "money stale" in page.text
    finally:
        calls._now_s = now_s
    await desk.until_told(lambda figures: figures.heard_at > now_s() - 60)


async def test_trading_is_halted_and_goes_on(desk: Desk) -> None:
    """The machine confirms it; a halt that was made there is not lifted from here."""
    client = await desk.daemon.http(desk.token)
    page = await desk.post(desk.halt_path + "/halt", {"reason": "news at two"})
    assert (page.status, page.location) == (303, f"{desk.halt_path}/halt?done=halted"), page.words
    shown = await desk.get(page.location)
    assert "Confirmed by the machine: trading is halted." in shown.words
    assert "Halted on this console" in shown.words
    with pytest.raises(Refused, match="halted by console"):
        await client.call("place_order", symbol="EURUSD", side="buy", volume=0.1)
    await desk.until_told(lambda figures: figures.told.halted_by == BY_CONSOLE)
    assert "Halted" in (await desk.get("/")).words
    page = await desk.post(desk.halt_path + "/resume")
    assert page.location.endswith("done=resumed"), page.words
    assert not (await client.call("get_trading_enabled"))["halts"]
    log = await desk.site.console.activity.list((await _user(desk)).id, limit=5)
    assert {"terminal.halted", "terminal.resumed"} <= {entry.event for entry in log}
    await _halted_here(desk)


async def _halted_here(desk: Desk) -> None:
    """A person halts at the machine: before the console does, and after it."""
    switch = desk.daemon.gateway.account_service.services.switch
    [name] = {one.terminal for one in desk.daemon.gateway.registry.sessions()}
    local = Halt(terminal=name, armed_by="cli", since_ms=1_000, by_admin=True)
    for first, second in (("cli", "console"), ("console", "cli")):
        for by in (first, second):
            if by == "cli":
                await switch.halt(local)
            else:
                page = await desk.post(desk.halt_path + "/halt", {"reason": "from afar"})
                assert page.status == 303
        page = await desk.post(desk.halt_path + "/resume")
        assert page.status == 503
        assert "it is lifted at the machine" in page.words
        assert switch.over(name)[0].armed_by == "cli"
        await switch.resume(name, by_admin=True, by="cli")


async def _user(desk: Desk) -> Any:
    user = await desk.site.console.users.by_email(desk.ann.email)
    assert user is not None
    return user


# --- accounts -------------------------------------------------------------------------------


def _form(desk: Desk, **more: str) -> dict[str, str]:
    """Return the form of the account that the terminal is logged in to, filled in."""
    account = desk.machine.handler.account()
    form = {
        "name": "Main",
        "broker": "Emulator",
        "login": str(account.login),
        "server": account.server,
        "max_lot_size": "0.5",
        "risk_percent": "2",
        "account_type": "USD",
        "auto_trade_enabled": "yes",
        "broker_password": OWN_PASSWORD,
        "step_up_password": PASSWORD,
    }
    return form | more


async def test_an_account_is_registered_changed_and_deleted(desk: Desk) -> None:
    """On the machine, which tries the password first; the console keeps nothing of it."""
    path = f"/accounts/{desk.did}"
    assert "No account is registered" in (await desk.get("/accounts")).words
    assert "Register an account on" in (await desk.get(path + "/new")).words
    wrong = await desk.post(path, _form(desk, broker_password="wrong-Pa55word"))
    assert wrong.status == 422
    assert "Invalid credentials" in wrong.words
    assert "wrong-Pa55word" not in wrong.text
    page = await desk.post(path, _form(desk))
    assert (page.status, page.location) == (303, "/accounts?done=registered"), page.words
    again = await desk.post(path, _form(desk))
    assert again.status == 422
    assert "already exists" in again.words
    [account] = desk.daemon.gateway.accounts.everybody()
    assert (account.max_lot_size, account.risk_pct) == (0.5, 0.02)
    listed = await desk.get("/accounts")
    assert re.search(r"Main .* 0.5 lots in one order; 2% at the stop loss", listed.words)
    one = f"{path}/{account.id}"
    shown = await desk.get(one)
    assert "Balance" in shown.words
    assert "Closed trades" in shown.words
    assert "Verified just now" in (await desk.post(one + "/check")).words
    changes = {**_form(desk, max_lot_size="0.2", paper_trade_enabled="yes")}
    del changes["auto_trade_enabled"], changes["broker_password"], changes["step_up_password"]
    page = await desk.post(one, changes)
    assert page.location == f"{one}?done=changed", page.words
    [account] = desk.daemon.gateway.accounts.everybody()
    assert (account.max_lot_size, account.auto_trade_enabled) == (0.2, False)
    assert account.paper_trade_enabled
    wrong = await desk.post(one + "/password", _form(desk, broker_password="another"))
    assert wrong.status == 422
    page = await desk.post(one + "/password", _form(desk))
    assert page.location == f"{one}?done=password", page.words
    assert "Its limits end with it" in (await desk.get(one + "/delete")).words
    page = await desk.post(one + "/delete")
    assert page.location == "/accounts?done=deleted", page.words
    assert desk.daemon.gateway.accounts.everybody() == []


async def test_a_page_that_lay_open_undoes_nothing(desk: Desk) -> None:
    """Somebody has switched paper trading on meanwhile: to save another limit does not end it."""
    path, accounts = f"/accounts/{desk.did}", desk.daemon.gateway.accounts
    assert (await desk.post(path, _form(desk))).location == "/accounts?done=registered"
    [account] = accounts.everybody()
    one = f"{path}/{account.id}"
    shown = await desk.get(one)
    was = dict(re.findall(r'name="was_(\w+)" value="([^"]*)"', shown.text))
    accounts.change(account.owner, account.id, AccountChanges(paper_trade_enabled=True))
    told = {f"was_{name}": text for name, text in was.items()}
    sent = {**{name: text for name, text in was.items() if text}, **told, "max_lot_size": "0.3"}
    page = await desk.post(one, sent)
    assert page.location == f"{one}?done=changed", page.words
    [changed] = accounts.everybody()
    assert (changed.paper_trade_enabled, changed.max_lot_size) == (True, 0.3)
    # as a console that was taken over might ask
    for body in ({"server": "Elsewhere"}, {"password": "in the clear"}):
        answer = await desk.site.console.calls.ask(
            desk.did, desk.tid, "update_account", account_id=account.id, body=body
        )
        assert (answer.status, accounts.everybody()) == (422, [changed])
    refused = await desk.post(one, {**sent, "name": ""})
    assert refused.status == 422
    assert f'name="was_max_lot_size" value="{was["max_lot_size"]}"' in refused.text
    accounts.delete(account.owner, account.id)


async def test_a_machine_whose_key_was_copied_is_given_no_password(desk: Desk) -> None:
    """Nor is what it confirms believed: it may be the copy that answers."""
    clones, user = desk.site.console.clones, await _user(desk)
    await clones.alarm(desk.did, "203.0.113.7", "198.51.100.9")
    try:
        with patch.object(desk.site.console.calls, "ask", side_effect=AssertionError("asked")):
            page = await desk.post(f"/accounts/{desk.did}", _form(desk))
        assert page.status == 503
        assert "used in two places" in page.words
        page = await desk.post(desk.halt_path + "/halt")
        assert page.status == 503
        assert "Not confirmed" in page.words
    finally:
        await clones.resume(user.id, desk.did)
    assert (await desk.post(desk.halt_path + "/resume")).status == 303


async def test_the_brokers_password_lies_nowhere_on_the_console(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in its files nor in its log, nor on a page that asks for something else."""
    secret = "Secret-of-the-broker-" + "7" * 20
    path = f"/accounts/{desk.did}"
    wrong_own = _form(desk, broker_password=secret, step_up_password="not mine")
    pages = [
        await desk.post(path, _form(desk, broker_password=secret)),
        await desk.post(path, wrong_own),
        await desk.post(path, _form(desk, broker_password=secret, name="")),
    ]
    assert [page.status for page in pages] == [422, 422, 422]
    assert all(secret not in page.text for page in pages)
    files = [file for file in desk.site.console.home.rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if secret.encode() in file.read_bytes()] == []
    assert secret not in caplog.text


async def test_who_may_not_is_refused_on_the_console(desk: Desk) -> None:
    """Another person, a form of another site, a wrong password: the machine hears nothing."""
    path = f"/accounts/{desk.did}"
    with patch.object(desk.site.console.calls, "ask", side_effect=AssertionError("asked")):
        assert (await desk.get(f"{path}/new", desk.bob)).status == 404
        assert (await desk.post(path, _form(desk), desk.bob)).status == 404
        assert (await desk.post(desk.halt_path + "/halt", {}, desk.bob)).status == 404
        forged = {**_form(desk), "csrf": "0" * 64}
        assert (await desk._ask("POST", path, desk.ann, forged)).status == 403
        forged = {"csrf": desk.bob.csrf}
        assert (await desk._ask("POST", desk.halt_path + "/halt", desk.ann, forged)).status == 403
        page = await desk.post(path, _form(desk, step_up_password=""))
        assert page.status == 422
        sent = {"csrf": desk.ann.csrf}
        page = await desk._ask("POST", desk.halt_path + "/resume", desk.ann, sent)
        assert "Confirm that it is you" in page.words


async def test_a_machine_refuses_what_its_owner_or_the_token_does_not_allow(desk: Desk) -> None:
    """The option is off, the token may not manage, or the machine is away; a halt goes all the
    same while it is there.
    """
    calls, did = desk.site.console.calls, desk.did
    executor = desk.daemon.uplink._link._calls
    assert executor is not None
    executor.manages = False
    try:
        answer = await calls.ask(did, desk.tid, "list_accounts")
        assert answer.status == 403
        assert "manage_accounts = true" in answer.problem
        assert (await calls.ask(did, desk.tid, "halt", body={"reason": ""})).status == 200
        assert (await calls.ask(did, desk.tid, "resume")).status == 200
        await until(lambda: calls.manages(did) is False)
        assert "manage_accounts = true" in (await desk.get("/accounts")).words
    finally:
        executor.manages = True
    reader = await desk.ann.make_token("reader", scopes=["trade"])
    await desk.daemon.terminal(desk.ann, name="reader", token=reader)
    answer = await calls.ask(did, parse_token(reader), "list_accounts")
    assert answer.status == 403
    assert "scope admin" in answer.problem
    with pytest.raises(MachineAway):
        await calls.ask("a" * 52, desk.tid, "list_accounts")
    await desk.ann.revoke(reader)
    assert (await calls.ask(did, parse_token(reader), "halt", body={})).status == 403


# --- in a browser ---------------------------------------------------------------------------


async def test_an_account_is_registered_in_a_browser(
    desk: Desk, chromium_cache: Path, request: pytest.FixtureRequest
) -> None:
    """By keyboard: a wrong password is said beside its field and is not put back into it, then
    the account is there. Nothing breaks the policy, nothing is wider than a phone.
    """
    folder = request.config.getoption("--pictures")
    pictures = Path(folder) if folder else None
    expect.set_options(timeout=PATIENCE_MS)
    async with chromium(chromium_cache) as browser:
        context = await browser.new_context(
            viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
        )
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(desk.site.url)
        await page.fill("#email", desk.ann.email)
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator(".money").first).to_contain_text("Balance")
        await page.get_by_role("link", name="Accounts").click()
        await page.get_by_role("link", name="Register an account").first.click()
        await _type_account(page, desk, "wrong")
        wrong = page.locator("#broker_password")
        await expect(wrong).to_have_attribute("aria-invalid", "true")
        await expect(wrong).to_have_value("")
        await expect(page.locator("#broker_password-problem")).to_contain_text("refused login")
        await _look(page, pictures, "account new")
        await _type_account(page, desk, OWN_PASSWORD)
        await expect(page.get_by_role("status")).to_contain_text("registered it")
        await _look(page, pictures, "accounts")
        await page.get_by_role("link", name="Main", exact=True).click()
        await expect(page.get_by_role("heading", name="Limits and switches")).to_be_visible()
        await _look(page, pictures, "account one")
        await page.get_by_role("link", name="Halt or resume").click()
        await page.fill("#reason", "the browser's")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("Confirmed by the machine")
        await _look(page, pictures, "halt")
        await page.goto(desk.site.url)
        await expect(page.get_by_text("Halted", exact=True)).to_be_visible()
        await _look(page, pictures, "terminals")
        await page.goto(desk.site.url + "/tokens")
        await _look(page, pictures, "tokens")
        await page.goto(desk.site.url + "/")
        answer = await desk.site.console.calls.ask(desk.did, desk.tid, "resume")
        assert answer.status == 200
        # without a reload: the open page asks what there is to show
        await expect(page.get_by_text("Halted", exact=True)).to_be_hidden()
    # a form that comes back with what is wrong is a 422, of which Chromium tells
    assert [text for text in complaints if "422" not in text] == []
    for account in desk.daemon.gateway.accounts.everybody():
        desk.daemon.gateway.accounts.delete(account.owner, account.id)


async def _type_account(page: Page, desk: Desk, password: str) -> None:
    form = _form(desk, broker_password=password)
    for name in ("login", "server", "name", "broker", "broker_password", "step_up_password"):
        await page.fill(f"#{name}", form[name])
    await page.keyboard.press("Enter")


async def _look(page: Page, pictures: Path | None, name: str) -> None:
    """See that a page fits on a phone, and keep pictures if somebody wants to see them."""
    for width in (390, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, (name, width)
        for scheme in ("light", "dark") if pictures else ():
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert pictures is not None
            await page.screenshot(path=pictures / f"{name} {width} {scheme}.png", full_page=True)
