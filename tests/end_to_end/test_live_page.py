"""The live page in a real Chromium: signed in, fed by an emulated terminal, attacked.

All tests share one daemon, one terminal and one browser. Each step waits for what it needs.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from axe import Axe
from chromium import chromium
from playwright.async_api import Browser, BrowserContext, Page, Route, expect
from product import Product, daemon

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.sockets import bind_loopback

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("live_page"),
    pytest.mark.timeout(300),
]

WITHIN_MS = 30_000
"""For what takes less than a second on a machine that is not busy."""
VIEWS = ("Chart", "Blotter", "Account", "Latency", "Streams")
LIVE = ".status.good"
BUY, SELL = ".ticket button.buy", ".ticket button.sell"
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

    def cut(self) -> None:
        """Cut every WebSocket, as a network does."""
        for connection in tuple(self.product.gateway._web.websockets._connections):
            connection._transport.abort()

    async def tickets(self) -> set[int]:
        """Return the tickets of what is open, as a program sees it."""
        client = await self.product.http()
        return {position["ticket"] for position in await client.call("get_positions")}


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
    await stage.product.close_clients()


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
    await page.get_by_role("link", name="/openrpc.json").click()
    await expect(page.locator("body")).to_contain_text('"openrpc"', timeout=WITHIN_MS)
    await page.go_back()
    await page.get_by_role("link", name="Open the live page").click()
    await page.get_by_label("Token").fill("mgt_wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).not_to_be_empty(timeout=WITHIN_MS)
    await page.get_by_label("Token").fill(stage.product.main.token)
    await page.keyboard.press("Enter")
    await expect(page.locator(LIVE)).to_have_text("Live", timeout=WITHIN_MS)
    await expect(page.locator(".why")).to_contain_text("only shows")
    await expect(page.locator(BUY)).to_be_disabled()
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


async def test_an_order_asks_first_and_is_sent_once(stage: Stage, visitor: Visitor) -> None:
    """By keyboard: Enter asks, Escape sends nothing, and the first focus is on "Cancel"."""
    page = visitor.page
    await visitor.sign_in(stage.link())
    before = await stage.tickets()
    buy = page.locator(BUY)
    await expect(buy).to_be_enabled(timeout=WITHIN_MS)
    dialog = page.get_by_role("dialog")
    for leave in ("Escape", "Enter"):
        await buy.focus()
        await page.keyboard.press("Enter")
        await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        await page.keyboard.press(leave)
        await expect(dialog).to_be_hidden()
        await expect(buy).to_be_focused()
    assert await stage.tickets() == before
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await expect(dialog).to_contain_text(re.compile(r"Buy 0\.10 EURUSD\?.*\d\.\d{5}"))
    await page.keyboard.press("Tab")
    await expect(dialog.get_by_role("button", name="Buy")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".note.good")).to_contain_text("filled at", timeout=WITHIN_MS)
    (ticket,) = await stage.tickets() - before
    await expect(page.locator(f"tr[data-key='{ticket}']")).to_be_visible(timeout=WITHIN_MS)


async def test_an_answer_belongs_to_its_question(stage: Stage, visitor: Visitor) -> None:
    """A question asked in the moment another one closes stays open until it is answered itself."""
    await visitor.sign_in(stage.link())
    answers = await visitor.page.evaluate("""async () => {
        const { ask } = await import("/ui/ask.mjs");
        const button = (name) => [...document.querySelectorAll("dialog[open] button")]
            .find((one) => one.textContent === name);
        const question = (title) => ask({ title, yes: "Send" });
        const closed = () => new Promise((resolve) => document.querySelector("dialog")
            .addEventListener("close", resolve, { once: true }));
        const first = question("First?");
        const event = closed();
        button("Send").click();
        const second = question("Second?");
        await event;
        const isOpen = document.querySelector("dialog").open;
        button("Cancel").click();
        return [await first, isOpen, await second];
    }""")
    assert answers == [True, True, False]


async def test_a_row_keeps_the_focus_while_prices_come(stage: Stage, visitor: Visitor) -> None:
    """It is the same element after many changes, so that Enter reaches it; its order is closed."""
    client = await stage.product.http()
    receipt = await client.call(
        "place_order", symbol="EURUSD", side="sell", type="market", volume=0.1
    )
    ticket = receipt["order"]["position"]
    page = visitor.page
    await visitor.sign_in(stage.link())
    await page.keyboard.press("2")
    close = page.get_by_role("button", name=f"Close position {ticket}")
    await expect(close).to_be_enabled(timeout=WITHIN_MS)
    await close.focus()
    await page.evaluate(
        """() => { window.focused = document.activeElement; window.changes = 0;
            new MutationObserver((all) => { window.changes += all.length; }).observe(
                document.querySelector("main.stage tbody"),
                {subtree: true, childList: true, characterData: true}); }"""
    )
    for volume in (0.2, 0.3):
        await client.call("place_order", symbol="EURUSD", side="buy", type="market", volume=volume)
    # a function, since the page's policy lets nobody evaluate an expression
    await page.wait_for_function(
        "() => window.changes > 4 && document.activeElement === window.focused"
    )
    dialog, stop = page.get_by_role("dialog"), f"{receipt['order']['avg_price'] + 0.1:.5f}"
    await page.get_by_role("button", name=f"Change stops of position {ticket}").click()
    await dialog.get_by_label("Stop loss").fill(stop)
    await dialog.get_by_role("button", name="Change stops").click()
    row = page.locator(f"tr[data-key='{ticket}']")
    await expect(row.locator("td[data-label='Stop loss']")).to_have_text(stop, timeout=WITHIN_MS)
    await close.focus()
    await page.keyboard.press("Enter")
    await expect(dialog).to_contain_text(str(ticket))
    await dialog.get_by_role("button", name="Close position").click()
    await expect(page.locator(f"tr[data-key='{ticket}']")).to_have_count(0, timeout=WITHIN_MS)
    assert ticket not in await stage.tickets()


async def test_an_answer_that_is_lost_is_told_as_unknown(stage: Stage, visitor: Visitor) -> None:
    """Never as failed; the journal tells later what became of it, and it was sent once."""
    page = visitor.page
    await visitor.sign_in(stage.link())
    before = await stage.tickets()
    sent, may_ask = [], asyncio.Event()

    async def lose(route: Route) -> None:
        method = json.loads(route.request.post_data or "{}").get("method")
        if method == "place_order":
            sent.append(method)
            await route.fetch()  # the gateway carries it out, and nobody hears of it
            await route.abort()
            return
        if method == "get_order":
            await may_ask.wait()
        await route.continue_()

    await page.route("**/ui/rpc", lose)
    await page.locator(SELL).click()
    await page.get_by_role("dialog").get_by_role("button", name="Sell").click()
    await expect(page.locator(".note.warn")).to_contain_text("Outcome unknown", timeout=WITHIN_MS)
    await page.keyboard.press("2")
    await page.get_by_role("tab", name="Requests").click()
    outcome = page.locator("[role=tabpanel]:not([hidden]) .outcome").first
    await expect(outcome).to_have_text("unknown")
    may_ask.set()
    await expect(outcome).to_have_text("done", timeout=WITHIN_MS)
    assert len(sent) == 1
    assert len(await stage.tickets() - before) == 1
    await page.unroute_all(behavior="wait")


async def test_a_lost_connection_is_seen_and_comes_back(stage: Stage, visitor: Visitor) -> None:
    """So is a terminal that leaves; meanwhile nothing can be sent."""
    page = visitor.page
    await visitor.sign_in(stage.link())
    buy, status = page.locator(BUY), page.locator(".status")
    may_come = asyncio.Event()

    async def hold(route: Route) -> None:
        if "get_ws_ticket" in (route.request.post_data or ""):
            await may_come.wait()
        await route.continue_()

    await page.route("**/ui/rpc", hold)
    stage.cut()
    await expect(status).to_have_text(re.compile("Reconnecting|Connecting"), timeout=WITHIN_MS)
    await expect(buy).to_be_disabled(timeout=WITHIN_MS)
    may_come.set()
    await expect(status).to_have_text("Live", timeout=WITHIN_MS)
    await page.unroute_all(behavior="wait")
    token, machine = stage.product.main.token, stage.product.main.machine
    await stage.product.unplug()
    await expect(status).to_have_text("Terminal disconnected", timeout=WITHIN_MS)
    await expect(buy).to_be_disabled(timeout=WITHIN_MS)
    await stage.product.link("main", machine, token=token)
    await expect(status).to_have_text("Live", timeout=WITHIN_MS)
    await expect(buy).to_be_enabled(timeout=WITHIN_MS)


async def test_names_are_text_and_every_view_fits_a_phone(stage: Stage, visitor: Visitor) -> None:
    """A comment of HTML is shown as it is; no view scrolls sideways at 375 pixels."""
    client = await stage.product.http()
    await client.call(
        "place_order", symbol="EURUSD", side="buy", type="market", volume=0.1, comment="<b>x</b>"
    )
    page = visitor.page
    await page.set_viewport_size({"width": 375, "height": 812})
    await visitor.sign_in(stage.link())
    for name in VIEWS:
        await page.get_by_role("link", name=name).click()
        await expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 375, name
    await expect(page.locator(".channels td.symbol", has_text="positions")).to_be_visible()
    await page.get_by_role("link", name="Blotter").click()
    await page.get_by_role("tab", name="Fills").click()
    await expect(page.get_by_text("<b>x</b>").first).to_be_visible(timeout=WITHIN_MS)
    assert await page.locator("td b").count() == 0
    assert await visitor.is_content()


async def test_axe_finds_nothing_in_any_view(
    stage: Stage, visitor: Visitor, node_modules: Path
) -> None:
    """Light and dark; the start page, the sign-in, each view and tab, a question, on a phone."""
    client, page, axe = await stage.product.http(), visitor.page, Axe(node_modules)
    await client.call("place_order", symbol="EURUSD", side="buy", type="market", volume=0.1)
    found = dict[str, list[str]]()
    for path in ("/", "/ui"):
        await page.goto(stage.base + path)
        found[path] = await axe.violations(page)
    await page.goto("about:blank")  # a link that differs in its fragment alone loads nothing
    await visitor.sign_in(stage.link())
    for name in VIEWS:
        await page.get_by_role("link", name=name).click()
        region = page.get_by_role("region", name=name, exact=True)
        await expect(region).to_be_visible()
        found[name] = await axe.violations(page)
        for tab in await region.get_by_role("tab").all():
            await tab.click()
            found[f"{name}, {await tab.inner_text()}"] = await axe.violations(page, dark=False)
    await page.get_by_role("link", name="Chart").click()
    await expect(page.locator(BUY)).to_be_enabled(timeout=WITHIN_MS)
    await page.locator(BUY).click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    found["a question"] = await axe.violations(page)
    await page.keyboard.press("Escape")
    await page.set_viewport_size({"width": 375, "height": 812})
    found["on a phone"] = await axe.violations(page)
    assert {where: problems for where, problems in found.items() if problems} == {}
    assert await visitor.is_content()


HOSTILE = """async (base) => {
    const read = {};
    const tries = {
        cors: () => fetch(base + "/ui/figures", { credentials: "include" }),
        post: () => fetch(base + "/ui/rpc", { method: "POST", credentials: "include",
            headers: { "Content-Type": "application/json", "X-CSRF-Token": "x" }, body: "{}" }),
        simple: () => fetch(base + "/ui/session", { method: "POST", credentials: "include",
            headers: { "Content-Type": "text/plain" }, body: "{}" }),
        script: () => import(base + "/ui/model.mjs"),
        socket: () => new Promise((resolve, reject) => {
            const socket = new WebSocket(base.replace("http", "ws") + "/ui/ws", ["mtg.v1"]);
            socket.onopen = resolve;
            socket.onerror = () => reject(new Error("refused"));
        }),
        frame: () => new Promise((resolve, reject) => {
            const frame = document.createElement("iframe");
            frame.onload = () => {
                try { reject(new Error(frame.contentDocument ? "blank" : "another origin")); }
                catch (error) { reject(error); }
            };
            frame.src = base + "/ui";
            document.body.append(frame);
        }),
    };
    for (const [name, attempt] of Object.entries(tries)) {
        try { await attempt(); read[name] = true; } catch { /* refused */ }
    }
    return Object.keys(read);
}"""


async def test_a_page_of_another_port_can_use_no_session(stage: Stage, visitor: Visitor) -> None:
    """Though the browser sends it the session's cookie, since ports share cookies."""
    await visitor.sign_in(stage.link())
    heard: list[str] = []

    async def give(request: web.Request) -> web.Response:
        heard.append(request.headers.get("Cookie", ""))
        return web.Response(text="<body></body>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/{any:.*}", give)
    runner = web.AppRunner(app)
    await runner.setup()
    (sock, *others) = bind_loopback(0)
    try:
        for each in (sock, *others):
            await web.SockSite(runner, each).start()
        page = await visitor.context.new_page()
        await page.goto(f"http://127.0.0.1:{sock.getsockname()[1]}/ui")
        assert "mtg-live-" in heard[0], "the cookie was not shared: no test of us"
        assert await page.evaluate(HOSTILE, stage.base) == []
        assert ["app.mjs" in await frame.content() for frame in page.frames] == [False, False]
    finally:
        await runner.cleanup()
    await visitor.page.keyboard.press("3")
    await expect(visitor.page.locator(LIVE)).to_have_text("Live", timeout=WITHIN_MS)


