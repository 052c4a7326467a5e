"""What the tests of the pages share: a browser without a window, a terminal that knocks."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from html import unescape
from typing import Any

import aiohttp
from console_fixtures import IP, PASSWORD, Machine

from ea_bridge.protocol.handshake import auth_message, client_proof
from ea_bridge.token import parse_token
from gateway.console.database.model import Session
from gateway.console.ids import secret_hash
from gateway.console.pages.context import PASSWORD_FIELD
from gateway.console.server import PageServer
from gateway.console.service import Console
from gateway.console.web.request_context import SESSION_COOKIE
from gateway.credentials.daemon_api import ApprovalVerdict, Contact, TerminalDescription
from gateway.credentials.keyset import public_text

_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
_TOKEN = re.compile(r"mgt_[0-9A-Za-z]{50}")


@dataclass
class Page:
    """An answer that was read whole."""

    status: int
    headers: Any
    text: str

    @property
    def csrf(self) -> str:
        """The token that the page's forms carry."""
        found = _CSRF.search(self.text)
        assert found is not None, "the page has no form"
        return found[1]

    @property
    def words(self) -> str:
        """What a person reads."""
        body = re.sub(r"<(script|style|title)\b.*?</\1>", " ", self.text, flags=re.S)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())

    @property
    def location(self) -> str:
        """Where it sends on."""
        return str(self.headers["Location"])

    @property
    def token(self) -> str:
        """The token that the page shows."""
        found = _TOKEN.search(self.text)
        assert found is not None, "the page shows no token"
        return found[0]


@dataclass
class PageClient:
    """A browser without a window: it keeps cookies, and says where it comes from."""

    url: str
    http: aiohttp.ClientSession = field(repr=False)
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""
    """Of the last page with a form."""
    password: str = field(default="", repr=False)
    """That is given again wherever the console asks for it; empty: nobody answers."""

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str | None] | None = None, **more: Any
    ) -> Page:
        """Send a request; a header of ``None`` is left out."""
        sent: dict[str, str | None] = {"Sec-Fetch-Site": "same-origin"}
        if method not in ("GET", "HEAD"):
            sent["Origin"] = self.url
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent |= headers or {}
        async with self.http.request(
            method,
            self.url + path,
            headers={name: value for name, value in sent.items() if value is not None},
            allow_redirects=False,
            **more,
        ) as answer:
            page = Page(answer.status, answer.headers, await answer.text())
            for name, morsel in answer.cookies.items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        if _CSRF.search(page.text):
            self.csrf = page.csrf
        return page

    async def get(self, path: str, **headers: str | None) -> Page:
        """Open a page."""
        return await self.ask("GET", path, _dashed(headers))

    async def post(self, path: str, form: dict[str, str] | None = None, **headers: Any) -> Page:
        """Send a form from our own page."""
        sent = {"csrf": self.csrf, **(form or {})}
        page = await self.ask("POST", path, _dashed(headers), data=sent)
        if not self.password or PASSWORD_FIELD in sent or PASSWORD_FIELD not in page.text:
            return page
        again = {**sent, "csrf": self.csrf, PASSWORD_FIELD: self.password}
        page = await self.ask("POST", path, _dashed(headers), data=again)
        if page.status == 303:
            await self.get("/account")  # the session has a new secret, so forms a new token
        return page

    async def api(self, method: str, path: str, body: object = None, **headers: Any) -> Page:
        """Call the API as our own script would."""
        more = {} if body is None else {"json": body}
        sent = {"Mgs-Csrf": self.csrf, **_dashed(headers)}
        page = await self.ask(method, f"/api/v1{path}", sent, **more)
        if not self.password or page.status != 403 or "step_up_needed" not in page.text:
            return page
        me = await self.api("POST", "/me/step-up", {"password": self.password})
        self.csrf = json.loads(me.text)["csrf"]
        return await self.ask(method, f"/api/v1{path}", {**sent, "Mgs-Csrf": self.csrf}, **more)

    async def sign_in(self, email: str = "ann@example.com", password: str = PASSWORD) -> Page:
        """Sign in through the form."""
        await self.get("/sign-in")
        page = await self.post("/sign-in", {"email": email, "password": password})
        assert page.status == 303, page.words
        await self.get("/account")  # for the token of the new session
        self.password = password
        return page


def _dashed(headers: dict[str, str | None]) -> dict[str, str | None]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def new_client(server: PageServer, http: aiohttp.ClientSession) -> PageClient:
    """Return a browser that has not been anywhere."""
    return PageClient(server.url, http)


def at_localhost(client: PageClient) -> PageClient:
    """Return the same browser at a name of the console; passkeys need one."""
    url = client.url.replace("127.0.0.1", "localhost")
    return PageClient(url, client.http, client.cookies, password=client.password)


def question(page: Page) -> tuple[dict[str, str], str]:
    """Return the hidden field of a page's passkey question, and what the browser is asked for."""
    pending = re.search(r'name="pending" value="([\w-]{43})"', page.text)
    options = re.search(r'data-options="([^"]+)"', page.text)
    assert pending is not None, page.words
    assert options is not None, page.words
    return {"pending": pending[1]}, unescape(options[1])


async def knock(
    console: Console, token: str, machine: Machine, *, login: int = 5_012_345
) -> ApprovalVerdict:
    """Have a terminal dial in with a token on a machine, as its daemon relays it."""
    tid, cnonce, snonce = parse_token(token), secrets.token_bytes(32), secrets.token_bytes(32)
    facts = TerminalDescription(
        platform="mt5", login=login, server="MetaQuotes-Demo", company="MetaQuotes", fp="ab" * 32
    )
    body = Contact(
        pub=public_text(machine.key.public_key()),
        os="Windows 11",
        hostname=machine.name,
        version="0.1.0",
        tid=tid,
        terminal=facts,
        cnonce=cnonce.hex(),
        snonce=snonce.hex(),
    )
    answer = await console.approvals.contact(machine.did, body, IP)
    proof = client_proof(token, auth_message(tid, cnonce, snonce, machine.did))
    return await console.approvals.prove(machine.did, answer.eid, proof.hex())


async def as_over_https(console: Console, client: PageClient) -> None:
    """Have a session be as if it had begun over https just now; nobody gives a password again."""
    async with console.db.begin() as session:
        row = await session.get_one(Session, secret_hash(client.cookies[SESSION_COOKIE]))
        row.https, row.step_up_at = True, console.now_s()
    client.password = ""


async def mailed_path(console: Console, page: str) -> str:
    """Return the path of the link to a page, such as ``/reset/``, once a mail with it is there.

    The console's own worker carries the mails; it tells nobody when it has.
    """
    async with asyncio.timeout(60):
        while True:
            links = [link.removeprefix(console.url()) for link in _links(console)]
            for path in reversed(links):
                if path.startswith(page):
                    return path
            await asyncio.sleep(0.02)


def mailed_text(console: Console, path: str) -> str:
    """Return the plain text of the mail with a link, as :func:`mailed_path` has found it."""
    return next(text for text in _texts(console) if f"{console.url()}{path}" in text)


def _links(console: Console) -> list[str]:
    return [link for text in _texts(console) for link in re.findall(r"http://\S+", text)]


def _texts(console: Console) -> list[str]:
    texts = []
    for file in sorted((console.home / "outbox").glob("*.eml")):
        mail = message_from_bytes(file.read_bytes(), policy=default)
        body = mail.get_body(("plain",))
        assert body is not None
        texts.append(body.get_content())
    return texts
