"""Context that all streams of a terminal share: hub, clocks, queries, throttled topics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import orjson

from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from gateway.broker_time.clock import BrokerClock
from gateway.errors import GatewayError, TerminalDisconnected
from gateway.schemas.events import Gap, GapReason

from .channels import Channel
from .hub import Hub, Scheduler, Timer, Topic

P = TypeVar("P", bound=Struct)
R = TypeVar("R")

MAX_QUERIES = 8
"""Of the commands in flight to one terminal: the rest of its room is for the callers' own."""


class Ask(Protocol):
    """Function that asks a terminal, by its name."""

    def __call__(self, terminal: str, command: Command[P, R], params: P, /) -> Awaitable[R]:
        """Return the answer.

        Raises:
            GatewayError: ``TerminalDisconnected`` where it is offline, ``SymbolNotFound`` with
                ``did_you_mean``, and so on.

        """


class TerminalQuery:
    """Queries to one terminal for its streams, a few at a time.

    An answer that comes when the terminal is on another link already is no answer: what it says
    may be older than what the new link has told.
    """

    def __init__(self, terminal: str, ask: Ask) -> None:
        self._terminal = terminal
        self._ask = ask
        self._free = asyncio.Semaphore(MAX_QUERIES)
        self._link = 0

    def new_link(self) -> None:
        """Note that the terminal has been connected anew, or is gone."""
        self._link += 1

    async def __call__(self, command: Command[P, R], params: P) -> R:
        """Ask when there is room."""
        async with self._free:
            # the link is read once there is room: a wait can outlast the link it began on
            link = self._link
            try:
                answer = await self._ask(self._terminal, command, params)
            except GatewayError:
                self._check(link)
                raise
            self._check(link)
            return answer

    def _check(self, link: int) -> None:
        if link != self._link:
            raise TerminalDisconnected(outcome="not_sent", terminal=self._terminal)


class SingleFlight:
    """Runner of one piece of work at a time: all who ask meanwhile wait for the same run."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Wait for the run under way, or for a new one.

        The run goes on if the waiter is cancelled: others may wait for it.
        """
        await asyncio.shield(self.begin())

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._task is not None and not self._task.done()

    def begin(self) -> asyncio.Task[None]:
        """Start a run unless one is under way; return it. Its failure need not be collected."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())
            self._task.add_done_callback(_collect)
        return self._task

    def cancel(self) -> None:
        """End the run under way."""
        if self._task is not None:
            self._task.cancel()


def _collect(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


class Throttled:
    """Topic that publishes the newest of what it is offered, at most once an interval.

    The first comes at once; what comes too soon waits for the end of the interval, where only
    the newest is left.
    """

    def __init__(
        self, topic: Topic, interval_ms: int, hub: Hub, clock: Scheduler, now_ms: Callable[[], int]
    ) -> None:
        self.topic = topic
        self._interval_s = interval_ms / 1000
        self._hub = hub
        self._clock = clock
        self._now_ms = now_ms
        self._waiting: str | None = None
        self._timer: Timer | None = None

    def offer(self, data: str, ts: int) -> None:
        """Publish now, or at the end of the interval unless something newer comes."""
        if self._timer is not None:
            self._waiting = data
            return
        self._timer = self._clock.call_later(self._interval_s, self._interval_over)
        self._hub.publish(self.topic, data, ts)

    def stop(self) -> None:
        """Publish nothing more."""
        self._waiting = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _interval_over(self) -> None:
        self._timer = None
        data, self._waiting = self._waiting, None
        if data is not None:
            self.offer(data, self._now_ms())


@dataclass(frozen=True, slots=True)
class StreamContext:
    """Parts that the streams of one terminal are made with."""

    terminal: str
    hub: Hub
    clock: Scheduler
    now_ms: Callable[[], int]
    broker_clock: BrokerClock
    ask: TerminalQuery
    new_epoch: Callable[[], str]
    """Return an epoch that no topic had before."""

    def topic(self, channel: Channel) -> Topic:
        """Return a new topic in an epoch of its own."""
        latest = channel.delivery != "lossless"
        ring = channel.ring
        return Topic(self.terminal, channel.name, self.new_epoch(), latest=latest, ring=ring)

    def throttled(self, topic: Topic, interval_ms: int) -> Throttled:
        """Return ``topic`` with at most one event an interval."""
        return Throttled(topic, interval_ms, self.hub, self.clock, self.now_ms)

    def interrupt(
        self,
        topic: Topic,
        reason: GapReason,
        missed: int | None = None,
        *,
        tell: bool | None = None,
    ) -> None:
        """Begin a new epoch, since the stream could not be continued.

        Args:
            missed: how many events are gone at the most, ``None`` if nobody knows.
            tell: who listens, by a ``gap``; done where each event of the topic counts. A
                snapshot should follow.

        """
        first = topic.seq + 1
        topic.begin(self.new_epoch())
        if not (tell if tell is not None else not topic.latest):
            return
        topic.seq += missed or 0
        last = topic.seq if missed else None
        gap: Gap = {"from": first, "to": last, "reason": reason}
        data = orjson.dumps(gap).decode()
        self.hub.publish(topic, data, self.now_ms(), kind="gap", latest=False)
