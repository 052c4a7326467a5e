"""A console with the people who use it, and daemons that take their tokens from it.

Everything is real: two databases on disk, signed requests over HTTP, a person who signs in, makes
tokens and approves machines by the console's JSON API. Both sides run in the test's process;
``test_kills.py`` has them in processes of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import aiohttp
from product import TIMEOUT_S, Product, Running

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.protocol.messages import Pending
from ea_bridge.token import parse_token
from gateway.app import Gateway
from gateway.auth.console_clock import Clocks
from gateway.config import Config, ConsoleServer, Secrets
from gateway.console.daemon_api import authentication, routes
from gateway.console.server import PageServer
from gateway.console.service import Console, Costs, open_console
from gateway.console.settings import ConsoleSettings
from gateway.console_link import LinkTimings, Uplink
from gateway.credentials.keyset import root_text
from gateway.credentials.passwords import Cost
from gateway.home.home import Home

PASSWORD = "correct horse battery staple"
CHEAP = Costs(passwords=Cost(8, 1, 1), codes=Cost(8, 1, 1))
"""Guessing is nobody's aim here."""
QUICK = LinkTimings(
    poll_s=0.3,
    retry_s=0.1,
    max_retry_s=0.5,
    gap_s=0.02,
    history_s=0.05,
    summary_s=0.2,
    summary_again_s=1.0,
    reopen_s=0.05,
    max_reopen_s=0.3,
)
"""What takes a daemon half a minute, in less than a second."""
BOUNDS_OF_PACE = (
    (authentication, "BURST_OF_DEVICE"),
    (authentication, "BURST_OF_ADDRESS"),
    (routes, "BURST_OF_CONTACTS"),
)
MUCH = 100_000
"""Calls at once: daemons that ask a hundred times as often as real ones may do so."""
HEARTBEAT_S = 1
"""The shortest that a console's settings allow."""

Json = dict[str, Any]


class Forbidden(Exception):
    """The console said no."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


@dataclass
class Person:
    """Somebody who is signed in, in a browser without a window."""

    url: str
    http: aiohttp.ClientSession = field(repr=False)
    email: str
    cookies: dict[str, str] = field(default_factory=dict, repr=False)
    csrf: str = field(default="", repr=False)

    async def ask(self, method: str, path: str, body: object = None) -> Json:
        """Call the console's API; gives the password again where that is needed.

        Raises:
            Forbidden: it says no.

        """
        headers = {
            "Origin": self.url,
            "Sec-Fetch-Site": "same-origin",
            "Mgs-Csrf": self.csrf,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        more: Json = {} if body is None else {"json": body}
        url = f"{self.url}/api/v1{path}"
        async with self.http.request(method, url, headers=headers, **more) as answer:
            said: Json = await answer.json()
            for name, morsel in answer.cookies.items():
                self.cookies[name] = morsel.value
        if said.get("error") == "step_up_needed":
            await self.step_up()
            return await self.ask(method, path, body)
        if answer.status >= 400:
            raise Forbidden(answer.status, said)
        self.csrf = said.get("csrf", self.csrf)
        return said

    async def sign_in(self) -> Self:
        """Sign in."""
        await self.ask("POST", "/session", {"email": self.email, "password": PASSWORD})
        return self

    async def step_up(self) -> None:
        """Give the password again."""
        await self.ask("POST", "/me/step-up", {"password": PASSWORD})

    async def make_token(self, name: str, **more: Any) -> str:
        """Make a token, as the page does; return its text."""
        made = await self.ask("POST", "/tokens", {"name": name, **more})
        return str(made["auth_token"])

    async def revoke(self, token: str) -> Json:
        """Click on "Revoke"."""
        return await self.ask("POST", f"/tokens/{parse_token(token)}/revoke")

    async def terminals_of(self, token: str) -> list[Json]:
        """What the console shows of a token's terminals."""
        said = await self.ask("GET", f"/tokens/{parse_token(token)}/terminals")
        return list(said["terminals"])

    async def stopped(self, token: str) -> Json:
        """Wait until the console shows that a token's terminal has stopped, confirmed."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                for one in await self.terminals_of(token):
                    if one["state"] == "stopped" and one["stopped_at_ms"] is not None:
                        return one
                await asyncio.sleep(0.02)

    async def approve(self, token: str, user_code: str) -> None:
        """Approve the machine that a token's terminal waits on."""
        said = await self.ask("GET", "/approvals")
        [rid] = [one["rid"] for one in said["approvals"] if one["tid"] == parse_token(token)]
        await self.ask("POST", f"/approvals/{rid}/approve", {"user_code": user_code})


