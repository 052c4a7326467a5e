"""Cancel on disconnect: orders of a connection are cancelled when it is gone.

A connection asks for it, with a grace in which it may come back: one that says ``hello`` with the
same ``session_id`` within it goes on where the lost one stood, with its orders and what it had
asked for. Nothing else disarms it, above all no new TCP connection by itself. ``logout`` and
asking for it no more leave the orders alone.

Which orders are a connection's: those that were placed on it. Their ids are noted before they are
sent, so that one whose answer was lost is known by its tag, and their tickets when they are told
or found, since brokers rewrite comments. Calls outlive their connection: what they place, and what
they are told, counts until the last sweep has looked, and that waits for orders that are under
way. What else they ask for counts until another connection has taken over.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary

from ea_bridge import host
from gateway.errors import Cancelled
from gateway.trading.journal.intents import AccountKey, Intent
from gateway.trading.requests import OrderFilter, tag

from .dead_man import SESSION, Armed, ArmedBook, Firing, Key, LazyTimer

MAX_PLACED = 10_000
"""Orders of one connection that are remembered: the newest."""
RESTART_GRACE_S = 5.0
"""More for programs that have to find out that the gateway was started anew."""

N = TypeVar("N")

logger = logging.getLogger(__name__)


class AccountTicket(NamedTuple):
    """An order or a position."""

    account: AccountKey | None
    number: int


class ClientConnection(Protocol):
    """Connection of a program, which can be lost."""

    tid: str
    """Public id of its token."""
    on_gone: list[Callable[[], None]]
    """Called once, when it is over."""

    @property
    def is_gone(self) -> bool:
        """Whether it is over, though its calls may go on."""

    def end(self, code: int, reason: str) -> None:
        """Close it."""


REPLACED = 4505
"""Close code: the same session has connected again."""


@dataclass(eq=False)
class _Session:
    """A program's run on one terminal, over one connection after the other."""

    name: str
    is_named: bool
    """By its program, so that it can come back."""
    terminal: str
    tid: str
    is_known: bool = False
    """Something is armed under its name, which must not change any more."""
    is_earlier: bool = False
    """It began before the daemon did, so that some of its orders are not known for its own."""
    tags: OrderedDict[str, None] = field(default_factory=OrderedDict)
    tickets: OrderedDict[AccountTicket, None] = field(default_factory=OrderedDict)
    under_way: set[str] = field(default_factory=set)
    """Tags of its orders that are being placed: they may not be at the broker yet."""
    connection: ClientConnection | None = None
    armed: Armed | None = None
    has_fired: bool = False
    """Its connection was gone for too long: its orders are being cancelled, or were."""
    timer: LazyTimer | None = None

    @property
    def key(self) -> Key:
        return (self.terminal, self.tid, f"{SESSION} {self.name}")


@dataclass(frozen=True, eq=False)
class _Numbers(Collection[int]):
    """Numbers of the tickets on one account, with those that are noted later."""

    tickets: Collection[AccountTicket]
    account: AccountKey | None
    """``None``: the one of the first ticket."""

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and AccountTicket(self._account(), number) in self.tickets

    def __iter__(self) -> Iterator[int]:
        account = self._account()
        return (ticket.number for ticket in self.tickets if ticket.account == account)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _account(self) -> AccountKey | None:
        # another account may use the same numbers
        return self.account or next((ticket.account for ticket in self.tickets), None)


