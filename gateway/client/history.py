"""Past prices of any span, page by page: bars and ticks as iterators and as tables.

The gateway answers with a page at a time. :class:`HistoryReader` asks for one page after the
other, waits while the terminal is still loading, and tells at the end whether anything is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Generic, Literal, TypeVar

from gateway.background import Backoff
from gateway.errors import HistoryLoading

LOADING_S = 180.0
"""How long a page is asked for again while the terminal loads it. MetaTrader 5 takes up to 45
seconds for ticks, and a broker's server may be slow as well."""
FIRST_WAIT_S, LAST_WAIT_S = 0.1, 5.0

Column = Literal["utc", "wall", "float", "int"]
"""What a column holds. Both moments are milliseconds: ``utc`` is UTC, ``wall`` the broker's clock,
which has no zone."""
BAR_COLUMNS: Mapping[str, Column] = {
    "time": "utc",
    "broker_time": "wall",
    "open": "float",
    "high": "float",
    "low": "float",
    "close": "float",
    "tick_volume": "int",
    "spread": "int",
    "real_volume": "int",
}
TICK_COLUMNS: Mapping[str, Column] = {
    "time": "utc",
    "broker_time": "wall",
    "bid": "float",
    "ask": "float",
    "last": "float",
    "volume": "float",
    "flags": "int",
}

Row = TypeVar("Row", bound=Mapping[str, Any])
Ask = Callable[[str | None], Awaitable[Mapping[str, Any]]]
"""Asks for the page of a cursor; ``None`` is the first page."""


class HistoryReader(Generic[Row]):
    """Bars or ticks of one symbol in a span of time, oldest first; both ends are included.

    ``async for`` yields them one by one; each iteration asks anew. Made by
    :meth:`.GatewayClient.history` and :meth:`.GatewayClient.tick_history`.

    Args:
        ask: asks the gateway for a page.
        rows: the key of the page's rows: ``bars`` or ``ticks``.
        columns: of a row.
        loading_s: how long a page that the terminal is loading is waited for.

    """

    def __init__(
        self, ask: Ask, rows: str, columns: Mapping[str, Column], *, loading_s: float = LOADING_S
    ) -> None:
        self._ask = ask
        self._rows = rows
        self._loading_s = loading_s
        self.columns = columns
        self.symbol: str | None = None
        """The broker's name of the symbol, from the first page on."""
        self.complete = True
        """Whether the last iteration has had all that the broker has, so far."""
        self.reason: str | None = None
        """Why it has not: ``max_bars`` (the terminal keeps no more) or ``terminal_error``."""

    def __aiter__(self) -> AsyncIterator[Row]:
        return self._each()

    async def _each(self) -> AsyncIterator[Row]:
        async for page in self.pages():
            for row in page:
                yield row

    async def pages(self) -> AsyncIterator[list[Row]]:
        """Yield the rows page by page; a page in the middle of a gap can be empty.

        Raises:
            HistoryLoading: the terminal was still loading a page when the wait was over.

        """
        self.complete, self.reason = True, None
        cursor: str | None = None
        while True:
            page = await self._loaded(cursor)
            self.symbol = page["symbol"]
            if not page["complete"]:
                self.complete, self.reason = False, page["reason"]
            yield page[self._rows]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def _loaded(self, cursor: str | None) -> Mapping[str, Any]:
        """Ask for a page until the terminal has loaded it: what is passed on has no such hole."""
        loop = asyncio.get_running_loop()
        until_s, backoff = loop.time() + self._loading_s, Backoff(FIRST_WAIT_S, LAST_WAIT_S)
        while True:
            failure = HistoryLoading()
            try:
                page = await self._ask(cursor)
                if page["reason"] != "loading":
                    return page
            except HistoryLoading as error:
                failure = error
            if loop.time() + backoff.wait_s > until_s:
                raise failure
            await asyncio.sleep(backoff.wait_s)
            backoff.grow()

    async def to_arrow(self) -> Any:
        """Return all of it as a ``pyarrow.Table``; needs ``mt-gateway[data]``.

        ``time`` is in UTC, ``broker_time`` the broker's clock without a zone.

        Raises:
            ImportError: pyarrow is not installed.
            HistoryLoading: the terminal was still loading when the wait was over.

        """
        schema = arrow_schema(self.columns)  # before anything is asked: it may not be installed
        batches = [arrow_batch(page, schema) async for page in self.pages()]
        return needed("pyarrow").Table.from_batches(batches, schema)

    async def to_pandas(self) -> Any:
        """Return all of it as a ``pandas.DataFrame``; see :meth:`to_arrow`."""
        needed("pandas")
        return (await self.to_arrow()).to_pandas()

    async def to_polars(self) -> Any:
        """Return all of it as a ``polars.DataFrame``; see :meth:`to_arrow`."""
        polars = needed("polars")
        return polars.from_arrow(await self.to_arrow())


def needed(package: str) -> ModuleType:
    """Import a package of the extra ``data``.

    Raises:
        ImportError: it is not installed; the message says how to.

    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ImportError(
            f"{package} is not installed: pip install 'mt-gateway[data]'", name=package
        ) from None


def arrow_schema(columns: Mapping[str, Column]) -> Any:
    """Return the ``pyarrow.Schema`` of rows.

    Raises:
        ImportError: pyarrow is not installed.

    """
    arrow = needed("pyarrow")
    types = {
        "utc": arrow.timestamp("ms", tz="UTC"),
        "wall": arrow.timestamp("ms"),
        "float": arrow.float64(),
        "int": arrow.int64(),
    }
    return arrow.schema([(name, types[kind]) for name, kind in columns.items()])


def arrow_batch(rows: Sequence[Mapping[str, Any]], schema: Any) -> Any:
    """Return rows as a ``pyarrow.RecordBatch``."""
    values = {name: [row[name] for row in rows] for name in schema.names}
    return needed("pyarrow").RecordBatch.from_pydict(values, schema)