FED = """async () => {
    const { Model } = await import("/ui/model.mjs");
    const gateway = new EventTarget();
    Object.assign(gateway, { now: () => 0, subscribe() {}, call: async () => ({}), session: {} });
    const model = new Model(gateway);
    const tell = (channel, data, ts) => gateway.dispatchEvent(
        new CustomEvent("event", { detail: { channel, type: "update", ts, data } }));
    for (let i = 0; i < 20000; i += 1) {
        tell("account", { equity: i, balance: i }, i * 1500);
        tell("deals", { op: "add", deal: { ticket: i } }, i);
        tell("positions", { op: "add", position: { ticket: i } }, i);
        tell("positions", { op: "remove", position: { ticket: i } }, i);
        tell("terminal", { state: i % 2 ? "ready" : "disconnected" }, i);
    }
    return [model.equity, model.deals, model.linkEvents].map((all) => all.length)
        .concat(model.positions.size);
}"""


async def test_what_the_page_keeps_is_bounded(stage: Stage, visitor: Visitor) -> None:
    """However long it stays open."""
    await visitor.page.goto(f"{stage.base}/ui")
    points, deals, links, positions = await visitor.page.evaluate(FED)
    assert points <= 2000
    assert (deals, links, positions) == (300, 200, 0)


FAKED = """async () => {
    const { Model } = await import("/ui/model.mjs");
    const orders = await import("/ui/orders.mjs");
    const { Refused, NoAnswer } = await import("/ui/gateway.mjs");
    const { notes } = await import("/ui/ask.mjs");
    const later = window.setTimeout.bind(window);
    window.setTimeout = (act) => later(act, 0);
    const A = { login: 1, server: "S" }, B = { login: 2, server: "S" };
    let at = 0, rounds = 0;
    const world = { account: A, sent: [], orders, A, B, notes };
    const gateway = Object.assign(new EventTarget(), {
        session: {}, now: () => (at += 60000), subscribe() {},
        call: async (method, params) => {
            if (method === "get_symbol_info")
                return { name: "EURUSD", digits: 5, point: 0.00001, volume_step: 0.01, bid: 1 };
            if (method === "get_account_info") return world.account;
            if (method === "get_order") {
                rounds += 1;
                throw new Refused({ code: 1, message: "none", data: { name: "order_not_found" } });
            }
            world.sent.push(params);
            if (world.isLost) throw new NoAnswer("lost");
            return {};
        },
    });
    world.gateway = gateway;
    world.model = new Model(gateway);
    world.model.account = A;
    world.until = async (isSo) => { while (!isSo()) await new Promise((go) => later(go, 1)); };
    world.rounds = () => rounds;
    world.confirm = () =>
        document.querySelector("dialog.question .actions button:last-child").click();
    window.world = world;
}"""
"""The page's own modules, before a gateway that is made up and a clock that flies."""


