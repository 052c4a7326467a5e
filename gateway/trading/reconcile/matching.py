"""Match of orders in the terminal with commands of which nobody has told the order.

The tag in the comment decides where it is still there. Brokers rewrite comments; then what counts
is that everything else is equal: symbol, kind, volume, magic, position, and a time not far from
that of the command, and that MetaTrader 5 does not say that it was a person or a stop, nor the
comment that the EA made it by itself, since the daemon was silent. Equal commands and equal orders
are matched one to one, those of equal prices first. Where there are fewer orders than commands, or
more, nobody can tell which is whose, and they are left alone.

On a netting account any order goes into the symbol's one position, and says later which that was.
An order that went into another position than a command was to close, or that added to it, is none
of that command's: the EA compares them right before it sends. One that opened a position may be,
since the one to close may have gone at that very moment, but it is rather one that was to open.
One that went into the position that a command was to close may also be of a plain order, whose
answer may still come: unless all of both were executed, nobody can tell which of them it is.

A pending order on MetaTrader 4 becomes a trade when the market comes to its price. The trade keeps
the ticket of the order and little else: it is a purchase or a sale, opened at the market's price,
at the moment at which it was filled. So a pending order whose answer was lost may show as such a
trade, however much later. Its price tells then: a limit is filled at its price or better, a stop
at its price or worse. One trade may so be of requests that are not equal: of an order at market,
of a limit, of stops at several prices. It is never shared out among these: each would be told what
another one did.

:class:`ObservedOrder` is an order as the terminal shows it, with the marks that tell apart those
that are alike.

Fewer orders than commands are shared out at last (:func:`share`): to tell who has one matters no
more then, since what is equal is equal, but that each has an end does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ea_bridge.model import LEASE_COMMENT, OrderType, TradeAction

from ..journal.intents import CommandRecord
from ..requests import TAG_LENGTH, part_of

Terms = tuple[float, float, float, float]
"""Price, stop limit, stop loss and take profit."""
OrderMark = tuple[Terms | None, int | None]
"""Prices, and the position that is closed: 0 for none, ``None`` where nobody knows."""


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


def is_of_part(comment: str) -> bool:
    """Whether a comment says that a trade on MetaTrader 4 is a part of what it once was."""
    return part_of(comment) is not None


def descendants(seen: Iterable[ObservedOrder], known: Callable[[set[int]], set[int]]) -> set[int]:
    """Return the tickets that commands made, and those of what partial closes left of them.

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


SKEW_MS = 120_000
"""How far the broker's clock and ours may differ."""
LATEST_MS = 180_000
"""How long after the command the broker's server may have begun with it."""
AROUND_MS = 3_600_000
"""How much more they may differ where a clock is wrong, or was put on or back for the summer: what
is alike but for that is nobody's for sure, and yet is no sign that a command was not executed."""
MAX_APART_MS = 366 * 86_400_000
"""Clocks that are further apart are not both right, give or take."""
QUOTES_AHEAD_MS = 10_000
"""How far a quote's stamp may be ahead of those of orders that the server makes after it."""
TOGETHER_MS = 2_000
"""Times that are nearer to each other tell nothing: clocks differ by seconds."""
_TAG = re.compile(r"g[A-Z2-7]{9}(?: |$)")
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


def match(
    sends: Sequence[CommandRecord],
    seen: Iterable[ObservedOrder],
    partly: Collection[CommandRecord] = (),
) -> dict[int, ObservedOrder]:
    """Return the orders of commands, as far as that can be told, by command id.

    Args:
        sends: all that may have made an order: also those that are still under way.
        seen: orders that belong to no other command.
        partly: those of the commands whose order may be none of these, since not all of the past
            that is theirs was looked at.

    """
    free = {order.ticket: order for order in seen}
    found: dict[int, ObservedOrder] = {}
    for send in sends:
        told = free.get(_named_by(send))
        if told is not None and told.symbol == send.request.symbol:
            found[send.command_id] = free.pop(told.ticket)
    # the tag is second: what the server itself named needs no comment, which may be rewritten
    for send in (send for send in sends if send.command_id not in found):
        own = [order for order in free.values() if is_tagged_as(send, order)]
        # a second filling mode is tried under the same id, and so with the same tag
        own = [order for order in own if order.filling in (None, send.request.type_filling)] or own
        # two with one tag tell nothing; nor are they given to anybody by their likeness
        if len(own) == 1:
            found[send.command_id] = free.pop(own[0].ticket)
    rest = [send for send in sends if send.command_id not in found]
    return found | _match_alike(
        rest, _assignable(free.values()), {send.command_id for send in partly}
    )


