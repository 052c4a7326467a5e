"""The doors of the live page over HTTP: who is let in, and what every answer carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from commands import run
from product import Product, daemon

from ea_bridge.emulator.factory import build_terminal
from gateway.http.messages import read_body
from gateway.live_page.api import STATIC
from gateway.live_page.sessions import MAX_CODES

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("page_doors")]

LISTED = "http://127.0.0.1:9999"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ORDER = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "place_order",
    "params": {"symbol": "EURUSD", "side": "buy", "type": "market", "volume": 0.1},
}


@dataclass
class Doors:
    """A gateway, and a client that sends exactly what it is told."""

    product: Product
    http: aiohttp.ClientSession

    @property
    def base(self) -> str:
        """The gateway's URL, and its own origin."""
        return (self.product.ready.rpc or "").removesuffix("/rpc")

    @asynccontextmanager
    async def ask(
        self, method: str, path: str, headers: dict[str, str], body: Any = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request, from the page's own origin unless the headers say otherwise."""
        given = {"Origin": self.base} if method != "GET" else {}
        sent = {name: value for name, value in (given | headers).items() if value}
        async with self.http.request(method, self.base + path, headers=sent, json=body) as answer:
            yield answer

    async def sign_in(self, **wanted: Any) -> dict[str, str]:
        """Return the headers of a new session."""
        token = {} if "code" in wanted else {"Authorization": f"Bearer {self.token}"}
        async with self.ask("POST", "/ui/session", token, wanted) as answer:
            assert answer.status == 200
            (cookie,) = answer.headers.getall("Set-Cookie")
            assert {"HttpOnly", "SameSite=Strict", "Path=/ui"} <= set(cookie.split("; "))
            return {
                "Cookie": cookie.partition(";")[0],
                "X-CSRF-Token": (await answer.json())["csrf"],
            }

    async def open_socket(self, session: dict[str, str]) -> aiohttp.ClientWebSocketResponse:
        """Open ``/ui/ws`` with a ticket of a session."""
        ask = PING | {"method": "get_ws_ticket"}
        async with self.ask("POST", "/ui/rpc", session, ask) as answer:
            ticket = (await answer.json())["result"]["subprotocol"]
        return await self.http.ws_connect(
            f"{self.base}/ui/ws", headers={"Origin": self.base}, protocols=["mtg.v1", ticket]
        )

    @property
    def token(self) -> str:
        """Of the terminal."""
        return self.product.main.token


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def doors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doors]:
    """Everything, once for all tests here."""
    jar = aiohttp.DummyCookieJar()
    async with (
        daemon(tmp_path_factory.mktemp("doors"), origins=[LISTED]) as product,
        aiohttp.ClientSession(cookie_jar=jar) as http,
    ):
        await product.link("main", build_terminal())
        yield Doors(product, http)


async def test_every_file_carries_the_policy(doors: Doors) -> None:
    """And none is missing from the package."""
    names = sorted(path.name for path in STATIC.iterdir())
    assert {"page.html", "start.html", "app.mjs", "page.css"} <= set(names)
    for path in ("/", "/ui", *(f"/ui/{name}" for name in names)):
        async with doors.ask("GET", path, {}) as answer:
            assert answer.status == 200, path
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "http://" not in (await answer.text()).replace("http://www.w3.org", "")
    for path in ("/ui/", "/ui/../api.py", "/ui/%2e%2e/api.py", "/ui/nothing.mjs"):
        async with doors.ask("GET", path, {}) as answer:
            assert answer.status == 404, path


FOREIGN = {
    "another port": {"Origin": "http://127.0.0.1:1"},
    "a listed origin": {"Origin": LISTED},
    "another name of ours": {"Origin": "http://localhost:{port}"},
    "another scheme": {"Origin": "https://127.0.0.1:{port}"},
    "no origin": {"Origin": ""},
    "null": {"Origin": "null"},
    "another site": {"Origin": "", "Sec-Fetch-Site": "cross-site"},
    "a rebound name": {"Host": "evil.test:{port}", "Origin": "http://evil.test:{port}"},
}


