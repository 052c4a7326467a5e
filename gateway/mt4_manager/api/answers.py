"""Answers of the manager API: flat objects with ``"status": "ok"``, and lists.

A user is under ``user``, since his record has a ``status`` of its own. Records are those of
:mod:`ea_bridge.mt4_manager.model`, whose docstrings tell their units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import model as mt4

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
    """It was done, to so many."""

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
    """Those of the trades that were named that there are."""

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