def assign_alike(
    sends: Sequence[CommandRecord],
    seen: Iterable[ObservedOrder],
    is_ready: Callable[[Collection[CommandRecord]], bool] = lambda _: True,
) -> dict[int, ObservedOrder]:
    """Assign orders to commands that look alike, oldest first; return them by command id.

    Those of a command's own prices come first. Those of about the same time go to the oldest; the
    order of commands is that of their orders. Where there are more orders than commands, some are
    of somebody else: nobody is given any.

    Args:
        sends: all that may have made an order, and have none.
        seen: orders that belong to no command.
        is_ready: whether orders can be shared out among some; not while the answer to one of them
            may still come, and name its order.
    """
    orders = _assignable(seen)
    fits = _fits(sends, orders)
    by_id = {send.command_id: send for send in sends}
    found: dict[int, ObservedOrder] = {}
    for cluster in _clusters(fits):
        tickets = set().union(*(fits[command_id] for command_id in cluster))
        # command ids only grow, so they are the order in which the requests were made
        alike = sorted((by_id[command_id] for command_id in cluster), key=_number)
        some = sorted((order for order in orders if order.ticket in tickets), key=_seen_order)
        # only equal requests are shared out, for it does not matter whose is whose among those
        if _is_torn(alike, some, fits):
            continue
        # more orders than commands: some are of a stranger, and giving any away might give his
        if len(tickets) <= len(cluster) and is_ready(alike):
            some = [_as_asked(order, alike, fits) for order in some]
            found |= _shared_out(alike, some, fits)
    return found


def _shared_out(
    sends: Sequence[CommandRecord], orders: Sequence[ObservedOrder], fits: dict[int, set[int]]
) -> dict[int, ObservedOrder]:
    """Share out among those of one cluster: an order whose prices and position are a command's is
    none of others; but prices may have been changed since.
    """
    found: dict[int, ObservedOrder] = {}
    marks = OrderMarks(sends, orders, has_terms=True)
    for same in dict.fromkeys(map(marks.of_send, sends)):
        equal = [send for send in sends if marks.of_send(send) == same]
        found |= _in_order(
            equal, [order for order in orders if marks.of_order(order) == same], fits
        )
    given = {order.ticket for order in found.values()}
    left = [send for send in sends if send.command_id not in found]
    return found | _in_order(left, [order for order in orders if order.ticket not in given], fits)


def _assignable(seen: Iterable[ObservedOrder]) -> list[ObservedOrder]:
    """Return the orders that may be those of commands though they do not say so."""
    # an order by hand is no command's, however like one it is; one with a tag says whose it is
    return [order for order in seen if order.is_by_program and not _names_maker(order.comment)]


def _names_maker(comment: str) -> bool:
    """Whether a comment says who made an order: a command, or the EA without one."""
    return comment == LEASE_COMMENT or _TAG.match(comment) is not None


def _named_by(send: CommandRecord) -> int:
    """Return the order that the server named when it left open what became of it; 0: none."""
    result = send.result
    return result.order if result is not None and send.ticket == result.order else 0


def _match_alike(
    sends: list[CommandRecord], seen: list[ObservedOrder], partly: set[int]
) -> dict[int, ObservedOrder]:
    """Match what is equal: within each cluster of those that could be each other's."""
    fits = _fits(sends, seen)
    for send in sends:
        if send.context.closes is not None:  # it may have opened one, but that is not for sure
            fits[send.command_id] -= {
                order.ticket for order in seen if order.entered == order.ticket
            }
    by_id = {send.command_id: send for send in sends}
    found: dict[int, ObservedOrder] = {}
    for cluster in _clusters(fits):
        # a part of its past was not read: the order that is its own may lie there
        if cluster & partly:
            continue
        tickets = set().union(*(fits[command_id] for command_id in cluster))
        orders = [order for order in seen if order.ticket in tickets]
        alike = [by_id[command_id] for command_id in cluster]
        # by numbers alone a trade would go to one of several requests that are not equal
        if _is_torn(alike, orders, fits):
            found |= _match_torn(alike, orders, fits, partly)
            continue
        orders = [_as_asked(order, alike, fits) for order in orders]
        same = _of_same_marks(alike, orders, fits)
        taken = {order.ticket for order in same.values()}
        rest = [order for order in orders if order.ticket not in taken]
        found |= same | _one_to_one(cluster - same.keys(), rest, fits)
    return found


