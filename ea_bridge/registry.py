"""Registry of live terminals, and of the last facts of those that are gone.

The newest link of a terminal wins: after a network hiccup or a restart of the EA the old link may
look alive for seconds, and it must not keep the terminal out.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from weakref import WeakValueDictionary

from .protocol.messages import Hello
from .session import SessionState, TerminalSession

MAX_TERMINALS = 1024
"""Terminals remembered; beyond that the one that has been gone longest is forgotten."""
MAX_SUBSCRIBERS = 64

logger = logging.getLogger(__name__)


class ChangeKind(enum.StrEnum):
    """Kinds of changes of a terminal."""

    CONNECTED = "connected"
    """A session began; ``previous.state`` tells whether it replaced a live one."""
    DISCONNECTED = "disconnected"
    STALE = "stale"
    READY = "ready"
    """It spoke again after it was stale."""
    FLAGS = "flags"
    """``broker``, ``autotrading`` or ``trade_allowed`` changed."""
    ACCOUNT_CHANGED = "account_changed"
    """The token now answers for another login or server than before. Comes before the
    ``CONNECTED`` of the session that says so, so that orders can be stopped in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalFacts:
    """Facts of one terminal, live or gone."""

    terminal: str
    state: SessionState
    since_ms: int
    """Time at which it came into that state, UTC milliseconds."""
    hello: Hello
    last_q: int
    """The last counted event taken; up to date once the terminal is gone."""
    broker: bool | None = None
    autotrading: bool | None = None
    trade_allowed: bool | None = None
    reason: str = ""
    """Reason for which it is gone."""


@dataclass(frozen=True, slots=True)
class TerminalChange:
    """Change of a terminal."""

    kind: ChangeKind
    facts: TerminalFacts
    previous: TerminalFacts | None


Subscriber = Callable[[TerminalChange], None]


class TerminalEntry:
    """Entry of one terminal: its live session and what is known of it, as they are now.

    There is one a name for as long as anybody holds it. So who asks often keeps it, and is told of
    each change by its attributes.
    """

    __slots__ = ("__weakref__", "facts", "name", "session")

    def __init__(self, name: str) -> None:
        self.name = name
        self.session: TerminalSession | None = None
        """The live one."""
        self.facts: TerminalFacts | None = None
        """``None`` if it was never here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTerminal:
    """A terminal that waits until somebody approves its token on this machine."""

    hello: Hello
    since_ms: int
    user_code: str
    """To be typed on the console's page, at ``url``."""
    url: str
    expires_ms: int
    """Until when it can be approved, UTC milliseconds."""


