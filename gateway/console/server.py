"""The console's server: pages for people, a JSON API, and the routes of daemons, on one port."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from ea_bridge.loopback import bind_loopback
from gateway.credentials.keyset import root_text
from gateway.credentials.secrets import KeyStore
from gateway.options import ConsoleReady

from .api import api_routes
from .daemon_api import daemon_routes
from .mail.transports import OUTBOX
from .pages import PageContext, StaticFiles, Templates, page_routes
from .service import Console, Costs, open_console
from .settings import ConsoleSettings
from .web.body import MAX_BODY_BYTES
from .web.connections import STOP_S, PageConnections, serving
from .web.headers import sealer
from .web.origin import OwnNames
from .web.security import SecurityMiddleware

log = logging.getLogger(__name__)

NO_TRUSTED_PROXY: Final = (
    "all visitors of %s share one limit of sign-ins, since nobody tells their addresses: if the "
    "proxy in front sets X-Forwarded-For, put the line trusted_proxy = true under "
    "[console_server] into config.toml"
)
SETUP_PAGE: Final = "/setup/{secret}"


class ConsoleServer:
    """Serves an open console while the block lasts; gives out its URL.

    Args:
        console: the services.
        sockets: bound, not listening; all on one port. By default both loopback addresses, on
            the port of the settings.

    """

    def __init__(self, console: Console, sockets: Sequence[socket.socket] = ()) -> None:
        settings = console.settings.console_server
        self._console = console
        self._sockets = list(sockets) or bind_loopback(settings.port)
        self.port: int = self._sockets[0].getsockname()[1]
        """The port of all our sockets."""
        self._names = OwnNames(
            self.port, settings.public_url, trusted_proxy=settings.trusted_proxy
        )
        self.url = self._names.url
        """Where people find the console; without a slash at its end."""
        console.url.url = self.url
        self.app = self._app()
        """For those who look at its routes."""
        self._connections: PageConnections | None = None
        self._stack = AsyncExitStack()

    def _app(self) -> web.Application:
        static = StaticFiles()
        context = PageContext(self._console, Templates(static), self._names)
        security = SecurityMiddleware(
            self._names, self._console.sessions, context.show, context.pass_on
        )
        app = web.Application(middlewares=[security.middleware], client_max_size=MAX_BODY_BYTES)
        app.add_routes(static.routes())
        app.add_routes(page_routes(context))
        app.add_routes(api_routes(self._console))
        app.add_routes(daemon_routes(self._console, self._names.address))
        return app

    @property
    def open_connections(self) -> int:
        """Connections that are open now."""
        return 0 if self._connections is None else len(self._connections)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._settle)
            carrying = asyncio.create_task(self._console.mail.run())
            stack.push_async_callback(_cancel, carrying)
            self._connections = await stack.enter_async_context(
                serving(self.app, self._sockets, sealer(https=self._names.https))
            )
            self._stack = stack.pop_all()
        log.info("the console listens on port %d", self.port)
        if self._names.https and not self._console.settings.console_server.trusted_proxy:
            log.warning(NO_TRUSTED_PROXY, self.url)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _settle(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._console.resets.settled()


async def run_console(
    home: Path,
    settings: ConsoleSettings,
    announce: Callable[[ConsoleReady], None],
    *,
    keys: KeyStore | None = None,
    costs: Costs | None = None,
) -> None:
    """Open the console of a home folder and serve it until cancelled.

    Args:
        home: made if it is not there.
        settings: of the configuration.
        announce: is told once that it serves.
        keys: where the key lies that seals secrets; by default where the settings say.
        costs: of hashing; the defaults are right but for tests.

    Raises:
        OSError: the port is taken.
        DatabaseError: the database cannot be reached.
        SecretsError: the key cannot be had.

    """
    sockets = bind_loopback(settings.console_server.port)
    try:
        async with (
            open_console(home, settings, keys=keys, costs=costs or Costs()) as console,
            ConsoleServer(console, sockets) as server,
        ):
            announce(await ready(console, server))
            await asyncio.Event().wait()
    finally:
        for sock in sockets:
            sock.close()


async def ready(console: Console, server: ConsoleServer) -> ConsoleReady:
    """Return what there is to say of a console that serves; makes a set-up link if one is due."""
    secret = await console.setup_link()
    return ConsoleReady(
        console=server.url,
        root=root_text(await console.signing.root()),
        home=str(console.home),
        setup_url=None if secret is None else server.url + SETUP_PAGE.format(secret=secret),
        outbox=str(console.home / OUTBOX) if console.mail.is_outbox else None,
    )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
