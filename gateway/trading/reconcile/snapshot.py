"""Snapshot of what a terminal shows of its account, as far as it may be of some commands.

A busy account has tens of thousands of orders, and few commands are unknown: what cannot concern
them is left out as it comes (:class:`CandidateFilter`), by the same rules as in :mod:`.matching`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ea_bridge import commands
from ea_bridge.model import (
    Clock,
    Deal,
    DealEntry,
    Order,
    OrderReason,
    Position,
    TradeAction,
    TradeRequest,
)
from gateway.broker_time.clock import GRID_S, MAX_RESIDUE_S

from ..history import fetch_history
from ..journal.intents import CommandRecord
from ..requests import TAG_LENGTH
from ..terminal import GuardedTerminal
from .matching import (
    AROUND_MS,
    LATEST_MS,
    MAX_APART_MS,
    SKEW_MS,
    ObservedOrder,
    is_of_part,
    is_of_time,
    makes_order,
    may_be,
    side_of,
    terms_of,
)

_Kind = tuple[str, int, float, int]
"""Symbol, type, volume and magic."""


class CandidateFilter:
    """Filter of all that a terminal shows: it lets through what may be of some commands.

    Args:
        sends: the commands.
        now_ms: UTC. What is alike in all but its time may be of one that comes from now on.
        offset_ms: of the broker's clock to UTC.
        around_ms: how far the one or the other may be wrong.
        is_mt4: whether they are shown by a MetaTrader 4, where a pending order that was filled is
            a trade from then on.

    """

    def __init__(
        self,
        sends: Iterable[CommandRecord],
        now_ms: int,
        offset_ms: int,
        around_ms: int = 0,
        *,
        is_mt4: bool = False,
    ) -> None:
        self._offset_ms = offset_ms
        self._earlier_ms = SKEW_MS + around_ms
        self._later_ms = LATEST_MS + SKEW_MS + around_ms
        self._recent_ms = now_ms - SKEW_MS
        self._tickets: set[int] = set()
        self._tags: set[str] = set()
        self._of_parts: set[tuple[str, int, int]] = set()
        self._times_ms: defaultdict[_Kind, list[int]] = defaultdict(list)
        self._since_ms: dict[_Kind, int] = {}
        """Of trades that may have been pending orders: when the first of these was asked for."""
        for send in sends:
            request, result = send.request, send.result
            if result is not None and result.order:
                self._tickets.add(result.order)
            if len(request.comment) >= TAG_LENGTH:
                self._tags.add(request.comment[:TAG_LENGTH])
            # by both clocks: ours may have been set since, and the broker's is not always known
            times_ms = [send.created_ms]
            if send.context.broker_ms:
                times_ms.append(send.context.broker_ms - offset_ms)
            self._times_ms[_kind(request, request.type)] += times_ms
            self._of_parts.add((request.symbol, request.type, request.magic))
            # on MetaTrader 4 a filled pending order shows as a trade of another kind
            side = side_of(request.type) if is_mt4 else None
            if side is not None:
                filled = _kind(request, side)
                self._times_ms[filled] += times_ms
                first_ms = min(
                    time_ms for time_ms in times_ms if time_ms >= max(times_ms) - MAX_APART_MS
                )
                self._since_ms[filled] = min(self._since_ms.get(filled, first_ms), first_ms)
                self._of_parts.add((request.symbol, side, request.magic))
        for times in self._times_ms.values():
            times.sort()

    def sighting(self, order: ObservedOrder) -> bool:
        """Whether an order may be of one of the commands."""
        kind = (order.symbol, order.type, order.volume, order.magic)
        return self._has(order.ticket, order.comment, kind, order.time_ms)

    def order(self, order: Order) -> bool:
        """The same of an order as the terminal shows it."""
        kind = (order.symbol, order.type, order.volume_initial, order.magic)
        time_ms = (order.time_setup_msc or order.time_setup * 1000) - self._offset_ms
        return self._has(order.ticket, order.comment, kind, time_ms)

    def deal(self, deal: Deal, orders: Iterable[int]) -> bool:
        """The same of a deal, or that it is of one of these orders."""
        if deal.order in orders:
            return True
        kind = (deal.symbol, deal.type, deal.volume, deal.magic)
        time_ms = (deal.time_msc or deal.time * 1000) - self._offset_ms
        return self._has(deal.order, deal.comment, kind, time_ms)

    def _has(self, ticket: int, comment: str, kind: _Kind, time_ms: int) -> bool:
        if ticket in self._tickets or comment[:TAG_LENGTH] in self._tags:
            return True
        symbol, type_, _, magic = kind
        if is_of_part(comment) and (symbol, type_, magic) in self._of_parts:
            return True
        since_ms = self._since_ms.get(kind)
        # however late: the market may have come to its price weeks after the command
        if since_ms is not None and time_ms >= since_ms - self._earlier_ms:
            return True
        times_ms = self._times_ms.get(kind)
        # of now: a command that is begun during the look may have made it
        if times_ms is None or time_ms >= self._recent_ms:
            return times_ms is not None
        # of the commands the first that is not too old for this order
        at = bisect_left(times_ms, time_ms - self._later_ms)
        return at < len(times_ms) and times_ms[at] <= time_ms + self._earlier_ms


def _kind(request: TradeRequest, type_: int) -> _Kind:
    return request.symbol, type_, request.volume, request.magic


AHEAD_S = 86_400
"""How far past now history is asked for: the broker's clock may be ahead of what we think."""
BEHIND_S = 86_400
"""How far back before the commands, once: the clock by which they were noted may have been ahead,
or the broker's was put on since."""
_STOPS = frozenset({OrderReason.SL, OrderReason.TP, OrderReason.SO})