@pytest.mark.parametrize("which", FOREIGN)
async def test_only_the_page_itself_may_call(doors: Doors, which: str) -> None:
    """Though the caller knows both secrets of a session, or the token."""
    port = str(doors.product.gateway._web.port)
    foreign = {name: value.format(port=port) for name, value in FOREIGN[which].items()}
    session = await doors.sign_in(trade=True)
    bearer = {"Authorization": f"Bearer {doors.token}"}
    for method, path, headers, body in (
        ("POST", "/ui/rpc", session, ORDER),
        ("POST", "/ui/session", bearer, {"trade": True}),
        ("DELETE", "/ui/session", session, None),
    ):
        async with doors.ask(method, path, headers | foreign, body) as answer:
            assert answer.status in (403, 421), path
            assert "Set-Cookie" not in answer.headers
    async with doors.ask(
        "GET", "/ui/figures", session | {"Sec-Fetch-Site": "same-site"}
    ) as answer:
        assert answer.status == 403
    client = await doors.product.http()
    assert await client.call("get_positions") == []
    async with doors.ask("POST", "/ui/rpc", session, PING) as answer:
        assert answer.status == 200, "the session was ended by a stranger"


async def test_half_a_session_is_none(doors: Doors) -> None:
    """The cookie without the value, the value without the cookie, the token without either."""
    session = await doors.sign_in(trade=True)
    for headers in (
        {"Cookie": session["Cookie"]},
        {"X-CSRF-Token": session["X-CSRF-Token"]},
        {"Authorization": f"Bearer {doors.token}"},
        session | {"X-CSRF-Token": "0" * 43},
        {},
    ):
        for method, path, body in (("POST", "/ui/rpc", PING), ("GET", "/ui/figures", None)):
            async with doors.ask(method, path, headers, body) as answer:
                assert answer.status == 401, (path, headers)


async def test_a_session_that_only_reads_trades_nothing(doors: Doors) -> None:
    """Whatever its token may; a code for reading gives no more, whatever is asked for."""
    bearer = {"Authorization": f"Bearer {doors.token}", "Origin": ""}
    async with doors.ask("POST", "/ui/codes", bearer, {"trade": False}) as answer:
        code = (await answer.json())["code"]
    for session in (await doors.sign_in(), await doors.sign_in(code=code, trade=True)):
        async with doors.ask("POST", "/ui/rpc", session, ORDER) as answer:
            assert (await answer.json())["error"]["data"]["name"] == "forbidden"
        async with doors.ask("POST", "/ui/rpc", session, PING) as answer:
            assert "result" in await answer.json()
    async with doors.ask("POST", "/ui/session", {}, {"code": code}) as answer:
        assert answer.status == 401, "a code works once"


async def test_no_page_may_ask_for_a_code(doors: Doors) -> None:
    """Not even our own, and nobody without the token."""
    bearer = {"Authorization": f"Bearer {doors.token}"}
    for headers, status in (
        (bearer | {"Origin": doors.base}, 403),
        (bearer | {"Origin": LISTED}, 403),
        ({"Origin": ""}, 401),
        ({"Origin": "", "Authorization": "Bearer mgt_wrong"}, 401),
    ):
        async with doors.ask("POST", "/ui/codes", headers, {"trade": True}) as answer:
            assert answer.status == status, headers


async def test_the_command_prints_a_link_that_signs_in_once(doors: Doors) -> None:
    """For reading, unless it was asked to trade; a wrong token gets none."""
    words = ("ui", "--print", "--url", doors.base)
    for more, may_trade in (((), False), (("--trade",), True)):
        done = await asyncio.to_thread(run, *words, *more, MT_GATEWAY_TOKEN=doors.token)
        address, code = done.stdout.strip().split("#code=")
        assert address == f"{doors.base}/ui"
        async with doors.ask("POST", "/ui/session", {}, {"code": code, "trade": True}) as answer:
            assert (await answer.json())["trade"] is may_trade
        async with doors.ask("POST", "/ui/session", {}, {"code": code}) as answer:
            assert answer.status == 401
    refused = await asyncio.to_thread(run, *words, MT_GATEWAY_TOKEN="mgt_wrong")
    assert (refused.returncode, refused.stdout) == (1, "")