def _match_torn(
    sends: list[CommandRecord],
    orders: list[ObservedOrder],
    fits: dict[int, set[int]],
    partly: set[int],
) -> dict[int, ObservedOrder]:
    """Match those of one cluster where a trade may be of commands that are not equal: orders that
    still wait have their prices, and what is left counts if there is one way only.
    """
    found = _of_same_marks(sends, [order for order in orders if order.opened is None], fits)
    if found:
        taken = {order.ticket for order in found.values()}
        others = [send for send in sends if send.command_id not in found]
        rest = [order for order in orders if order.ticket not in taken]
        return found | _match_alike(others, rest, partly)
    by_ticket = {order.ticket: order for order in orders}
    ids = {send.command_id for send in sends}
    whose = _forced(ids, set(by_ticket), fits)
    return {command_id: by_ticket[ticket] for command_id, ticket in whose.items()}


def _of_same_marks(
    sends: list[CommandRecord], orders: list[ObservedOrder], fits: dict[int, set[int]]
) -> dict[int, ObservedOrder]:
    """Match those of one cluster that are told apart by their prices and positions."""
    found: dict[int, ObservedOrder] = {}
    marks = OrderMarks(sends, orders, has_terms=all(order.terms is not None for order in orders))
    of_sends = {send.command_id: marks.of_send(send) for send in sends}
    of_orders = {order.ticket: marks.of_order(order) for order in orders}
    for same in dict.fromkeys(of_sends.values()):
        if _may_be_plain(same, of_sends.values(), of_orders.values()):
            continue
        ids = {command_id for command_id, mark in of_sends.items() if mark == same}
        equal = [order for order in orders if of_orders[order.ticket] == same]
        found |= _one_to_one(ids, equal, fits)
    return found


def _may_be_plain(
    same: OrderMark, of_sends: Collection[OrderMark], of_orders: Collection[OrderMark]
) -> bool:
    """Whether orders that went into a position may be of commands that were not to close it."""
    terms, position = same
    if not position or (terms, 0) not in of_sends:
        return False
    # as many as were wanted: then every one of both was executed, and each has its own
    executed, wanted = (sum(mark[0] == terms for mark in of) for of in (of_orders, of_sends))
    return executed != wanted


def _one_to_one(
    ids: set[int], orders: list[ObservedOrder], fits: dict[int, set[int]]
) -> dict[int, ObservedOrder]:
    """Return whose the orders are, if they are as many as the commands and fit each of them."""
    tickets = {order.ticket for order in orders}
    # one too few or too many, and nobody can tell which command has none. As many as
    # there are: they are equal, so any assignment is true; this one is the same at each look
    if len(tickets) != len(ids) or not all(tickets <= fits[command_id] for command_id in ids):
        return {}
    return dict(zip(sorted(ids), sorted(orders, key=lambda order: order.ticket), strict=True))


def _fits(sends: Iterable[CommandRecord], seen: Sequence[ObservedOrder]) -> dict[int, set[int]]:
    """Return the tickets that may be each command's, by its id."""
    return {
        send.command_id: {
            order.ticket for order in seen if _is_alike(send, order) and _is_at_price(send, order)
        }
        for send in sends
    }


def _number(send: CommandRecord) -> int:
    return send.command_id  # not by time: our clock may have been put back in between


def _seen_order(order: ObservedOrder) -> tuple[int, int]:
    return order.time_ms, order.ticket


