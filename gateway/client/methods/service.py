"""Typed methods: service. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import shapes
from gateway.client.asking import OMITTED, Asking, Omitted


class ServiceMethods(Asking):
    """See ``gateway.methods.service``."""

    async def ping(self, *, t: int | str | Omitted | None = OMITTED) -> shapes.Pong:
        """Answer at once; with the state of the terminal's link and its last round trip.

        The gateway answers by itself. On `/ws` this also tells it that the program is alive, which
        the pongs of a WebSocket library do not.
        """
        result: shapes.Pong = await self._ask("ping", t=t)
        return result

    async def get_server_info(self) -> shapes.ServerInfo:
        """Return what the gateway is, its limits, and how it tells the broker's time.

        The gateway answers by itself, so this works while the terminal is offline.
        """
        result: shapes.ServerInfo = await self._ask("get_server_info")
        return result