async def test_no_record_is_an_end_only_on_the_account_of_the_order(
    stage: Stage, visitor: Visitor
) -> None:
    """The journal looks among the orders of the account that is logged in to now."""
    await visitor.page.goto(f"{stage.base}/ui")
    await visitor.page.evaluate(FAKED)
    outcomes = await visitor.page.evaluate(
        """async () => {
            const w = window.world;
            w.isLost = true;
            w.account = w.B;
            const request = await w.model.trade("place_order", {}, { text: "x" });
            await w.until(() => w.rounds() > 3);
            const elsewhere = request.outcome;
            w.account = w.A;
            await w.until(() => request.outcome !== "unknown");
            const other = await w.model.trade("place_order", {}, { text: "y" });
            w.gateway.session = {};
            const asked = w.rounds();
            await new Promise((resolve) => setTimeout(resolve));
            return [elsewhere, request.outcome, other.outcome, w.rounds() - asked];
        }"""
    )
    assert outcomes == ["unknown", "not_sent", "unknown", 0]


async def test_only_what_was_asked_about_is_sent(stage: Stage, visitor: Visitor) -> None:
    """To the account of the question alone; and of two stops the one that was changed."""
    await visitor.page.goto(f"{stage.base}/ui")
    await visitor.page.evaluate(FAKED)
    sent, told = await visitor.page.evaluate(
        """async () => {
            const w = window.world, { model } = w;
            document.body.append(w.notes);
            const item =
                { ticket: 7, symbol: "EURUSD", type: "buy", volume: 0.1, sl: 1.1, tp: 1.3 };
            await model.symbol("EURUSD");
            const answer = async (asking, change) => {
                await w.until(() => document.querySelector("dialog[open]"));
                change(document.querySelectorAll("dialog input"));
                w.confirm();
                return asking;
            };
            await answer(w.orders.changeStops(model, item), ([, tp]) => { tp.value = "1.40000"; });
            await answer(w.orders.changeStops(model, item), ([sl]) => { sl.value = ""; });
            await answer(w.orders.changeStops(model, item), () => {});
            const sent = w.sent.map(({ client_order_id, deadline_ms, ...given }) => given);
            w.sent.length = 0;
            await answer(w.orders.changeStops(model, item), ([sl]) => {
                sl.value = "1.20000"; model.account = w.B; });
            await answer(w.orders.closePosition(model, item), () => { model.account = w.A; });
            const notes = [...w.notes.querySelectorAll(".bad")].map((note) => note.textContent);
            return [sent.concat(w.sent), notes.at(-1) ?? ""];
        }"""
    )
    position = {"ticket": 7, "target": "position"}
    assert sent == [{**position, "tp": 1.4}, {**position, "sl": None}]
    assert "1 at S" in told or "2 at S" in told


