"""Door for programs of other machines: ``/rpc`` and ``/ws`` by TLS, and nothing else.

It has a listener, a guard and connections of its own: who floods it takes no place of programs on
this machine. Calls go to the same methods, and the pace of failures is the same for both doors.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Mapping

from aiohttp import web

from gateway.audit import Audit
from gateway.config import Limits, RemoteApi
from gateway.errors import ShuttingDown
from gateway.http.connections import Connections
from gateway.http.guard import Door, Guard, Refusal, Route
from gateway.http.tls_listener import TlsListener
from gateway.rpc.authentication import Authenticator, RequestCredentials
from gateway.rpc.requests import RPC_PATHS, WS_PATHS, RpcHandler, answered
from gateway.rpc.websocket.endpoint import WebSocketEndpoint

log = logging.getLogger(__name__)

ROUTES = {path: Route("POST", "required", rpc=True) for path in RPC_PATHS} | {
    path: Route("GET", "optional") for path in WS_PATHS
}


class RemoteListening:
    """Socket, certificate and settings of the door, before it has a server behind it.

    Args:
        settings: with an address to listen on.
        sock: bound to it, not listening.
        context: with the certificate.
        pin: of its key; see :mod:`gateway.client.pin`.

    """

    def __init__(
        self, settings: RemoteApi, sock: socket.socket, context: ssl.SSLContext, pin: str
    ) -> None:
        self.settings = settings
        self.sock = sock
        self.context = context
        self.pin = pin
        self.port: int = sock.getsockname()[1]
        self._networks = tuple(ipaddress.ip_network(text) for text in settings.allow)

    @property
    def url(self) -> str:
        """Address of ``/rpc``, by the first name that clients use."""
        return f"https://{self.names[0]}:{self.port}/rpc"

    @property
    def names(self) -> tuple[str, ...]:
        """Names that a ``Host`` may have."""
        return names_of(self.settings)

    def allows(self, address: str | None) -> bool:
        """Whether a peer's address is one of those listed."""
        try:
            peer = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        return any(peer in network for network in self._networks)


def names_of(settings: RemoteApi) -> tuple[str, ...]:
    """Return the names that clients use, as they stand in a URL."""
    address = ipaddress.ip_address(settings.listen)
    if address.is_unspecified:
        return settings.hosts
    own = f"[{address}]" if address.version == 6 else str(address)  # IPv6
    return (own, *settings.hosts)


class RemoteDoor:
    """Door that is open between ``start`` and ``stop``.

    Args:
        listening: where.
        rpc: answers ``/rpc``.
        ws: answers ``/ws``.
        authenticator: that of this machine's door.
        limits: those of this machine's door; how many connections the settings say.
        refused: counts refusals by status.
        audit: trail of who was not let in.

    """

    def __init__(
        self,
        listening: RemoteListening,
        *,
        rpc: RpcHandler,
        ws: WebSocketEndpoint,
        authenticator: Authenticator,
        limits: Limits,
        refused: Counter[int],
        audit: Audit,
    ) -> None:
        most = listening.settings.max_connections
        fewer = {
            "max_connections": most,
            "max_unauthenticated": min(most, limits.max_unauthenticated),
        }
        self.connections = Connections(self._handle, limits.model_copy(update=fewer))
        self.listener = TlsListener(
            listening.sock, listening.context, listening.allows, self.connections
        )
        self._guard = Guard(
            ROUTES,
            port=listening.port,
            door=Door(
                names=listening.names,
                port=443,
                takes=listening.allows,
                refusal="This address may not call",
                pages=False,
            ),
        )
        self._rpc = rpc
        self._ws = ws
        self._authenticator = authenticator
        self._refused = refused
        self._audit = audit
        self._url = listening.url
        self._stopping = False

    def start(self) -> None:
        """Begin to listen."""
        self.listener.start()
        log.warning("listening for other machines: %s", self._url)

    def shut(self) -> None:
        """Answer no further request."""
        self._stopping = True

    async def stop(self, within_s: float) -> None:
        """Stop listening, and end the connections."""
        await self.listener.stop()
        await self.connections.shutdown(within_s)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        return await answered(request, {}, self._answer, self._refused, self._audit)

    async def _answer(
        self, request: web.BaseRequest, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        path = self._guard.path(request)
        if self._stopping:
            raise Refusal(503, ShuttingDown())
        # the guard has let it pass, so that it has an address
        authenticator = self._authenticator.for_remote(str(request.remote))
        credentials = RequestCredentials(authenticator, request, self._guard.token(request))
        if path in RPC_PATHS:
            return await self._rpc.answer(request, await credentials.caller(), headers)
        return await self._ws.answer(request, credentials.token, authenticator)
