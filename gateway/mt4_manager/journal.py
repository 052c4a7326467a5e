"""Journal of what operators change: a row is on the disk before the command is sent.

A row's state::

    sending   its command may be on its way
      |
      +-- done      the server did it; ``result`` is its answer
      +-- refused   the server said no: nothing was done
      +-- not_sent  no peer took it: nothing was done
      +-- unknown   sent, and not answered: see :mod:`~.changes`
            +-- done, refused, not_sent   as was found out
            +-- lost    nothing can find it out any more: a person has to look

A row that the gateway has left at ``sending`` when it died goes the ways of ``unknown``.

A key (the header Idempotency-Key) is its operator's own, and belongs to one request for good. What
was done is answered from the row; what was not done may be tried again under the same key; what is
unknown is never sent anew.
"""

from __future__ import annotations

import sqlite3
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

import msgspec
import orjson

from ea_bridge import host
from ea_bridge.commands import TOO_LARGE, TOO_LATE, Command
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.commands import USER_RECORD_NEW, USER_RECORD_UPDATE
from ea_bridge.mt4_manager.model import ReturnCode
from gateway.audit import Audit
from gateway.storage.ledger import Ledger

from .errors import KeyReused

TABLE = """
CREATE TABLE manager_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    tag TEXT NOT NULL UNIQUE,
    fingerprint BLOB NOT NULL,
    operator TEXT NOT NULL,
    operation TEXT NOT NULL,
    op TEXT NOT NULL,
    facts TEXT NOT NULL,
    command_id INTEGER NOT NULL,
    link TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('sending', 'done', 'refused', 'not_sent', 'unknown', 'lost')),
    result BLOB,
    retcode INTEGER NOT NULL DEFAULT 0,
    err INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    settled_ms INTEGER,
    UNIQUE (operator, key)
) STRICT;
CREATE INDEX manager_changes_open ON manager_changes (state)
WHERE state IN ('sending', 'unknown');
CREATE INDEX manager_changes_commands ON manager_changes (command_id);
"""

State = Literal["sending", "done", "refused", "not_sent", "unknown", "lost"]
OPEN = ("sending", "unknown")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row. Times are UTC milliseconds."""

    id: int = 0
    key: str
    """The operator's."""
    tag: str
    """Eight letters and digits that stand in the comment of a booking."""
    fingerprint: bytes
    operator: str
    operation: str
    """Of the API, such as ``deposit``."""
    op: str
    """The command."""
    facts: Mapping[str, Any]
    """What it is about, without secrets: enough to find it at the server."""
    command_id: int
    link: str
    """The link it was written to: see :meth:`~.changes.ChangeReconciler.link_of`."""
    state: State = "sending"
    result: bytes | None = None
    """What is kept of the server's answer: see :func:`kept`."""
    retcode: int = 0
    err: int = 0
    created_ms: int
    settled_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether its command may have been done, or may be yet, and nobody knows."""
        return self.state in OPEN


class ManagerJournal:
    """The rows, in the ledger.

    Args:
        ledger: open.
        audit: gets a line for each change, in the same transaction.
        now_ms: UTC milliseconds.

    """

    def __init__(self, ledger: Ledger, audit: Audit, now_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self._audit = audit
        self._now_ms = now_ms

    @property
    def last_command_id(self) -> int:
        """The highest id that a command ever had here; later ones have to lie above."""
        row = self._ledger.reader.one("SELECT max(command_id) AS last FROM manager_changes")
        return 0 if row is None or row["last"] is None else int(row["last"])

    def find(self, operator: str, key: str) -> Entry | None:
        """Return the row of an operator's key."""
        row = self._ledger.reader.one(
            "SELECT * FROM manager_changes WHERE operator = ? AND key = ?", operator, key
        )
        return None if row is None else _entry(row)

    def get(self, entry_id: int) -> Entry:
        """Return a row as it stands."""
        row = self._ledger.reader.one("SELECT * FROM manager_changes WHERE id = ?", entry_id)
        assert row is not None  # no row ever goes
        return _entry(row)

    def of_command(self, command_id: int) -> Entry | None:
        """Return the row whose last command had an id."""
        row = self._ledger.reader.one(
            "SELECT * FROM manager_changes WHERE command_id = ? ORDER BY id DESC", command_id
        )
        return None if row is None else _entry(row)

    def open(self) -> list[Entry]:
        """Return the rows whose outcome is not known, the oldest first."""
        rows = self._ledger.reader.all(
            "SELECT * FROM manager_changes WHERE state IN ('sending', 'unknown') ORDER BY id"
        )
        return [_entry(row) for row in rows]

    async def begin(self, entry: Entry) -> Entry:
        """Write a row before its command is sent; it is on the disk when this returns.

        A key whose request was not done begins anew, in the same row.

        Returns:
            The row as it stands: ``entry`` with its id, or the one that its key has, if that was
            done, or may have been; then nothing is to be sent.

        Raises:
            KeyReused: the key has another request.
            StoreError: it could not be written; nothing may be sent.

        """
        return await self._ledger.write(lambda connection: self._begin(connection, entry))

    def _begin(self, connection: sqlite3.Connection, entry: Entry) -> Entry:
        row = connection.execute(
            "SELECT * FROM manager_changes WHERE operator = ? AND key = ?",
            (entry.operator, entry.key),
        ).fetchone()
        if row is None:
            columns = {name: value for name, value in _columns(entry).items() if name != "id"}
            made = connection.execute(
                f"INSERT INTO manager_changes ({', '.join(columns)}) "  # noqa: S608 - our names
                f"VALUES ({', '.join('?' * len(columns))})",
                tuple(columns.values()),
            )
            begun = replace(entry, id=made.lastrowid or 0)
        else:
            known = _entry(row)
            if known.fingerprint != entry.fingerprint:
                raise KeyReused
            if known.is_open or known.state in ("done", "lost"):
                return known
            # refused or not sent: the same row, so that a key has one row and one outcome
            connection.execute(
                "UPDATE manager_changes SET tag = ?, command_id = ?, link = ?, facts = ?, "
                "created_ms = ?, state = 'sending', retcode = 0, err = 0, settled_ms = NULL "
                "WHERE id = ?",
                (
                    entry.tag,
                    entry.command_id,
                    entry.link,
                    orjson.dumps(entry.facts).decode(),
                    entry.created_ms,
                    known.id,
                ),
            )
            begun = replace(entry, id=known.id)
        # in the same transaction: no change without its line in the trail, and no line without it
        self._note(connection, begun, "sending")
        return begun

    async def settle(
        self,
        entry: Entry,
        state: State,
        *,
        result: bytes | None = None,
        retcode: int = 0,
        err: int = 0,
    ) -> Entry:
        """Write what became of a row, unless that is known already.

        Returns:
            The row as it stands.

        """

        # rows are there for good: of people they keep as little as a repeat needs
        told = None if result is None else kept(entry.op, result)

        def work(connection: sqlite3.Connection) -> Entry:
            row = connection.execute(
                "SELECT * FROM manager_changes WHERE id = ?", (entry.id,)
            ).fetchone()
            known = _entry(row)
            # one that began anew under its key is another one, whatever became of the first
            if not known.is_open or known.command_id != entry.command_id or known.state == state:
                return known
            settled_ms = None if state == "unknown" else self._now_ms()
            connection.execute(
                "UPDATE manager_changes SET state = ?, result = ?, retcode = ?, err = ?, "
                "settled_ms = ? WHERE id = ?",
                (state, told, retcode, err, settled_ms, entry.id),
            )
            settled = replace(
                known,
                state=state,
                result=told,
                retcode=retcode,
                err=err,
                settled_ms=settled_ms,
            )
            self._note(connection, settled, state)
            return settled

        return await self._ledger.write(work)

    def _note(self, connection: sqlite3.Connection, entry: Entry, state: State) -> None:
        self._audit.record_with(
            connection,
            "manager_change",
            actor=f"manager:{entry.operator}",
            object=entry.operation,
            outcome=state,
            change=entry.id,
            command=entry.command_id,
            retcode=entry.retcode or None,
            err=entry.err or None,
            facts=dict(entry.facts) if state == "sending" else None,
        )