class Disconnects:
    """The sessions of all connections.

    Args:
        book: keeps what is armed.
        fire: called when a connection was gone for too long.
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
        self._of: dict[ClientConnection, _Session] = {}
        self._lost: WeakKeyDictionary[ClientConnection, _Session] = WeakKeyDictionary()
        """The sessions of connections that are gone, for as long as calls hold these."""
        self._armed: dict[Key, _Session] = {}
        self._firing: dict[Key, tuple[Firing, _Session]] = {}
        self._since: dict[str, OrderedDict[str, None]] = {}
        """Tags of the orders that are new since the daemon began, of each terminal that has had a
        session of before: those that this one has not placed are not its own."""
        self._is_closed = False

    def armed(self, terminal: str) -> list[Armed]:
        """Return what is armed for a terminal, or has fired and is not done."""
        all_ = [session.armed for session in self._armed.values() if session.armed is not None]
        all_ += [firing.armed for firing, _ in self._firing.values()]
        return [armed for armed in all_ if armed.terminal == terminal]

    def of(self, connection: ClientConnection) -> Armed | None:
        """Return what a connection has asked for."""
        session = self._of.get(connection)
        return None if session is None else session.armed

    def name_of(self, connection: ClientConnection) -> str | None:
        """Return the name by which a connection's program can come back."""
        session = self._of.get(connection)
        return session.name if session is not None and session.is_named else None

    # --- what connections do -----------------------------------------------------------------

    def hello(self, connection: ClientConnection, terminal: str, name: str) -> None:
        """A program has said the name of its run: it may be back."""
        if connection.is_gone:
            return  # it was lost while this call waited: nothing would ever fire for it
        session = self._meet(connection, terminal)
        key = (terminal, connection.tid, f"{SESSION} {name}")
        before = self._armed.get(key)
        # back while its sweep is under way: what is not cancelled yet stays
        self._call_off(key)
        if before is session:
            return
        if before is None:
            # a name may be changed until something is armed under it
            if not session.is_known:
                session.name, session.is_named = name, True
            return
        self.off(connection)
        if before.timer is not None:
            before.timer.cancel()
            before.timer = None
        old, before.connection = before.connection, connection
        # what it has placed since it came back is its own as well
        before.tags.update(session.tags)
        before.tickets.update(session.tickets)
        # calls of connections that are gone may still note what they have placed
        session.tags, session.tickets = before.tags, before.tickets
        before.under_way.update(session.under_way)
        session.under_way = before.under_way
        before.is_earlier |= session.is_earlier
        session.connection = None
        self._of[connection] = before
        if old is not None:
            self._of.pop(old, None)
            self._lost[old] = before
            # two connections of one session would both keep it alive: the older one is closed
            old.end(REPLACED, "replaced")

    async def set(self, connection: ClientConnection, terminal: str, armed: Armed) -> None:
        """Arm a connection, or change how; nothing if another one has its session by now.

        Raises:
            StoreError: it could not be written; it holds until the gateway ends.

        """
        session = self._meet(connection, terminal)
        if self._is_replaced(connection, session):
            return
        # in force before it is on the disk: who asked for it may be lost in that very moment
        session.armed, session.has_fired = armed, False
        self._armed[session.key] = session
        if session.connection is None and not self._is_closed:
            # the connection was lost while this call waited: the grace begins now
            if session.timer is not None:
                session.timer.cancel()
            self._start_timer(session, armed)
        self._changed(terminal)
        await self._book.keep(armed)

    def off(self, connection: ClientConnection) -> None:
        """Disarm a connection, also one that is lost; nothing if another one has its session."""
        session = self._session(connection)
        if session is None or self._is_replaced(connection, session):
            return
        self._call_off(session.key)
        if session.timer is not None:
            session.timer.cancel()
        session.armed, session.has_fired = None, False
        if self._armed.get(session.key) is session:
            del self._armed[session.key]
            self._book.drop(session.key)
            self._changed(session.terminal)

    def session(self, connection: ClientConnection, terminal: str) -> str:
        """Return the name under which something may be armed for a connection."""
        session = self._meet(connection, terminal)
        session.is_known = True
        return session.name

    def session_of(self, connection: ClientConnection | None) -> str:
        """Return the session of a call: empty for ``/rpc``, and for a connection that is new."""
        session = None if connection is None else self._of.get(connection)
        if session is None:
            return "" if connection is None else "-"
        return session.name

    def live(self, terminal: str, tid: str) -> Collection[str]:
        """Return the sessions of a token that have a connection."""
        there = self._of.values()
        return {
            session.name for session in there if (session.terminal, session.tid) == (terminal, tid)
        }

    def placing(self, connection: ClientConnection | None, terminal: str, tag: str) -> None:
        """An order with that tag, which was never sent before, is about to be.

        It is under way until :meth:`settled` is called.

        Args:
            connection: on which it was asked for; ``None``: over ``/rpc``.
            terminal: where.
            tag: of its comment.

        Raises:
            Cancelled: its connection was lost, and its orders are cancelled by now.

        """
        session = None if connection is None else self._meet(connection, terminal)
        if session is not None and session.has_fired:
            raise Cancelled(
                "The connection was lost, and its orders were cancelled: this one is not sent",
                outcome="not_sent",
            )
        # of sessions of before the restart nobody knows the orders: all that are new are surely
        # not theirs
        if (since := self._since.get(terminal)) is not None:
            _note(since, tag)
        if session is not None:
            _note(session.tags, tag)
            session.under_way.add(tag)

    def settled(self, connection: ClientConnection | None, tag: str) -> None:
        """Note that the order with this tag is no longer under way."""
        session = None if connection is None else self._session(connection)
        if session is not None:
            session.under_way.discard(tag)

    def placed(
        self, connection: ClientConnection, account: AccountKey | None, ticket: int
    ) -> None:
        """An order, or the position that it opened, has that ticket on an account."""
        session = self._session(connection)
        if session is not None:
            _note(session.tickets, AccountTicket(account, ticket))

    def left(self, account: AccountKey | None, closed: int, rest: int) -> None:
        """Note the ticket of what is left of a position of which a part was closed.

        On MetaTrader 4 it has another one than before, and another comment.
        """
        for session in self._sessions():
            if AccountTicket(account, closed) in session.tickets:
                _note(session.tickets, AccountTicket(account, rest))

    def found(self, intent: Intent) -> None:
        """The order of a call, whose answer was lost, was found: it has tickets after all.

        Its program may hear of them by an event, or from the journal when it repeats the call.
        """
        asked = intent.asked
        name = tag(*asked.account, asked.client_order_id)
        results = [send.result for send in intent.sends if send.result and send.is_exposing]
        numbers = [one for result in results for one in (result.order, result.position) if one]
        for session in self._placed_by(intent.terminal, name):
            for number in numbers:
                _note(session.tickets, AccountTicket(asked.account, number))

    def replaced(self, terminal: str, tag: str, by: str, ticket: AccountTicket | None) -> None:
        """An order takes the place of one that the gateway holds: it is of whoever placed that.

        Args:
            terminal: where.
            tag: of the comment of the one that is held.
            by: the tag of the other one.
            ticket: of the other one; ``None``: nobody knows it yet.

        """
        since = self._since.get(terminal)
        if since is not None and tag in since:
            _note(since, by)
        for session in self._placed_by(terminal, tag):
            _note(session.tags, by)
            if ticket is not None:
                _note(session.tickets, ticket)

    # --- the life of the gateway ----------------------------------------------------------------

    def resume(self, armed: Armed) -> None:
        """Go on with what was armed when the last daemon ended: all connections are gone.

        Whose of the orders of before is whose is not known any more.
        """
        session = _Session(armed.session, True, armed.terminal, armed.tid, True, True, armed=armed)
        self._armed[session.key] = session
        self._since.setdefault(armed.terminal, OrderedDict())
        self._start_timer(session, armed, RESTART_GRACE_S)
        self._changed(armed.terminal)

    def close(self) -> None:
        """The gateway ends: that is nobody's disconnect. What is armed stays in the ledger."""
        self._is_closed = True
        for session in self._armed.values():
            if session.timer is not None:
                session.timer.cancel()

    # --- inside -----------------------------------------------------------------------------

    def _sessions(self) -> Collection[_Session]:
        firing = (session for _, session in self._firing.values())
        return {*self._of.values(), *self._lost.values(), *self._armed.values(), *firing}

    def _placed_by(self, terminal: str, tag: str) -> list[_Session]:
        """Return the sessions that have placed an order with that tag."""
        there = self._sessions()
        return [one for one in there if one.terminal == terminal and tag in one.tags]

    def _session(self, connection: ClientConnection) -> _Session | None:
        return self._of.get(connection) or self._lost.get(connection)

    def _is_replaced(self, connection: ClientConnection, session: _Session) -> bool:
        """Whether another connection has its session, so that its calls are of before."""
        if session.connection is not None:
            return session.connection is not connection
        # one that came back when all was over has begun anew under the same name
        return session.name in self.live(session.terminal, session.tid)

    def _meet(self, connection: ClientConnection, terminal: str) -> _Session:
        session = self._session(connection)
        if session is None:
            name = f"unnamed-{host.token_hex(8)}"
            session = _Session(name, False, terminal, connection.tid)
            if connection.is_gone:
                self._lost[connection] = session  # nobody tells of its end any more
                return session
            session.connection = connection
            self._of[connection] = session
            connection.on_gone.append(partial(self._gone, connection))
        return session

    def _gone(self, connection: ClientConnection) -> None:
        session = self._of.pop(connection, None)
        if session is None:
            return
        session.connection = None
        self._lost[connection] = session
        if session.armed is not None and not self._is_closed:
            self._start_timer(session, session.armed)

    def _start_timer(self, session: _Session, armed: Armed, more_s: float = 0.0) -> None:
        within_s = armed.within_ms / 1000 + more_s
        session.timer = LazyTimer(within_s, partial(self._expire, session, armed))

    def _expire(self, session: _Session, armed: Armed) -> None:
        del self._armed[session.key]
        session.has_fired = True
        chosen = OrderFilter()
        if armed.own:
            # all as they are at each look: receipts may still come
            own = _Numbers(session.tickets.keys(), armed.account)
            others = self._since.get(session.terminal) if session.is_earlier else None
            chosen = OrderFilter(tags=session.tags, tickets=own, other_tags=others)
        under_way = session.under_way
        # it stays armed until it is carried out: a daemon that is killed meanwhile must do it
        # again
        firing = Firing(armed, chosen, "disconnect", self._over, lambda: bool(under_way))
        self._firing[armed.key] = (firing, session)
        self._fire(firing)

    def _over(self, firing: Firing) -> None:
        key = firing.armed.key
        if self._firing.get(key, (None,))[0] is firing:
            del self._firing[key]
            # it may be armed again by now, and the row is that one's
            if key not in self._armed:
                self._book.drop(key)
            self._changed(firing.armed.terminal)

    def _call_off(self, key: Key) -> None:
        firing, _ = self._firing.pop(key, (None, None))
        if firing is not None:
            firing.called_off = True
            self._book.drop(key)
            self._changed(key[0])


def _note(noted: OrderedDict[N, None], item: N) -> None:
    """Remember one more; forget the oldest where there are too many."""
    noted[item] = None
    # bounded: a program that runs for months must not fill the memory
    if len(noted) > MAX_PLACED:
        noted.popitem(last=False)
