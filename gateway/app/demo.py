"""The demo: console, daemon, an emulated terminal and an emulated MT4 server in one process.

The two roles stay apart: the console has a home of its own within the demo's, and the daemon
believes it only what its root key has signed.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from ea_bridge import host
from ea_bridge.emulator.book_file import BooksUnreadable
from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.mt4_manager.emulator import LOGIN, SERVER, ManagerLink, build_manager
from ea_bridge.mt4_manager.model import ConnectParams
from ea_bridge.token import parse_token
from gateway import __version__
from gateway.app import freeze_gc
from gateway.config import Config, ConsoleServer, Secrets
from gateway.console.database import DatabaseError
from gateway.console.database.model import SealedValue
from gateway.console.secret_keys import value_place
from gateway.console.server import ConsoleServer as PageServer
from gateway.console.service import Console, open_console
from gateway.console.settings import ConsoleSettings
from gateway.console.user_info import locked_user
from gateway.credentials.keyset import root_text
from gateway.credentials.record import Scope
from gateway.credentials.secrets import Place
from gateway.home.home import Home
from gateway.mt4_manager import OperatorRole
from gateway.mt4_manager.service import ManagerService
from gateway.options import AccountReady, Announce, DemoOptions, ManagerReady
from gateway.storage.store import StoreError

from .daemon import Gateway
from .emulator import faults_of, kept_in, linked

TERMINAL = "demo"
PEER = "mt4-server"
"""Name of the token of its MT4 server."""
OPERATOR = "demo"
"""Who may use the REST API for that server."""
CONSOLE_HOME = "console"
KEPT = value_place("demo_token")
"""Where the demo's token lies sealed from run to run."""
KEPT_PEER = value_place("demo_manager_token")
"""The same of the token of its MT4 server."""
KEPT_PASSWORD = value_place("demo_password")
"""The same of the console's password."""
KEPT_OPERATOR = value_place("demo_operator_password")
"""The same of the password for the MT4 server's REST API."""
TERMINAL_HOME = "terminal"
"""Folder of the emulated terminal: its account goes on where the journal does."""
LINK_S = 3600.0
"""How long the printed link to the live page can be used, once: a person reads it first."""
EMAIL = "demo@localhost.invalid"
"""Nobody has an address under this name (RFC 2606), so no mail can go astray."""


@dataclass(frozen=True)
class DemoAccount:
    """Password and token that the person who tries the demo is given."""

    password: str = field(repr=False)
    token: str = field(repr=False)


async def run_demo(options: DemoOptions, announce: Announce) -> None:
    """Run a console, a daemon and an emulated terminal until cancelled.

    Its keys always lie in files of its home, so that it runs on any machine.

    Raises:
        StoreError, SecretsError: the message says what to do.
        OSError: a port is taken.

    """
    settings = ConsoleSettings(
        console_server=ConsoleServer(port=options.console_port), secrets=Secrets(store="file")
    )
    try:
        with Home(options.home) as home:
            async with (
                open_console(options.home / CONSOLE_HOME, settings) as console,
                PageServer(console) as pages,
            ):
                await _run(options, announce, home, console, pages.url)
    except (DatabaseError, BooksUnreadable) as error:
        raise StoreError(str(error)) from error


async def _run(
    options: DemoOptions, announce: Announce, home: Home, console: Console, url: str
) -> None:
    machine = build_terminal(
        platform=options.platform,
        speed=options.speed,
        seed=options.seed,
        faults=faults_of(options.latency_ms),
        conditions=options.conditions,
        kept=kept_in(options.home / TERMINAL_HOME, options.platform, options.seed),
    )
    # before the gateway: its first question to the console finds all of it
    account = await prepare(console, home)
    peer = await prepare_peer(console, home)
    gateway = Gateway(home, await _config(options, console, url), made_by="demo")
    async with gateway.run() as ready:
        # the approval of a moment ago, before the terminal dials with its token
        await gateway.sync()
        host, _, port = ready.bridge.rpartition(":")
        terminal = EmulatedLink(machine, host, int(port), account.token, seed=options.seed)
        assert gateway.manager is not None  # the configuration names its peer
        mt4 = _manager_server(
            gateway.manager,
            (ready.rpc or "").removesuffix("/rpc"),
            ready.bridge,
            peer,
            await kept_password(console, KEPT_OPERATOR),
            options.seed,
        )
        async with linked(terminal), mt4 as manager:
            freeze_gc()
            announce(
                replace(
                    ready,
                    manager=manager,
                    live_page=gateway.sign_in_link(account.token, LINK_S),
                    auth_token=account.token,
                    terminal=TERMINAL,
                    console_email=EMAIL,
                    console_password=account.password,
                    account=_terminal_account(machine, options),
                )
            )
            await gateway.until_drained()
            # the same bounded end that Ctrl+C has
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Future()


def _terminal_account(machine: EmulatedTerminal, options: DemoOptions) -> AccountReady:
    account = machine.handler.account()
    return AccountReady(
        login=account.login, password=options.conditions.password, server=account.server
    )


