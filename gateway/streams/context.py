"""What all streams of one terminal share: where they publish, whom they ask, whose clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import orjson

from gateway.broker_time.clock import BrokerClock

from .asking import Asker
from .channels import Channel
from .hub import Clockwork, Hub, Topic
from .pace import Paced

Reason = Literal[
    "ea_restarted",
    "events_lost",
    "account_changed",
    "paper_switched",
    "ticks_lost",
    "history_too_long",
]
"""Why a stream could not be continued."""


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one terminal's streams."""

    terminal: str
    hub: Hub
    clock: Clockwork
    now_ms: Callable[[], int]
    broker_clock: BrokerClock
    ask: Asker
    new_epoch: Callable[[], str]
    """Return an epoch that no topic had before."""

    def topic(self, channel: Channel) -> Topic:
        """Return a new topic in an epoch of its own."""
        latest = channel.delivery != "lossless"
        return Topic(self.terminal, channel.name, self.new_epoch(), latest=latest)

    def paced(self, topic: Topic, interval_ms: int) -> Paced:
        """Return ``topic`` at a pace."""
        return Paced(topic, interval_ms, self.hub, self.clock, self.now_ms)

    def interrupt(
        self, topic: Topic, reason: Reason, missed: int | None = None, *, tell: bool | None = None
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
        gap = orjson.dumps({"from": first, "to": last, "reason": reason}).decode()
        self.hub.publish(topic, gap, self.now_ms(), kind="gap", latest=False)
