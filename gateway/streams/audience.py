"""Lets connections hear what they and their tokens subscribed to, from the right moment on."""

from __future__ import annotations

from collections.abc import Iterable

from .feed import HEARTBEAT
from .heartbeat import Heartbeats
from .hub import MISSED, Hub, Listener
from .owners import Beginning, Owner, Owners


class Audience:
    """Keeps the hub's listeners equal to the subscriptions."""

    def __init__(self, hub: Hub, owners: Owners, heartbeats: Heartbeats) -> None:
        self._hub = hub
        self._owners = owners
        self._heartbeats = heartbeats

    def begin(self, owner: Owner, beginnings: Iterable[Beginning]) -> None:
        """The answer is queued: hand on what was held back, and deliver from now on."""
        for beginning in beginnings:
            if not beginning.over:
                self.call_off(beginning)
                self._hand_on(owner, beginning)

    def call_off(self, beginning: Beginning) -> None:
        """Hold back no more events."""
        beginning.over = True
        self._hub.listen(beginning, ())

    def tune(self, listener: Listener) -> None:
        """Let a connection hear what it should; drop what waits of what it should not."""
        heard = {one.topic for _, one in self._owners.heard(listener).values() if one.active}
        before = self._hub.hears(listener)
        self._hub.listen(listener, heard)
        if gone := {topic.key for topic in before - heard}:
            listener.outbox.forget(gone)
        beat = next((topic for topic in heard if topic.channel == HEARTBEAT.name), None)
        self._heartbeats.watch(listener, beat)

    def leave(self, listener: Listener) -> None:
        """A connection hears nothing any more."""
        self._hub.listen(listener, ())
        self._heartbeats.stop(listener)

    def close(self) -> None:
        """Cancel the timers."""
        self._heartbeats.close()

    def _hand_on(self, owner: Owner, beginning: Beginning) -> None:
        for one in owner.subscriptions.values():
            if one.beginning is beginning:
                one.beginning, one.active = None, True
        for listener in self._owners.hearers(owner):
            before = self._hub.hears(listener)
            self.tune(listener)
            new = {topic.key for topic in self._hub.hears(listener) - before}
            if new and beginning.overrun:
                listener.end(MISSED, "insufficient_state")
            else:
                self._hub.send(listener, [e for e in beginning.events if e.key in new])
