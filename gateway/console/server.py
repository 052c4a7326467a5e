"""Server of the console: pages for people, a JSON API, and the routes of daemons, on one port.

An answer that its reader does not take is cut after :data:`UNREAD_S`. Where there are too many
connections, the one that has been idle for longest makes room, or else the one whose body has been
on its way for longest: whoever floods the port pushes out its own connections.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from ea_bridge.sockets import BACKLOG, bind_loopback
from gateway.background import background
from gateway.credentials.keyset import root_text
from gateway.credentials.secrets import KeyStore
from gateway.http.server import HttpConnection, HttpServer, OnHeaders, head_fault
from gateway.options import ConsoleReady

from .api import api_routes
from .daemon_api import daemon_routes
from .hooks import hook_routes
from .mail.transports import OUTBOX
from .pages import PageContext, page_files, page_routes
from .service import Console, Costs, open_console
from .settings import ConsoleSettings
from .web.request_context import MAX_BODY_BYTES
from .web.security import OwnNames, SecurityMiddleware, security_headers_hook

MAX_CONNECTIONS = 1024
STOP_S = 2.0
UNREAD_S = 30.0
"""An answer that its reader does not take is cut after that."""


class PageConnection(HttpConnection):
    """One connection of a browser, a program or a daemon."""

    def __init__(self, connections: PageConnections) -> None:
        super().__init__(connections)
        self._connections = connections
        self._unread: asyncio.TimerHandle | None = None

    def admitted(self, wire: asyncio.Transport) -> bool:
        """Count the new connection; ``False`` if there is no room for it."""
        return self._connections.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        # before the rest: an end that fails in between must not keep a place for ever
        self._connections.closed(self)
        self._stop_unread()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().pause_writing()
        # who reads nothing holds an answer in memory: slow readers would fill it
        self._unread = asyncio.get_running_loop().call_later(UNREAD_S, self.abort)

    def resume_writing(self) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        super().resume_writing()
        self._stop_unread()

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def bad_request(self) -> web.Response:
        """Return the answer to what is no HTTP; it ends the connection."""
        return _closing(400, "This is no HTTP request.\n")

    def failure(self, trace_id: str) -> web.Response:
        """Return the answer where a handler failed; it ends the connection."""
        return _closing(500, f"This failed. Reference: {trace_id}\n")


class PageConnections(HttpServer):
    """Maker of the console's connections; it counts them.

    Args:
        application: the server of aiohttp's application, which answers the requests.
        on_headers: puts the last headers on each answer.

    """

    def __init__(self, application: web.Server, on_headers: OnHeaders) -> None:
        super().__init__(self._handle, application.request_factory, on_headers)
        self._answer = application.request_handler
        self._open: set[PageConnection] = set()
        self._idle: dict[PageConnection, None] = {}
        """Those between two requests; the longest idle comes first."""
        self._busy: dict[PageConnection, web.BaseRequest] = {}
        """Those with a request, and that; the longest comes first."""

    def __call__(self) -> PageConnection:
        return PageConnection(self)

    def __len__(self) -> int:
        return len(self._open)

    def abort(self) -> None:
        """End all connections at once."""
        for connection in list(self._open):
            connection.abort()

    def opened(self, connection: PageConnection) -> bool:
        """Count a connection; ``False`` if there is no room for it."""
        if len(self._open) >= MAX_CONNECTIONS:
            spare = next(iter(self._idle), None) or self._slowest()
            if spare is None:
                return False
            # uncounted here: `connection_lost` comes in a later turn of the loop
            self.closed(spare)
            spare.abort()
        self._open.add(connection)
        self._idle[connection] = None
        return True

    def closed(self, connection: PageConnection) -> None:
        """Count it no more."""
        self._open.discard(connection)
        self._idle.pop(connection, None)
        self._busy.pop(connection, None)

    def _slowest(self) -> PageConnection | None:
        """Return a connection that keeps us waiting for a body; to send none is for free."""
        waiting = (
            connection
            for connection, request in self._busy.items()
            # one whose body is complete waits for us, not we for it: it is not pushed out
            if not request.content.is_eof()
        )
        return next(waiting, None)

    async def _handle(self, request: Any) -> web.StreamResponse:
        connection = request.protocol
        fault = head_fault(request.version, request.headers)
        if fault is not None:  # aiohttp looks at the head before any middleware of ours
            return _closing(fault.status, f"{fault.remedy}.\n")
        self._idle.pop(connection, None)
        self._busy[connection] = request
        try:
            return await self._answer(request)
        finally:
            self._busy.pop(connection, None)
            if connection in self._open:
                # at the end of the dict: the first is the one that has been idle for longest
                self._idle[connection] = None


@asynccontextmanager
async def serving(
    app: web.Application, sockets: Sequence[socket.socket], on_headers: OnHeaders
) -> AsyncIterator[PageConnections]:
    """Serve an application while the block lasts.

    Args:
        app: answers the requests.
        sockets: bound, not listening.
        on_headers: puts the last headers on each answer.

    """
    runner = web.AppRunner(app, shutdown_timeout=STOP_S)
    await runner.setup()
    assert runner.server is not None  # it is there once the runner is set up
    connections = PageConnections(runner.server, on_headers)
    async with AsyncExitStack() as stack:  # ends from below: no new connection, then no old one
        stack.callback(connections.abort)
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(connections.shutdown, STOP_S)
        stack.callback(connections.pre_shutdown)
        loop = asyncio.get_running_loop()
        for sock in sockets:
            listening = await loop.create_server(connections, sock=sock, backlog=BACKLOG)
            stack.callback(listening.close)
        yield connections


def _closing(status: int, text: str) -> web.Response:
    """Return an answer that ends the connection."""
    response = web.Response(status=status, text=text)
    response.force_close()
    return response


log = logging.getLogger(__name__)

NO_TRUSTED_PROXY: Final = (
    "all visitors of %s share one limit of sign-ins, since nobody tells their addresses: if the "
    "proxy in front sets X-Forwarded-For, put the line trusted_proxy = true under "
    "[console_server] into config.toml"
)
SETUP_PAGE: Final = "/setup/{secret}"


class PageServer:
    """Server of an open console, which serves while its block lasts.

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
        # known only now: a port 0 of the settings is given by the system
        console.url.url = self.url
        self.app = self._app()
        """For those who look at its routes."""
        self._connections: PageConnections | None = None
        self._stack = AsyncExitStack()

    def _app(self) -> web.Application:
        static, templates = page_files()
        context = PageContext(self._console, templates, self._names)
        security = SecurityMiddleware(
            self._names, self._console.sessions, context.show, context.pass_on
        )
        # aiohttp's own bound holds too, should a handler ever read a body by another way
        app = web.Application(middlewares=[security.middleware], client_max_size=MAX_BODY_BYTES)
        app.add_routes(static.routes())
        app.add_routes(page_routes(context))
        app.add_routes(api_routes(self._console))
        app.add_routes(daemon_routes(self._console, self._names.address))
        app.add_routes(hook_routes(self._console.hooks, self._names.address))
        return app

    @property
    def open_connections(self) -> int:
        """Connections that are open now."""
        return 0 if self._connections is None else len(self._connections)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            # called last, after the doors are shut: links that were asked for are still queued
            stack.push_async_callback(self._settle)
            # before the port is served: a mail that waited for the start goes out at once
            await stack.enter_async_context(background(self._console.mail.run()))
            self._connections = await stack.enter_async_context(
                serving(self.app, self._sockets, security_headers_hook(https=self._names.https))
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
    # bound before the database is opened: a second console ends here, and has touched nothing
    sockets = bind_loopback(settings.console_server.port)
    try:
        async with (
            open_console(home, settings, keys=keys, costs=costs or Costs()) as console,
            PageServer(console, sockets) as server,
        ):
            # only now: who reads the address may connect at once
            announce(await ready(console, server))
            await asyncio.Event().wait()
    finally:
        for sock in sockets:
            sock.close()


async def ready(console: Console, server: PageServer) -> ConsoleReady:
    """Return what there is to say of a console that serves; makes a set-up link if one is due."""
    secret = await console.setup_link()
    return ConsoleReady(
        console=server.url,
        root=root_text(await console.signing.root()),
        home=str(console.home),
        setup_url=None if secret is None else server.url + SETUP_PAGE.format(secret=secret),
        outbox=str(console.home / OUTBOX) if console.mail.is_outbox else None,
    )
