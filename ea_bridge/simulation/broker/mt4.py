"""MetaTrader 4: one ticket for an order's whole life, closed trades instead of deals.

A closed trade stands in the history as an order with its opening price and time
(``price_open``, ``time_setup``) and its closing ones (``price_current``, ``time_done``), as
``OrderSelect(..., MODE_HISTORY)`` gives them. The deals that carry the money stay inside the
broker; :meth:`~.server.Broker.closed_trades` joins the two.
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from msgspec.structs import replace

from ea_bridge.model import DealEntry, Order, OrderReason, OrderState, OrderType, PositionType

from .ledger import Holding
from .money import ZERO
from .positions import Accounting, Fill
from .valuation import BUYS


class Mt4(Accounting):
    """Hedging with MetaTrader 4's tickets."""

    keeps_orders = False

    def fill(self, order: Order, volume: Decimal, price: Decimal, now_msc: int) -> Fill:
        """Open a trade under the order's own ticket, or close the one it names."""
        target = self.ledger.holdings.get(order.position_id) if order.position_id else None
        if target is None:
            return self._enter(order, volume, price, now_msc)
        self._close(order, target, volume, price, now_msc)
        left = self._split(target, volume, now_msc)
        if left.position != target.position.ticket:
            closed = self.ledger.past_orders[target.position.ticket]
            self.ledger.archive_order(replace(closed, comment=f"to #{left.position}"))
        return left

    def close_by(self, order: Order, first: Holding, second: Holding, now_msc: int) -> Fill:
        """Close two trades: the first with all the volume and profit, the second with none.

        The second stays in the history with volume 0 and ``close hedge by #<first>``; what is
        left of the larger one gets a new ticket.
        """
        volume = min(first.volume, second.volume)
        self._close(order, first, volume, second.price, now_msc)
        note = f"close hedge by #{first.position.ticket}"
        self._archive(second, ZERO, first.price, now_msc, note)
        self._settle(order, second, volume, first.price, ZERO, now_msc)
        larger, other = (first, second) if first.volume > second.volume else (second, first)
        self.ledger.remove_position(other, now_msc)
        return self._split(larger, volume, now_msc)

    def _enter(self, order: Order, volume: Decimal, price: Decimal, now_msc: int) -> Fill:
        """Open a trade; the commission of both sides is shown at once and charged at the end."""
        holding = dataclasses.replace(
            self._open(order, volume, price, now_msc), commission=self._commission(2 * volume)
        )
        self.ledger.add_position(holding, now_msc)
        return Fill(0, order.ticket, order.ticket)

    def _close(
        self, order: Order, target: Holding, volume: Decimal, price: Decimal, now_msc: int
    ) -> None:
        # ``OrderClose`` takes no comment: only the server's own, as of a stop, is written over it
        said = "" if order.reason == OrderReason.EXPERT else order.comment
        self._archive(target, volume, price, now_msc, said)
        earned = self._earned(target, volume, price)
        self._settle(order, target, volume, price, earned, now_msc)

    def _split(self, holding: Holding, volume: Decimal, now_msc: int) -> Fill:
        """Take a closed trade away; what is left of it lives on under a new ticket."""
        old = holding.position.ticket
        self.ledger.remove_position(holding, now_msc)
        if volume == holding.volume:
            return Fill(0, old, old)
        rest, ticket = self._remainder(holding, volume), self.ledger.new_order_ticket()
        position = replace(rest.position, ticket=ticket, identifier=ticket, comment=f"from #{old}")
        self.ledger.add_position(dataclasses.replace(rest, position=position), now_msc)
        return Fill(0, ticket, ticket)

    def _archive(
        self, holding: Holding, volume: Decimal, price: Decimal, now_msc: int, comment: str
    ) -> None:
        position = holding.position
        self.ledger.archive_order(
            Order(
                ticket=position.ticket,
                time_setup=position.time,
                time_setup_msc=position.time_msc,
                time_done=now_msc // 1000,
                time_done_msc=now_msc,
                type=(OrderType.BUY if position.type == PositionType.BUY else OrderType.SELL),
                state=OrderState.FILLED,
                magic=position.magic,
                position_id=position.ticket,
                reason=position.reason,
                volume_initial=float(volume),
                price_open=position.price_open,
                sl=position.sl,
                tp=position.tp,
                price_current=float(price),
                symbol=position.symbol,
                comment=comment or position.comment,
            )
        )

    def _settle(
        self,
        order: Order,
        closed: Holding,
        volume: Decimal,
        price: Decimal,
        profit: Decimal,
        now_msc: int,
    ) -> None:
        self._book(
            order,
            volume,
            price,
            now_msc,
            DealEntry.OUT,
            buying=order.type in BUYS,
            identifier=closed.position.ticket,
            profit=profit,
            swap=self._swap_share(closed, volume),
            commission=self._commission_share(closed, volume),
        )