@dataclass(slots=True, kw_only=True)
class AccountSnapshot:
    """Orders, positions and deals of one moment."""

    is_mt4: bool
    is_netting: bool
    """A symbol has one position: any order goes into it, whether it was to close it or not."""
    offset_ms: int
    """Of the broker's clock to UTC."""
    is_far: bool = False
    """The past is there from :data:`BEHIND_S` before the commands on, and what may only be of
    them if clocks are wrong."""
    orders: dict[int, Order] = field(default_factory=dict)
    past: dict[int, Order] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    deals: list[Deal] = field(default_factory=list)

    def deals_of(self, ticket: int) -> list[Deal]:
        """Return the deals of an order."""
        return [deal for deal in self.deals if deal.order == ticket]

    def wanted(self, sends: Iterable[CommandRecord], now_ms: int) -> CandidateFilter:
        """Return what tells which of it may be of these commands; ``now_ms``: UTC."""
        around_ms = AROUND_MS if self.is_far else 0
        return CandidateFilter(sends, now_ms, self.offset_ms, around_ms, is_mt4=self.is_mt4)

    def may_be(self, send: CommandRecord, order: ObservedOrder) -> bool:
        """Whether an order may be a command's."""
        return may_be(send, order, AROUND_MS if self.is_far else 0)

    def is_of_time(self, send: CommandRecord, stamp_ms: int) -> bool:
        """Whether something may have been done by a command; ``stamp_ms``: the broker's."""
        around_ms = AROUND_MS if self.is_far else 0
        return is_of_time(send, stamp_ms - self.offset_ms, stamp_ms, around_ms)

    def lateness_ms(self, send: CommandRecord, stamp_ms: int) -> int:
        """Return how much later than a command something was, by the broker's clock if that is
        known, else by ours; ``stamp_ms``: the broker's.
        """
        return send.lateness_ms(stamp_ms - self.offset_ms, stamp_ms)[0]

    def sightings(self) -> list[ObservedOrder]:
        """Return every order, once."""
        found: dict[int, ObservedOrder] = {}
        entries: defaultdict[int, set[int]] = defaultdict(set)
        for deal in self.deals:
            entries[deal.order].add(deal.entry)
        sources = (self._of_orders(entries), self._of_deals(entries), self._of_positions())
        for observed in (order for source in sources for order in source):
            # the first source wins: an order knows its prices, its deal and its position do not
            found.setdefault(observed.ticket, observed)
        return list(found.values())

    def _of_orders(self, entries: Mapping[int, set[int]]) -> Iterator[ObservedOrder]:
        # what is open first: an order that is filled during the look is then told as it was
        for order in (*self.orders.values(), *self.past.values()):
            at_ms = order.time_setup_msc or order.time_setup * 1000
            yield ObservedOrder(
                ticket=order.ticket,
                symbol=order.symbol,
                type=order.type,
                volume=order.volume_initial,
                magic=order.magic,
                comment=order.comment,
                time_ms=at_ms - self.offset_ms,
                stamp_ms=at_ms,
                position=self._closed_by(order),
                entered=self._entered(order.position_id),
                opens=self._opens(order, entries.get(order.ticket, set())),
                filling=None if self.is_mt4 else order.type_filling,
                is_by_program=self._is_by_program(order.reason),
                is_by_stop=self._is_by_stop(order.reason),
                terms=terms_of(
                    order.type, order.price_open, order.price_stoplimit, order.sl, order.tp
                ),
                opened=order.price_open if self.is_mt4 and side_of(order.type) is None else None,
            )

    def _closed_by(self, order: Order) -> int:
        """Return the position that an order closes; 0 for one that opens its own."""
        is_opening = order.position_id == order.ticket
        return 0 if self.is_mt4 or self.is_netting or is_opening else order.position_id

    def _opens(self, order: Order, entries: set[int]) -> bool | None:
        """Whether an order opened a position or added to one; ``None``: not known yet."""
        if entries:
            return entries == {DealEntry.IN}
        return True if order.position_id == order.ticket and not self.is_mt4 else None

    def _entered(self, identifier: int) -> int:
        """Return the position of a netting account that an order or a deal went into."""
        return identifier if self.is_netting else 0

    def _of_deals(self, entries: Mapping[int, set[int]]) -> Iterator[ObservedOrder]:
        """Those whose order the history does not show yet; all deals of one together."""
        filled: defaultdict[int, float] = defaultdict(float)
        for deal in self.deals:
            # a large order is filled in several deals; each alone would look like a smaller order
            filled[deal.order] += deal.volume
        for deal in self.deals:
            is_entry = deal.entry == DealEntry.IN
            if deal.order:
                yield ObservedOrder(
                    ticket=deal.order,
                    symbol=deal.symbol,
                    type=deal.type,
                    volume=round(filled[deal.order], 8),
                    magic=deal.magic,
                    comment=deal.comment,
                    time_ms=(deal.time_msc or deal.time * 1000) - self.offset_ms,
                    stamp_ms=deal.time_msc or deal.time * 1000,
                    position=0 if self.is_netting or is_entry else deal.position_id,
                    entered=self._entered(deal.position_id),
                    opens=entries[deal.order] == {DealEntry.IN},
                    is_by_program=self._is_by_program(deal.reason),
                    is_by_stop=self._is_by_stop(deal.reason),
                )

    def _of_positions(self) -> Iterator[ObservedOrder]:
        """Those whose order and deal the history does not show yet; all, on MetaTrader 4."""
        for position in self.positions.values():
            yield ObservedOrder(
                ticket=position.ticket if self.is_mt4 else position.identifier or position.ticket,
                symbol=position.symbol,
                type=position.type,
                volume=position.volume,
                magic=position.magic,
                comment=position.comment,
                time_ms=(position.time_msc or position.time * 1000) - self.offset_ms,
                stamp_ms=position.time_msc or position.time * 1000,
                entered=self._entered(position.identifier),
                opens=None if self.is_mt4 else True,
                is_by_program=self._is_by_program(position.reason),
                terms=(0.0, 0.0, position.sl, position.tp) if self.is_mt4 else None,
                opened=position.price_open if self.is_mt4 else None,
            )

    def _is_by_program(self, reason: int) -> bool:
        """Whether an order, a deal or a position may be a program's: all three count alike."""
        return self.is_mt4 or reason == OrderReason.EXPERT

    def _is_by_stop(self, reason: int) -> bool:
        """Whether an order or a deal is surely the server's own; MetaTrader 4 does not say."""
        return not self.is_mt4 and reason in _STOPS


