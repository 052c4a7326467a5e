"""Answers of the manager API: flat objects with ``"status": "ok"``, and lists.

A user is under ``user``, since his record has a ``status`` of its own. Records are those of
:mod:`ea_bridge.mt4_manager.model`, whose docstrings tell their units.

Lists that may be long are asked for and sent on in pieces, so that no order of a bot waits long. A
list of up to :data:`PIECE` rows is one answer with its length. A longer one is sent while it
comes; if the peer is lost meanwhile the connection is cut, so that half a list never looks like a
whole one. Between two pieces the server goes on: rows may move by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec.structs import replace
from pydantic import Field

from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.model import Page
from gateway.http.rest.operation import Parameter

from .operation import ManagerCall

Ok = Literal["ok"]
_encode = msgspec.json.Encoder().encode


class Health(Struct, frozen=True, kw_only=True):
    """The API answers."""

    status: Ok = "ok"
    service: Literal["mt4-manager-api"] = "mt4-manager-api"
    version: str = "1.0.0"
    """Of the API, not of the gateway."""


class ServiceHealth(Struct, frozen=True, kw_only=True):
    """The link to the MT4 server answers."""

    status: Ok = "ok"
    service: Literal["mt4-service"] = "mt4-service"
    connected: bool
    """A manager is logged in at the server."""


class Token(Struct, frozen=True, kw_only=True):
    """A bearer token; it lives for 8 hours."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # what OAuth2 calls it


class Message(Struct, frozen=True, kw_only=True):
    """It was done."""

    status: Ok = "ok"
    message: str


class Connected(Struct, frozen=True, kw_only=True):
    """Whether a manager is logged in at the server."""

    status: Ok = "ok"
    connected: bool


class Ping(Struct, frozen=True, kw_only=True):
    """The server answers."""

    status: Ok = "ok"
    ping: bool


class Clock(Struct, frozen=True, kw_only=True):
    """The server's clock, in UTC and as the broker's day goes."""

    status: Ok = "ok"
    server_time: int
    """Seconds since 1970, UTC."""
    server_time_str: str
    """The same, such as ``2026-03-07 16:43:34 UTC``."""
    broker_time: int
    """Seconds of the server's own clock, as all times of its records are."""
    broker_time_str: str
    """The same, such as ``2026-03-07 18:43:34``."""
    utc_offset_s: int
    """How far that clock is ahead of UTC, in steps of a quarter of an hour."""


class User(Struct, frozen=True, kw_only=True):
    """A user."""

    status: Ok = "ok"
    user: mt4.UserRecord


class Booked(Struct, frozen=True, kw_only=True):
    """A booking was made."""

    status: Ok = "ok"
    order: int
    """Number of the trade that books it; 0 where the server did not tell."""
    login: int
    amount: float
    """With its sign: below 0 it went out."""


class Total(Struct, frozen=True, kw_only=True):
    """Result of a change to several objects, with their number."""

    status: Ok = "ok"
    total: int


class Margin(mt4.MarginLevel, frozen=True, kw_only=True):
    """How an account stands. ``volume`` in lots times 100, ``margin_level`` in percent."""

    status: Ok = "ok"


class Trade(mt4.TradeRecord, frozen=True, kw_only=True):
    """A trade. ``volume`` in lots times 100, times in seconds of the server's clock."""

    status: Ok = "ok"


class Group(mt4.GroupRecord, frozen=True, kw_only=True):
    """A group."""

    status: Ok = "ok"


class Symbol(mt4.SymbolRecord, frozen=True, kw_only=True):
    """A symbol."""

    status: Ok = "ok"


class Price(mt4.SymbolPrice, frozen=True, kw_only=True):
    """A symbol's price."""

    status: Ok = "ok"


class Config(mt4.ServerConfig, frozen=True, kw_only=True):
    """The server's common settings."""

    status: Ok = "ok"


class Listed(Struct, frozen=True, kw_only=True):
    """Base of lists: rows ``offset`` and following of ``total`` that fit the question."""

    status: Ok = "ok"
    total: int
    offset: int
    limit: int


class Users(Listed, frozen=True, kw_only=True):
    """Users."""

    users: list[mt4.UserRecord]


class Margins(Listed, frozen=True, kw_only=True):
    """How accounts stand."""

    margins: list[mt4.MarginLevel]


class Trades(Listed, frozen=True, kw_only=True):
    """Trades."""

    trades: list[mt4.TradeRecord]


class Groups(Listed, frozen=True, kw_only=True):
    """Groups."""

    groups: list[mt4.GroupRecord]


class Online(Listed, frozen=True, kw_only=True):
    """Connections of users."""

    online: list[mt4.OnlineRecord]


