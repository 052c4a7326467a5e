"""Client for programs without ``async``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

from gateway.client.client import TIMEOUT_S, GatewayClient
from gateway.client.protocol import Event
from gateway.client.subscription import Subscription
from gateway.client.sync_methods import SyncMethods


class SyncGatewayClient(SyncMethods):
    """:class:`GatewayClient` without ``async``; see there. May be used from several threads.

    ::

        with SyncGatewayClient("http://127.0.0.1:7400", auth_token) as client:
            print(client.get_account_info()["balance"])
            for event in client.subscribe("tick:EURUSD"):
                print(event.data["bid"])
    """

    def __init__(
        self,
        url: str,
        auth_token: str,
        *,
        transport: Literal["http", "ws"] = "http",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        super().__init__(
            partial(GatewayClient, url, auth_token, transport=transport, timeout_s=timeout_s)
        )

    def __repr__(self) -> str:
        return f"<Sync{repr(self._client)[1:]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def call(self, method: str, /, **params: Any) -> Any:
        """Call a method by its name; see :meth:`GatewayClient.call`."""
        return self.run(self._client.call(method, **params))

    def subscribe(
        self,
        *channels: str,
        terminal: str | None = None,
        snapshot: bool = True,
        since: Mapping[str, tuple[str, int]] | None = None,
    ) -> SyncSubscription:
        """Return the events of some channels; see :meth:`GatewayClient.subscribe`."""
        subscription = self._client.subscribe(
            *channels, terminal=terminal, snapshot=snapshot, since=since
        )
        return SyncSubscription(self, subscription)


class SyncSubscription(Iterator[Event]):
    """:class:`Subscription` without ``async``; see there."""

    def __init__(self, client: SyncGatewayClient, subscription: Subscription) -> None:
        self._client = client
        self._subscription = subscription

    @property
    def positions(self) -> dict[str, tuple[str, int]]:
        """``(epoch, seq)`` of the last event that came, by channel."""
        return self._subscription.positions

    def __next__(self) -> Event:
        event = self._client.run(_next(self._subscription))
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; an iteration in another thread ends."""
        self._client.run(self._subscription.aclose())


async def _next(subscription: Subscription) -> Event | None:
    return await anext(subscription, None)
