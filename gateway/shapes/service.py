"""The gateway itself, as clients see it."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from .account import BrokerOffset
from .words import LinkState, Platform, shape


@shape
class ClientLimits(TypedDict):
    """Bounds that a client can run into."""

    max_message_bytes: int
    """A request body or WebSocket message."""
    max_response_bytes: int
    """An answer; larger results are paged."""
    max_batch: int
    """Calls in one batch."""
    max_in_flight: int
    """Calls being answered on one connection."""
    max_websockets: int
    """WebSocket connections of one token."""
    max_channels: int
    """Subscribed channels of one connection."""
    queue_bytes: int
    """Events waiting for a slow connection; above that it is closed with 4000."""
    queue_messages: int
    """The same, counted."""


@shape
class ServerIdentity(TypedDict):
    """Which gateway this is."""

    name: str
    version: str
    boot: str
    """New with each start of the daemon."""


@shape
class TerminalState(TypedDict):
    """A terminal that the token opens."""

    id: str
    """Its name: the ``terminal`` of other methods."""
    platform: Platform | None
    """Null until its EA has been connected once."""
    login: int | None
    server: str | None
    state: LinkState


@shape
class HelloResult(TypedDict):
    """The connection is open."""

    api: int
    """Version of the protocol that is spoken."""
    server: ServerIdentity
    features: list[str]
    """Those of the features asked for that are in force."""
    scopes: list[Literal["read", "trade", "admin"]]
    """What the token may be used for."""
    heartbeat_ms: int
    """Some frame comes at least this often."""
    time: int
    """The gateway's clock, UTC milliseconds."""
    limits: ClientLimits
    terminals: list[TerminalState]


@shape
class TerminalPing(TypedDict):
    """How a terminal is."""

    state: LinkState
    rtt_ms: float | None
    """Round trip of the last heartbeat."""
    age_ms: int | None
    """Since it was last heard of."""


@shape
class Pong(TypedDict):
    """The gateway is alive."""

    t: int | str | None
    """What you sent."""
    time: int
    """The gateway's clock, UTC milliseconds."""
    terminals: dict[str, TerminalPing]
    """By name."""


@shape
class TerminalServerInfo(TypedDict):
    """A terminal in ``get_server_info``."""

    id: str
    platform: Platform | None
    login: int | None
    server: str | None
    state: LinkState
    clock: BrokerOffset


@shape
class ServerInfo(TypedDict):
    """The gateway, its limits, and how it tells broker time."""

    name: str
    version: str
    api: int
    boot: str
    """New with each start of the daemon."""
    time: int
    """The gateway's clock, UTC milliseconds."""
    started: int
    """UTC milliseconds."""
    uptime_ms: int
    rpc_url: str
    ws_url: str
    scopes: list[Literal["read", "trade", "admin"]]
    """What the token may be used for."""
    limits: ClientLimits
    terminals: list[TerminalServerInfo]
    """Those that the token opens."""