@pytest.mark.parametrize("body", ["[]", '{"trade": 1}', '{"more": true}', "x" * 2000])
async def test_a_body_that_is_none_is_refused(doors: Doors, body: str) -> None:
    """Before anybody is signed in."""
    headers = {"Origin": doors.base, "Content-Type": "application/json"}
    url = f"{doors.base}/ui/session"
    async with doors.http.post(url, headers=headers, data=body) as answer:
        assert answer.status in (400, 413)
        assert "Set-Cookie" not in answer.headers


async def test_dead_cookies_are_taken_back(doors: Doors) -> None:
    """Of this port alone: a browser would send all of them for half a day."""
    dead = await doors.sign_in()
    async with doors.ask("DELETE", "/ui/session", dead) as answer:
        assert answer.status == 204
        assert "Max-Age=0" in answer.headers["Set-Cookie"]
    bearer = {"Authorization": f"Bearer {doors.token}"}
    cookies = {"Cookie": f"{dead['Cookie']}; mtg-live-1-abc=x; other=y"}
    async with doors.ask("POST", "/ui/session", bearer | cookies, {}) as answer:
        given = answer.headers.getall("Set-Cookie")
        gone = [cookie for cookie in given if "Max-Age=0" in cookie]
        assert len(gone) == 1
        assert len(given) == 2


async def test_a_page_holds_up_no_timer_of_a_program(doors: Doors) -> None:
    """A call of the program with the same token does."""
    program = await doors.product.http()
    await program.call("cancel_all_after", timeout_ms=60_000)
    [(_, timer)] = doors.product.gateway.trading.kill_switch.dead_man._timers.values()
    begun_s = timer._due_s
    session = await doors.sign_in(trade=True)
    for ask in (PING, PING | {"method": "get_positions"}):
        async with doors.ask("POST", "/ui/rpc", session, ask) as answer:
            assert "result" in await answer.json()
    assert timer._due_s == begun_s
    socket = await doors.open_socket(session)
    await socket.send_json(PING)
    while (await socket.receive_json(timeout=30)).get("id") != PING["id"]:
        pass
    await socket.close()
    assert timer._due_s == begun_s
    await program.call("ping")
    assert timer._due_s > begun_s
    await program.call("cancel_all_after", timeout_ms=0)


async def test_signing_out_ends_a_handshake_that_is_under_way(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ticket is taken, and its connection is not counted yet."""
    session = await doors.sign_in()
    prepare = web.WebSocketResponse.prepare

    async def sign_out_first(
        self: web.WebSocketResponse, request: web.BaseRequest
    ) -> AbstractStreamWriter | None:
        async with doors.ask("DELETE", "/ui/session", session) as answer:
            assert answer.status == 204
        return await prepare(self, request)

    monkeypatch.setattr(web.WebSocketResponse, "prepare", sign_out_first)
    socket = await doors.open_socket(session)
    message = await socket.receive(timeout=30)
    assert (message.type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 4506)
    assert message.extra == "signed_out"


async def test_a_call_whose_session_ends_while_it_comes_gets_no_ticket(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would withdraw it any more."""
    session = await doors.sign_in()

    async def sign_out_first(request: web.BaseRequest, most: int) -> bytes:
        monkeypatch.undo()
        async with doors.ask("DELETE", "/ui/session", session) as answer:
            assert answer.status == 204
        return await read_body(request, most)

    monkeypatch.setattr("gateway.rpc.requests.read_body", sign_out_first)
    ask = PING | {"method": "get_ws_ticket"}
    async with doors.ask("POST", "/ui/rpc", session, ask) as answer:
        assert answer.status == 401


async def test_too_many_codes_are_told_as_such(doors: Doors) -> None:
    """With the time after which there is room again."""
    sessions = doors.product.gateway._sessions
    bearer = {"Authorization": f"Bearer {doors.token}", "Origin": ""}
    try:
        for _ in range(MAX_CODES + 1):
            async with doors.ask("POST", "/ui/codes", bearer, {}) as answer:
                status, told = answer.status, await answer.json()
        assert status == 503
        assert answer.headers["Retry-After"] == "60"
        assert told["error"]["data"]["name"] == "overloaded"
    finally:
        sessions._codes.clear()
