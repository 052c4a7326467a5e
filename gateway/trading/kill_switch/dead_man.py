"""The dead man's switch: a program that has said nothing for too long is taken for dead.

A timer belongs to the connection that it was set on, or to all calls of a token over ``/rpc``:
every call there starts it anew, whatever it asks. A call elsewhere does not, or a screen that
shows prices kept the timer of a bot that hangs; nor do the pongs of a WebSocket library, since
they say nothing of the program above it. Once it has fired it is off until it is set again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from gateway.trading.requests import OrderFilter

from .armed import TIMER, Armed, ArmedBook, Firing, Key, LazyTimer


def timer_name(session: str) -> str:
    """Return how the timer of a session is called; that of ``/rpc`` for an empty one."""
    return f"{TIMER} {session}".rstrip()


class DeadMan:
    """All timers.

    Args:
        book: keeps what is armed.
        fire: called when a timer has run out.
        changed: called with a terminal's name when what is armed there has changed.

    """

    def __init__(
        self,
        book: ArmedBook | None = None,
        fire: Callable[[Firing], None] = lambda _: None,
        changed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._book = book or ArmedBook()
        self._fire = fire
        self._changed = changed
        self._timers: dict[Key, tuple[Armed, LazyTimer]] = {}
        self._firing: dict[Key, Firing] = {}

    def armed(self, terminal: str) -> list[Armed]:
        """Return what is armed for a terminal, or has fired and is not done."""
        all_ = [armed for armed, _ in self._timers.values()]
        all_ += [firing.armed for firing in self._firing.values()]
        return [armed for armed in all_ if armed.terminal == terminal]

    def resume(self, armed: Armed) -> None:
        """Go on with a timer of the daemon before, from its beginning."""
        self._start(armed)

    async def set(self, armed: Armed, live: Collection[str] = ()) -> None:
        """Start a timer, instead of the one that there is.

        Args:
            live: the sessions of the token that have a connection. Timers of others are off with
                this: their programs are back, but cannot say who they were.

        Raises:
            StoreError: it could not be written; it runs until the gateway ends.

        """
        for terminal, tid, name in tuple(self._timers):
            session = name.partition(" ")[2]
            # a program that came back on a new connection cannot reach its old timer: it would
            # fire on it
            if (terminal, tid) == armed.key[:2] and session and session not in live:
                self.off(terminal, tid, session)
        self._start(armed)
        await self._book.keep(armed)

    def off(self, terminal: str, tid: str, session: str) -> None:
        """Stop a timer; nothing if there is none."""
        key = (terminal, tid, timer_name(session))
        found = self._timers.pop(key, None)
        if found is not None:
            found[1].cancel()
        if found is not None or self._call_off(key):
            self._book.drop(key)
            self._changed(terminal)

    def heard(self, terminal: str, tid: str, session: str) -> None:
        """A program with the token has called something."""
        # every call of every program comes by here, and mostly no timer runs
        if self._timers:
            found = self._timers.get((terminal, tid, timer_name(session)))
            if found is not None:
                found[1].arm()

    def close(self) -> None:
        """Stop all timers; what is armed stays in the ledger."""
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _start(self, armed: Armed) -> None:
        self._call_off(armed.key)
        if (found := self._timers.get(armed.key)) is not None:
            found[1].cancel()
        timer = LazyTimer(armed.within_ms / 1000, partial(self._expire, armed))
        self._timers[armed.key] = (armed, timer)
        self._changed(armed.terminal)

    def _expire(self, armed: Armed) -> None:
        # off before it is carried out: a call during the sweep does not start it anew
        del self._timers[armed.key]
        firing = self._firing[armed.key] = Firing(armed, OrderFilter(), "timer", self._over)
        self._fire(firing)

    def _over(self, firing: Firing) -> None:
        key = firing.armed.key
        # set anew meanwhile it is another one, and stays armed
        if self._firing.get(key) is firing:
            del self._firing[key]
            self._book.drop(key)
            self._changed(firing.armed.terminal)

    def _call_off(self, key: Key) -> bool:
        firing = self._firing.pop(key, None)
        if firing is not None:
            firing.called_off = True
        return firing is not None