@dataclass
class Site:
    """A console that serves."""

    console: Console
    server: PageServer
    url: str
    """Where people find it; daemons may be sent through something in between."""
    root: str
    http: aiohttp.ClientSession = field(repr=False)

    async def person(self, name: str = "ann", *, admin: bool = False) -> Person:
        """Make an account and sign in with it."""
        email = f"{name}@example.com"
        await self.console.users.create(email, name, PASSWORD, admin=admin)
        return await Person(self.url, self.http, email).sign_in()

    async def events(self, did: str) -> int:
        """The number of a machine's newest event."""
        return await self.console.events.last(did)


@dataclass
class Linked(Product):
    """A daemon of a console, and what is linked to it."""

    @property
    def uplink(self) -> Uplink:
        """The link to the console."""
        assert self.gateway.uplink is not None
        return self.gateway.uplink

    async def terminal(
        self,
        owner: Person,
        name: str = "main",
        machine: EmulatedTerminal | None = None,
        *,
        token: str = "",
    ) -> Running:
        """Plug in a terminal with a token of its owner, who approves this machine if asked."""
        token = token or await owner.make_token(name)
        asked: asyncio.Queue[Pending] = asyncio.Queue()
        linking = asyncio.create_task(
            self.link(name, machine or build_terminal(), token=token, on_pending=asked.put_nowait)
        )
        asking = asyncio.create_task(asked.get())
        try:
            await asyncio.wait((linking, asking), return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                await owner.approve(token, asking.result().user_code)
            return await linking
        finally:
            asking.cancel()


@asynccontextmanager
async def site(
    folder: Path,
    *,
    now_s: Callable[[], int] = lambda: int(time.time()),
    port: int = 0,
    public_url: str = "",
    heartbeat_s: int = HEARTBEAT_S,
) -> AsyncIterator[Site]:
    """Run a console in a folder; what was there is there again."""
    settings = ConsoleSettings(
        console_server=ConsoleServer(port=port, public_url=public_url),
        secrets=Secrets(store="file"),
        heartbeat_s=heartbeat_s,
    )
    async with AsyncExitStack() as stack:
        for module, name in BOUNDS_OF_PACE:
            stack.enter_context(patch.object(module, name, MUCH))
        console = await stack.enter_async_context(
            open_console(folder, settings, now_s, costs=CHEAP)
        )
        server = await stack.enter_async_context(PageServer(console))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        url = f"http://127.0.0.1:{server.port}"
        yield Site(console, server, url, root_text(await console.signing.root()), http)


@asynccontextmanager
async def linked(
    folder: Path,
    url: str,
    *,
    root: str = "",
    limits: Mapping[str, int] | None = None,
    offline_mode: str = "tiered",
    clocks: Clocks | None = None,
    pace: LinkTimings = QUICK,
    manager: str = "",
    accept_alerts: bool = False,
    manage_accounts: bool = False,
) -> AsyncIterator[Linked]:
    """Run a daemon in a folder that takes its tokens from a console."""
    config = Config.model_validate(
        {
            "api": {"port": 0},
            "bridge": {"port": 0},
            "limits": dict(limits or {}),
            "trading": {"orders_per_second": "none"},
            "manager": {"peer": manager},
            "console": {
                "url": url,
                "root": root,
                "offline_mode": offline_mode,
                "accept_alerts": accept_alerts,
                "manage_accounts": manage_accounts,
            },
        }
    )
    with Home(folder) as home:
        gateway = Gateway(home, config, clocks=clocks, pace=pace)
        async with gateway.run() as ready, Linked(ready, gateway, home) as daemon:
            yield daemon
