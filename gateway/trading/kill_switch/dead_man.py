"""The dead man's switch: a program that has said nothing for too long is taken for dead.

A timer belongs to the connection that it was set on, or to all calls of a token over ``/rpc``:
every call there starts it anew, whatever it asks. A call elsewhere does not, or a screen that
shows prices kept the timer of a bot that hangs; nor do the pongs of a WebSocket library, since
they say nothing of the program above it. Once it has fired it is off until it is set again.

What is armed, this timer or what shall be done when a connection ends, is kept in the ledger. It
outlives the daemon, so that a restart is not taken for a program's end, nor its end forgotten. It
is about the account that the terminal was logged in to: at another one nothing is done for it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from gateway.storage.ledger import Ledger
from gateway.trading.journal.intents import AccountKey
from gateway.trading.requests import Action, OrderFilter

TIMER, SESSION = "timer", "session"
"""How the name begins of what waits for a call, and of what waits for a lost connection; the name
of a connection's session follows. The timer of ``/rpc`` has none."""
TABLE = """
CREATE TABLE armed (
    terminal TEXT NOT NULL,
    tid TEXT NOT NULL,
    name TEXT NOT NULL,
    action TEXT NOT NULL,
    own INTEGER NOT NULL,
    within_ms INTEGER NOT NULL,
    PRIMARY KEY (terminal, tid, name)
) STRICT, WITHOUT ROWID;
"""
ACCOUNTS = """
ALTER TABLE armed ADD COLUMN login INTEGER NOT NULL DEFAULT 0;
ALTER TABLE armed ADD COLUMN server TEXT NOT NULL DEFAULT '';
"""

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """Armed timer or disconnect rule, which acts when a program falls silent."""

    terminal: str
    tid: str
    """Public id of the program's token."""
    name: str
    """:data:`TIMER`, or ``timer`` or ``session`` and the name of a session."""
    action: Action
    own: bool
    """Only what came through that connection; or, where nobody can tell any more which that was
    since it was before the daemon's start, through the gateway."""
    within_ms: int
    """How long the silence may last."""
    account: AccountKey | None = None
    """Whose orders it is about; ``None``: the terminal had not been logged in yet, so that it is
    about the first account that it will be in."""

    def __post_init__(self) -> None:
        """Take a terminal that is logged in to no account, which says 0, for one of none."""
        if self.account is not None and not self.account.login:
            object.__setattr__(self, "account", None)

    @property
    def key(self) -> Key:
        """Terminal, token and name: no other has all three."""
        return (self.terminal, self.tid, self.name)

    @property
    def session(self) -> str:
        """The name of the session; empty for ``/rpc``."""
        return self.name.partition(" ")[2]

    @property
    def is_timer(self) -> bool:
        """It waits for a call, not for a lost connection."""
        return self.name.partition(" ")[0] == TIMER


@dataclass(eq=False, slots=True)
class Firing:
    """A program has fallen silent, and what was armed is carried out."""

    armed: Armed
    chosen: OrderFilter
    """What it is about."""
    cause: Literal["timer", "disconnect"]
    over: Callable[[Firing], None]
    """To be called when it is done. Until then it counts as armed, also for the next daemon."""
    may_grow: Callable[[], bool] = lambda: False
    """Whether something that it is about may come yet: an order of the program is under way."""
    called_off: bool = False
    """The program is back; what is not done yet shall not be done."""


@dataclass(frozen=True, slots=True)
class LeasePolicy:
    """Action at a terminal that does what all that is armed there asks for."""

    action: Action
    own: bool


def combined_policy(armed: Iterable[Armed]) -> LeasePolicy | None:
    """Return the policy that does what each of them asks for; ``None`` if there is none."""
    all_ = list(armed)
    if not all_:
        return None
    closes = any(entry.action == "cancel_and_close" for entry in all_)
    return LeasePolicy(
        # one policy for all: the EA has room for one, so the strictest that anybody asked for
        "cancel_and_close" if closes else "cancel_orders",
        own=all(entry.own for entry in all_),
    )


class ArmedBook:
    """Book of all that is armed, kept in the ledger.

    Args:
        ledger: ``None``: it ends with the process.

    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._ledger = ledger

    def all(self) -> list[Armed]:
        """Return what was armed when the last daemon ended, however it did."""
        if self._ledger is None:
            return []
        rows = self._ledger.reader.all("SELECT * FROM armed")
        return [
            Armed(
                terminal=row["terminal"],
                tid=row["tid"],
                name=row["name"],
                action=row["action"],
                own=bool(row["own"]),
                within_ms=row["within_ms"],
                account=AccountKey(row["login"], row["server"]) if row["login"] else None,
            )
            for row in rows
        ]

    async def keep(self, armed: Armed) -> None:
        """Return once it is on the disk.

        Raises:
            StoreError: it could not be written.

        """
        account = armed.account or (0, "")
        values = (*armed.key, armed.action, armed.own, armed.within_ms, *account)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("REPLACE INTO armed VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

        if self._ledger is not None:
            await self._ledger.write(work)

    def drop(self, key: Key) -> None:
        """Forget it, soon: should that be lost, it fires once more than needed."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM armed WHERE terminal = ? AND tid = ? AND name = ?", key
            )

        if self._ledger is not None:
            self._ledger.write_soon(work)


class LazyTimer:
    """Timer that acts once, and costs next to nothing to start anew.

    Every call of a program starts it anew. So only its due time moves; the loop's own timer stays
    where it is, and looks at the due time when it fires.

    Args:
        within_s: how long it runs; it runs from the start.
        act: called in the event loop when the time is over.

    """

    def __init__(self, within_s: float, act: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._within_s = within_s
        self._act = act
        self._due_s = self._loop.time() + within_s
        self._timer = self._loop.call_at(self._due_s, self._fire)

    def arm(self) -> None:
        """Run for the whole time again."""
        self._due_s = self._loop.time() + self._within_s

    def cancel(self) -> None:
        """Do nothing any more; harmless when it has fired."""
        self._timer.cancel()

    def _fire(self) -> None:
        # it was armed again since: wait for the rest
        if self._loop.time() < self._due_s:
            self._timer = self._loop.call_at(self._due_s, self._fire)
        else:
            self._act()


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
