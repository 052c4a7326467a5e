"""Audit trail: what was done, by whom and when, chained so that nobody changes a row unseen.

Theory of operation
===================

::

    Audit.record(event, ...)       anybody in the loop    -> a row with the ledger's next group
    Audit.record_with(connection)  work of the ledger     -> a row in the same transaction
    note(connection, event, ...)   a command that ends    -> the same, in its own transaction

    row 1           row 2           row 3
    entry           entry           entry         JSON, as it is hashed
    hash    ----->  hash    ----->  hash          SHA-256("mgaud1", previous, n, SHA-256(entry))

Each row's hash holds the one before it, so that a row that was changed, inserted, swapped or
removed leaves rows behind it that do not fit. What a chain cannot show is its own cut tail: SQLite
counts the rows that there ever were, and the daemon signs checkpoints (how many rows, and the last
one's hash) which lie beside the database, in the other database, and at the console where there is
one, and may be copied to another machine. Now and then, and at the end of each run, a row of the
chain itself holds such a signature over all rows before it: who computes hashes anew cannot make
that.

It shows tampering and does not prevent it: who owns the files and the device's key can write
another history. A checkpoint that was copied in time shows that too.

A trail grows for ever. Its oldest rows can be moved to a file (:mod:`.archive`), as they are, with
their hashes: the row after them still holds on to the last of them, whose checkpoint is signed and
kept as the *mark* with which the trail begins.
"""

from .recorder import Audit, note
from .table import MARKS, TABLE, Head, begin_of, hash_of, head_of, head_within, last_of, rows_after
from .verify import (
    MISMATCH,
    SIGNED,
    BadSignature,
    TrailFault,
    TrailVerdict,
    check_end,
    check_signed,
    rows,
    verify,
)

__all__ = [
    "MARKS",
    "MISMATCH",
    "SIGNED",
    "TABLE",
    "Audit",
    "BadSignature",
    "Head",
    "TrailFault",
    "TrailVerdict",
    "begin_of",
    "check_end",
    "check_signed",
    "hash_of",
    "head_of",
    "head_within",
    "last_of",
    "note",
    "rows",
    "rows_after",
    "verify",
]
