"""Verification that an audit trail is as it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from sqlite3 import Row
from typing import Literal

from gateway.storage.store import Store

from .table import GENESIS, MARKS, TABLE, TRIGGERS, Head, begin_of, chained, extent_of, hash_of

MAX_FAULTS = 100
"""Faults that are told; one who has more has another trail altogether."""
PAGE = 1000
"""Rows read at a time."""
MISMATCH = "audit_mismatch"
"""Event of a daemon that found at its start that the trail had been cut or exchanged."""

SIGNED = "audit_checkpoint"
"""Event of a row with the daemon's signature over all rows before it."""

Kind = Literal[
    "changed", "missing", "extra", "cut", "replaced", "unprotected", "noted", "unsigned"
]


class BadSignature(Exception):
    """A row of :data:`SIGNED` was not signed by the device; the message says what is wrong."""


Signatures = Callable[[bytes], Head]
"""Returns what a row of :data:`SIGNED` has signed, or raises :class:`BadSignature`."""


@dataclass(frozen=True, slots=True)
class TrailFault:
    """Sign that an audit trail was altered."""

    n: int
    """At which row it shows."""
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class TrailVerdict:
    """Result of the verification of an audit trail."""

    entries: int
    """Rows looked at."""
    head: Head
    """Of the trail as it is."""
    faults: tuple[TrailFault, ...]

    @property
    def is_intact(self) -> bool:
        """Whether nothing was changed, as far as the trail and the checkpoint can show."""
        return not self.faults


def verify(
    store: Store,
    checkpoint: Head | None = None,
    *,
    start: int = 1,
    signatures: Signatures | None = None,
) -> TrailVerdict:
    """Look at every row that is not archived.

    Args:
        store: the ledger's, with its tables.
        checkpoint: how far the trail went, and with which hash, as somebody has signed it.
        start: the first row to look at; those before it were looked into earlier. None that is
            archived: with what :func:`~.table.begin_of` returns the trail begins, which somebody
            has signed, too.
        signatures: reads those of the device within the trail; ``None`` to leave them out.

    Raises:
        StoreError: the file is damaged, or cannot be read.

    """
    begin = begin_of(store).n
    verdict = _looked_at(store, checkpoint, start, begin, signatures)
    if verdict.faults and begin_of(store).n != begin:
        # rows went into the archive meanwhile
        return verify(store, checkpoint, start=start, signatures=signatures)
    return verdict


def _looked_at(
    store: Store, checkpoint: Head | None, start: int, begin: int, signatures: Signatures | None
) -> TrailVerdict:
    faults = _Faults()
    # without its triggers a table can be changed unseen; so they are looked at first
    for fault in _unprotected(store):
        faults.add(fault)
    is_whole, start = start <= begin + 1, max(start, begin + 1)
    expected, previous = start, hash_of(store, start - 1)
    entries = 0
    if previous is None:
        faults.add(TrailFault(start - 1, "missing", f"row {start - 1} is not there"))
    for row in rows(store, start if begin or not is_whole else None):
        n, entry, hashed = row["n"], row["entry"], row["hash"]
        entries += 1
        if n != expected:
            faults.add(_misplaced(n, expected))
        elif previous is not None and chained(previous, n, entry) != hashed:
            faults.add(TrailFault(n, "changed", f"row {n}, or its hash, is not as it was written"))
        if signatures is not None and previous is not None and _IS_SIGNED in entry:
            for fault in check_signed(n, entry, previous, signatures):
                faults.add(fault)
        if b'"event":"' + MISMATCH.encode() + b'"' in entry:
            faults.add(
                TrailFault(n, "noted", f"at row {n} a gateway found the trail cut or replaced")
            )
        expected, previous = max(n, 0) + 1, hashed
    for fault in check_end(store, checkpoint):
        faults.add(fault)
    return TrailVerdict(entries, Head(expected - 1, previous or GENESIS), tuple(faults))


