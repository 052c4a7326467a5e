"""Count the events of a terminal: each one the last plus 1."""

from __future__ import annotations

from .messages import Event, Lost


class EventSequence:
    """Counter of the events of one EA's run that have been taken.

    Args:
        last: the last one taken before, as said in ``welcome.ack``.

    """

    def __init__(self, last: int) -> None:
        self.last = last
        self.replayed = 0
        """Events that came again and were dropped."""
        self.gaps = 0
        """Events missing, as far as the numbers tell."""
        self._resumes_anywhere = False

    def take(self, event: Event) -> list[Event]:
        """Return what to hand on: nothing for a replay, and what was lost before a gap."""
        if isinstance(event, Lost):
            self._resumes_anywhere = True
            return [event]
        if event.q == 0:
            return [event]
        if event.q <= self.last and not self._resumes_anywhere:
            self.replayed += 1
            return []
        return [*self._gap_before(event.q), self._taken(event)]

    def _gap_before(self, q: int) -> list[Event]:
        start = self.last + 1
        if q == start or self._resumes_anywhere:
            return []
        self.gaps += q - start
        return [Lost(start=start, until=q)]

    def _taken(self, event: Event) -> Event:
        if not isinstance(event, Lost):
            self.last = event.q
        self._resumes_anywhere = False
        return event
