"""Journal of all that was asked of the market and what became of it, kept for good.

Theory of operation
===================

An :class:`Intent` is what a caller asked for under one ``client_order_id``; a
:class:`CommandRecord` is one command to the terminal for it, and there may be a second (another
filling mode). Both are on the disk before the command's bytes are written, in one commit, and the
end of the intent follows with the next one. So a crash at any moment leaves either nothing, and
then nothing was sent, or a row whose command id, tag, magic and parameters lead to the truth in
the terminal::

    received -> journaled -> sent -> acked -> done | rejected | not_sent
                                          `-> unknown -> (reconciled) done | rejected | not_sent

``sent`` and ``acked`` are only told while the daemon runs: after a crash whatever is journaled may
have been sent, and is unknown until it was reconciled.

:class:`Journal` keeps nothing as it is. :class:`SqliteJournal` is one terminal's view of the
:class:`OrderLog`, which is one for all, since an id belongs to an account and two terminals may be
logged in to the same. Finding out what became of the unknown ones is the work of
:mod:`gateway.trading.reconcile`, which stands above: the journal knows no terminal.
"""

from .intents import PAPER_FP, AccountKey, CallKey, CommandRecord, Intent, ManualSettlement, Stage
from .journal import Journal, SqliteJournal, canonical
from .log import OrderLog
from .rows import SETTLEMENTS, TABLE

__all__ = [
    "PAPER_FP",
    "SETTLEMENTS",
    "TABLE",
    "AccountKey",
    "CallKey",
    "CommandRecord",
    "Intent",
    "Journal",
    "ManualSettlement",
    "OrderLog",
    "SqliteJournal",
    "Stage",
    "canonical",
]
