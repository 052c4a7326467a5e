"""Orders as a terminal shows them, and the marks that tell apart those that are alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ea_bridge.model import OrderType

from ..journal.intents import CommandRecord

Terms = tuple[float, float, float, float]
"""Price, stop limit, stop loss and take profit."""
OrderMark = tuple[Terms | None, int | None]
"""Prices, and the position that is closed: 0 for none, ``None`` where nobody knows."""
_PART = re.compile(r"(from|to) #([0-9]{1,19})")
"""What MetaTrader 4 makes of the comments of a trade of which a part was closed, and of the rest,
which goes on under another ticket: their volumes are not the command's any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedOrder:
    """An order as the terminal shows it, wherever: open, past, or by its deal or position."""

    ticket: int
    symbol: str
    type: int
    volume: float
    magic: int
    comment: str
    time_ms: int
    """When it was set up, UTC milliseconds by our clock as it goes now."""
    stamp_ms: int = 0
    """The same by the broker's clock as it went then."""
    position: int = 0
    """The position that it is to close; 0 where it opens one, or that is not known."""
    entered: int = 0
    """On a netting account the identifier of the position that it went into, its own ticket where
    it opened one; 0 where that is not known."""
    opens: bool | None = None
    """Whether it surely opened a position or added to one; ``None``: not known."""
    filling: int | None = None
    is_by_program: bool = True
    """It was not placed by hand, nor by a stop; true as well where nobody can tell."""
    is_by_stop: bool = False
    """The server placed it, for a stop loss, a take profit or the want of margin."""
    terms: Terms | None = None
    """As the order has them; ``None``: not known. On MetaTrader 4 a trade may have others than it
    was placed with, as those of a pending order may have been changed."""
    opened: float | None = None
    """The price at which a trade on MetaTrader 4 was opened, which may have been a pending order
    until then: see :mod:`.matching`; ``None`` for any other order."""


def terms_of(type_: int, price: float, stoplimit: float, sl: float, tp: float) -> Terms:
    """Return the prices that an order was placed with; at market it has none of its own."""
    is_market = type_ in (OrderType.BUY, OrderType.SELL)
    return (0.0, 0.0, sl, tp) if is_market else (price, stoplimit, sl, tp)


class OrderMarks:
    """Marks that tell apart what is alike otherwise: prices, and positions of a netting account.

    Args:
        sends, orders: those that could be each other's.
        has_terms: whether prices are compared. Positions are where some are known.

    """

    def __init__(
        self, sends: Iterable[CommandRecord], orders: Iterable[ObservedOrder], *, has_terms: bool
    ) -> None:
        self._has_terms = has_terms
        self._closed: set[int] | None = None
        if any(order.entered for order in orders):
            self._closed = {send.context.closes for send in sends if send.context.closes}

    def of_send(self, send: CommandRecord) -> OrderMark:
        """Return what an order of a command has."""
        one, closes = send.request, send.context.closes or 0
        terms = terms_of(one.type, one.price, one.stoplimit, one.sl, one.tp)
        return terms if self._has_terms else None, 0 if self._closed is None else closes

    def of_order(self, order: ObservedOrder) -> OrderMark:
        """Return what an order has; the position 0 where no command was to close it."""
        terms = order.terms if self._has_terms else None
        if self._closed is None or order.entered not in (0, *self._closed):
            return terms, 0
        return terms, order.entered or None


# --- trades on MetaTrader 4 of which a part was closed -------------------------------------------


class PartialClose(NamedTuple):
    """Link between two trades on MetaTrader 4 of which one is a part of the other."""

    is_next: bool
    """The other trade goes on where this one ends; otherwise this one comes from it."""
    ticket: int
    """Of the other trade."""


def part_of(comment: str) -> PartialClose | None:
    """Read the comment of a trade on MetaTrader 4; ``None``: it is no part of what it once was."""
    found = _PART.match(comment)
    return None if found is None else PartialClose(found[1] == "to", int(found[2]))


def is_of_part(comment: str) -> bool:
    """Whether a comment says that a trade on MetaTrader 4 is a part of what it once was."""
    return part_of(comment) is not None


def descendants(seen: Iterable[ObservedOrder], known: Callable[[set[int]], set[int]]) -> set[int]:
    """Return the orders that are known to be of commands, and the parts of them: on MetaTrader 4
    what is left of a trade after a part was closed has another ticket and says from where.

    Args:
        seen: orders.
        known: returns which of some tickets commands have made.

    """
    tickets, children = set[int](), dict[int, int]()
    for order in seen:
        tickets.add(order.ticket)
        part = part_of(order.comment)
        if part is not None:
            parent, child = (
                (order.ticket, part.ticket) if part.is_next else (part.ticket, order.ticket)
            )
            children[parent] = child
    found = known(tickets | children.keys())
    for ticket in list(found):
        # a rest may be closed in part again and again; "not in found" ends comments that go in a
        # ring
        while ticket in children and children[ticket] not in found:
            ticket = children[ticket]
            found.add(ticket)
    return found
