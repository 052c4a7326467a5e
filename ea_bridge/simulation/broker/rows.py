"""Rows of a broker's books, for storage between runs.

What is open is compared with what was written last; what is past is only ever added to, so that
its newest are what there is to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from ea_bridge.model import Deal, Order

from .broker import Broker
from .ledger import Holding

KINDS: Mapping[str, Any] = {"order": Order, "past": Order, "holding": Holding, "deal": Deal}
"""Kinds of rows."""
_decoders = {kind: msgspec.json.Decoder(type_) for kind, type_ in KINDS.items()}


class RowChanges(NamedTuple):
    """Rows that are to be written."""

    gone: list[tuple[str, int]]
    """Kind and ticket of rows to delete."""
    fresh: list[tuple[str, int, str]]
    """Kind, ticket and text of rows to write, over those that are there."""


class BookRows:
    """The rows of one broker's books, as they were written last."""

    def __init__(self) -> None:
        self._open: dict[str, dict[int, Any]] = {"order": {}, "holding": {}}
        self._past = {"past": 0, "deal": 0}

    def load(self, broker: Broker, rows: Iterable[tuple[str, str]], time_msc: int) -> bool:
        """Put rows of kind and text into a new broker; return whether there were any.

        Args:
            time_msc: when they were written last; days that have ended since are charged for.

        """
        found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        for kind, text in rows:
            found[kind].append(_decoders[kind].decode(text))
        if not any(found.values()):
            return False
        broker.books.restore(
            orders=found["order"],
            past_orders=found["past"],
            holdings=found["holding"],
            deals=found["deal"],
        )
        self._note(broker)
        broker.on_time(time_msc)
        return True

    def changes(self, broker: Broker) -> RowChanges:
        """Return what has changed since the last time; that counts as written from now on."""
        changes = RowChanges(self._gone(broker), self._fresh(broker))
        self._note(broker)
        return changes

    def _gone(self, broker: Broker) -> list[tuple[str, int]]:
        now = _open(broker)
        return [
            (kind, ticket)
            for kind, before in self._open.items()
            for ticket in before
            if ticket not in now[kind]
        ]

    def _fresh(self, broker: Broker) -> list[tuple[str, int, str]]:
        books = broker.books
        changed = [
            (kind, ticket, _text(row))
            for kind, open_ in _open(broker).items()
            for ticket, row in open_.items()
            if self._open[kind].get(ticket) is not row
        ]
        past = _newest(books.past_orders.values(), self._past["past"], len(books.past_orders))
        deals = _newest(books.deals.values(), self._past["deal"], len(books.deals))
        changed += [("past", order.ticket, _text(order)) for order in past]
        changed += [("deal", deal.ticket, _text(deal)) for deal in deals]
        return changed

    def _note(self, broker: Broker) -> None:
        self._open = {kind: dict(open_) for kind, open_ in _open(broker).items()}
        books = broker.books
        self._past = {"past": len(books.past_orders), "deal": len(books.deals)}


def _open(broker: Broker) -> dict[str, dict[int, Any]]:
    return {"order": broker.books.orders, "holding": broker.books.holdings}


def _newest(values: Iterable[Any], known: int, count: int) -> list[Any]:
    """Return the last of a dict's values, without a look at those before."""
    return list(islice(reversed(values), count - known))  # type: ignore[call-overload]  # values of a dict can be reversed


def _text(body: Any) -> str:
    return msgspec.json.encode(body).decode()