async def take_snapshot(
    terminal: GuardedTerminal,
    sends: Sequence[CommandRecord],
    rivals: Iterable[CommandRecord],
    *,
    is_far: bool,
) -> AccountSnapshot:
    """Ask a terminal for everything that is open, and for what of its past may be of commands.

    The past is asked for by time only where a command may have made an order that nobody can
    name: what changes one that was there is found by its ticket, however long it is ago.

    Args:
        sends: the commands, one at least.
        rivals: others that what is found may be of instead.
        is_far: whatever the clocks say; that may be a lot more.

    Raises:
        GatewayError: it did not say.

    """
    # asked anew at each look: the broker's clock is put on and back for the summer
    clock = await terminal.request(commands.CLOCK_GET, commands.NoParams())
    offset_s = _offset_s(clock, terminal.now_ms() // 1000)
    # what is open comes first: an order that is filled in between is then in one of the two
    orders = await terminal.request(commands.ORDERS_GET, commands.FilterParams())
    positions = await terminal.request(commands.POSITIONS_GET, commands.FilterParams())
    hello = terminal.hello
    view = AccountSnapshot(
        is_mt4=terminal.is_mt4,
        is_netting=hello is not None and hello.mode in ("netting", "exchange"),
        offset_ms=offset_s * 1000,
        is_far=is_far,
        orders={order.ticket: order for order in orders},
        positions={position.ticket: position for position in positions},
    )
    makers = [send for send in sends if makes_order(send, is_mt4=view.is_mt4)]
    if makers:
        # history is asked for from the oldest of them on, once for all of them
        first_ms = _first_stamp_ms(makers, view, terminal.now_ms())
        await _look_back(terminal, view, [*sends, *rivals], first_ms - SKEW_MS)
    changed = {ticket for send in sends if send not in makers for ticket in _changed(send)}
    # what a command changes has a ticket, so its past is asked for by that, however old it is
    for ticket in changed - view.past.keys():
        by_ticket = commands.HistoryParams(ticket=ticket)
        for order in await terminal.request(commands.HISTORY_ORDERS_GET, by_ticket):
            view.past[order.ticket] = order
    return view


async def _look_back(
    terminal: GuardedTerminal, view: AccountSnapshot, sends: Sequence[CommandRecord], since_ms: int
) -> None:
    """Add what of the past may be of commands that have made an order."""
    now_ms, offset_s = terminal.now_ms(), view.offset_ms // 1000
    wanted = view.wanted(sends, now_ms)
    # the day more is read only before a command is given up, since a busy day is a lot
    first_s = since_ms // 1000 - (BEHIND_S if view.is_far else 0)
    span = (max(0, first_s), now_ms // 1000 + offset_s + AHEAD_S)
    async for past in fetch_history(terminal, commands.HISTORY_ORDERS_GET, *span):
        view.past.update((order.ticket, order) for order in past if wanted.order(order))
    if not terminal.can("deals"):
        return
    # the deals of an order that was let through, whatever their own comment and time
    tickets = view.past.keys() | view.orders.keys()
    async for deals in fetch_history(terminal, commands.HISTORY_DEALS_GET, *span):
        # all deals of an order, if one is: by one alone a part looked like the whole
        kept = {deal.order for deal in deals if wanted.deal(deal, tickets)}
        view.deals += [deal for deal in deals if deal.order in kept]


def _first_stamp_ms(makers: Iterable[CommandRecord], view: AccountSnapshot, now_ms: int) -> int:
    """Return the first stamp that an order of these may have, by any clock; ``now_ms``: UTC."""
    latest_ms = now_ms + view.offset_ms + AHEAD_S * 1000
    return min(_made_ms(send, view.offset_ms, latest_ms) for send in makers)


def _made_ms(send: CommandRecord, offset_ms: int, latest_ms: int) -> int:
    """Return what the broker's clock showed at a command, or less.

    Of two readings the earlier counts, lest the order be missed; but not where one is years before
    the other: then only one can be right, and all of the past would be read for the wrong one. The
    later is that, unless it lies in the future.
    """
    readings = [send.created_ms + offset_ms]
    if send.context.broker_ms:
        readings.append(send.context.broker_ms)
    first_ms, last_ms = min(readings), max(readings)
    is_absurd = first_ms < last_ms - MAX_APART_MS and last_ms <= latest_ms
    return last_ms if is_absurd else first_ms


def _changed(send: CommandRecord) -> set[int]:
    """Return the order or, on MetaTrader 4, the trades that a command changes or ends; nothing
    where it changes what is a position: that is open, or does not tell.
    """
    request = send.request
    if request.action in (TradeAction.MODIFY, TradeAction.REMOVE):
        return {request.order}
    if send.exited is None:
        return set()
    return {send.exited, request.position_by} - {0}


def _offset_s(clock: Clock, utc_s: int) -> int:
    """Return how far the broker's clock is ahead of ours."""
    broker_s = clock.tsrv or clock.tcur
    offset_s = round((broker_s - clock.tgmt) / GRID_S) * GRID_S
    is_ours = abs(clock.tgmt - utc_s) <= MAX_RESIDUE_S
    if is_ours and abs(broker_s - clock.tgmt - offset_s) <= MAX_RESIDUE_S:
        return offset_s
    return broker_s - utc_s  # the clock of its PC is not ours, or it is and both are wrong
