"""Trades on MetaTrader 4 that were pending orders until the market came to their price.

There a trade keeps the ticket of its order, and little else: it is a purchase or a sale, opened at
the market's price, at the moment at which it was filled. So a pending order whose answer was lost
may show as such a trade, however much later. Its price tells then: a limit is filled at its price
or better, a stop at its price or worse.

One trade may so be of requests that are not equal: of an order at market, of a limit, of stops at
several prices. It is never shared out among these: each would be told what another one did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ea_bridge.model import OrderType

from ..journal.intents import CommandRecord
from .observed_order import Sighting

_SIDES: dict[int, int] = {
    OrderType.BUY_LIMIT: OrderType.BUY,
    OrderType.BUY_STOP: OrderType.BUY,
    OrderType.SELL_LIMIT: OrderType.SELL,
    OrderType.SELL_STOP: OrderType.SELL,
}
"""What becomes of the pending orders that MetaTrader 4 has."""
_FILLED_ABOVE = frozenset({OrderType.BUY_STOP, OrderType.SELL_LIMIT})
"""The kinds whose fill is at their price or above; that of others is at it or below."""
Fits = Mapping[int, set[int]]
"""Tickets of the orders that may be each command's, by its id."""


def side_of(type_: int) -> int | None:
    """Return what a pending order of a kind becomes; ``None``: it is none."""
    return _SIDES.get(type_)


def was_of_kind(send: CommandRecord, one: Sighting) -> bool:
    """Whether a trade may have been a pending order of the kind that a command was to place."""
    return one.opened is not None and side_of(send.request.type) == one.type


def is_at_price(send: CommandRecord, one: Sighting) -> bool:
    """Whether a trade can have been opened by the order of a command, as far as its price tells;
    that may have been changed meanwhile.
    """
    if one.opened is None or not was_of_kind(send, one):
        return True
    price = send.request.price
    if math.isclose(one.opened, price, rel_tol=1e-9):
        return True
    return (one.opened > price) is (send.request.type in _FILLED_ABOVE)


def is_torn(sends: Sequence[CommandRecord], orders: Sequence[Sighting], fits: Fits) -> bool:
    """Whether one of these orders may be of several commands that are not equal."""
    return any(len({_asked(send) for send in _claimants(one, sends, fits)}) > 1 for one in orders)


def as_asked(one: Sighting, sends: Sequence[CommandRecord], fits: Fits) -> Sighting:
    """Return an order with the prices that it was placed with, as far as all commands that it may
    be of have the same.
    """
    for send in _claimants(one, sends, fits):
        if one.terms is not None and was_of_kind(send, one):
            terms = (send.request.price, send.request.stoplimit, *one.terms[2:])
            return replace(one, terms=terms)
    return one


def forced(ids: set[int], tickets: set[int], fits: Fits) -> dict[int, int]:
    """Return whose orders are, by command id, if they can be shared out in one way only, so that
    each command has one and each order is somebody's.
    """
    if len(ids) != len(tickets):
        return {}
    found: dict[int, int] = {}
    left = {command_id: fits[command_id] & tickets for command_id in ids}
    while left:
        command_id = next((one for one, some in left.items() if len(some) == 1), None)
        if command_id is None:
            return {}
        (found[command_id],) = left.pop(command_id)
        for some in left.values():
            some.discard(found[command_id])
    return found


def _claimants(one: Sighting, sends: Sequence[CommandRecord], fits: Fits) -> list[CommandRecord]:
    """Return the commands that a trade may be of."""
    if one.opened is None:
        return []
    return [send for send in sends if one.ticket in fits[send.command_id]]


def _asked(send: CommandRecord) -> tuple[int, float]:
    """Return the kind of an order, and its price where it has one of its own."""
    request = send.request
    return request.type, 0.0 if side_of(request.type) is None else request.price
