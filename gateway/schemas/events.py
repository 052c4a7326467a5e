"""The ``data`` of events, by channel, and the answers of ``subscribe`` and its like.

``tick``, ``book`` and ``bar`` are in :mod:`.market`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypeAliasType, TypedDict

from .account import AccountInfo
from .enums import Change, LinkState, Platform, shape
from .receipt import OrderError, OrderSettlement
from .safety import KillSwitchEvent
from .trade import Deal, Order, Position

Delivery = TypeAliasType("Delivery", Literal["latest", "lossless", "mixed"])
NotRecovered = TypeAliasType("NotRecovered", Literal["epoch_changed", "evicted", "ahead"])
SubscriptionOwner = TypeAliasType("SubscriptionOwner", Literal["connection", "token"])
Settled = TypeAliasType("Settled", Literal["settled"])
FinalOutcome = TypeAliasType("FinalOutcome", Literal["done", "rejected", "not_sent"])
Added = TypeAliasType("Added", Literal["add"])
TerminalChange = TypeAliasType(
    "TerminalChange", Literal["snapshot", "link", "broker", "autotrading", "clock", "paper"]
)
EventType = TypeAliasType("EventType", Literal["snapshot", "update", "gap", "end"])
GapReason = TypeAliasType(
    "GapReason",
    Literal[
        "ea_restarted",
        "events_lost",
        "account_changed",
        "paper_switched",
        "ticks_lost",
        "history_too_long",
    ],
)
"""Reasons that a stream could not be continued for."""


@shape
class EventParams(TypedDict):
    """Members that every event has beside its ``data``."""

    channel: str
    """As it was subscribed to, under its canonical name."""
    terminal: str
    epoch: str
    """Numbers of different epochs can't be compared."""
    seq: int
    """Counts the events of the channel within its epoch. A hole: merged into the next event on a
    ``latest`` channel, told by a ``gap`` on a ``lossless`` one."""
    type: EventType
    """``snapshot``: the whole state, replace yours; ``update``: what changed; ``gap``: events are
    missing; ``end``: the channel is over."""
    ts: int
    """When the gateway published it, UTC milliseconds."""
    data: Any


Gap = TypedDict(
    "Gap",
    {
        "from": Annotated[int, Field(description="The first number that is missing.")],
        "to": Annotated[int | None, Field(description="The last; null: nobody knows.")],
        "reason": GapReason,
    },
)
Gap.__doc__ = "Events are missing; a ``snapshot`` follows where the channel has one."
shape(Gap)


@shape
class ChannelEnd(TypedDict):
    """The terminal turned out not to have the channel: no more events come."""

    code: int
    """Of the error."""
    name: str
    """Its stable name: ``symbol_not_found``."""


@shape
class Subscribed(TypedDict):
    """A channel whose events come from now on, the first of them a ``snapshot`` where it has
    one."""

    channel: str
    """Its canonical name, which events carry."""
    terminal: str
    delivery: Delivery
    """``latest``: events may be merged into newer ones while you are slow; ``lossless``: never;
    ``mixed``: closed bars never, the forming one may."""
    epoch: str
    """Numbers of different epochs can't be compared. With ``recovered`` it goes on from that of
    ``since``, also where it is another one since the gateway was started anew."""
    seq: int
    """Of the last event before the first new one that you get; what is told again comes first."""
    recovered: bool | None
    """With ``since``: whether what came after it is told in full; null without."""
    reason: NotRecovered | None
    """Why it was not recovered: then a snapshot follows."""
    replayed: int
    """Events told again because of ``since``."""
    already: bool
    """It was subscribed to before."""
    live: bool
    """False while the terminal is offline: the channel begins, with its snapshot, when it comes
    back; the channel ``terminal`` tells when."""


@shape
class NotSubscribed(TypedDict):
    """A channel that could not be subscribed to."""

    channel: str
    """As it was asked for."""
    code: int
    name: str
    """The stable name of the error with that code."""
    message: str
    did_you_mean: list[str]


@shape
class SubscribeResult(TypedDict):
    """Result for each channel."""

    subscribed: list[Subscribed]
    failed: list[NotSubscribed]


@shape
class UnsubscribeResult(TypedDict):
    """No more events come of these channels."""

    unsubscribed: list[str]
    not_subscribed: list[str]
    """Understood, but there was nothing to end."""
    failed: list[NotSubscribed]
    """Not understood."""


@shape
class Subscription(TypedDict):
    """A channel that is subscribed to."""

    channel: str
    terminal: str
    delivery: Delivery
    epoch: str
    seq: int
    """Of its last event."""
    live: bool
    owner: SubscriptionOwner
    """``token``: made over ``/rpc``, heard by every ``/ws`` of the token that authenticated by
    header."""
    queued: int
    """Events that wait because a connection is slow."""
    conflated_total: int
    """Events that were merged into newer ones for that reason."""


@shape
class Subscriptions(TypedDict):
    """Subscriptions of the connection; over ``/rpc`` those of the token."""

    subscriptions: list[Subscription]


@shape
class OrdersSnapshot(TypedDict):
    """``orders``: all open orders, when the stream starts."""

    orders: list[Order]


@shape
class OrderEvent(TypedDict):
    """``orders``: one order was placed, changed, or left the book with its final state."""

    op: Change
    order: Order


@shape
class OrderSettled(TypedDict):
    """``orders``: the outcome of a request that was unknown (2102) has been found out."""

    op: Settled
    client_order_id: str
    outcome: FinalOutcome
    result: dict[str, Any] | None
    """As ``get_order`` tells it: what the request would have been answered with."""
    error: OrderError | None
    settlement: OrderSettlement | None
    """A person has said so, or, with ``time_contradicted``, has said otherwise before; null: the
    gateway found it out by itself."""
    paper: bool
    """True: a request of paper trading."""


@shape
class PositionsSnapshot(TypedDict):
    """``positions``: all open positions, when the stream starts."""

    positions: list[Position]


@shape
class PositionEvent(TypedDict):
    """``positions``: one was opened, changed or closed. Floating profit is on ``pnl``."""

    op: Change
    position: Position


@shape
class DealEvent(TypedDict):
    """``deals``: an execution or a balance operation."""

    op: Added
    deal: Deal


@shape
class PositionPnl(TypedDict):
    """The floating result of one position, in the account's currency."""

    ticket: int
    price_current: float
    swap: float
    profit: float


@shape
class PnlEvent(TypedDict):
    """``pnl``: the floating result of every open position."""

    positions: list[PositionPnl]
    paper: bool
    """True: the positions are those of paper trading."""


AccountEvent = AccountInfo
"""``account``: the whole account, as ``get_account_info`` gives it."""


@shape
class TerminalEvent(TypedDict):
    """``terminal``: the link, the broker or a switch changed; the whole state each time."""

    event: TerminalChange
    """What changed."""
    state: LinkState
    platform: Platform | None
    login: int | None
    server: str | None
    broker_connected: bool | None
    autotrading: bool | None
    trade_allowed: bool | None
    """The account may trade; null until the terminal has said."""
    broker_utc_offset_s: int
    paper: bool
    """The account trades on paper: no order reaches the market."""
    time: int
    """UTC milliseconds."""


@shape
class HeartbeatEvent(TypedDict):
    """``heartbeat``: the gateway is alive."""

    time: int
    """The gateway's clock, UTC milliseconds."""


OrdersUpdate = TypeAliasType("OrdersUpdate", OrderEvent | OrderSettled)
TerminalUpdate = TypeAliasType("TerminalUpdate", TerminalEvent | KillSwitchEvent)
