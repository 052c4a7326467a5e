"""Web server: ``POST /rpc``, ``GET /ws``, REST APIs and documents, behind one guard.

A request passes the guard, then authentication, and only then is its body read. The status of an
answer of ``/rpc`` speaks of the transport alone: an error of a method is a 200 with the error
object. Notifications get 204.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from ea_bridge.sockets import BACKLOG
from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.credentials.daemon_api import Way
from gateway.errors import ShuttingDown
from gateway.http.connections import Connections
from gateway.http.guard import Guard, Refusal, Route
from gateway.http.mount import LazyDocument, MountedApi
from gateway.http.rate_limit import FAILURES_PER_S, FailureThrottle
from gateway.rpc.authentication import (
    Authenticator,
    Gatekeeper,
    NoteLogin,
    RequestCredentials,
)
from gateway.rpc.catalogue import Call, Method
from gateway.rpc.jsonrpc import JsonRpc
from gateway.rpc.remote import RemoteDoor, RemoteListening
from gateway.rpc.requests import (
    RPC_PATHS,
    WS_PATHS,
    RpcContext,
    RpcHandler,
    SessionCallers,
    answered,
)
from gateway.rpc.websocket.endpoint import WebSocketEndpoint
from gateway.runtime import RuntimeInfo
from gateway.streams import Streams
from gateway.trading.kill_switch.service import Safeguards
from gateway.trading.state import StateOf
from gateway.trading.terminal import GuardedTerminal

log = logging.getLogger(__name__)

STOP_S = 0.3
"""For each of the five stages of a stop; what needs longer is cut."""
OPENRPC = "/openrpc.json"
ASYNCAPI = "/asyncapi.json"
HEALTH = "/healthz"
PAGE_RPC = "/ui/rpc"
"""``/rpc`` for the live page: its session stands for the token."""
PAGE_WS = "/ui/ws"
"""``/ws`` for the live page, which opens it with a ticket of its session."""


class WebServer:
    """Server of ``/rpc``, ``/ws``, mounted APIs and documents on the given sockets.

    Args:
        sockets: bound, not listening; all on one port. See
            :func:`ea_bridge.sockets.bind_loopback`.
        catalogue: the methods.
        gate: who may call. The server listens to its changes.
        terminal_for: the guarded terminal of a caller's token.
        state_of: the shared state of such a terminal.
        safeguards: the kill switch, and the timers for lost programs.
        welcome: makes what ``/ws`` connections are told when they have signed in.
        openrpc: the document that ``rpc.discover`` and ``/openrpc.json`` give out.
        asyncapi: the document that ``/asyncapi.json`` gives out.
        hosts: names that a ``Host`` header may carry beside the loopback ones.
        origins: web origins whose pages may call.
        failures_per_s: answers to wrong tokens, of all callers together.
        audit: trail of who was let in, and who was not.
        apis: REST APIs that are mounted; the first that has a path answers it.
        page_sessions: of the live page, where there is one.
        note_login: called for each use of a token: its id, the way (``http`` or ``ws``), why it
            was refused or nothing, and what the program says of itself; must not wait. Without
            a console nobody asks.
        remote: where programs of other machines call, if they may.

    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        *,
        catalogue: Mapping[str, Method],
        gate: Gatekeeper,
        streams: Streams,
        daemon: RuntimeInfo,
        terminal_for: Callable[[Caller], GuardedTerminal],
        state_of: StateOf,
        safeguards: Safeguards,
        openrpc: LazyDocument,
        asyncapi: LazyDocument,
        hosts: Collection[str] = (),
        origins: Collection[str] = (),
        failures_per_s: float = FAILURES_PER_S,
        audit: Audit | None = None,
        apis: Sequence[MountedApi[Caller]] = (),
        page_sessions: SessionCallers | None = None,
        welcome: Callable[[Call], Mapping[str, Any]] | None = None,
        note_login: NoteLogin | None = None,
        remote: RemoteListening | None = None,
    ) -> None:
        self._sockets = list(sockets)
        self.port: int = self._sockets[0].getsockname()[1]
        """The port of all our sockets."""
        self._audit = audit or Audit()
        self._authenticator = Authenticator(
            gate, self._audit, FailureThrottle(failures_per_s), note_login or _note_nothing
        )
        self.front = JsonRpc(catalogue, daemon.limits, document=openrpc, audit=self._audit)
        self.context = context = RpcContext(
            front=self.front,
            gate=gate,
            tickets=self._authenticator.tickets,
            streams=streams,
            daemon=daemon,
            terminal_for=terminal_for,
            state_of=state_of,
            safeguards=safeguards,
            welcome=welcome,
        )
        """Makes calls, for what comes by another way than a port."""
        self._rpc = RpcHandler(context)
        self._ws = WebSocketEndpoint(context, self._authenticator)
        self._page_sessions = page_sessions
        self._apis = tuple(apis)
        self._documents = {
            HEALTH: LazyDocument(lambda: b'{"status":"ok"}'),
            OPENRPC: openrpc,
            ASYNCAPI: asyncapi,
        }
        for api in self._apis:
            self._documents |= api.documents(daemon.rpc_url.removesuffix("/rpc"))
        self._fixed_routes = {
            **{path: Route("GET", "never") for path in self._documents},
            **{path: Route("POST", "required", rpc=True) for path in RPC_PATHS},
            **{path: Route("GET", "optional") for path in WS_PATHS},
        }
        if page_sessions is not None:
            self._fixed_routes |= {
                PAGE_RPC: Route("POST", "optional", json=True, own=True),
                PAGE_WS: Route("GET", "optional", own=True),
            }
        self._guard = Guard(self._routes_at, port=self.port, hosts=hosts, origins=origins)
        self._limits = daemon.limits
        self._runner: web.ServerRunner | None = None
        self._connections: Connections | None = None
        self._stopping = False
        self.refused: Counter[int] = Counter()
        """Requests that were refused before anybody looked into them, by status."""
        self._remote = None if remote is None else self._new_remote(remote)
        self._stop_listening_to_gate = gate.on_change(self._ws.end_token)

    @property
    def open_connections(self) -> int:
        """HTTP and WebSocket connections that are open now."""
        return sum(len(connections) for connections in self._all_connections)

    @property
    def unauthenticated(self) -> int:
        """Those of them that have not shown a valid token."""
        return sum(connections.unauthenticated for connections in self._all_connections)

    @property
    def _all_connections(self) -> Iterator[Connections]:
        if self._connections is not None:
            yield self._connections
        if self._remote is not None:
            yield self._remote.connections

    @property
    def websockets(self) -> WebSocketEndpoint:
        """The endpoint of ``/ws``, for those who count."""
        return self._ws

    @property
    def open_websockets(self) -> int:
        """WebSocket connections among them."""
        return len(self._ws)

    @property
    def changing(self) -> int:
        """Calls that can change an account, and are being answered."""
        return self.front.changing

    def websockets_of(self, tids: Collection[str]) -> int:
        """Return how many of them tokens have open."""
        return self._ws.count(tids)

    async def start(self) -> None:
        """Begin to listen."""
        self._connections = Connections(self._handle, self._limits)
        self._runner = web.ServerRunner(self._connections, shutdown_timeout=STOP_S)
        await self._runner.setup()
        for sock in self._sockets:
            await web.SockSite(self._runner, sock, backlog=BACKLOG).start()
        log.info("listening on port %d", self.port)
        if self._remote is not None:
            self._remote.start()

    async def stop(self, reason: str = "shutdown", restart_in_ms: int | None = None) -> None:
        """Close all connections and stop listening; takes less than two seconds, and is final.

        Args:
            reason: told to WebSocket clients in the event ``server_shutdown``.
            restart_in_ms: when they may come back, where that is known.

        """
        if self._stopping:
            return
        self._stopping = True
        self._stop_listening_to_gate()
        if self._remote is not None:
            self._remote.shut()
        self._ws.shut(reason, restart_in_ms)
        await self._ws.finish(STOP_S)
        if self._remote is not None:
            await self._remote.stop(STOP_S)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        for sock in self._sockets:
            sock.close()

    def _new_remote(self, listening: RemoteListening) -> RemoteDoor:
        return RemoteDoor(
            listening,
            rpc=self._rpc,
            ws=self._ws,
            authenticator=self._authenticator,
            limits=self._limits,
            refused=self.refused,
            audit=self._audit,
        )

    def _routes_at(self, path: str) -> Sequence[Route]:
        route = self._fixed_routes.get(path)
        if route is not None:
            return (route,)
        for api in self._apis:
            if routes := api.routes(path):
                return routes
        return ()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = self._guard.cors(request)
        return await answered(request, headers, self._answer, self.refused, self._audit)

    async def _answer(
        self, request: web.BaseRequest, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        path = self._guard.path(request)
        if self._stopping:
            raise Refusal(503, ShuttingDown())
        if path in self._documents:
            return await self._documents[path].response(headers)
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=self._guard.preflight(request))
        credentials = RequestCredentials(self._authenticator, request, self._guard.token(request))
        if path in RPC_PATHS:
            return await self._rpc.answer(request, await credentials.caller(), headers)
        if path in WS_PATHS:
            return await self._ws.answer(request, credentials.token)
        if path == PAGE_RPC:
            page = self._page_sessions
            assert page is not None  # or there was no such route
            return await self._rpc.answer(request, page.caller(request), headers, page)
        if path == PAGE_WS:
            return await self._ws.answer(request, None)
        api = next(api for api in self._apis if api.routes(path))  # or the guard had refused it
        return await api.answer(request, credentials, headers)

    def end_caller(self, caller: Caller, reason: str) -> None:
        """Close what a caller has open: this very object, not others of its token."""
        self._authenticator.tickets.withdraw(caller)
        self._ws.end_caller(caller, reason)


def _note_nothing(_tid: str, _way: Way, _reason: str, _agent: str) -> None:
    """Note nothing."""
