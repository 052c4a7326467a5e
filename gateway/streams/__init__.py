"""Streams of what happens in terminals: subscriptions, their order, and what is kept for them.

Theory of operation
===================

::

    session events -> TerminalFeed -> TickStream, BookStream, BarStream, AccountStreams
                                           | Topic: seq, epoch, bytes made once
                                          Hub -> groups -> Listener.deliver(events, joined)
    subscribe -> Streams -> SubscriptionRegistry (who) . DeliveryPlan (hears what)
                         -> PushSubscription (what the terminal must push)

An event is encoded when it is published and never again; connections that listen to the same
topics share one joined buffer, written at the end of the loop turn. No publisher waits for a
client, and no tick costs a task, a parse or a validation.

A subscription begins in three steps, the last two of which wait for nothing: the terminal is
brought to push the channel and to tell its state; the answer, the snapshot and the membership are
made together; and once the answer is queued, the snapshot and what came meanwhile are delivered.
"""

from .hub import Listener
from .outbox import Outbox, StreamEvent
from .service import Streams

__all__ = ["Listener", "Outbox", "StreamEvent", "Streams"]
