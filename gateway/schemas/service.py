"""The gateway itself, as clients see it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType, TypedDict

from .account import BrokerOffset
from .enums import LinkState, Platform, shape

Scope = TypeAliasType("Scope", Literal["read", "trade", "admin", "remote"])
Tier = TypeAliasType("Tier", Literal["full", "reduce", "read", "none"])
RequestId = TypeAliasType("RequestId", str | float)
PingEcho = TypeAliasType("PingEcho", int | Annotated[str, Field(max_length=64)])


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
    """The same, counted: events that came at once are one."""
    orders_per_second: float | None
    """Trades of the account in the long run, whichever tokens they come with; null: any number.
    One beyond is refused with ``limit_exceeded`` and the time to wait, unless it reduces."""
    order_burst: int | None
    """How many of them may come at once, after a pause; null where their number is not bounded."""
    max_orders_per_minute: int | None
    """New orders of the account in any 60 seconds; null: any number."""


@shape
class CallTiming(TypedDict):
    """Milliseconds that each stage of a call took: ``timing_ms`` of a response, beside ``result``
    or ``error``, where the request has ``"timing": true``. What is left of the whole went by in
    the gateway itself: before an order that is its writing to the disk.
    """

    queue: float | None
    """From the arrival of the message until the first command went to the terminal; null where the
    terminal was asked nothing."""
    terminal: float | None
    """How long at least one command was with the terminal; null as above."""
    whole: float
    """From the arrival of the message until its answer was there, to be encoded."""


@shape
class ServerIdentity(TypedDict):
    """Identity of this gateway."""

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
    scopes: list[Scope]
    """What the token may be used for."""
    heartbeat_ms: int
    """Some frame comes at least this often."""
    time: int
    """The gateway's clock, UTC milliseconds."""
    limits: ClientLimits
    terminals: list[TerminalState]


@shape
class WelcomeAccount(TypedDict):
    """The account that the terminal is logged in to."""

    login: int
    server: str
    company: str
    currency: str
    margin_mode: str | None
    """``hedging``, ``netting`` or ``exchange``."""
    trade_mode: str | None
    """``demo``, ``contest`` or ``real``."""


@shape
class Welcome(TypedDict):
    """``welcome``: told unasked to every ``/ws`` connection once it has signed in."""

    api: int
    """Version of the protocol that is spoken."""
    server: ServerIdentity
    terminal: TerminalState
    account: WelcomeAccount | None
    """Null until its EA has been connected once."""
    scopes: list[Scope]
    """What the token may be used for."""
    limits: ClientLimits
    heartbeat_ms: int
    """Some message comes at least this often: a ``heartbeat`` when there is nothing else."""
    time: int
    """The gateway's clock, UTC milliseconds."""


@shape
class ServerShutdown(TypedDict):
    """``server_shutdown``: the gateway goes down; the connection is closed with 1001."""

    reason: str
    restart_in_ms: int | None
    """When to come back; null: that is not known."""


@shape
class TerminalPing(TypedDict):
    """State of a terminal, as it answers a ping."""

    state: LinkState
    rtt_ms: float | None
    """Round trip of the last heartbeat."""
    age_ms: int | None
    """Since it was last heard of."""


@shape
class Pong(TypedDict):
    """The gateway is alive."""

    t: PingEcho | None
    """What you sent."""
    time: int
    """The gateway's clock, UTC milliseconds."""
    terminals: dict[str, TerminalPing]
    """By name."""


@shape
class Cancellation(TypedDict):
    """Whether a request that was in flight has been stopped."""

    cancelled: bool


@shape
class WsTicket(TypedDict):
    """Ticket that opens one WebSocket connection, once."""

    ticket: str
    """Random; whoever has it may connect in your name. Never put it into a URL."""
    expires_ms: int
    """How long it may be used, from now."""
    subprotocol: str
    """Offer it beside ``mtg.v1``: ``new WebSocket(url, ["mtg.v1", subprotocol])``."""


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
class ConsoleInfo(TypedDict):
    """The console that the gateway takes its tokens from, and what that means for yours."""

    url: str
    connected: bool
    """It can tell the gateway at once what has changed; else the gateway asks twice a minute."""
    last_sync: int | None
    """When the gateway last had its word, UTC milliseconds; null: not since the start."""
    problem: str | None
    """What is wrong with the link, and what to do; null if nothing is."""
    clock_suspect: bool
    """The clock of the gateway's machine went back, and the console was not reached since."""
    tier: Tier
    """What your token may do now: all that its scopes allow; only close positions, cancel orders
    and tighten stops; only read; nothing."""
    tier_reason: str | None
    """Why it is not ``full``, in the words of ``data.reason``; null if it is."""
    tier_ends: int | None
    """When it becomes less if the console stays silent, UTC milliseconds."""
    lease_ends: int | None
    """How long the console vouches for your token, UTC milliseconds; it is renewed long before."""
    device: str
    """Id of the gateway's machine, as the console knows it."""
    device_words: str
    """Four words for it, by which people compare."""


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
    scopes: list[Scope]
    """What the token may be used for."""
    limits: ClientLimits
    terminals: list[TerminalServerInfo]
    """Those that the token opens."""
    console: ConsoleInfo | None
    """Null for a gateway that makes its own tokens."""