async def prepare(console: Console, home: Home) -> DemoAccount:
    """Make the demo's user and the token of its terminal, and approve its machine for it.

    Password and token are those of the run before, so that what was written down goes on.
    """
    password = await kept_password(console, KEPT_PASSWORD)
    user = await console.users.by_email(EMAIL)
    if user is None:
        user = await console.users.create(EMAIL, "Demo", password, admin=True)
    # somebody has changed it on the pages: what the demo prints must hold
    elif not await console.users.has_password(user.id, password):
        await console.users.set_password(user.id, password)
    return DemoAccount(password, await _token(console, home, user.id, TERMINAL, KEPT))


async def prepare_peer(console: Console, home: Home) -> str:
    """Return the token of the MT4 server's peer, likewise."""
    user = await console.users.by_email(EMAIL)
    assert user is not None  # made before
    return await _token(console, home, user.id, PEER, KEPT_PEER)


async def _token(console: Console, home: Home, user_id: str, name: str, place: Place) -> str:
    kept = await _kept_token(console, user_id, place)
    token = kept or await _new_token(console, user_id, name, place)
    await _approve(console, home, user_id, parse_token(token))
    return token


async def kept_password(console: Console, place: Place) -> str:
    """Return the password of a place, the same in each run; made in the first."""
    async with console.db.begin() as session:
        row = await session.get(SealedValue, place.row)
        if row is not None:
            return console.box.open(row.sealed, place).decode()
        password = host.token_urlsafe(12)
        sealed = console.box.seal(password.encode(), place)
        session.add(SealedValue(name=place.row, sealed=sealed))
    return password


async def _kept_token(console: Console, user_id: str, place: Place) -> str | None:
    """Return the token of the run before, unless a person has ended it since."""
    async with console.db.session() as session:
        row = await session.get(SealedValue, place.row)
    if row is None:
        return None
    token = console.box.open(row.sealed, place).decode()
    known = await console.tokens.list(user_id)
    tids = [entry.tid for entry in known if entry.status == "active"]
    return token if parse_token(token) in tids else None


async def _new_token(console: Console, user_id: str, name: str, place: Place) -> str:
    """Make a token, and keep it: sealed, and only here, where it opens nothing of worth."""
    for entry in await console.tokens.list(user_id):
        if entry.name == name and entry.is_live:
            await console.tokens.revoke(user_id, entry.tid)
    token, _ = await console.tokens.create(user_id, name, scopes=(Scope.ADMIN,))
    async with console.db.begin() as session:
        sealed = console.box.seal(token.encode(), place)
        # in the place of a token that a person has ended
        await session.merge(SealedValue(name=place.row, sealed=sealed))
    return token


async def _approve(console: Console, home: Home, user_id: str, tid: str) -> None:
    """Approve the machine at once: whoever starts the demo has both sides in his hands."""
    await console.devices.seen(
        home.device.did,
        pub=home.device.public,
        os="demo",
        hostname="this computer",
        version=__version__,
        ip="127.0.0.1",
    )
    async with console.db.begin() as session:
        await locked_user(session, user_id)
        row = await console.tokens.find(session, tid)
        assert row is not None  # made a moment ago
        await console.devices.approve(session, row, home.device.did, terminal_fp="", by="demo")


async def _config(options: DemoOptions, console: Console, url: str) -> Config:
    root = root_text(await console.signing.root())
    return Config.model_validate(
        {
            "api": {"port": options.port, "allowed_origins": list(options.allowed_origins)},
            "bridge": {"port": options.bridge_port},
            # nothing here trades real money: who tries it need not edit a file first
            "console": {
                "url": url,
                "root": root,
                "accept_alerts": True,
                "manage_accounts": True,
            },
            "manager": {"peer": PEER},
        }
    )


@asynccontextmanager
async def _manager_server(
    manager: ManagerService, url: str, bridge: str, token: str, at_api: str, seed: int
) -> AsyncIterator[ManagerReady]:
    """Run an emulated MT4 server while the context lasts; entered once it is connected.

    Args:
        manager: of the gateway that it links to.
        url: of the gateway.
        bridge: where it listens, ``host:port``.
        token: of the peer.
        at_api: the operator's password.
        seed: of everything drawn.

    Yields:
        How to use it.

    """
    address, _, port = bridge.rpartition(":")
    kept = manager.kept.wanted()  # of the run before: the gateway connects with it by itself
    at_server = host.token_urlsafe(12) if kept is None else kept.password
    server = build_manager(password=at_server, seed=seed)
    async with linked(ManagerLink(server, address, int(port), token, seed=seed)):
        params = ConnectParams(server=SERVER, login=LOGIN, password=at_server)
        await manager.supervision.connect(params, OPERATOR)
        if manager.operators.get(OPERATOR) is None:
            await manager.operators.add(OPERATOR, at_api, OperatorRole.ADMIN)
        elif await manager.operators.verify(OPERATOR, at_api) is None:
            await manager.operators.set_password(OPERATOR, at_api)
        connect = AccountReady(server=SERVER, login=LOGIN, password=at_server)
        yield ManagerReady(url=f"{url}/api", username=OPERATOR, password=at_api, connect=connect)
