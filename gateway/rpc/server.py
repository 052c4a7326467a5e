"""The web server: sockets, guard, doors, and their start and end."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ea_bridge.loopback import BACKLOG
from gateway.accounts.api import OPENAPI, AccountsApi
from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.auth.tickets import Tickets
from gateway.credentials.daemon_api import Way
from gateway.errors import ShuttingDown, Unauthorized
from gateway.http.connections import Connections, connection_of
from gateway.http.failure_throttle import FAILURES_PER_S, Overrun, Pace
from gateway.http.guard import Door, Guard, Refusal, unauthorized
from gateway.http.responses import json_response, refusal_response
from gateway.http.rest import PREFIX
from gateway.http.rest.problem import detail_response
from gateway.mt4_manager.api import PAGE_HEADERS, REFERENCE, ManagerApi
from gateway.rpc.audit_notes import NoteLogin, note_request, tid_of
from gateway.rpc.catalogue import Call, Method
from gateway.rpc.context import Backend, Gatekeeper
from gateway.rpc.handler import RpcDoor
from gateway.rpc.jsonrpc import JsonRpc
from gateway.rpc.openrpc import LateDocument
from gateway.rpc.websocket.endpoint import WsDoor
from gateway.runtime import Daemon

if TYPE_CHECKING:
    from gateway.streams import Streams
    from gateway.trading.guard import GuardedTerminal

log = logging.getLogger(__name__)

STOP_S = 0.3
"""For each of the five stages of a stop; what needs longer is cut."""
OPENRPC = "/openrpc.json"
HEALTH = "/healthz"
RPC_PATHS = ("/rpc", "/v1/rpc")
WS_PATHS = ("/ws", "/v1/ws")
DOCUMENT_HEADERS = {"Cross-Origin-Resource-Policy": "same-origin"}


class WebServer:
    """``/rpc``, ``/ws`` and the documents on the given sockets.

    Args:
        sockets: bound, not listening; all on one port. See
            :func:`ea_bridge.loopback.bind_loopback`.
        catalogue: the methods.
        gate: who may call. The server listens to its changes.
        terminal_for: the guarded terminal of a caller's token.
        welcome: what ``/ws`` connections are told when they have signed in.
        openrpc: the document that ``rpc.discover`` and ``/openrpc.json`` give out.
        hosts: names that a ``Host`` header may carry beside the loopback ones.
        origins: web origins whose pages may call.
        failures_per_s: answers to wrong tokens, of all callers together.
        audit: where it is noted who was let in, and who was not.
        accounts: the accounts API; without it there is none.
        manager: the manager API; without it there is none.
        note_login: hears of each use of a token: its id, the way (``http`` or ``ws``), why it was
            refused or nothing, and what the program says of itself; must not wait.

    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        *,
        catalogue: Mapping[str, Method],
        gate: Gatekeeper,
        streams: Streams,
        daemon: Daemon,
        terminal_for: Callable[[Caller], GuardedTerminal],
        openrpc: LateDocument,
        hosts: Collection[str] = (),
        origins: Collection[str] = (),
        failures_per_s: float = FAILURES_PER_S,
        audit: Audit | None = None,
        accounts: AccountsApi | None = None,
        manager: ManagerApi | None = None,
        welcome: Callable[[Call], Mapping[str, Any]] | None = None,
        note_login: NoteLogin = lambda *_: None,
    ) -> None:
        self._sockets = list(sockets)
        self.port: int = self._sockets[0].getsockname()[1]
        """The port of all our sockets."""
        self._documents = {HEALTH: LateDocument(lambda: b'{"status":"ok"}'), OPENRPC: openrpc}
        self._gate = gate
        self._audit = audit or Audit()
        self._note_login = note_login
        self._pace = Pace(failures_per_s)
        self._tickets = Tickets(gate.recheck)
        self.front = JsonRpc(catalogue, daemon.limits, document=openrpc, audit=self._audit)
        backend = Backend(
            front=self.front,
            gate=gate,
            tickets=self._tickets,
            streams=streams,
            daemon=daemon,
            terminal_for=terminal_for,
            welcome=welcome,
        )
        self._rpc = RpcDoor(backend)
        self._ws = WsDoor(backend, self._admit_ws, self._redeem)
        self._accounts = accounts
        self._manager = manager
        url = daemon.rpc_url.removesuffix("/rpc")
        if accounts is not None:
            self._documents[OPENAPI] = LateDocument(lambda: accounts.document(url))
        if manager is not None:
            made = manager.documents(url)
            self._documents |= {path: LateDocument(make) for path, make in made.items()}
        self._fixed_doors = self._doors()
        self._guard = Guard(self._doors_at, port=self.port, hosts=hosts, origins=origins)
        self._limits = daemon.limits
        self._runner: web.ServerRunner | None = None
        self._connections: Connections | None = None
        self._stopping = False
        self._forget_tokens = gate.on_change(self._token_changed)

    @property
    def open_connections(self) -> int:
        """HTTP and WebSocket connections that are open now."""
        return 0 if self._connections is None else len(self._connections)

    @property
    def open_websockets(self) -> int:
        """WebSocket connections among them."""
        return len(self._ws)

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

    async def stop(self, reason: str = "shutdown", restart_in_ms: int | None = None) -> None:
        """Close all connections and stop listening; takes less than two seconds, and is final.

        Args:
            reason: told to WebSocket clients in the event ``server_shutdown``.
            restart_in_ms: when they may come back, where that is known.

        """
        if self._stopping:
            return
        self._stopping = True
        self._forget_tokens()
        self._ws.shut(reason, restart_in_ms)
        await self._ws.finish(STOP_S)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        for sock in self._sockets:
            sock.close()

    def _doors(self) -> dict[str, Door]:
        doors = {path: Door("GET", "never") for path in self._documents}
        doors |= {path: Door("POST", "required", rpc=True) for path in RPC_PATHS}
        doors |= {path: Door("GET", "optional") for path in WS_PATHS}
        return doors

    def _doors_at(self, path: str) -> Sequence[Door]:
        door = self._fixed_doors.get(path)
        if door is not None:
            return (door,)
        for api in (self._accounts, self._manager):
            if api is not None and (doors := api.doors(path)):
                return doors
        return ()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = self._guard.cors(request)
        refuse = _refuser(request)
        try:
            return await self._answer(request, headers)
        except Refusal as refusal:
            note_request(self._audit, refusal.error)
            return refuse(refusal, headers)
        except Unauthorized as error:
            return refuse(unauthorized(error), headers)
        except Overrun:
            connection_of(request).abort()
            return web.Response()  # nobody gets to see it

    async def _answer(
        self, request: web.BaseRequest, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        path = self._guard.path(request)
        if self._stopping:
            raise Refusal(503, ShuttingDown())
        if path in self._documents:
            document = await self._documents[path].read()
            about = PAGE_HEADERS if path == REFERENCE else {}
            return json_response(document, {**DOCUMENT_HEADERS, **about, **headers})
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=self._guard.preflight(request))
        token = self._guard.token(request)
        if self._manager is not None and self._manager.doors(path):
            known = connection_of(request).known
            return await self._manager.answer(request, token, known, self._pace.turn)
        caller = None
        if token is not None:
            way: Way = "ws" if path in WS_PATHS else "http"
            caller = await self._admit(token, way, request.headers.get("User-Agent", ""))
        if path in WS_PATHS:
            return await self._ws.answer(request, caller)
        if caller is None:
            missing = Unauthorized("Send the header Authorization: Bearer", reason="missing")
            note_request(self._audit, missing)
            raise missing
        connection_of(request).known()
        if self._accounts is not None and path.startswith(PREFIX):
            return await self._accounts.answer(request, caller, headers)
        return await self._rpc.answer(request, caller, headers)

    async def _admit_ws(self, token: str) -> Caller:
        """Let a token in that comes as a subprotocol or with the first message."""
        return await self._admit(token, "ws", "")

    async def _admit(self, token: str, way: Way, agent: str) -> Caller:
        """Let a token in at once; a wrong one is answered at the pace of failures.

        Raises:
            Unauthorized: the gate does not let it in.
            Overrun: so many fail that this one gets no answer.

        """
        try:
            caller = self._gate.admit(token)
            self._audit.once_an_hour("access_granted", actor=caller.tid, terminal=caller.terminal)
            self._note_login(caller.tid, way, "", agent)
            return caller
        except Unauthorized as error:
            if tid := tid_of(token):
                self._note_login(tid, way, str(error.data["reason"]), agent)
            await self._slow_down("token", error)
            raise

    async def _redeem(self, ticket: str, origin: str | None) -> Caller:
        """Let a ticket in, once; a wrong one is answered like a wrong token.

        Raises:
            Unauthorized: it opens nothing, or nothing any more.
            Overrun: so many fail that this one gets no answer.

        """
        try:
            caller = self._tickets.take(ticket, origin)
            self._note_login(caller.tid, "ws", "", origin or "")
            return caller
        except Unauthorized as error:
            await self._slow_down("ticket", error)
            raise

    async def _slow_down(self, what: str, error: Unauthorized) -> None:
        reason = error.data.get("reason")
        self._audit.often("access_refused", outcome="refused", reason=reason, object=what)
        await self._pace.turn()
        log.warning("refused a %s: %s", what, error.data.get("reason"))

    def _token_changed(self, tid: str, reason: str) -> None:
        self._ws.end_token(tid, reason)


def _refuser(
    request: web.BaseRequest,
) -> Callable[[Refusal, Mapping[str, str]], web.Response]:
    """Return what says no in the words of the door that was meant."""
    return detail_response if request.raw_path.startswith(PREFIX) else refusal_response
