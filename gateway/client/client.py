"""Client for calls and subscriptions of one token."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self
from weakref import WeakSet

from websockets.asyncio.client import ClientConnection

from ea_bridge.host import wall_ms
from gateway.client.errors import ConnectionLost, NoAnswer
from gateway.client.history import BAR_COLUMNS, LOADING_S, TICK_COLUMNS, HistoryReader
from gateway.client.methods import Methods
from gateway.client.methods_base import Time
from gateway.client.protocol import parse_address
from gateway.client.reads import READS
from gateway.client.subscription import Subscription, SubscriptionConnections
from gateway.client.transports import HttpTransport, WsTransport, open_websocket
from gateway.schemas import Bar, Bars, HistoryTick, HistoryTicks
from gateway.schemas.enums import Timeframe

TIMEOUT_S = 30.0
"""For one call. The gateway's own deadlines are shorter, so that it answers first."""
BARS_A_PAGE, TICKS_A_PAGE = 10_000, 20_000
"""As many as one answer may hold."""


class GatewayClient(Methods):
    """Client that calls the gateway and listens to it.

    Args:
        url: ``http://127.0.0.1:7400``.
        auth_token: opens one terminal; never logged, never part of a URL or a ``repr``.
        transport: what calls travel on: ``http`` is one POST a call, ``ws`` one WebSocket
            connection for all of them, which is faster for many calls at a time. Subscriptions
            have connections of their own either way.
        timeout_s: for one call.
        pin: of the key of a gateway on another machine (``https://``), as ``mt-gateway remote
            pin`` prints it there; without one an authority has to vouch for its certificate.

    Raises:
        ValueError: the URL is none, or holds a secret; or the pin is none.

    """

    def __init__(
        self,
        url: str,
        auth_token: str,
        *,
        transport: Literal["http", "ws"] = "http",
        timeout_s: float = TIMEOUT_S,
        pin: str | None = None,
    ) -> None:
        self._address = parse_address(url, pin)
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

    def history(
        self,
        symbol: str,
        from_: Time,
        *,
        to: Time | None = None,
        timeframe: Timeframe = "M1",
        terminal: str | None = None,
        loading_s: float = LOADING_S,
    ) -> HistoryReader[Bar]:
        """Return the bars of any span, to be iterated over with ``async for``, or as a table.

        ::

            frame = await client.history("EURUSD", "2025-01-01T00:00:00Z").to_pandas()

        Args:
            symbol: its name.
            from_: first opening time.
            to: last opening time; now if absent, so that the last bar may still be forming.
            timeframe: ``M1``, ``H1`` ...
            terminal: may be left out, since a token is for one terminal.
            loading_s: how long a page is waited for while the terminal loads it.

        """
        until = wall_ms() if to is None else to

        async def ask(cursor: str | None) -> Bars:
            return await self.get_history_prices(
                symbol,
                from_,
                timeframe=timeframe,
                to=until,
                limit=BARS_A_PAGE,
                cursor=cursor,
                terminal=terminal,
            )

        return HistoryReader(ask, "bars", BAR_COLUMNS, loading_s=loading_s)

    def tick_history(
        self,
        symbol: str,
        from_: Time,
        *,
        to: Time | None = None,
        flags: Literal["all", "info", "trade"] = "all",
        terminal: str | None = None,
        loading_s: float = LOADING_S,
    ) -> HistoryReader[HistoryTick]:
        """Return the ticks of any span; see :meth:`history`. MetaTrader 4 keeps none.

        Args:
            symbol: its name.
            from_: first time.
            to: last time; now if absent.
            flags: ``info``: changes of bid and ask; ``trade``: of last and volume.
            terminal: may be left out, since a token is for one terminal.
            loading_s: how long a page is waited for while the terminal loads it.

        """
        until = wall_ms() if to is None else to

        async def ask(cursor: str | None) -> HistoryTicks:
            return await self.get_history_ticks(
                symbol,
                from_=from_,
                to=until,
                flags=flags,
                limit=TICKS_A_PAGE,
                cursor=cursor,
                terminal=terminal,
            )

        return HistoryReader(ask, "ticks", TICK_COLUMNS, loading_s=loading_s)