class TerminalRegistry:
    """Live sessions and last-known facts by terminal id.

    Args:
        now_ms: UTC milliseconds, for ``since_ms``.

    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._entries: WeakValueDictionary[str, TerminalEntry] = WeakValueDictionary()
        """All that anybody holds; :attr:`_known` holds those that were here."""
        self._live: dict[str, TerminalSession] = {}
        self._known: dict[str, TerminalEntry] = {}
        self._pending: dict[str, PendingTerminal] = {}
        self._subscribers: list[Subscriber] = []
        self._earlier: dict[str, tuple[str, int]] = {}

    def terminal(self, name: str) -> TerminalEntry:
        """Return the entry of a terminal, which need not have been here yet."""
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = TerminalEntry(name)
        return entry

    def get(self, terminal: str) -> TerminalSession | None:
        """Return the live session of a terminal, ``None`` if there is none."""
        return self._live.get(terminal)

    def sessions(self) -> list[TerminalSession]:
        """Return the live sessions."""
        return list(self._live.values())

    def facts(self, terminal: str) -> TerminalFacts | None:
        """Return what is known of a terminal, ``None`` if it was never here."""
        entry = self._known.get(terminal)
        return None if entry is None else entry.facts

    def all_facts(self) -> list[TerminalFacts]:
        """Return what is known of every terminal."""
        return [entry.facts for entry in self._known.values() if entry.facts is not None]

    def pending(self) -> list[PendingTerminal]:
        """Return the terminals that wait for approval; no subscriber hears of them."""
        return list(self._pending.values())

    def discard(self, terminal: str) -> None:
        """Drop what is known of a terminal that is gone; a live one is kept."""
        if terminal not in self._live:
            self._forget(terminal)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call ``subscriber`` with each :class:`TerminalChange`; return what ends that.

        It is called in the event loop and must not block.

        Raises:
            OverflowError: there are :data:`MAX_SUBSCRIBERS` already.

        """
        if len(self._subscribers) >= MAX_SUBSCRIBERS:
            raise OverflowError(f"{MAX_SUBSCRIBERS} subscribers")
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def go_on_from(self, terminal: str, boot: str, q: int) -> None:
        """Ask a terminal, at its first link, for what its EA's run ``boot`` has told after ``q``.

        What it told before that the program before this one has heard.
        """
        self._earlier[terminal] = (boot, q)

    # --- for the server ------------------------------------------------------------------

    def resume_point(self, terminal: str, hello: Hello) -> int:
        """Return the last event that we have of the EA's run, for ``welcome.ack``.

        Of a run that we have not met we want nothing that lies before now: whoever listens
        begins with a snapshot. ``hello.q`` bounds what an EA can claim to have told us.
        """
        known = self.facts(terminal)
        boot, q = self._earlier.get(terminal, ("", 0))
        if known is None and boot == hello.boot:
            return min(q, hello.q)
        if known is None or known.hello.boot != hello.boot:
            return hello.q
        live = self._live.get(terminal)
        return min(known.last_q if live is None else live.last_q, hello.q)

    def join(self, session: TerminalSession) -> None:
        """Enter a session; an older one of the same terminal is told ``bye: replaced``."""
        terminal = session.terminal
        entry = self.terminal(terminal)
        # the new session goes on behind what the older one has read, handed on or not
        if terminal in self._live:
            self._live[terminal].take_in()
        previous = entry.facts
        older = self._live.pop(terminal, None)
        entry.session = self._live[terminal] = session
        self._earlier.pop(terminal, None)
        # before room is made: its own old entry must not cost another terminal its place
        self._known.pop(terminal, None)
        self._make_room()
        facts = entry.facts = self._observe(session, session.state, "")
        self._known[terminal] = entry
        if older is not None:
            older.close("replaced")
        if previous is not None and _account(previous) != _account(facts):
            logger.warning("terminal %s has changed its account", terminal)
            self._notify(TerminalChange(ChangeKind.ACCOUNT_CHANGED, facts, previous))
        if self._live.get(terminal) is session:  # unless a subscriber has just sent it away
            self._notify(TerminalChange(ChangeKind.CONNECTED, facts, previous))

    def note_change(self, session: TerminalSession) -> None:
        """Take over the state and the flags of a session; one that was replaced is ignored."""
        terminal = session.terminal
        if self._live.get(terminal) is not session:
            return
        entry = self._known[terminal]
        previous = entry.facts
        assert previous is not None
        facts = self._observe(session, session.state, session.end_reason)
        kind = ChangeKind.FLAGS
        if facts.state is previous.state:
            facts = replace(facts, since_ms=previous.since_ms)
        else:
            kind = ChangeKind(facts.state.value)
        entry.facts = facts
        if facts.state is SessionState.DISCONNECTED:
            del self._live[terminal]
            entry.session = None
        self._notify(TerminalChange(kind, facts, previous))

    def await_approval(self, pending: PendingTerminal) -> None:
        """Enter a terminal that waits, instead of any other with its token."""
        self._pending[pending.hello.tid] = pending

    def end_approval(self, tid: str) -> None:
        """Remove the terminal with that token from those that wait."""
        self._pending.pop(tid, None)

    def _observe(
        self, session: TerminalSession, state: SessionState, reason: str
    ) -> TerminalFacts:
        return TerminalFacts(
            terminal=session.terminal,
            state=state,
            since_ms=self._now_ms(),
            hello=session.hello,
            last_q=session.last_q,
            broker=session.broker,
            autotrading=session.autotrading,
            trade_allowed=session.trade_allowed,
            reason=reason,
        )

    def _make_room(self) -> None:
        gone = [facts for facts in self.all_facts() if facts.terminal not in self._live]
        if len(self._known) >= MAX_TERMINALS and gone:
            self._forget(min(gone, key=attrgetter("since_ms")).terminal)

    def _forget(self, terminal: str) -> None:
        entry = self._known.pop(terminal, None)
        if entry is not None:
            entry.facts = None

    def _notify(self, change: TerminalChange) -> None:
        # a copy: a subscriber may leave while it is told
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(change)
            except Exception:
                logger.exception("a subscriber failed on a change of %s", change.facts.terminal)


def _account(facts: TerminalFacts) -> tuple[int, str]:
    return (facts.hello.login, facts.hello.server)
