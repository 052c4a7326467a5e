"""Changes of orders, positions and deals, found by comparing the account with what it was.

The package has no events. Told in MetaTrader's order: order, deal, position, order gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

from msgspec.structs import replace

from ea_bridge import commands, host
from ea_bridge.model import Deal, Order, OrderState, Position
from ea_bridge.protocol.messages import Trade

from .questions import Questions
from .state import PackageState

LAG_S = 300
"""Records that come into the history later than their stamp are found so far back."""
HISTORY_LOOK_S = 1.0
"""Between two looks at the history, where nothing else has changed."""

R = TypeVar("R", Order, Position)
Op = Literal["add", "change", "remove"]
Face = tuple[object, ...]
Past = tuple[list[Order], list[Deal]]


class AccountWatch:
    """Watch over the account: what has changed since the last look.

    Args:
        questions: reads the account.
        state: tells the broker's time, and whether he is there.
        utc_s: UTC in seconds, as the PC's clock has it.

    """

    def __init__(
        self, questions: Questions, state: PackageState, utc_s: Callable[[], float]
    ) -> None:
        self._questions = questions
        self._utc_s = utc_s
        self._state = state
        self.forget()

    def forget(self) -> None:
        """Begin anew: what is there at the next look is no news."""
        self._is_begun = False
        self._identity = self._state.identity
        self._orders: dict[int, Order] = {}
        self._positions: dict[int, Position] = {}
        self._known_orders: set[int] = set()
        self._known_deals: set[int] = set()
        self._from_s = 0
        self._seen_s = 0
        self._connected_at: float | None = None
        self._looked_at = 0.0

    def look(self, *, at_history: bool = False) -> list[Trade]:
        """Return what has changed.

        Args:
            at_history: something was traded, so the history is looked at even where neither
                orders nor positions show it.

        Raises:
            PackageError: the account cannot be read; what has changed is told the next time.

        """
        orders = {order.ticket: order for order in self._questions.orders()}
        positions = {position.ticket: position for position in self._questions.positions()}
        now = host.monotonic_s()
        has_changed = _faces(self._orders.values(), _order_face) != _faces(
            orders.values(), _order_face
        ) or _faces(self._positions.values(), _position_face) != _faces(
            positions.values(), _position_face
        )
        is_due = at_history or now - self._looked_at >= HISTORY_LOOK_S
        past = self._read_past() if has_changed or is_due or not self._is_begun else None
        events: list[Trade] = []
        if self._is_begun and past is not None:
            events = self._events(orders, positions, *self._fresh(past))
        # last: what was read before is this account's, if it still is the one
        if not self._is_sound(now):
            return []
        # now that nothing can fail any more: what is not told must still be news the next time
        if past is not None:
            self._note_past(past, now)
        self._orders, self._positions, self._is_begun = orders, positions, True
        return events

    def _is_sound(self, now: float) -> bool:
        """Whether what was just read can be compared with what was read before."""
        latest = self._state.look()
        if latest.identity != self._identity:
            # orders and positions are another account's now: nothing of it is a change
            self.forget()
            return False
        if not latest.terminal.connected:
            # a terminal without its broker may show an account that is empty
            self._connected_at = None
            return False
        if self._connected_at is None:
            self._connected_at = now
        return True

    def _read_past(self) -> Past:
        """Return what has ended of late."""
        if not self._from_s:
            # without any quote the PC's clock has to do; no broker's is a day ahead of it
            self._from_s = self._state.broker_s or int(self._utc_s()) - 86_400
        span = commands.HistoryParams(from_s=max(self._from_s - LAG_S, 0))
        return self._questions.history_orders(span), self._questions.history_deals(span)

    def _fresh(self, past: Past) -> Past:
        """Return what of it is new."""
        orders, deals = past
        return (
            [order for order in orders if order.ticket not in self._known_orders],
            [deal for deal in deals if deal.ticket not in self._known_deals],
        )

    def _note_past(self, past: Past, now: float) -> None:
        ended, deals = self._fresh(past) if self._is_begun else ([], [])
        stamps = [order.time_done for order in ended] + [deal.time for deal in deals]
        self._seen_s = max([self._seen_s, *stamps])
        # what lies before the window is not looked at again
        self._known_orders = {order.ticket for order in past[0]}
        self._known_deals = {deal.ticket for deal in past[1]}
        self._looked_at = now
        self._advance(now)

    def _advance(self, now: float) -> None:
        """Let go of the past, so that a look does not cost more from hour to hour."""
        # what happened while the broker could not be reached comes in late, with old stamps
        if self._connected_at is None or now - self._connected_at < LAG_S:
            return
        now_s = self._state.broker_s
        self._from_s = max(self._from_s, min(max(self._seen_s, now_s - LAG_S), now_s))

    def _events(
        self,
        orders: dict[int, Order],
        positions: dict[int, Position],
        ended: list[Order],
        deals: list[Deal],
    ) -> list[Trade]:
        events = [
            self._of_order(op, order) for op, order in _changes(self._orders, orders, _order_face)
        ]
        # orders that came and went between two looks: each was in the book for a moment
        seen = self._orders.keys() | orders.keys()
        events += [
            self._of_order("add", _as_placed(order)) for order in ended if order.ticket not in seen
        ]
        events += [
            Trade(op="add", q=0, time_msc=deal.time_msc, deal=deal) for deal in _by_ticket(deals)
        ]
        events += [
            self._of_position(op, position)
            for op, position in _changes(self._positions, positions, _position_face)
        ]
        events += [
            Trade(op="remove", q=0, time_msc=self._stamp(0), position=position)
            for ticket, position in self._positions.items()
            if ticket not in positions
        ]
        return events + self._departures(orders, ended)

    def _departures(self, orders: dict[int, Order], ended: list[Order]) -> list[Trade]:
        finals = {order.ticket: order for order in ended if order.ticket not in orders}
        for ticket, order in self._orders.items():
            if ticket not in orders and ticket not in finals:
                # not in the history yet: as it was seen last
                found = self._questions.history_orders(commands.HistoryParams(ticket=ticket))
                finals[ticket] = found[0] if found else order
        return [self._of_order("remove", order) for order in _by_ticket(finals.values())]

    def _of_order(self, op: Op, order: Order) -> Trade:
        time_msc = {"add": order.time_setup_msc, "remove": order.time_done_msc}.get(op, 0)
        return Trade(op=op, q=0, time_msc=self._stamp(time_msc), order=order)

    def _of_position(self, op: Op, position: Position) -> Trade:
        time_msc = position.time_msc if op == "add" else position.time_update_msc
        return Trade(op=op, q=0, time_msc=self._stamp(time_msc), position=position)

    def _stamp(self, time_msc: int) -> int:
        return time_msc or self._state.broker_s * 1000


def _changes(
    before: dict[int, R], now: dict[int, R], face: Callable[[R], Face]
) -> list[tuple[Op, R]]:
    changes: list[tuple[Op, R]] = []
    for ticket, record in now.items():
        known = before.get(ticket)
        if known is None:
            changes.append(("add", record))
        elif face(known) != face(record):
            changes.append(("change", record))
    return changes


def _faces(records: Iterable[R], face: Callable[[R], Face]) -> dict[int, Face]:
    return {record.ticket: face(record) for record in records}


def _order_face(order: Order) -> Face:
    """Return what of an order is news; its present price is not."""
    return (
        order.type,
        order.state,
        order.volume_current,
        order.price_open,
        order.sl,
        order.tp,
        order.price_stoplimit,
        order.type_time,
        order.time_expiration,
        order.position_id,
        order.comment,
    )


def _position_face(position: Position) -> Face:
    """Return what of a position is news; its floating profit is not."""
    return (
        position.type,
        position.volume,
        position.price_open,
        position.sl,
        position.tp,
        position.swap,
        position.magic,
        position.comment,
    )


def _as_placed(order: Order) -> Order:
    """Return an order that has ended as it was when it was placed."""
    return replace(
        order,
        state=int(OrderState.PLACED),
        volume_current=order.volume_initial,
        time_done=0,
        time_done_msc=0,
    )


D = TypeVar("D", Order, Deal)


def _by_ticket(records: Iterable[D]) -> list[D]:
    return sorted(records, key=lambda record: record.ticket)
