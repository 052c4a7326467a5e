"""Orders of what to do when a program falls silent, as the ledger keeps them, and their timer.

It outlives the daemon, so that a restart is not taken for a program's end, nor its end forgotten.
It is about the account that the terminal was logged in to: at another one nothing is done for it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
    """One thing that waits for a program's silence."""

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
