"""The live page in a real Chromium: signed in, fed by an emulated terminal, attacked.

All tests share one daemon, one terminal and one browser. Each step waits for what it needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chromium import chromium
from playwright.async_api import Browser, BrowserContext, Page, expect
from product import Product, daemon

from ea_bridge.emulator.factory import build_terminal

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("live_page"),
    pytest.mark.timeout(300),
]

WITHIN_MS = 30_000
"""For what takes less than a second on a machine that is not busy."""
LIVE = ".status.good"
POLICY = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation",
        (event) => window.violations.push(event.violatedDirective + " " + event.blockedURI));
"""


@dataclass
class Stage:
    """A gateway with a linked terminal, and a browser."""

    product: Product
    browser: Browser

    @property
    def base(self) -> str:
        """The gateway's URL."""
        return (self.product.ready.rpc or "").removesuffix("/rpc")

    def link(self) -> str:
        """Return an address that signs in once."""
        return self.product.gateway.sign_in_link(self.product.main.token, 600)

    async def positions(self) -> list[Any]:
        """Return what is open, as a program sees it."""
        client = await self.product.http()
        found: list[Any] = await client.call("get_positions")
        await self.product.close_clients()
        return found


class Visitor:
    """A tab, and what the browser complained of in it."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context, self.page = context, page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )

    async def sign_in(self, link: str) -> None:
        """Open a link that signs in, and wait until the terminal is seen live."""
        await self.page.goto(link)
        await expect(self.page.locator(LIVE)).to_have_text("Live", timeout=WITHIN_MS)

    async def is_content(self) -> bool:
        """Whether nothing broke the policy, and no script failed."""
        return self.complaints == [] and await self.page.evaluate("window.violations") == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory, chromium_cache: Path
) -> AsyncIterator[Stage]:
    """Everything, once for all tests here."""
    home = tmp_path_factory.mktemp("live_page")
    async with daemon(home) as product, chromium(chromium_cache) as browser:
        await product.link("main", build_terminal(seed=1))
        yield Stage(product, browser)


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(stage: Stage) -> AsyncIterator[Visitor]:
    """A new tab of a desktop's size, with nothing of those before it."""
    context = await stage.browser.new_context(
        viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    )
    context.set_default_timeout(WITHIN_MS)
    page = await context.new_page()
    await page.add_init_script(POLICY)
    yield Visitor(context, page)
    await context.close()


async def test_a_link_signs_in_once_and_leaves_no_secret(stage: Stage, visitor: Visitor) -> None:
    """Not in the address, the history or the storage; a reload goes on, a second use does not."""
    link, page = stage.link(), visitor.page
    await visitor.sign_in(link)
    assert "code" not in page.url
    token = stage.product.main.token
    kept: str = await page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert token not in kept
    assert link.partition("code=")[2] not in kept
    assert json.loads(kept)[2] == "", "a script can read the cookie"
    (cookie,) = await visitor.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/ui")
    assert cookie["value"] not in kept
    await page.reload()
    await expect(page.locator(LIVE)).to_have_text("Live", timeout=WITHIN_MS)
    assert await visitor.is_content()
    other = await visitor.context.new_page()
    await other.goto(link)
    await expect(other.get_by_role("alert")).to_contain_text("used or has expired")


async def test_a_token_signs_in_and_out(stage: Stage, visitor: Visitor) -> None:
    """By keyboard; without the box ticked the page shows, and trades nothing. What it had open
    ends with the session."""
    page = visitor.page
    await page.goto(f"{stage.base}/")
    await page.get_by_role("link", name="Open the live page").click()
    await page.get_by_label("Token").fill("mgt_wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).not_to_be_empty(timeout=WITHIN_MS)
    await page.get_by_label("Token").fill(stage.product.main.token)
    await page.keyboard.press("Enter")
    await expect(page.locator(LIVE)).to_have_text("Live", timeout=WITHIN_MS)
    await expect(page.locator(".why")).to_contain_text("only shows")
    await expect(page.get_by_role("button", name="Buy")).to_be_disabled()
    session = json.loads(await page.evaluate("sessionStorage.getItem('mtg-live')"))
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Token")).to_be_focused(timeout=WITHIN_MS)
    status = await page.evaluate(
        """async (csrf) => (await fetch("/ui/rpc", {method: "POST",
            headers: {"Content-Type": "application/json", "X-CSRF-Token": csrf},
            body: '{"jsonrpc":"2.0","id":1,"method":"ping"}'})).status""",
        session["csrf"],
    )
    assert status == 401


async def test_chart_and_account_are_the_terminals(stage: Stage, visitor: Visitor) -> None:
    """Candles are drawn, prices have all digits of their symbols, sums are the account's."""
    page = visitor.page
    await visitor.sign_in(stage.link())
    for symbol, digits in (("EURUSD", 5), ("USDJPY", 3), ("XAUUSD", 2)):
        bid = page.locator(f".watch li[data-key='{symbol}'] .bid")
        await expect(bid).to_have_text(re.compile(rf"^\d+\.\d{{{digits}}}$"), timeout=WITHIN_MS)
    await expect(page.locator(".legend")).to_have_text(
        re.compile(r"C \d+\.\d{5}$"), timeout=WITHIN_MS
    )
    await page.keyboard.press("3")
    balance = stage.product.main.machine.handler.account().balance
    await expect(page.locator(".tile", has_text="Balance")).to_contain_text(
        f"{balance:,.2f}", timeout=WITHIN_MS
    )
    assert await visitor.is_content()