class Symbols(Listed, frozen=True, kw_only=True):
    """Symbols."""

    symbols: list[mt4.SymbolRecord]


class TradesFound(Struct, frozen=True, kw_only=True):
    """Those of the requested trades that exist."""

    status: Ok = "ok"
    total: int
    trades: list[mt4.TradeRecord]


def encode(answer: Struct) -> bytes:
    """Return the JSON of an answer."""
    return _encode(answer)


def flat(record: Struct) -> bytes:
    """Return the JSON of a record, as a flat answer of its own."""
    return b'{"status":"ok",' + _encode(record)[1:]


def rows(records: Sequence[Struct]) -> bytes:
    """Return the JSON of the rows of a list, without its brackets."""
    return _encode(records)[1:-1]


PIECE = 2000
"""Rows that are asked for at a time."""
DEFAULT_LIMIT = 1000
MAX_LIMIT = 100_000
ALL = 1_000_000

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)
Offset = Annotated[int, Field(ge=0, le=2**31 - 1)]

OFFSET = Parameter("offset", Offset, "Rows to leave out, of those that fit.", default=0)
LIMIT = Parameter(
    "limit",
    Annotated[int, Field(ge=1, le=MAX_LIMIT)],
    "Rows to return, at most.",
    default=DEFAULT_LIMIT,
)
LIMIT_ALL = Parameter(
    "limit",
    Annotated[int, Field(ge=1, le=ALL)],
    "Rows to return, at most; all if absent.",
    default=ALL,
)
PAGING = (OFFSET, LIMIT)
WHOLE = (OFFSET, LIMIT_ALL)
"""Of a list that is answered whole unless a page of it is asked for."""


@dataclass(frozen=True)
class Listing(Generic[R]):
    """A list that is asked for.

    Args:
        name: the key of its rows.
        page: asks for a page: ``offset`` and ``limit``.

    """

    name: str
    page: Callable[[int, int], Awaitable[Page[R]]]
    offset: int
    limit: int

    async def begin(self) -> Pieces[R]:
        """Ask for the first piece.

        Raises:
            ManagerError: there is no answer.

        """
        return Pieces(self, await self.piece(self.offset, self.limit))

    async def piece(self, offset: int, left: int) -> Piece:
        """Ask for a piece. Of its rows nothing stays but their JSON: whoever reads slowly has one
        waiting, and records take many times as much.
        """
        page = await self.page(offset, min(PIECE, left))
        return Piece(page.total, len(page.rows), rows(page.rows))


def listed(call: ManagerCall, name: str, command: Command[P, Page[R]], fits: P) -> Listing[R]:
    """Return the list that a call asks for with ``offset`` and ``limit`` in its query.

    Args:
        name: the key of its rows.
        command: asks the peer for a page.
        fits: which rows; it has an ``offset`` and a ``limit`` of its own, that are replaced.

    """

    def page(offset: int, limit: int) -> Awaitable[Page[R]]:
        return call.question(command, replace(fits, offset=offset, limit=limit))

    return Listing(name, page, call.query["offset"], call.query["limit"])


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a list, as JSON, of ``total`` that fit the question."""

    total: int
    count: int
    rows: bytes


class Pieces(Generic[R]):
    """A list whose first piece is here."""

    def __init__(self, listing: Listing[R], first: Piece) -> None:
        self._listing = listing
        self._first = first
        left = max(0, first.total - listing.offset)
        self._wanted = min(listing.limit, left)

    @property
    def is_whole(self) -> bool:
        """Whether nothing more is to be asked for."""
        return self._first.count >= self._wanted or not self._first.count

    @property
    def body(self) -> bytes:
        """The whole answer, of a list that is whole."""
        return self._head() + self._first.rows + b"]}"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the answer piece by piece; the next one is asked for while one is sent."""
        listing, piece, got = self._listing, self._first, 0
        yield self._head()
        self._first = Piece(piece.total, 0, b"")  # it waits for its reader once, not twice
        while True:
            got += piece.count
            left = self._wanted - got
            coming: asyncio.Task[Piece] | None = None
            if left > 0 and piece.count:
                # asked for while this one is sent: the peer is slow, and so may the reader be
                coming = asyncio.ensure_future(listing.piece(listing.offset + got, left))
            try:
                if got > piece.count > 0:
                    yield b","
                if piece.count:
                    yield piece.rows
                if coming is None:
                    break
                piece = await coming
            finally:
                # where the reader has gone, nobody waits for the next piece
                if coming is not None:
                    coming.cancel()
        yield b"]}"

    def _head(self) -> bytes:
        listing = self._listing
        return (
            f'{{"status":"ok","total":{self._first.total},"offset":{listing.offset},'
            f'"limit":{listing.limit},"{listing.name}":['
        ).encode()