def _columns(entry: Entry) -> dict[str, Any]:
    columns = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    columns["facts"] = orjson.dumps(entry.facts).decode()
    return columns


def _entry(row: sqlite3.Row) -> Entry:
    fields = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a row iterates over values
    fields["facts"] = orjson.loads(fields["facts"])
    return Entry(**fields)


class _UserLogin(Struct, frozen=True, kw_only=True):
    """User as the journal keeps him."""

    login: int


def kept(op: str, result: bytes) -> bytes:
    """Return what the journal keeps of a result. Rows are there for good: of a user they have his
    login, and not who he is and where he lives.
    """
    if op not in (USER_RECORD_NEW.op, USER_RECORD_UPDATE.op):
        return result
    return msgspec.json.encode(msgspec.json.decode(result, type=_UserLogin))


# --- changes as they are asked for --------------------------------------------------------------


TAG_LETTERS = string.ascii_letters + string.digits
TAG_LENGTH = 8
MAX_COMMENT = 31 - TAG_LENGTH - 2
"""Characters that a booking's comment has room for, beside `` #`` and the tag."""
UNKNOWN = frozenset(
    {ReturnCode.TRADE_TIMEOUT, ReturnCode.TRADE_ACCEPTED, ReturnCode.TRADE_PROCESS}
)
"""Refusals that leave open whether it was done; with any other it was not, as peers promise
(:class:`ea_bridge.mt4_manager.endpoint.CommandRefused`)."""

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Change(Generic[P, R]):
    """A change.

    Its ``params`` are made for the tag by which a booking is found again; other changes do not
    look at it.
    """

    operator: str
    operation: str
    """Of the API, such as ``deposit``."""
    command: Command[P, R]
    params: Callable[[str], P]
    facts: Mapping[str, Any]
    """What it is about, for the journal and the audit trail: no secrets."""
    request: bytes
    """All that makes it this request and no other, secrets included and however it was written;
    only a keyed hash is kept."""
    key: str | None
    """The operator's own; without it one is made, which the answer tells where it is needed."""
    recheck: Callable[[], None]
    """Called right before the bytes are written; what it raises stops the change."""


def new_tag() -> str:
    """Return a tag that no other change has."""
    return "".join(host.choice(TAG_LETTERS) for _ in range(TAG_LENGTH))


def tagged(comment: str, tag: str) -> str:
    """Return a booking's comment with its tag."""
    return f"{comment} #{tag}".lstrip()


def meaning(retcode: int, err: int) -> State:
    """Return what a refusal says of a change."""
    if err == TOO_LATE:
        return "not_sent"
    return "unknown" if retcode in UNKNOWN or err == TOO_LARGE else "refused"
