"""Rules of cancel on disconnect: only the orders of a lost program are cancelled.

When the gateway takes a connection for lost nobody outside knows to the millisecond. But as long
as an answer comes over it, it was there when that was asked; so the grace cannot be over before
its length after the last call that was answered. What is cancelled after that may be right. It is
wrong all the same where the program learns later, from an answer over the same connection or a
new one, that its rule was still in force: then nothing can have been cancelled for it until then.

After a start of the daemon a rule waits for more. It means all orders of before that came through
the gateway, since nobody knows whose they were, and of later ones those of its own program; also
once that is back. What is armed then is what the ledger has, in which nothing may lack that was
acknowledged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ea_bridge.model import Order
from gateway.trading import flatten
from gateway.trading.kill_switch.disconnects import RESTART_GRACE_S
from gateway.trading.requests import TAG_LENGTH, is_tagged

from .intents import Json

SWEEP_S = flatten.ROUNDS * flatten.TTL_MS / 1000
"""So long the gateway may go on with what it has begun to end, though the program is back."""
LATE_S = 20.0
"""What a program has sent arrives within that time, or never."""
NEVER = float("inf")


class Rule(NamedTuple):
    """What a program has asked for."""

    own: bool
    """Its own orders alone."""
    within_s: float

    @property
    def params(self) -> Json:
        """Return what it is asked for with, and told as."""
        scope = "connection" if self.own else "terminal"
        return {"enabled": True, "scope": scope, "grace_ms": round(self.within_s * 1000)}


@dataclass(eq=False)
class _Doubt:
    """An order that was cancelled for one of some sessions."""

    said: str
    at_s: float
    sessions: set[Session]


@dataclass(eq=False)
class Session:
    """A run of a program, over one connection after the other, as it is known by its name."""

    name: str
    rule: Rule | None = None
    """That is in force, or may be."""
    is_sure: bool = False
    """The rule is in force, unless it was carried out."""
    is_resumed: bool = False
    """The daemon began anew since its program was heard."""
    is_earlier: bool = False
    """The daemon began anew since it has asked for its rule."""
    gone_s: float = 0.0
    """When the gateway can have taken it for lost, at the earliest."""
    sweeping_until_s: float = 0.0
    """So long what was begun for it may go on, though the gateway has it no more."""
    tags: set[str] = field(default_factory=set)
    """Of the orders that were asked for over its connections, in this life."""
    told: set[int] = field(default_factory=set)
    """Tickets that it was told there."""
    doubts: list[_Doubt] = field(default_factory=list)
    fired_s: float | None = None
    """When its rule was begun to be carried out; the ledger of a later life may have it again."""
    fired: set[int] = field(default_factory=set)
    """Tickets of the orders that were there and meant at that moment."""

    def rings_s(self) -> float:
        """Return when its rule can be carried out, at the earliest."""
        return NEVER if self.rule is None else self.gone_s + self.rule.within_s


class DisconnectRules:
    """The connections of the programs of one terminal.

    Args:
        accuse: takes what is wrong.
        tag_of: the tag with which an order was placed, by its ticket.
        is_kept: whether the gateway has a rule of that session, or still carries it out.

    """

    def __init__(
        self,
        accuse: Callable[[str], None],
        tag_of: Callable[[int], str],
        is_kept: Callable[[str], bool],
    ) -> None:
        self._accuse, self._tag_of, self._is_kept = accuse, tag_of, is_kept
        self._sessions: dict[str, Session] = {}
        """Whose rules are in force, or may be."""
        self._asked: dict[str, Rule] = {}
        """All rules that there were, by the names of their sessions."""
        self._askers: defaultdict[str, set[tuple[Session | None, int]]] = defaultdict(set)
        """Who has asked for an order, by its tag, in which life."""
        self._life = 0
        self._before: set[int] = set()
        """Tickets of the orders that were there when this life began."""
        self._died_s = 0.0

    # --- what programs do ------------------------------------------------------------------------

    def arms(self, session: Session, rule: Rule, now_s: float) -> None:
        """A program is about to ask for its rule, over a connection that was there just now."""
        for other in [one for one in self._sessions.values() if self._is_over(one, now_s)]:
            del self._sessions[other.name]
        session.rule, session.gone_s, session.sweeping_until_s = rule, now_s, 0.0
        self._sessions[session.name], self._asked[session.name] = session, rule

    def armed(self, session: Session) -> None:
        """It was told that it is in force."""
        session.is_sure = True

    def disarms(self, session: Session) -> None:
        """It is about to ask for it no more, or to log out."""
        session.is_sure = False

    def disarmed(self, session: Session, asked_s: float) -> None:
        """It was told that nothing is in force any more."""
        self.heard(session, asked_s)
        session.rule, session.is_sure = None, False

    def heard(self, session: Session, asked_s: float) -> None:
        """It has an answer over its connection, for which its rule is known to be in force: the
        connection was not lost when that was asked, and nothing was carried out before.
        """
        session.gone_s = asked_s if session.is_resumed else max(session.gone_s, asked_s)
        session.is_resumed = False
        for doubt in [one for one in session.doubts if one.at_s <= asked_s]:
            session.doubts.remove(doubt)
            doubt.sessions.discard(session)
            if not doubt.sessions:
                self._accuse(f"{doubt.said}, and {session.name} was not lost, or came back")

    def comes_back(self, session: Session, now_s: float) -> None:
        """It is about to say its name over a new connection."""
        session.sweeping_until_s = now_s + LATE_S + SWEEP_S

    def told(self, session: Session, answer: Json, asked_s: float, now_s: float) -> bool:
        """It was told its rule over a connection that it has said its name on; return whether
        that is in force."""
        session.sweeping_until_s = now_s + SWEEP_S
        if answer["enabled"]:
            self.heard(session, asked_s)
            wanted = {} if session.rule is None else session.rule.params
            if not (wanted | {"session_id": session.name}).items() <= answer.items():
                self._accuse(f"{session.name} has asked for {wanted}, and is told {answer}")
            return True
        if session.is_sure and now_s < session.rings_s():
            self._accuse(f"{session.name} came back before {session.rings_s()} s to no rule")
        session.is_sure = False
        return False

    def asks_for_order(self, session: Session | None, tag: str) -> None:
        """Somebody is about to ask for an order, over a connection of a session or elsewhere."""
        self._askers[tag].add((session, self._life))
        if session is not None:
            session.tags.add(tag)

    def has_order(self, session: Session, ticket: int) -> None:
        """It was told the ticket of an order that it has asked for there."""
        session.told.add(ticket)

    # --- what the daemon does --------------------------------------------------------------------

    def dies(self, now_s: float) -> None:
        """A life of the daemon ends, and all connections with it."""
        self._died_s = now_s

    def begins(self, now_s: float, names: Collection[str], tickets: Iterable[int] = ()) -> None:
        """Begin a life of the daemon, with the sessions whose rules its ledger has. The tickets
        are those of the orders that are there.
        """
        self._life += 1
        self._before = set(tickets)
        before, self._sessions = self._sessions, {}
        for session in before.values():
            is_due = session.is_sure and self._died_s < session.rings_s()
            if is_due and session.name not in names:
                self._accuse(f"the rule of {session.name} is lost with a life of the daemon")
        for name in sorted(names):
            session = before.get(name) or Session(name)
            session.rule = self._asked.get(name)
            if session.rule is None:
                self._accuse(f"there is a rule of {name}, for which nobody has asked")
            session.gone_s = now_s + RESTART_GRACE_S
            session.is_resumed = session.is_earlier = True
            session.sweeping_until_s = 0.0
            session.tags, session.told, session.doubts = set(), set(), []
            session.fired_s = None
            self._sessions[name] = session

    def fires(self, name: str, orders: Iterable[Order], now_s: float) -> None:
        """The gateway begins to carry out a session's rule, and has looked at nothing yet."""
        session = self._sessions.get(name)
        if session is not None and session.fired_s is None:
            session.fired_s, session.fired = now_s, self.meant(session, orders)

    def ends(self, ticket: int, now_s: float) -> None:
        """The gateway is about to cancel an order that nobody has asked it to cancel."""
        found = {one for one in self._sessions.values() if self._may_end(one, ticket, now_s)}
        said = f"order {ticket} is cancelled at {now_s} s"
        if not found:
            self._accuse(f"{said}, and no program was lost that it belongs to")
        doubt = _Doubt(said, now_s, found)
        for session in found:
            session.doubts.append(doubt)

    def _is_over(self, session: Session, now_s: float) -> bool:
        """Whether nothing can be cancelled for a session any more."""
        if session.rule is not None and now_s < max(session.rings_s(), session.sweeping_until_s):
            return False
        return not self._is_kept(session.name)

    def _may_end(self, session: Session, ticket: int, now_s: float) -> bool:
        if session.rule is None or now_s < session.rings_s():
            return False
        if not (self._is_kept(session.name) or now_s < session.sweeping_until_s):
            return False
        tag = self._tag_of(ticket)
        if not session.rule.own or tag in session.tags:
            return True
        return session.is_earlier and self._may_be_of_before(ticket, tag)

    def _may_be_of_before(self, ticket: int, tag: str) -> bool:
        """Whether an order may have been asked for before this life of the daemon."""
        return ticket in self._before or any(life < self._life for _, life in self._askers[tag])

    # --- what must be ----------------------------------------------------------------------------

    def meant(self, session: Session, orders: Iterable[Order]) -> set[int]:
        """Return those of the pending orders that must be cancelled if a session is lost now."""
        rule = session.rule
        if rule is None or not session.is_sure:
            return set()
        if not rule.own:
            return {one.ticket for one in orders}
        return {one.ticket for one in orders if self._is_own(session, one)}

    def owed(
        self, session: Session, orders: Iterable[Order], now_s: float
    ) -> tuple[set[int], float]:
        """Return those of the pending orders that must be cancelled for a program that leaves
        now, and since when it can have been told that they are not.

        A connection that was lost before, with a life of the daemon for example, may be followed
        by orders over ``/rpc``. Those that came after the rule was carried out are not owed.
        """
        meant = self.meant(session, orders)
        if session.fired_s is None:
            return meant, now_s
        return meant & session.fired, session.fired_s

    def _is_own(self, session: Session, order: Order) -> bool:
        """Whether the gateway must know that it is one of the session's: it was told the ticket
        itself, or has got the order nowhere else and the broker has left its comment alone; or it
        came through the gateway before this life, as the comment says.
        """
        if session.is_earlier and order.ticket in self._before and is_tagged(order.comment):
            return True
        if order.ticket in session.told:
            return True
        tag = order.comment[:TAG_LENGTH]
        return tag in session.tags and self._askers[tag] == {(session, self._life)}