def _in_order(
    sends: Sequence[CommandRecord], orders: Sequence[ObservedOrder], fits: dict[int, set[int]]
) -> dict[int, ObservedOrder]:
    """Give as many orders as possible to commands, both in the order of their times, so that they
    lie as near to each other as possible.
    """
    # best[i][j]: orders that are not given away, and how far the others lie from their commands,
    # of the first i commands and the first j orders
    best = [[(j, 0) for j in range(len(orders) + 1)]]
    for send in sends:
        row = [best[-1][0]]
        for j, order in enumerate(orders):
            # without this command, or without this order; fewer orders left over count before
            # distance
            left, far = min(best[-1][j + 1], (row[j][0] + 1, row[j][1]))
            if order.ticket in fits[send.command_id]:
                before = best[-1][j]
                left, far = min((left, far), (before[0], before[1] + _apart(send, order)))
            row.append((left, far))
        best.append(row)
    found: dict[int, ObservedOrder] = {}
    i, j = len(sends), len(orders)
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1  # the youngest goes without
        elif best[i][j] == (best[i][j - 1][0] + 1, best[i][j - 1][1]):
            j -= 1
        else:
            i, j = i - 1, j - 1
            found[sends[i].command_id] = orders[j]
    return found


def _apart(send: CommandRecord, order: ObservedOrder) -> int:
    # in steps: differences of milliseconds between clocks must not decide who gets what
    return abs(send.lateness_ms(order.time_ms, order.stamp_ms)[0]) // TOGETHER_MS


def _clusters(fits: dict[int, set[int]]) -> list[set[int]]:
    """Return the commands in groups that share no order."""
    clusters: list[tuple[set[int], set[int]]] = []
    for command_id, tickets in fits.items():
        ids, all_tickets = {command_id}, set(tickets)
        apart = []
        for cluster in clusters:
            if cluster[1] & all_tickets:
                ids |= cluster[0]
                all_tickets |= cluster[1]
            else:
                apart.append(cluster)
        clusters = [*apart, (ids, all_tickets)]
    return [ids for ids, _ in clusters]


def may_be(send: CommandRecord, order: ObservedOrder, around_ms: int = 0) -> bool:
    """Whether an order may be a command's, however many others it may be of.

    Args:
        send: the command.
        order: the order.
        around_ms: how far clocks may be wrong, if that is thought of, such as :data:`AROUND_MS`.

    """
    if _names_maker(order.comment):
        return is_tagged_as(send, order)
    if order.is_by_stop:
        return False  # no program can place one; it would keep what is alike unknown for ever
    # a person's order that is alike by chance would otherwise keep a command unknown for a day
    return _is_alike(send, order, around_ms if order.is_by_program else 0) or _is_part(send, order)


def is_tagged_as(send: CommandRecord, order: ObservedOrder) -> bool:
    """Whether an order carries a command's tag."""
    tag = send.request.comment[:TAG_LENGTH]
    return (
        _TAG.match(tag) is not None
        and order.comment[:TAG_LENGTH] == tag
        and order.symbol == send.request.symbol
    )


def _is_part(send: CommandRecord, order: ObservedOrder) -> bool:
    is_smaller = order.volume < send.request.volume
    return is_smaller and is_of_part(order.comment) and _is_of_kind(send, order)


def _is_alike(send: CommandRecord, order: ObservedOrder, around_ms: int = 0) -> bool:
    if order.volume != send.request.volume or is_of_part(order.comment):
        return False  # a part as large as the whole order is of a larger trade
    return _is_of_kind(send, order, around_ms)


def _is_of_kind(send: CommandRecord, order: ObservedOrder, around_ms: int = 0) -> bool:
    request = send.request
    was_pending = _was_of_kind(send, order)
    return (
        order.symbol == request.symbol
        and (order.type == request.type or was_pending)
        and order.magic == request.magic
        and _is_of_position(send, order)
        and is_of_time(send, order.time_ms, order.stamp_ms, around_ms, may_be_late=was_pending)
    )


def is_of_time(
    send: CommandRecord,
    time_ms: int,
    stamp_ms: int,
    around_ms: int = 0,
    *,
    may_be_late: bool = False,
) -> bool:
    """Whether something may have been done by a command, by any clock.

    Args:
        send: the command.
        time_ms, stamp_ms: when it was done; see :meth:`.intents.CommandRecord.lateness_ms`.
        around_ms: how much more clocks may be wrong.
        may_be_late: the broker may have done it at any time after the command. Of two clocks that
            are years apart the one counts then by which that was less long after it: by the other,
            which is wrong, everything was.

    """
    least_ms = send.context.least_ms
    if least_ms and not around_ms and 0 < stamp_ms < least_ms - QUOTES_AHEAD_MS:
        return False  # quotes of a later time had been there before the command was made
    late_ms = send.lateness_ms(time_ms, stamp_ms)
    earliest_ms, latest_ms = -SKEW_MS - around_ms, LATEST_MS + SKEW_MS + around_ms
    if any(earliest_ms <= late <= latest_ms for late in late_ms):
        return True
    # a limit may wait for months; but not longer than the clock that is right allows
    longest_ms = min(late_ms) + MAX_APART_MS
    return may_be_late and any(earliest_ms <= late <= longest_ms for late in late_ms)


