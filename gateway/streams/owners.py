"""Who subscribed to what: connections and tokens, and how a subscription begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gateway.errors import GatewayError

from .channels import Channel
from .event import Event
from .hub import Listener, Mark, Topic

MAX_HELD_EVENTS = 4096
"""Between making a subscription and queueing the answer that announces it."""


class Subscriber(Protocol):
    """Who subscribes: a caller of the gateway."""

    @property
    def tid(self) -> str:
        """Public id of the token."""

    @property
    def terminal(self) -> str:
        """Name of the one terminal that the token is for."""


@dataclass(eq=False)
class Beginning:
    """What subscriptions of one call get first: snapshots, then what came while the answer was
    on its way. It listens in their place until the answer is queued."""

    events: list[Event] = field(default_factory=list)
    starts: dict[Topic, Mark] = field(default_factory=dict)
    """Since when it has heard each: the first event that it has is the next."""
    overrun: bool = False
    """More came than may be held: who subscribed has to connect again."""
    over: bool = False
    """It was handed on."""

    def deliver(self, events: Sequence[Event], joined: bytes) -> None:
        """Keep the events for later."""
        if self.overrun or len(self.events) + len(events) > MAX_HELD_EVENTS:
            self.end(0, "")
        else:
            self.events += events

    def end(self, code: int, reason: str) -> None:
        """Keep nothing any more."""
        self.overrun = True
        self.events.clear()


@dataclass(eq=False)
class Subscription:
    """One channel of one owner."""

    channel: Channel
    topic: Topic
    beginning: Beginning | None = None
    active: bool = False
    """Its events are delivered; before, its :class:`Beginning` keeps them."""
    error: GatewayError | None = None
    """Why it could not be made."""


@dataclass(eq=False)
class Owner:
    """A connection, or a token for what was subscribed to over ``/rpc``."""

    kind: Literal["connection", "token"]
    tid: str
    terminal: str
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    muted: set[str] = field(default_factory=set)
    """Of a connection: the token's channels that it does not want to hear."""

    def active(self) -> list[Subscription]:
        """The subscriptions whose events are delivered."""
        return [one for one in self.subscriptions.values() if one.active]

    def holds(self, subscription: Subscription) -> bool:
        """It was neither ended nor replaced."""
        return self.subscriptions.get(subscription.channel.name) is subscription


class Owners:
    """All listeners and owners. A token's connections are found by its ``tid``."""

    def __init__(self) -> None:
        self._of_listener: dict[Listener, Owner] = {}
        self._of_token: dict[str, Owner] = {}
        self._listeners: dict[str, dict[Listener, None]] = {}

    def add(self, listener: Listener) -> None:
        """A connection has opened."""
        self._listeners.setdefault(listener.tid, {})[listener] = None

    def remove(self, listener: Listener) -> Owner | None:
        """A connection has ended; return what it owned."""
        listeners = self._listeners.get(listener.tid, {})
        listeners.pop(listener, None)
        if not listeners:
            self._listeners.pop(listener.tid, None)
        return self._of_listener.pop(listener, None)

    def remove_token(self, tid: str) -> Owner | None:
        """A token has ended; return what it owned."""
        return self._of_token.pop(tid, None)

    def open(self, listener: Listener) -> bool:
        """Whether a connection is open."""
        return listener in self._listeners.get(listener.tid, {})

    def listeners(self, tid: str) -> list[Listener]:
        """All open connections of a token."""
        return list(self._listeners.get(tid, {}))

    def all(self) -> list[Owner]:
        """Everybody who owns something."""
        return [*self._of_listener.values(), *self._of_token.values()]

    def owner(self, listener: Listener | None, tid: str, terminal: str) -> Owner:
        """Return the owner of what is subscribed to over ``listener``, or over ``/rpc``."""
        if listener is None:
            return self._of_token.setdefault(tid, Owner("token", tid, terminal))
        return self._of_listener.setdefault(listener, Owner("connection", tid, terminal))

    def hearers(self, owner: Owner) -> list[Listener]:
        """Return the connections that hear what ``owner`` subscribed to."""
        if owner.kind == "token":
            return [one for one in self.listeners(owner.tid) if one.by_header]
        return [one for one in self.listeners(owner.tid) if self._of_listener.get(one) is owner]

    def owners(self, listener: Listener) -> list[Owner]:
        """Return whose subscriptions a connection hears: its own, its token's."""
        found = [self._of_listener.get(listener)]
        if listener.by_header:
            found.append(self._of_token.get(listener.tid))
        return [owner for owner in found if owner is not None]

    def heard(self, listener: Listener) -> dict[str, tuple[Owner, Subscription]]:
        """Return the subscriptions that a connection hears, by channel."""
        own = self._of_listener.get(listener)
        muted = own.muted if own is not None else set()
        heard: dict[str, tuple[Owner, Subscription]] = {}
        for owner in self.owners(listener):
            for name, subscription in owner.subscriptions.items():
                if owner.kind == "connection" or name not in muted:
                    heard.setdefault(name, (owner, subscription))
        return heard

    def unmute(self, tid: str, name: str) -> None:
        """Make every connection hear a channel again when its token subscribes to it again."""
        for listener in self.listeners(tid):
            if (own := self._of_listener.get(listener)) is not None:
                own.muted.discard(name)
