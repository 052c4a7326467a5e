"""Subscriptions of connections and tokens, from their beginning to their end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gateway.errors import GatewayError

from .channels import Channel
from .feed import HEARTBEAT
from .hub import MISSED, Heartbeats, Hub, Listener, StreamPosition, Topic
from .outbox import StreamEvent

MAX_HELD_EVENTS = 4096
"""Between making a subscription and queueing the answer that announces it."""


class Subscriber(Protocol):
    """Caller of the gateway that subscribes."""

    @property
    def tid(self) -> str:
        """Public id of the token."""

    @property
    def terminal(self) -> str:
        """Name of the one terminal that the token is for."""


@dataclass(eq=False)
class PendingSubscription:
    """Beginning of the subscriptions of one call, until its answer is queued.

    It listens in their place, and holds what they get first: snapshots, then what came while the
    answer was on its way.
    """

    replay: list[StreamEvent] = field(default_factory=list)
    """Events that were missed, to be told before all others."""
    events: list[StreamEvent] = field(default_factory=list)
    starts: dict[Topic, StreamPosition] = field(default_factory=dict)
    """Since when it has heard each: the first event that it has is the next."""
    overrun: bool = False
    """More came than may be held: who subscribed has to connect again."""
    over: bool = False
    """It was handed on."""

    def deliver(self, events: Sequence[StreamEvent], joined: bytes) -> None:
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
class ChannelSubscription:
    """One channel of one owner."""

    channel: Channel
    topic: Topic
    pending: PendingSubscription | None = None
    active: bool = False
    """Its events are delivered; before, its :class:`PendingSubscription` holds them."""
    error: GatewayError | None = None
    """Error for which it could not be made."""


@dataclass(eq=False)
class Owner:
    """A connection, or a token for what was subscribed to over ``/rpc``."""

    kind: Literal["connection", "token"]
    tid: str
    terminal: str
    subscriptions: dict[str, ChannelSubscription] = field(default_factory=dict)
    muted: set[str] = field(default_factory=set)
    """Of a connection: the token's channels that it does not want to hear."""

    def active(self) -> list[ChannelSubscription]:
        """Return the subscriptions whose events are delivered."""
        return [
            subscription for subscription in self.subscriptions.values() if subscription.active
        ]

    def holds(self, subscription: ChannelSubscription) -> bool:
        """Whether a subscription was neither ended nor replaced."""
        return self.subscriptions.get(subscription.channel.name) is subscription


class SubscriptionRegistry:
    """Registry of all listeners and owners; a token's connections are found by its ``tid``."""

    def __init__(self) -> None:
        self._of_listener: dict[Listener, Owner] = {}
        self._of_token: dict[str, Owner] = {}
        self._listeners: dict[str, dict[Listener, None]] = {}

    def add(self, listener: Listener) -> None:
        """Add a connection that has opened."""
        self._listeners.setdefault(listener.tid, {})[listener] = None

    def remove(self, listener: Listener) -> Owner | None:
        """Remove a connection that has ended; return what it owned."""
        listeners = self._listeners.get(listener.tid, {})
        listeners.pop(listener, None)
        if not listeners:
            self._listeners.pop(listener.tid, None)
        return self._of_listener.pop(listener, None)

    def remove_token(self, tid: str) -> Owner | None:
        """Remove a token that has ended; return what it owned."""
        return self._of_token.pop(tid, None)

    def open(self, listener: Listener) -> bool:
        """Whether a connection is open."""
        return listener in self._listeners.get(listener.tid, {})

    def listeners(self, tid: str) -> list[Listener]:
        """Return all open connections of a token."""
        return list(self._listeners.get(tid, {}))

    def all(self) -> list[Owner]:
        """Return all owners."""
        return [*self._of_listener.values(), *self._of_token.values()]

    def owner(self, listener: Listener | None, tid: str, terminal: str) -> Owner:
        """Return the owner of what is subscribed to over ``listener``, or over ``/rpc``."""
        if listener is None:
            return self._of_token.setdefault(tid, Owner("token", tid, terminal))
        return self._of_listener.setdefault(listener, Owner("connection", tid, terminal))

    def hearers(self, owner: Owner) -> list[Listener]:
        """Return the connections that hear what ``owner`` subscribed to."""
        listeners = self.listeners(owner.tid)
        if owner.kind == "token":
            return [listener for listener in listeners if listener.by_header]
        return [listener for listener in listeners if self._of_listener.get(listener) is owner]

    def owners(self, listener: Listener) -> list[Owner]:
        """Return whose subscriptions a connection hears: its own, its token's."""
        found = [self._of_listener.get(listener)]
        if listener.by_header:
            found.append(self._of_token.get(listener.tid))
        return [owner for owner in found if owner is not None]

    def heard(self, listener: Listener) -> dict[str, tuple[Owner, ChannelSubscription]]:
        """Return the subscriptions that a connection hears, by channel."""
        own = self._of_listener.get(listener)
        muted = own.muted if own is not None else set()
        heard: dict[str, tuple[Owner, ChannelSubscription]] = {}
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


class DeliveryPlan:
    """Plan of deliveries: keeps the hub's listeners equal to the subscriptions."""

    def __init__(self, hub: Hub, registry: SubscriptionRegistry, heartbeats: Heartbeats) -> None:
        self._hub = hub
        self._registry = registry
        self._heartbeats = heartbeats

    def begin(self, owner: Owner, beginnings: Iterable[PendingSubscription]) -> None:
        """Hand on what was held back, now that the answer is queued; deliver from now on."""
        for pending in beginnings:
            if not pending.over:
                self.cancel(pending)
                self._hand_on(owner, pending)

    def cancel(self, pending: PendingSubscription) -> None:
        """Hold back no more events."""
        pending.over = True
        self._hub.listen(pending, ())

    def update(self, listener: Listener) -> None:
        """Let a connection hear what it should; drop what waits of what it should not."""
        heard = {
            subscription.topic
            for _, subscription in self._registry.heard(listener).values()
            if subscription.active
        }
        before = self._hub.hears(listener)
        self._hub.listen(listener, heard)
        if gone := {topic.key for topic in before - heard}:
            listener.outbox.discard(gone)
        beat = next((topic for topic in heard if topic.channel == HEARTBEAT.name), None)
        self._heartbeats.watch(listener, beat)

    def leave(self, listener: Listener) -> None:
        """Let a connection hear nothing any more."""
        self._hub.listen(listener, ())
        self._heartbeats.stop(listener)

    def close(self) -> None:
        """Cancel the timers."""
        self._heartbeats.close()

    def _hand_on(self, owner: Owner, pending: PendingSubscription) -> None:
        for subscription in owner.subscriptions.values():
            if subscription.pending is pending:
                subscription.pending, subscription.active = None, True
        for listener in self._registry.hearers(owner):
            before = self._hub.hears(listener)
            self.update(listener)
            new = {topic.key for topic in self._hub.hears(listener) - before}
            if new and pending.overrun:
                listener.end(MISSED, "insufficient_state")
            else:
                told = (*pending.replay, *pending.events)
                self._hub.send(listener, [event for event in told if event.key in new])
