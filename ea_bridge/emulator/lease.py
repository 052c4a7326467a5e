"""Lease, as the EA enforces it with a daemon linked or without."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Callable

from msgspec.structs import replace

from ea_bridge import host
from ea_bridge.model import (
    LEASE_COMMENT,
    SUCCESSES,
    AutomationLease,
    FillingFlag,
    LeaseTerms,
    Order,
    OrderFilling,
    OrderType,
    Position,
    PositionType,
    SymbolInfo,
    TradeAction,
    TradeRequest,
    TradeResult,
)

TAG = re.compile(r"g[A-Z2-7]{9}(?: |\Z)")
"""Begins the comment of what came through the gateway."""
REST = re.compile(r"from #([0-9]{1,18})\Z")
"""Comment of what is left of a position of MetaTrader 4, with the ticket that it had before."""
MAX_SENT = 4096
"""Tickets of its own that the EA remembers: brokers rewrite comments."""
DEVIATION = 100
"""Points. Who is here to get out is not choosy."""

_log = logging.getLogger(__name__)


class LeaseGuard:
    """Guard that carries a policy out by itself, once nobody has renewed the lease in time.

    Args:
        orders: the pending orders.
        positions: the open positions.
        symbol: what is known of one.
        send: ``OrderSend``.
        now_msc: the broker's clock.
        account: login and server of the account that the terminal is logged in to.
        is_connected: whether the broker is there, by a fresh look.
        monotonic_s: seconds that only grow.

    """

    def __init__(
        self,
        *,
        orders: Callable[[], list[Order]],
        positions: Callable[[], list[Position]],
        symbol: Callable[[str], SymbolInfo],
        send: Callable[[TradeRequest], TradeResult],
        now_msc: Callable[[], int],
        account: Callable[[], tuple[int, str]],
        is_connected: Callable[[], bool] = lambda: True,
        monotonic_s: Callable[[], float] = host.monotonic_s,
    ) -> None:
        self._orders, self._positions = orders, positions
        self._symbol, self._send = symbol, send
        self._now_msc, self._monotonic_s = now_msc, monotonic_s
        self._account, self._is_connected = account, is_connected
        self._set_at = account()
        """The account that the lease, and the tickets, belong to."""
        self._lease = AutomationLease(lease_ms=0)
        self._due_s = 0.0
        self._sent: OrderedDict[int, None] = OrderedDict()

    def set(self, terms: LeaseTerms) -> AutomationLease:
        """Begin a lease, change it, or (with 0) end it."""
        self._check_account()
        self._lease = replace(
            self._lease, lease_ms=terms.lease_ms, action=terms.action, own=terms.own
        )
        self.renew(terms.lease_ms)
        return self.get()

    def get(self) -> AutomationLease:
        """Return the lease; what it has done is told once."""
        told = self._lease
        self._lease = replace(told, fired_msc=0, cancelled=[], closed=[], failed=[])
        return told

    def renew(self, lease_ms: int) -> None:
        """Renew the lease: a heartbeat of the daemon has come; 0 renews nothing."""
        if lease_ms:
            # by a clock that nobody sets: mending the PC's time must not end a lease
            self._due_s = self._monotonic_s() + lease_ms / 1000

    def reset(self) -> None:
        """Start anew, as the EA does: the daemon sets its lease again."""
        self._lease = AutomationLease(lease_ms=0)
        self._sent.clear()

    def note(self, request: TradeRequest, result: TradeResult) -> None:
        """Remember what was sent from here, and under which ticket the rest of it goes on."""
        self._check_account()
        # a change of somebody else's order does not make it ours; what is left of two positions
        # that were closed by each other is of the larger one, and says so
        is_of_others = request.position and request.position not in self._sent
        if request.order or request.position_by or is_of_others:
            return
        for ticket in (0 if request.position else result.order, result.position):
            if ticket:
                self._sent[ticket] = None
        # the oldest first: their orders are the likeliest to be gone
        while len(self._sent) > MAX_SENT:
            self._sent.popitem(last=False)

    def enforce(self) -> None:
        """Carry the policy out if the lease has run out; called every few milliseconds."""
        if not self._lease.lease_ms or self._monotonic_s() < self._due_s:
            return
        # without the broker the only sweep would be spent in vain: it waits for him
        if not self._is_connected():
            return
        self._check_account()
        lease = self._lease
        if not lease.lease_ms:  # it was of another account
            return
        _log.warning("the daemon was silent for %d ms: %s", lease.lease_ms, lease.action)
        cancelled, closed, failed = list[int](), list[int](), list[int]()
        # orders first: one that fills meanwhile is closed with the positions
        for order in filter(self._is_meant, self._orders()):
            done = self._send(_removal(order)).retcode in SUCCESSES
            (cancelled if done else failed).append(order.ticket)
        if lease.action == "cancel_and_close":
            for position in filter(self._is_meant, self._positions()):
                done = self._send(self._way_out(position)).retcode in SUCCESSES
                (closed if done else failed).append(position.ticket)
        self._lease = replace(
            lease,
            # off: what has failed is told to the daemon, and not tried again by itself
            lease_ms=0,
            fired_msc=self._now_msc(),
            cancelled=lease.cancelled + cancelled,
            closed=lease.closed + closed,
            failed=failed,
        )

    def _check_account(self) -> None:
        """Forget all where the terminal is logged in elsewhere: nobody spoke of that account."""
        account = self._account()
        if account != self._set_at:
            self._set_at = account
            self.reset()

    def _is_meant(self, entry: Order | Position) -> bool:
        # a broker may have rewritten the comment, so the ticket counts as well
        if not self._lease.own or entry.ticket in self._sent or TAG.match(entry.comment):
            return True
        # what a person has left of a position of MetaTrader 4 says whose it was
        rest = REST.match(entry.comment)
        return rest is not None and int(rest[1]) in self._sent

    def _way_out(self, position: Position) -> TradeRequest:
        info = self._symbol(position.symbol)
        is_long = position.type == PositionType.BUY
        return TradeRequest(
            action=TradeAction.DEAL,
            position=position.ticket,
            magic=position.magic,
            symbol=position.symbol,
            volume=position.volume,
            # INSTANT execution wants a price; the other modes pay no attention to it
            price=info.bid if is_long else info.ask,
            deviation=DEVIATION,
            type=OrderType.SELL if is_long else OrderType.BUY,
            type_filling=_filling(info),
            comment=LEASE_COMMENT,
        )


def _removal(order: Order) -> TradeRequest:
    return TradeRequest(
        action=TradeAction.REMOVE,
        order=order.ticket,
        magic=order.magic,
        symbol=order.symbol,
        type=order.type,
        comment=order.comment,
    )


def _filling(info: SymbolInfo) -> int:
    mask = info.filling_mode or 0
    # a broker refuses a filling that its symbol does not allow (10030)
    if mask & FillingFlag.FOK:
        return OrderFilling.FOK
    return OrderFilling.IOC if mask & FillingFlag.IOC else OrderFilling.RETURN