def check_signed(n: int, entry: bytes, before: bytes, signatures: Signatures) -> list[TrailFault]:
    """Return what is wrong with a row that signs all before it.

    Args:
        n: its number.
        entry: its bytes.
        before: the hash of the row before it, as it stands there.
        signatures: as with :func:`verify`.

    """
    try:
        head = signatures(entry)
    except BadSignature as error:
        return [TrailFault(n, "unsigned", f"row {n} {error}")]
    if head == Head(n - 1, before):
        return []
    return [
        TrailFault(n, "replaced", f"the rows before row {n} are others than those it has signed")
    ]


def rows(store: Store, start: int | None = None) -> Iterator[Row]:
    """Yield ``n``, ``entry`` and ``hash`` (bytes as they lie there) of each row.

    Args:
        start: the first; ``None`` for whatever lies there, however it is numbered.

    """
    at = -(2**63) if start is None else start
    columns = "n, CAST(entry AS BLOB) AS entry, CAST(hash AS BLOB) AS hash"
    while page := store.all(
        f"SELECT {columns} FROM audit WHERE n >= ? ORDER BY n LIMIT ?",  # noqa: S608  # our names
        at,
        PAGE,
    ):
        yield from page
        if page[-1]["n"] == 2**63 - 1:
            return
        at = page[-1]["n"] + 1


def _misplaced(n: int, expected: int) -> TrailFault:
    if n < expected:
        return TrailFault(n, "extra", f"there is a row {n}, which nobody has written")
    gone = f"row {expected} is" if n == expected + 1 else f"rows {expected} to {n - 1} are"
    return TrailFault(expected, "missing", f"{gone} not there")


def check_end(store: Store, checkpoint: Head | None) -> list[TrailFault]:
    """Return what is wrong at the end alone, which no row behind it holds on to.

    Args:
        store: the ledger's.
        checkpoint: as with :func:`verify`.

    """
    begin = begin_of(store).n
    faults = _faults_at_end(store, checkpoint, begin)
    if faults and begin_of(store).n != begin:
        return check_end(store, checkpoint)  # rows went into the archive meanwhile
    return faults


def _faults_at_end(store: Store, checkpoint: Head | None, begin: int) -> list[TrailFault]:
    written, last = extent_of(store)
    faults = []
    if written > last:
        faults.append(
            TrailFault(last + 1, "cut", f"{written} rows were written, the last is {last}")
        )
    elif written < last:
        text = f"{written} rows were written, the last is {last}"
        faults.append(TrailFault(written + 1, "extra", text))
    if checkpoint is None:
        return faults
    if checkpoint.n < begin:
        return faults  # the archive has that row, and is signed up to a later one
    if checkpoint.n > last:
        text = f"the checkpoint knows row {checkpoint.n}, the last is {last}"
        faults.append(TrailFault(last + 1, "cut", text))
    elif hash_of(store, checkpoint.n) != checkpoint.hash:
        text = f"row {checkpoint.n} has another hash than its checkpoint"
        faults.append(TrailFault(checkpoint.n, "replaced", text))
    return faults


def _unprotected(store: Store) -> Iterator[TrailFault]:
    """Yield the triggers that are not as they were made."""
    found = store.all(
        "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'audit' AND sql NOTNULL"
    )
    made = {row["name"]: row["sql"] for row in found}
    for name in ("audit", *TRIGGERS):
        if name not in made or f"{made[name]};" not in TABLE + MARKS:
            yield TrailFault(0, "unprotected", f"{name} of the database is not as it was made")
    for name in made.keys() - {"audit", *TRIGGERS}:
        yield TrailFault(
            0, "unprotected", f"{name[:64]} was added to the table of the audit trail"
        )


_IS_SIGNED = b'"event":"' + SIGNED.encode() + b'"'


class _Faults(list[TrailFault]):
    """List of faults that keeps only the first :data:`MAX_FAULTS`."""

    def add(self, fault: TrailFault) -> None:
        if len(self) < MAX_FAULTS:
            self.append(fault)
