"""Client for calls and subscriptions of one token."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self
from weakref import WeakSet

from websockets.asyncio.client import ClientConnection

from gateway.client.errors import ConnectionLost, NoAnswer
from gateway.client.methods import Methods
from gateway.client.protocol import parse_address
from gateway.client.reads import READS
from gateway.client.subscription import Subscription, SubscriptionConnections
from gateway.client.transports import HttpTransport, WsTransport, open_websocket

TIMEOUT_S = 30.0
"""For one call. The gateway's own deadlines are shorter, so that it answers first."""


class GatewayClient(Methods):
    """Client that calls the gateway and listens to it.

    Args:
        url: ``http://127.0.0.1:7400``.
        auth_token: opens one terminal; never logged, never part of a URL or a ``repr``.
        transport: what calls travel on: ``http`` is one POST a call, ``ws`` one WebSocket
            connection for all of them, which is faster for many calls at a time. Subscriptions
            have connections of their own either way.
        timeout_s: for one call.

    Raises:
        ValueError: the URL is none, or holds a secret.

    """

    def __init__(
        self,
        url: str,
        auth_token: str,
        *,
        transport: Literal["http", "ws"] = "http",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._address = parse_address(url)
        self._timeout_s = timeout_s
        new_transport = HttpTransport if transport == "http" else WsTransport
        self._transport: HttpTransport | WsTransport = new_transport(self._address, auth_token)
        self._auth_token = auth_token
        # weak: a subscription that is left by break must be collected, which closes its connection
        self._subscriptions: WeakSet[Subscription] = WeakSet()
        self._connections = SubscriptionConnections(self._connect)

    def __repr__(self) -> str:
        return f"<GatewayClient {self._address.base}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for subscription in list(self._subscriptions):
            await subscription.aclose()
        await self._connections.aclose()
        await self._transport.close()

    async def call(self, method: str, /, **params: Any) -> Any:
        """Call a method by its name and return its result.

        A method that only reads is asked a second time when the connection broke; nothing that
        may trade ever is.

        Raises:
            GatewayError: the answer is an error.
            NoAnswer: none came.
            ValueError: a param is NaN or infinite.

        """
        if method not in READS:
            return await self._call_once(method, params)
        ask = partial(
            self._transport.request, method, params, lost=None, timeout_s=self._timeout_s
        )
        try:
            return await ask()
        except ConnectionLost:
            # a connection that was closed while it was idle shows it only to the next call
            return await ask()

    async def _connect(self) -> ClientConnection:
        return await open_websocket(self._address, self._auth_token)

    async def _call_once(self, method: str, params: dict[str, Any]) -> Any:
        try:
            return await self._transport.request(
                method, params, lost="unknown", timeout_s=self._timeout_s
            )
        except NoAnswer as failure:
            failure.client_order_id = params.get("client_order_id")
            raise

    def subscribe(
        self,
        *channels: str,
        terminal: str | None = None,
        snapshot: bool = True,
        since: Mapping[str, tuple[str, int]] | None = None,
    ) -> Subscription:
        """Return the events of some channels, to be iterated over with ``async for``.

        Args:
            channels: ``tick:EURUSD``, ``bar.M1:EURUSD``, ``orders`` ...
            terminal: may be left out, since a token is for one terminal.
            snapshot: begin with the present state, on channels that have one.
            since: go on where an earlier subscription was: its ``positions``.

        Raises:
            ValueError: no channel is given.

        """
        if not channels:
            raise ValueError("name at least one channel, such as tick:EURUSD")
        subscription = Subscription(
            self._connections,
            channels,
            terminal=terminal,
            snapshot=snapshot,
            since=since or {},
        )
        self._subscriptions.add(subscription)
        return subscription
