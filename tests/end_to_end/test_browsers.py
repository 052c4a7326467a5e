"""What web pages can do with the gateway, in a real Chromium.

A page of a listed origin gets a ticket and hears ticks. All others get nothing, though they know
a valid token and a ticket that was made for the listed one: no effect, no byte of data.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from chromium import chromium
from playwright.async_api import Browser, Page
from product import TIMEOUT_S, Product, daemon

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.sockets import bind_loopback

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("chromium")]

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "browser.md").read_text("utf-8")
ATTACKS = (HERE / "browser_attacks.js").read_text("utf-8")
HTML = "<!doctype html><title>a page</title><body></body>"
ARGUMENTS = (
    "--host-resolver-rules=MAP evil.test 127.0.0.1",
    # only recent Chromiums ask before a page reaches this machine: here it is we who refuse
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
)
ORDER = {"symbol": "EURUSD", "side": "buy", "type": "market", "volume": 0.1}


@dataclass
class Stage:
    """A gateway, the pages around it, and a browser that finds evil.test on this machine."""

    product: Product
    browser: Browser
    port: int
    """Of the pages of the listed origin."""
    other_port: int
    """Of the same pages, but not listed."""
    before: list[Any] = field(default_factory=list)
    """Positions and orders before any attack."""

    @property
    def listed(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        """The gateway's URL."""
        return (self.product.ready.rpc or "").removesuffix("/rpc")

    @property
    def knowledge(self) -> dict[str, Any]:
        """What the attacking pages know."""
        return {"base": self.base, "token": self.product.main.token, "order": ORDER}

    async def ticket(self) -> str:
        """Ask for a ticket as the listed page would."""
        ask = {"jsonrpc": "2.0", "id": 1, "method": "get_ws_ticket"}
        headers = {
            "Origin": self.listed,
            "Authorization": f"Bearer {self.product.main.token}",
        }
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(f"{self.base}/rpc", json=ask) as answer,
        ):
            ticket: str = (await answer.json())["result"]["ticket"]
            return ticket

    async def attack(self, page: Page, **more: str) -> dict[str, str]:
        """Return what each attack of a page got to read."""
        knowledge = self.knowledge | {"ticket": await self.ticket()} | more
        await page.evaluate(f"() => {{ {ATTACKS} }}")
        got: dict[str, str] = await page.evaluate("known => window.attack(known)", knowledge)
        assert len(got) >= 30
        return got

    async def account(self) -> list[Any]:
        """Return the tickets of all positions and orders."""
        client = await self.product.http()
        nouns = [await client.call(name) for name in ("get_positions", "get_orders")]
        await self.product.close_clients()
        return [[one["ticket"] for one in some] for some in nouns]

    async def nothing_happened(self) -> bool:
        """Whether the account is as it was."""
        return await self.account() == self.before


async def page_of(request: web.Request) -> web.Response:
    """A page without anything; under ``/sandboxed`` its origin is ``null``."""
    headers = {}
    if request.path == "/sandboxed":
        headers["Content-Security-Policy"] = "sandbox allow-scripts allow-forms"
    return web.Response(text=HTML, content_type="text/html", headers=headers)


@asynccontextmanager
async def pages() -> AsyncIterator[int]:
    """Serve pages on a free port of loopback; yields the port."""
    app = web.Application()
    app.router.add_get("/{any:.*}", page_of)
    runner = web.AppRunner(app)
    await runner.setup()
    sockets = bind_loopback(0)
    for sock in sockets:
        await web.SockSite(runner, sock).start()
    try:
        yield sockets[0].getsockname()[1]
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory, chromium_cache: Path
) -> AsyncIterator[Stage]:
    """Everything, once for all tests here."""
    home = tmp_path_factory.mktemp("browsers")
    async with (
        pages() as port,
        pages() as other_port,
        daemon(home, origins=[f"http://127.0.0.1:{port}"]) as product,
        chromium(chromium_cache, *ARGUMENTS) as browser,
    ):
        await product.link("main", build_terminal(speed=20))
        built = Stage(product, browser, port, other_port)
        # made when it is first read, which takes longer than an attack waits on a busy machine
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{built.base}/openrpc.json") as answer,
        ):
            assert answer.status == 200
        built.before = await built.account()
        yield built


@pytest_asyncio.fixture(loop_scope="module")
async def page(stage: Stage) -> AsyncIterator[Page]:
    """A new page, with nothing of those before it."""
    context = await stage.browser.new_context()
    yield await context.new_page()
    await context.close()


async def test_a_listed_page_gets_a_ticket_and_hears_ticks(stage: Stage, page: Page) -> None:
    """The snippet of docs/browser.md, as it stands but for the port."""
    (snippet,) = re.findall(r"^```js\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert "http://127.0.0.1:7400" in snippet
    said: asyncio.Queue[str] = asyncio.Queue()
    page.on("console", lambda message: said.put_nowait(message.text))
    page.on("dialog", lambda dialog: dialog.accept(stage.product.main.token))
    await page.goto(stage.listed)
    script = snippet.replace("http://127.0.0.1:7400", stage.base)
    await page.add_script_tag(content=script, type="module")
    for _ in range(3):
        line = await asyncio.wait_for(said.get(), TIMEOUT_S)
        assert re.fullmatch(r"tick:EURUSD 1\.\d+ 1\.\d+", line), line


UNLISTED = {
    "another port": "http://127.0.0.1:{other}/",
    "another name": "http://localhost:{port}/",
    "a name that means this machine": "http://evil.test:{port}/",
    "no origin at all": "http://127.0.0.1:{port}/sandboxed",
}


@pytest.mark.parametrize("which", UNLISTED)
async def test_a_page_that_is_not_listed_gets_nothing(
    stage: Stage, page: Page, which: str
) -> None:
    """Not one byte to read, and no order, in none of the ways that a page has."""
    await page.goto(UNLISTED[which].format(port=stage.port, other=stage.other_port))
    got = await stage.attack(page)
    assert {name: text for name, text in got.items() if text} == {}
    assert await stage.nothing_happened()


async def test_a_name_that_comes_to_mean_us_gets_nothing(stage: Stage, page: Page) -> None:
    """DNS rebinding: the page has the gateway's very port under its own name, so that the browser
    lets it read all answers. They are refusals for the wrong ``Host``."""
    base = stage.base.replace("127.0.0.1", "evil.test")
    address = f"{base}/attack"
    await page.route(address, lambda route: route.fulfill(body=HTML, content_type="text/html"))
    await page.goto(address)
    got = await stage.attack(page, base=base)
    read = {name: json.loads(text) for name, text in got.items() if text}
    assert "fetch, as a program" in read, "the page could not read what came: no test of us"
    for name, answer in read.items():
        assert answer["error"]["data"]["reason"] == "host", name
        assert "result" not in answer
    assert await stage.nothing_happened()


async def test_the_attacks_work_where_they_may(stage: Stage, page: Page) -> None:
    """From the listed origin the same script is answered: the tests above could fail.

    Even there, only calls with the token and the ticket come through.
    """
    await page.goto(stage.listed)
    got = await stage.attack(page)
    through = {name for name, text in got.items() if '"result"' in text or '"welcome"' in text}
    assert through == {
        "fetch, as a program",
        "fetch, an account",
        "fetch, a ticket",
        "XMLHttpRequest",
        "fetch, a document",
        "WebSocket, ticket",
    }
    client = await stage.product.http()
    for one in await client.call("get_positions"):
        await client.call("close_position", ticket=one["ticket"])
    await stage.product.close_clients()
