"""A console, machines with daemons and terminals, a mail server: each a process or on sockets of
its own, as people have them.
"""

from __future__ import annotations

import asyncio
import html
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from commands import run
from mail_servers import PASSWORD, USERNAME, Certificate, Mailbox, certificate, mail_server
from product import HttpClient, WsClient, open_http, open_ws
from programs import WAIT_S, Program, program

SHOWN = r"Its code is (\S+); type it on (http\S+)"
"""What a terminal that waits tells the person before it."""
FAST = ("--speed", "20")
"""For who waits for ticks; all others leave the processor alone."""


@dataclass
class Post(Mailbox):
    """A mail server's box that tells when something has come."""

    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail."""
        answer = await super().handle_DATA(server, session, envelope)
        async with self.came:
            self.came.notify_all()
        return answer

    def about(self, subject: str, to: str = "") -> list[Mail]:
        """Return the mails that have come, the oldest first."""
        return [
            Mail(mail)
            for mail, recipients in zip(self.mails, self.recipients, strict=True)
            if subject in mail["Subject"] and (not to or to in recipients)
        ]

    async def mail(self, subject: str, to: str = "", *, after: int = 0) -> Mail:
        """Wait for a mail about something; ``after`` so many older ones."""
        async with asyncio.timeout(WAIT_S), self.came:
            while len(found := self.about(subject, to)) <= after:
                await self.came.wait()
        return found[after]


@dataclass(frozen=True)
class Mail:
    """A mail as a person reads it."""

    message: EmailMessage

    @property
    def text(self) -> str:
        """The plain text."""
        return self._body("plain")

    @property
    def page(self) -> str:
        """The HTML."""
        return self._body("html")

    @property
    def code(self) -> str:
        """The 8 digits of the code path."""
        found = re.search(r"mt-gateway verify (\S+)", self.text)
        assert found is not None, self.text
        return found[1]

    def link(self, label: str) -> str:
        """Return where a button leads."""
        found = re.search(rf'href="([^"]+)"[^>]*>\s*{label}', self.page)
        assert found is not None, self.page
        return html.unescape(found[1])

    def _body(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert body is not None
        text: str = body.get_content()
        return text


@dataclass
class Machine:
    """A trader's machine with a daemon of its own."""

    town: Town
    name: str
    ports: tuple[int, int] = (0, 0)
    daemon: Program | None = None
    ready: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Of the daemon."""
        return self.town.folder / self.name

    @property
    def config(self) -> Path:
        """Of the daemon."""
        return self.town.folder / f"{self.name}.toml"

    @property
    def words(self) -> str:
        """What the daemon says to tell this machine from others by."""
        return str(self.ready["device"])

    async def start(self) -> None:
        """Start the daemon; again on the same ports."""
        api, bridge = self.ports
        self.config.write_text(
            f"[api]\nport = {api}\n[bridge]\nport = {bridge}\n"
            '[secrets]\nstore = "file"\n'
            f'[console]\nurl = "{self.town.url}"\nroot = "{self.town.root}"\n'
        )
        arguments = ("serve", "-v", "--config", str(self.config), "--home", str(self.home))
        self.daemon = await self.town.run(*arguments)
        self.ready = await self.daemon.ready()
        self.ports = (_port(self.ready["rpc"].removesuffix("/rpc")), _port(self.ready["bridge"]))

    async def terminal(self, token: str, *options: str) -> Program:
        """Start MetaTrader with a token in its EA; it need not get in."""
        bridge = ("--bridge", self.ready["bridge"], "--auth-token", token)
        return await self.town.run("emulator", "-v", *bridge, *options)

    async def leave(self, *terminals: Program) -> None:
        """Switch the machine off, and the terminals on it: others need the processor."""
        assert self.daemon is not None
        await asyncio.gather(*(one.kill() for one in (self.daemon, *terminals)))

    async def verify(self, code: str) -> tuple[int, str]:
        """Type the mail's command on the machine; return exit code, and what it says.

        The running gateway knows its console: beside the home nothing has to be named.
        """
        done = await asyncio.to_thread(run, "verify", code, "--home", str(self.home))
        return done.returncode, done.stdout + done.stderr

    async def rpc(self, token: str) -> HttpClient:
        """Open a client of ``/rpc``."""
        return await self.town.stack.enter_async_context(open_http(self.ready["rpc"], token))

    async def refusal(self, token: str) -> tuple[int, str]:
        """Return code and reason with which a call is refused."""
        answer = await self._ask(token)
        assert "result" not in answer
        return answer["error"]["code"], answer["error"]["data"]["reason"]

    async def calls_again(self, token: str) -> None:
        """Wait until calls are answered: the terminal dials again by itself."""
        async with asyncio.timeout(WAIT_S):
            while "result" not in await self._ask(token):  # noqa: ASYNC110 (nobody tells of it)
                await asyncio.sleep(0.1)

    async def _ask(self, token: str) -> Any:
        async with open_http(self.ready["rpc"], token) as client:
            return await client.send({"jsonrpc": "2.0", "id": 1, "method": "get_account_info"})

    async def ws(self, token: str) -> WsClient:
        """Open a client of ``/ws``."""
        client = await open_ws(self.ready["ws"], token)
        self.town.stack.push_async_callback(client.close)
        return client


async def asked(terminal: Program) -> str:
    """Return the code that a terminal shows while it waits."""
    return (await terminal.said(SHOWN))[1]


@dataclass
class Town:
    """All of it."""

    folder: Path
    post: Post
    mail_port: int
    trusted: Certificate
    stack: AsyncExitStack
    console: Program | None = None
    port: int = 0
    url: str = ""
    root: str = ""
    setup_url: str = ""
    programs: list[Program] = field(default_factory=list)
    """All commands that were run."""

    async def run(self, *arguments: str, **environment: str) -> Program:
        """Run a command until the end of the town at the latest; then its log is a file."""
        one = await self.stack.enter_async_context(program(*arguments, **environment))
        self.programs.append(one)
        log = self.folder / f"{len(self.programs)} {arguments[0]}.log"
        self.stack.callback(lambda: log.write_text(one.log))
        return one

    async def start_console(self) -> None:
        """Start the console; again on the same port. It trusts the mail server's certificate."""
        config = self.folder / "console.toml"
        (self.folder / "mail.password").write_text(PASSWORD + "\n")
        config.write_text(
            '[secrets]\nstore = "file"\n'
            f'[smtp]\nmode = "smtp"\nhost = "127.0.0.1"\nport = {self.mail_port}\n'
            f'tls = "starttls"\nusername = "{USERNAME}"\n'
            f'password_file = "{self.folder / "mail.password"}"\n'
        )
        self.console = await self.run(
            *("console", "--config", str(config), "--home", str(self.folder / "console")),
            *("--port", str(self.port)),
            SSL_CERT_FILE=str(self.trusted.pem),
        )
        ready = await self.console.ready()
        self.url, self.root = ready["console"], ready["root"]
        self.setup_url = ready.get("setup_url", "")
        self.port = _port(self.url)

    async def machine(self, name: str) -> Machine:
        """Set up a machine whose daemon runs."""
        one = Machine(self, name)
        await one.start()
        return one


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    """A console that runs, with a mail server that speaks TLS alone."""
    assert ssl.get_default_verify_paths().openssl_cafile_env == "SSL_CERT_FILE"
    post, trusted = Post(), certificate(folder)
    async with mail_server(post, trusted) as port, AsyncExitStack() as stack:
        one = Town(folder, post, port, trusted, stack)
        await one.start_console()
        yield one
        for each in one.programs:
            assert "Traceback" not in each.log, each.log


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
