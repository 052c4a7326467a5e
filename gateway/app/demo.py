"""The demo: console, daemon, an emulated terminal and an emulated MT4 server in one process.

The two roles stay apart: the console has a home of its own within the demo's, and the daemon
believes it only what its root key has signed.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from ea_bridge import host
from ea_bridge.emulator.factory import BooksUnreadable, build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.endpoint.link import linked
from ea_bridge.mt4_manager.emulator import LOGIN, SERVER, ManagerLink, build_manager
from ea_bridge.mt4_manager.model import ConnectParams
from gateway.app import freeze_gc
from gateway.config import Config, ConsoleServer, Secrets
from gateway.console.database import DatabaseError
from gateway.console.demo_account import (
    EMAIL,
    KEPT_OPERATOR,
    PEER,
    TERMINAL,
    kept_password,
    prepare_account,
    prepare_peer,
)
from gateway.console.server import PageServer
from gateway.console.service import Console, open_console
from gateway.console.settings import ConsoleSettings
from gateway.credentials.keyset import root_text
from gateway.home.home import Home
from gateway.mt4_manager import OperatorRole
from gateway.mt4_manager.service import ManagerService
from gateway.options import AccountReady, Announce, DemoOptions, ManagerReady
from gateway.storage.store import StoreError

from .daemon import Gateway
from .emulator import faults_of, kept_in

OPERATOR = "demo"
"""Who may use the REST API for that server."""
CONSOLE_HOME = "console"
TERMINAL_HOME = "terminal"
"""Folder of the emulated terminal: its account goes on where the journal does."""
LINK_S = 3600.0
"""How long the printed link to the live page can be used, once: a person reads it first."""


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
    account = await prepare_account(console, home.device)
    peer = await prepare_peer(console, home.device)
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