def _is_of_position(send: CommandRecord, order: ObservedOrder) -> bool:
    """Whether an order did with a position what a command was to do with it."""
    closes = send.context.closes
    if order.entered:
        if closes is None or order.entered == order.ticket:
            return closes != order.entered  # else it is the one that has opened what is closed
        # the EA compares the position right before it sends: an order that added to it is none of
        # it
        return order.entered == closes and not order.opens
    if send.request.position:
        return not order.opens and order.position in (0, send.request.position, closes)
    return not order.position


def makes_order(send: CommandRecord, *, is_mt4: bool) -> bool:
    """Whether a command makes an order that has not been there before."""
    action = send.request.action
    if action == TradeAction.PENDING:
        return True
    if action == TradeAction.DEAL:
        return not (is_mt4 and send.request.position)  # there it ends the one that is there
    return action == TradeAction.CLOSE_BY and not is_mt4


# --- filled pending orders of MetaTrader 4 -------------------------------------------------------


def side_of(type_: int) -> int | None:
    """Return what a pending order of a kind becomes; ``None``: it is none."""
    return _SIDES.get(type_)


def _was_of_kind(send: CommandRecord, order: ObservedOrder) -> bool:
    """Whether a trade may have been a pending order of the kind that a command was to place."""
    return order.opened is not None and side_of(send.request.type) == order.type


def _is_at_price(send: CommandRecord, order: ObservedOrder) -> bool:
    """Whether a trade can have been opened by the order of a command, as far as its price tells;
    that may have been changed meanwhile.
    """
    if order.opened is None or not _was_of_kind(send, order):
        return True
    price = send.request.price
    if math.isclose(order.opened, price, rel_tol=1e-9):
        return True
    # a limit is filled at its price or better, a stop at its price or worse
    return (order.opened > price) is (send.request.type in _FILLED_ABOVE)


def _is_torn(sends: Sequence[CommandRecord], orders: Sequence[ObservedOrder], fits: Fits) -> bool:
    """Whether one of these orders may be of several commands that are not equal."""
    return any(
        len({_asked(send) for send in _claimants(order, sends, fits)}) > 1 for order in orders
    )


def _as_asked(order: ObservedOrder, sends: Sequence[CommandRecord], fits: Fits) -> ObservedOrder:
    """Return an order with the prices that it was placed with, as far as all commands that it may
    be of have the same.
    """
    for send in _claimants(order, sends, fits):
        if order.terms is not None and _was_of_kind(send, order):
            terms = (send.request.price, send.request.stoplimit, *order.terms[2:])
            return replace(order, terms=terms)
    return order


def _forced(ids: set[int], tickets: set[int], fits: Fits) -> dict[int, int]:
    """Return whose orders are, by command id, if they can be shared out in one way only, so that
    each command has one and each order is somebody's.
    """
    if len(ids) != len(tickets):
        return {}
    found: dict[int, int] = {}
    left = {command_id: fits[command_id] & tickets for command_id in ids}
    while left:
        command_id = next(
            (command_id for command_id, some in left.items() if len(some) == 1), None
        )
        if command_id is None:
            return {}
        (found[command_id],) = left.pop(command_id)
        for some in left.values():
            some.discard(found[command_id])
    return found


def _claimants(
    order: ObservedOrder, sends: Sequence[CommandRecord], fits: Fits
) -> list[CommandRecord]:
    """Return the commands that a trade may be of."""
    if order.opened is None:
        return []
    return [send for send in sends if order.ticket in fits[send.command_id]]


def _asked(send: CommandRecord) -> tuple[int, float]:
    """Return the kind of an order, and its price where it has one of its own."""
    request = send.request
    return request.type, 0.0 if side_of(request.type) is None else request.price
