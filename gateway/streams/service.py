"""Subscriptions from the call that makes them to the last event."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import orjson

from ea_bridge.protocol.messages import Event as TerminalEvent
from ea_bridge.registry import TerminalChange
from gateway.broker_time.clock import BrokerClock
from gateway.errors import Cancelled, ChannelLimit, GatewayError, SubscribeFailed
from gateway.schemas import KillSwitchEvent, OrderSettled
from gateway.schemas.events import (
    ChannelEnd,
    NotSubscribed,
    Subscribed,
    SubscribeResult,
    Subscriptions,
    UnsubscribeResult,
)
from gateway.schemas.events import Subscription as SubscriptionEntry

from .channels import Channel, Item, RequestedChannel, missed, read_items, refusal
from .context import Ask, StreamContext, TerminalQuery
from .feed import SymbolTable, TerminalFeed
from .hub import Heartbeats, Hub, Listener, Scheduler
from .kept import KeptStreams
from .outbox import StreamEvent
from .subscriptions import (
    ChannelSubscription,
    DeliveryPlan,
    Owner,
    PendingSubscription,
    Subscriber,
    SubscriptionRegistry,
)


class EventSource(SymbolTable, Protocol):
    """Session that an event comes from."""

    @property
    def terminal(self) -> str:
        """Name of the terminal."""


@dataclass(frozen=True, slots=True)
class _Reservation:
    """Subscription that a call has reserved, or found."""

    request: RequestedChannel
    subscription: ChannelSubscription
    already: bool


class Streams:
    """All streams of all terminals.

    Args:
        boot: of this run of the daemon, part of every epoch.
        clock: the running event loop.
        now_ms: UTC milliseconds.
        ask: asks a terminal for its streams.
        clock_of: returns a terminal's broker clock, always the same one.
        max_channels: subscriptions of one connection, and of one token over ``/rpc``.

    """

    def __init__(
        self,
        *,
        boot: str,
        clock: Scheduler,
        now_ms: Callable[[], int],
        ask: Ask,
        clock_of: Callable[[str], BrokerClock],
        max_channels: int,
    ) -> None:
        self._boot = boot
        self._clock = clock
        self._now_ms = now_ms
        self._ask = ask
        self._clock_of = clock_of
        self._max_channels = max_channels
        self._epochs = itertools.count(1)
        self._hub = Hub(clock)
        self._registry = SubscriptionRegistry()
        self._deliveries = DeliveryPlan(
            self._hub, self._registry, Heartbeats(self._hub, clock, now_ms)
        )
        self._feeds: dict[str, TerminalFeed] = {}
        self._kept: dict[str, KeptStreams] = {}
        self.retime = self._deliveries.update
        """Called when a connection wants its heartbeats at another pace."""

    # --- from one gateway to the next ------------------------------------------------------------

    def go_on_from(self, kept: Mapping[str, KeptStreams]) -> None:
        """Go on where the gateway before has ended; before anything is told."""
        self._kept = dict(kept)

    def kept(self) -> dict[str, KeptStreams]:
        """Return what the next gateway can go on from, after :meth:`close`."""
        kept = {name: feed.kept() for name, feed in self._feeds.items()}
        # of terminals that were never heard of: what the gateway before has left
        away = {name: one for name, one in self._kept.items() if name not in kept}
        return away | {name: one for name, one in kept.items() if one is not None}

    def keep_nothing(self, terminal: str) -> None:
        """Something may have happened at a terminal that is not told, and will not be."""
        self._feed(terminal).keep_nothing()

    # --- connections ---------------------------------------------------------------------------

    def attach(self, listener: Listener) -> None:
        """A connection has logged in; it hears what its token subscribed to over ``/rpc``."""
        self._registry.add(listener)
        heard = [pair for pair in self._registry.heard(listener).values() if pair[1].active]
        self._deliveries.update(listener)
        snapshots = [self._snapshot(owner.terminal, subscription) for owner, subscription in heard]
        self._hub.send(listener, [event for event in snapshots if event is not None])

    def detach(self, listener: Listener) -> None:
        """A connection is over, with all that it subscribed to. May be called again."""
        owner = self._registry.remove(listener)
        self._deliveries.leave(listener)
        if owner is not None:
            self._drop_all(owner)

    def end_token(self, tid: str, code: int, reason: str) -> None:
        """A token is revoked or has expired: close its connections, forget what it owned."""
        owner = self._registry.remove_token(tid)
        for listener in self._registry.listeners(tid):
            listener.end(code, reason)
            self.detach(listener)
        if owner is not None:
            self._drop_all(owner)

    def close(self) -> None:
        """Stop all timers and tasks; nothing is published after this."""
        self._deliveries.close()
        for feed in self._feeds.values():
            feed.stop()

    # --- calls -----------------------------------------------------------------------------------

    async def subscribe(
        self, caller: Subscriber, listener: Listener | None, items: Sequence[Item]
    ) -> tuple[SubscribeResult, Callable[[], None]]:
        """Subscribe to channels.

        Args:
            listener: the connection that asks; ``None`` over ``/rpc``.

        Returns:
            The answer, and what must be called right after it was queued: the events, snapshot
            first, are held back until then.

        Raises:
            SubscribeFailed: of all channels none could be subscribed.
            Cancelled: the connection is closed.

        """
        requests, failed = read_items(items, caller.terminal)
        owner = self._owner(caller, listener)
        reserved = [
            reservation
            for request in requests
            if (reservation := self._reserve(owner, request, failed)) is not None
        ]
        pending = await self._begin(
            owner, [entry for entry in reserved if not entry.subscription.active]
        )
        # From here to the return nothing waits: numbers, snapshots and membership agree.
        reserved = [
            entry for entry in reserved if self._is_made(owner, entry.subscription, failed)
        ]
        if failed and not reserved:
            self._hub.listen(pending, ())
            raise SubscribeFailed(failed=failed)
        if listener is not None:
            self._begin_anew(listener, reserved)
        subscribed = [self._admit(owner.terminal, entry, pending) for entry in reserved]
        made = [entry.subscription for entry in reserved]
        self._hub.listen(pending, {entry.topic for entry in made if entry.pending is pending})
        # another call may have begun one of these: its events are handed on with ours as well
        beginnings = dict.fromkeys(entry.pending for entry in made if entry.pending is not None)
        result: SubscribeResult = {"subscribed": subscribed, "failed": failed}
        return result, partial(self._deliveries.begin, owner, tuple(beginnings))

    def unsubscribe(
        self, caller: Subscriber, listener: Listener | None, items: Sequence[Item] | None
    ) -> UnsubscribeResult:
        """End subscriptions: those of ``items``, or all.

        What the token subscribed to over ``/rpc`` goes on for its other connections when a
        connection ends it for itself.
        """
        owner = self._owner(caller, listener)
        ended: list[str] = []
        missing: list[str] = []
        failed: list[NotSubscribed] = []
        if items is None:
            ended = self._names(owner, listener)
            for name in ended:
                self._end(owner, listener, name)
        else:
            requests, failed = read_items(items, caller.terminal)
            for name in dict.fromkeys(request.channel.name for request in requests):
                (ended if self._end(owner, listener, name) else missing).append(name)
        for hearer in self._registry.hearers(owner):
            self._deliveries.update(hearer)
        return {"unsubscribed": ended, "not_subscribed": missing, "failed": failed}

    def subscriptions(self, caller: Subscriber, listener: Listener | None) -> Subscriptions:
        """Return what a connection hears, or over ``/rpc`` what the token subscribed to."""
        if listener is not None:
            heard = self._registry.heard(listener).values()
            return {"subscriptions": [self._entry(o, s, [listener]) for o, s in heard]}
        owner = self._owner(caller, None)
        hearers = self._registry.hearers(owner)
        entries = [self._entry(owner, s, hearers) for s in owner.subscriptions.values()]
        return {"subscriptions": entries}

    def subscribed(self) -> Counter[str]:
        """Count all subscriptions by topic: ``tick``, ``bar``, ``orders`` ..."""
        return Counter(
            subscription.channel.topic
            for owner in self._registry.all()
            for subscription in owner.subscriptions.values()
        )

    @property
    def delivered(self) -> int:
        """Events that were handed to connections, each as often as there were connections."""
        return self._hub.delivered

    # --- what the bridge tells ----------------------------------------------------------------

    def event(self, source: EventSource, event: TerminalEvent) -> None:
        """Take an event of a terminal's session."""
        self._feed(source.terminal).event(source, event)

    def change(self, change: TerminalChange) -> None:
        """Take a change of a terminal's link, account or switches."""
        self._feed(change.facts.terminal).change(change)

    def announce(self, terminal: str, event: KillSwitchEvent) -> None:
        """Tell who listens to a terminal, or (with an empty name) to any, of the kill switch."""
        for feed in [self._feed(terminal)] if terminal else list(self._feeds.values()):
            feed.announce(event)

    def settled(self, terminal: str, settled: OrderSettled) -> None:
        """The gateway has found out how a request has ended."""
        self._feed(terminal).settled(settled)

    def set_paper(self, terminal: str, is_on: bool) -> None:
        """A terminal's account trades on paper from now on, or at the market."""
        self._feed(terminal).set_paper(is_on)

    def clock_changed(self, terminal: str) -> None:
        """The offset of a terminal's broker clock has changed."""
        self._feed(terminal).clock_changed()

    def hold(self, terminal: str, channel: Channel) -> Callable[[], None]:
        """Have a terminal push a channel, though nobody has subscribed to it: the gateway itself
        listens to the session. Returns what ends that.
        """
        feed = self._feed(terminal)
        feed.hold(channel)
        return partial(feed.release, channel)

    # --- inside -------------------------------------------------------------------------------

    def _feed(self, terminal: str) -> TerminalFeed:
        feed = self._feeds.get(terminal)
        if feed is None:
            context = StreamContext(
                terminal=terminal,
                hub=self._hub,
                clock=self._clock,
                now_ms=self._now_ms,
                broker_clock=self._clock_of(terminal),
                ask=TerminalQuery(terminal, self._ask),
                new_epoch=lambda: f"{self._boot}.{next(self._epochs)}",
            )
            feed = self._feeds[terminal] = TerminalFeed(context, partial(self._over, terminal))
            if (kept := self._kept.pop(terminal, None)) is not None:
                feed.go_on_from(kept)
        return feed

    def _owner(self, caller: Subscriber, listener: Listener | None) -> Owner:
        if listener is not None and not self._registry.open(listener):
            raise Cancelled("The connection is closed")
        return self._registry.owner(listener, caller.tid, caller.terminal)

    def _reserve(
        self, owner: Owner, request: RequestedChannel, failed: list[NotSubscribed]
    ) -> _Reservation | None:
        name = request.channel.name
        # who asks again wants to hear it, also what the token has subscribed to over /rpc
        owner.muted.discard(name)
        existing = owner.subscriptions.get(name)
        if existing is not None:
            return _Reservation(request, existing, already=True)
        feed = self._feed(owner.terminal)
        error = feed.lacks(request.channel)
        if len(owner.subscriptions) >= self._max_channels:
            # after the look at what is there: to ask for it again is never over the limit
            error = ChannelLimit(
                f"At most {self._max_channels} channels", limit=self._max_channels
            )
        if error is not None:
            failed.append(refusal(name, error))
            return None
        topic = feed.retain(request.channel)
        made = owner.subscriptions[name] = ChannelSubscription(request.channel, topic)
        return _Reservation(request, made, already=False)

    async def _begin(self, owner: Owner, reserved: Sequence[_Reservation]) -> PendingSubscription:
        """Wait until all are live; hear every tick meanwhile: the first comes with an answer."""
        pending = PendingSubscription()
        topics = (
            entry.subscription.topic for entry in reserved if entry.request.channel.is_every_tick
        )
        pending.starts = {topic: topic.position for topic in topics}
        # before anything is asked: the first tick may come with the terminal's answer
        self._hub.listen(pending, pending.starts)
        try:
            await self._ready(owner, reserved)
        except BaseException:
            self._hub.listen(pending, ())
            raise
        if not pending.overrun:
            return pending
        self._hub.listen(pending, ())
        # it took too long until all others were live: this one hears only from now on
        return PendingSubscription()

    async def _ready(self, owner: Owner, reserved: Sequence[_Reservation]) -> None:
        """Wait until all are live; drop those that cannot be, and note why."""
        ready = self._feed(owner.terminal).ready
        channels = [entry.request.channel for entry in reserved]
        try:
            errors = await asyncio.gather(*map(ready, channels), return_exceptions=True)
        except asyncio.CancelledError:
            for entry in reserved:
                # what another call found here meanwhile is its subscription as well: it stays
                if not entry.already and entry.subscription.pending is None:
                    self._drop(owner, entry.subscription)
            raise
        for entry, error in zip(reserved, errors, strict=True):
            if error is not None:
                entry.subscription.error = error if isinstance(error, GatewayError) else None
                self._drop(owner, entry.subscription)
        for error in errors:
            # cancelled: what it waited for went with the last subscription, ended meanwhile
            if error is not None and not isinstance(error, (GatewayError, asyncio.CancelledError)):
                raise error

    def _is_made(
        self, owner: Owner, subscription: ChannelSubscription, failed: list[NotSubscribed]
    ) -> bool:
        """Whether it is there still; another call or the connection's end may have ended it."""
        if owner.holds(subscription):
            return True
        error = subscription.error or Cancelled("The subscription was ended meanwhile")
        failed.append(refusal(subscription.channel.name, error))
        return False

    def _begin_anew(self, listener: Listener, reserved: Sequence[_Reservation]) -> None:
        """Begin again what a connection hears already and wants from an earlier event on: what
        waits for it is told with the rest, behind the answer and in its order.
        """
        anew = [entry for entry in reserved if entry.request.since is not None]
        for entry in anew:
            entry.subscription.active = False
        if anew:
            self._deliveries.update(listener)

    def _admit(
        self, terminal: str, entry: _Reservation, pending: PendingSubscription
    ) -> Subscribed:
        subscription, topic = entry.subscription, entry.subscription.topic
        at = topic.position
        since = entry.request.since
        is_first = not subscription.active and subscription.pending is None
        if is_first:
            subscription.pending = pending
        if subscription.pending is not None:  # what that has heard is still to come
            at = subscription.pending.starts.setdefault(topic, at)
        found = missed(topic, at, since) if since is not None else None
        replay = found if isinstance(found, list) else []
        recovered = isinstance(found, list) if since is not None else None
        # of a beginning that is another call's, the first events are on their way already
        if replay and not is_first:
            recovered, replay, found = False, [], "evicted"
        if is_first:
            pending.replay += replay
        # a snapshot takes no number: who has missed nothing may never have had one
        if is_first and (entry.request.snapshot or recovered is False):
            snapshot = self._snapshot(terminal, subscription)
            pending.events += [] if snapshot is None else [snapshot]
        return {
            "channel": subscription.channel.name,
            "terminal": terminal,
            "delivery": subscription.channel.delivery,
            "epoch": at.epoch,
            "seq": at.seq,
            "recovered": recovered,
            "reason": found if isinstance(found, str) else None,
            "replayed": len(replay),
            "already": entry.already,
            "live": self._feed(terminal).live(subscription.channel),
        }

    def _snapshot(self, terminal: str, subscription: ChannelSubscription) -> StreamEvent | None:
        data = self._feed(terminal).snapshot(subscription.channel)
        return None if data is None else subscription.topic.snapshot(data, self._now_ms())

    def _names(self, owner: Owner, listener: Listener | None) -> list[str]:
        return list(owner.subscriptions if listener is None else self._registry.heard(listener))

    def _end(self, owner: Owner, listener: Listener | None, name: str) -> bool:
        """End one channel for an owner; return whether there was anything to end."""
        subscription = owner.subscriptions.get(name)
        if subscription is not None:
            self._drop(owner, subscription)
        if listener is not None and name in self._registry.heard(listener):
            owner.muted.add(name)
            return True
        return subscription is not None

    def _drop(self, owner: Owner, subscription: ChannelSubscription) -> None:
        if not owner.holds(subscription):
            return
        channel = subscription.channel
        del owner.subscriptions[channel.name]
        self._feed(owner.terminal).release(channel)
        if owner.kind == "token":
            self._registry.unmute(owner.tid, channel.name)

    def _drop_all(self, owner: Owner) -> None:
        for subscription in list(owner.subscriptions.values()):
            if subscription.pending is not None:
                self._deliveries.cancel(subscription.pending)
            self._drop(owner, subscription)

    def _over(self, terminal: str, channel: Channel, error: GatewayError) -> None:
        """The terminal turns out not to have a channel: say so and end its subscriptions."""
        end: ChannelEnd = {"code": error.code, "name": error.name()}
        data = orjson.dumps(end).decode()
        owners = [o for o in self._registry.all() if o.terminal == terminal]
        held = [(o, s) for o in owners if (s := o.subscriptions.get(channel.name)) is not None]
        # once a topic, and before the ends: whoever hears it must still be listening
        for topic in {subscription.topic for _, subscription in held}:
            self._hub.publish(topic, data, self._now_ms(), kind="end", latest=False)
        for owner, subscription in held:
            subscription.error = error
            self._drop(owner, subscription)
            for listener in self._registry.hearers(owner):
                self._deliveries.update(listener)
        # its end as well: who was told that again would hold a subscription that has ended
        for topic in {subscription.topic for _, subscription in held}:
            topic.end()

    def _entry(
        self, owner: Owner, subscription: ChannelSubscription, hearers: Iterable[Listener]
    ) -> SubscriptionEntry:
        channel, topic = subscription.channel, subscription.topic
        outboxes = [listener.outbox for listener in hearers]
        return {
            "channel": channel.name,
            "terminal": owner.terminal,
            "delivery": channel.delivery,
            "epoch": topic.epoch,
            "seq": topic.seq,
            "live": self._feed(owner.terminal).live(channel),
            "owner": owner.kind,
            "queued": sum(outbox.queued(topic.key) for outbox in outboxes),
            "conflated_total": sum(outbox.conflated(topic.key) for outbox in outboxes),
        }
