"""Typed methods: service. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted


class ServiceMethods(MethodsBase):
    """See ``gateway.rpc.methods.service``."""

    async def ping(self, *, t: int | str | Omitted | None = OMITTED) -> schemas.Pong:
        """Answer at once; with the state of the terminal's link and its last round trip.

        The gateway answers by itself. On `/ws` this also tells it that the program is alive, which
        the pongs of a WebSocket library do not.
        """
        result: schemas.Pong = await self._call("ping", t=t)
        return result

    async def get_server_info(self) -> schemas.ServerInfo:
        """Return what the gateway is, its limits, how it tells the broker's time, and its console.

        The gateway answers by itself, so this works while the terminal is offline. `console` tells
        what the token may do while the console is silent, and until when.
        """
        result: schemas.ServerInfo = await self._call("get_server_info")
        return result

    async def get_ws_ticket(self) -> schemas.WsTicket:
        """Return a ticket that opens `/ws` once: for web pages, which can send no header there.

        It is good for 5 seconds, for the origin that asked and for the rights that the token has
        now: ask for one right before each connection. A page must be of an origin in
        `api.allowed_origins`. On the handshake a wrong ticket is answered with 401 and -32001:
        `malformed`, `unknown` (also when it was used, or asked for by another origin) or
        `expired`.
        """
        result: schemas.WsTicket = await self._call("get_ws_ticket")
        return result
