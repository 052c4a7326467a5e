"""Client for programs without ``async``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Generic, Literal, Self

from gateway.client.client import TIMEOUT_S, GatewayClient
from gateway.client.history import LOADING_S, HistoryReader, Row
from gateway.client.methods_base import Time
from gateway.client.protocol import Event
from gateway.client.subscription import Subscription
from gateway.client.sync_methods import SyncMethods
from gateway.schemas import Bar, HistoryTick
from gateway.schemas.enums import Timeframe


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
        pin: str | None = None,
    ) -> None:
        new_client = partial(GatewayClient, url, auth_token, transport=transport, pin=pin)
        super().__init__(partial(new_client, timeout_s=timeout_s))

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

    def history(
        self,
        symbol: str,
        from_: Time,
        *,
        to: Time | None = None,
        timeframe: Timeframe = "M1",
        terminal: str | None = None,
        loading_s: float = LOADING_S,
    ) -> SyncHistory[Bar]:
        """Return the bars of any span; see :meth:`GatewayClient.history`."""
        history = self._client.history(
            symbol, from_, to=to, timeframe=timeframe, terminal=terminal, loading_s=loading_s
        )
        return SyncHistory(self, history)

    def tick_history(
        self,
        symbol: str,
        from_: Time,
        *,
        to: Time | None = None,
        flags: Literal["all", "info", "trade"] = "all",
        terminal: str | None = None,
        loading_s: float = LOADING_S,
    ) -> SyncHistory[HistoryTick]:
        """Return the ticks of any span; see :meth:`GatewayClient.tick_history`."""
        history = self._client.tick_history(
            symbol, from_, to=to, flags=flags, terminal=terminal, loading_s=loading_s
        )
        return SyncHistory(self, history)


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


class SyncHistory(Generic[Row]):
    """:class:`HistoryReader` without ``async``; see there."""

    def __init__(self, client: SyncGatewayClient, history: HistoryReader[Row]) -> None:
        self._client = client
        self._history = history

    @property
    def symbol(self) -> str | None:
        """The broker's name of the symbol, from the first page on."""
        return self._history.symbol

    @property
    def complete(self) -> bool:
        """Whether the last iteration has had all that the broker has, so far."""
        return self._history.complete

    @property
    def reason(self) -> str | None:
        """Why it has not: ``max_bars`` or ``terminal_error``."""
        return self._history.reason

    def __iter__(self) -> Iterator[Row]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[list[Row]]:
        """Yield the rows page by page; see :meth:`HistoryReader.pages`."""
        pages = self._history.pages()
        while (page := self._client.run(_next_page(pages))) is not None:
            yield page

    def to_arrow(self) -> Any:
        """Return a ``pyarrow.Table``; see :meth:`HistoryReader.to_arrow`."""
        return self._client.run(self._history.to_arrow())

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame``; see :meth:`HistoryReader.to_pandas`."""
        return self._client.run(self._history.to_pandas())

    def to_polars(self) -> Any:
        """Return a ``polars.DataFrame``; see :meth:`HistoryReader.to_polars`."""
        return self._client.run(self._history.to_polars())


async def _next_page(pages: AsyncIterator[list[Row]]) -> list[Row] | None:
    return await anext(pages, None)