async def test_a_new_session_finds_nothing_of_the_one_before(
    stage: Stage, visitor: Visitor
) -> None:
    """The page is loaded anew: what it holds may be another terminal's."""
    page = visitor.page
    await visitor.sign_in(stage.link())
    await page.evaluate("window.isOld = true")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("Token").fill(stage.product.main.token)
    await page.keyboard.press("Enter")
    await expect(page.locator(LIVE)).to_have_text("Live", timeout=WITHIN_MS)
    assert await page.evaluate("window.isOld") is None


MESSAGES = 60_000
"""Twenty minutes at fifty a second."""
READ_EVERY = 1_500
GROWTH_BYTES = 1_500_000
"""Between the least of the first readings and that of the last: 25 bytes a message."""


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_the_page_stays_small_for_twenty_minutes(stage: Stage, visitor: Visitor) -> None:
    """Under its strict policy, at fifty messages a second: its heap does not grow."""
    fast = await stage.product.link("fast", build_terminal(seed=5, speed=5.0))
    heard, more = 0, asyncio.Event()

    def count(_: str | bytes) -> None:
        nonlocal heard
        heard += 1
        if heard % READ_EVERY == 0:
            more.set()

    visitor.page.on("websocket", lambda socket: socket.on("framereceived", count))
    await visitor.sign_in(stage.product.gateway.sign_in_link(fast.token, 600))
    devtools = await visitor.context.new_cdp_session(visitor.page)
    sizes, begin_s = list[int](), asyncio.get_running_loop().time()
    while heard < MESSAGES:
        await more.wait()
        more.clear()
        # garbage of a message on its way is no growth
        await devtools.send("HeapProfiler.collectGarbage")
        sizes.append((await devtools.send("Runtime.getHeapUsage"))["usedSize"])
    took_s = asyncio.get_running_loop().time() - begin_s
    print(f"{heard} messages in {took_s:.0f} s; heap {[size // 1000 for size in sizes]} KB")
    assert min(sizes[-10:]) - min(sizes[2:12]) < GROWTH_BYTES, sizes
    await expect(visitor.page.locator(LIVE)).to_have_text("Live", timeout=WITHIN_MS)
    assert await visitor.is_content()
