"""Trades on MetaTrader 4 of which a part was closed: comments tell what goes on where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .observed_order import Sighting

_PART = re.compile(r"(from|to) #([0-9]{1,19})")
"""What MetaTrader 4 makes of the comments of a trade of which a part was closed, and of the rest,
which goes on under another ticket: their volumes are not the command's any more."""


class Part(NamedTuple):
    """What the comment of a trade on MetaTrader 4 says of which a part was closed."""

    is_next: bool
    """The other trade goes on where this one ends; otherwise this one comes from it."""
    ticket: int
    """Of the other trade."""


def part_of(comment: str) -> Part | None:
    """Read the comment of a trade on MetaTrader 4; ``None``: it is no part of what it once was."""
    found = _PART.match(comment)
    return None if found is None else Part(found[1] == "to", int(found[2]))


def is_of_part(comment: str) -> bool:
    """Whether a comment says that a trade on MetaTrader 4 is a part of what it once was."""
    return part_of(comment) is not None


def descendants(seen: Iterable[Sighting], known: Callable[[set[int]], set[int]]) -> set[int]:
    """Return the orders that are known to be of commands, and the parts of them: on MetaTrader 4
    what is left of a trade after a part was closed has another ticket and says from where.

    Args:
        seen: orders.
        known: returns which of some tickets commands have made.

    """
    tickets, children = set[int](), dict[int, int]()
    for one in seen:
        tickets.add(one.ticket)
        part = part_of(one.comment)
        if part is not None:
            parent, child = (
                (one.ticket, part.ticket) if part.is_next else (part.ticket, one.ticket)
            )
            children[parent] = child
    found = known(tickets | children.keys())
    for ticket in list(found):
        while ticket in children and children[ticket] not in found:
            ticket = children[ticket]
            found.add(ticket)
    return found
