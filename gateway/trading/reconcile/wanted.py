"""Which of all the orders that a terminal shows may belong to some commands.

A busy account has tens of thousands of them, and few commands are unknown: what cannot concern
them is left out as it comes, by the same rules as in :mod:`.matching`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

from ea_bridge.model import Deal, Order, TradeRequest

from ..client_ids import TAG_LENGTH
from ..journal.intents import CommandRecord
from .activated import side_of
from .matching import LATEST_MS, MAX_APART_MS, SKEW_MS
from .observed_order import Sighting
from .partial_closes import is_of_part

_Kind = tuple[str, int, float, int]
"""Symbol, type, volume and magic."""


class Wanted:
    """What may be of some commands.

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
            times_ms = [send.created_ms]
            if send.memo.broker_ms:
                times_ms.append(send.memo.broker_ms - offset_ms)
            self._times_ms[_kind(request, request.type)] += times_ms
            self._of_parts.add((request.symbol, request.type, request.magic))
            side = side_of(request.type) if is_mt4 else None
            if side is not None:
                filled = _kind(request, side)
                self._times_ms[filled] += times_ms
                first_ms = min(one for one in times_ms if one >= max(times_ms) - MAX_APART_MS)
                self._since_ms[filled] = min(self._since_ms.get(filled, first_ms), first_ms)
                self._of_parts.add((request.symbol, side, request.magic))
        for times in self._times_ms.values():
            times.sort()

    def sighting(self, one: Sighting) -> bool:
        """Whether an order may be of one of the commands."""
        kind = (one.symbol, one.type, one.volume, one.magic)
        return self._has(one.ticket, one.comment, kind, one.time_ms)

    def order(self, one: Order) -> bool:
        """The same of an order as the terminal shows it."""
        kind = (one.symbol, one.type, one.volume_initial, one.magic)
        time_ms = (one.time_setup_msc or one.time_setup * 1000) - self._offset_ms
        return self._has(one.ticket, one.comment, kind, time_ms)

    def deal(self, one: Deal, orders: Iterable[int]) -> bool:
        """The same of a deal, or that it is of one of these orders."""
        if one.order in orders:
            return True
        kind = (one.symbol, one.type, one.volume, one.magic)
        time_ms = (one.time_msc or one.time * 1000) - self._offset_ms
        return self._has(one.order, one.comment, kind, time_ms)

    def _has(self, ticket: int, comment: str, kind: _Kind, time_ms: int) -> bool:
        if ticket in self._tickets or comment[:TAG_LENGTH] in self._tags:
            return True
        symbol, type_, _, magic = kind
        if is_of_part(comment) and (symbol, type_, magic) in self._of_parts:
            return True
        since_ms = self._since_ms.get(kind)
        if since_ms is not None and time_ms >= since_ms - self._earlier_ms:
            return True
        times_ms = self._times_ms.get(kind)
        if times_ms is None or time_ms >= self._recent_ms:
            return times_ms is not None
        # of the commands the first that is not too old for this order
        at = bisect_left(times_ms, time_ms - self._later_ms)
        return at < len(times_ms) and times_ms[at] <= time_ms + self._earlier_ms


def _kind(request: TradeRequest, type_: int) -> _Kind:
    return request.symbol, type_, request.volume, request.magic
