"""Edges along which rows of the ledger move, written down from the product's own rules.

An order's row is made with its first command, or with the end of a call that sent none. Its id is
free again after ``not_sent`` alone, and then the same row is taken for the new request::

    (new) --> journaled --> done | rejected | not_sent
                  `------> unknown --> done | rejected | not_sent      (found out later)
    (new) --> done | rejected                                          (a call without a command)
    not_sent --> journaled | done | rejected                           (taken anew)

A command's row is made before its bytes are written::

    (new) --> journaled --> done | rejected | not_sent
                  `------> unknown --> done | rejected | not_sent

An end never changes, but for an order that a person has settled: the terminal's word counts more.
What the gateway keeps by itself, and what a manager's operators change, have edges of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

Edges = Mapping[str, frozenset[str]]
"""From a state to those that may follow; a state that is no key is an end."""

NEW: Final = ""
"""Before a row is made."""
ENDS = frozenset({"done", "rejected", "not_sent"})
OPEN = frozenset({"journaled", "sent", "acked", "unknown"})

ORDER: Edges = {
    # not sent: its caller was told that nobody knows, since the disk had failed over what it keeps
    NEW: frozenset({"journaled", "done", "rejected", "not_sent"}),
    "journaled": frozenset({"unknown", *ENDS}),
    "unknown": ENDS,
}
ORDER_ANEW: Edges = {"not_sent": ORDER[NEW]}
"""Of a row that is taken for another request."""
SEND: Edges = {
    NEW: frozenset({"journaled"}),
    "journaled": frozenset({"journaled", "unknown", *ENDS}),
    "unknown": frozenset({"unknown", *ENDS}),
}
"""Those that stay the same are written with what became known of them meanwhile."""
SETTLED_BY_HAND: Edges = {
    "done": frozenset({"done", "rejected"}),
    "rejected": frozenset({"rejected", "done"}),
}
"""Of an order and its commands, while the terminal is watched for another word than a person's."""
HELD: Edges = {
    NEW: frozenset({"waiting"}),
    "waiting": frozenset({"waiting", "sending", "ended"}),
    "sending": frozenset({"sending", "triggered", "ended"}),
    "triggered": frozenset({"triggered", "sending", "ended"}),
}
LINK: Edges = {
    NEW: frozenset({"active"}),
    "active": frozenset({"active", "cancelling", "unlinked", "done"}),
    "cancelling": frozenset({"cancelling", "done"}),
}
CONTINGENT: Mapping[str, Edges] = {"held": HELD, "oco": LINK}
"""By the kind of a row."""
MANAGER_CHANGE: Edges = {
    NEW: frozenset({"sending"}),
    # a row that a dead run has left so is as one whose outcome is unknown
    "sending": frozenset({"done", "refused", "not_sent", "unknown", "lost"}),
    "unknown": frozenset({"done", "refused", "not_sent", "lost"}),
    # tried again under the same key, since nothing was done
    "refused": frozenset({"sending"}),
    "not_sent": frozenset({"sending"}),
}


def is_allowed(edges: Edges, before: str, after: str) -> bool:
    """Whether a row may move from one state to the other."""
    return after in edges.get(before, frozenset())


def fault_of_order(stage: str, sends: Iterable[str]) -> str | None:
    """Return what is wrong with an order's stage beside the stages of its commands.

    Args:
        stage: of the order.
        sends: those of its commands; also of earlier requests under its id, which were not sent.

    """
    stages = Counter(sends)
    open_ones = sum(stages[one] for one in OPEN)
    if open_ones > 1:
        return f"{open_ones} of its commands may be under way at once"
    if stages["done"] > 1:
        return f"{stages['done']} of its commands are done"
    if stage in ENDS and open_ones:
        return f"it is {stage} while a command of it has no end"
    if stage == "done" and stages and not stages["done"]:
        return "it is done, and none of its commands is"
    if stage in ("rejected", "not_sent") and stages["done"]:
        return f"it is {stage}, and a command of it is done"
    if stage == "journaled" and not stages["journaled"]:
        return "it is journaled without a command that is"
    if stage == "unknown" and not open_ones and not stages["done"]:
        return "it is unknown, and all its commands have ended"
    return None
