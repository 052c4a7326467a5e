"""Many positions a symbol: each opening order makes its own, closed by its ticket."""

from __future__ import annotations

from decimal import Decimal

from ea_bridge.model import DealEntry, Order, PositionType

from .ledger import Holding
from .money import ZERO
from .positions import Accounting, Fill
from .valuation import BUYS


class Hedging(Accounting):
    """``ACCOUNT_MARGIN_MODE_RETAIL_HEDGING``. A position's ticket is its opening order's."""

    def fill(self, order: Order, volume: Decimal, price: Decimal, now_msc: int) -> Fill:
        """Close the position that the order names, or open (or go on opening) one."""
        target = self.ledger.holdings.get(order.position_id or order.ticket)
        if target is None:
            return self._enter(order, None, volume, price, now_msc)
        if (target.position.type == PositionType.BUY) == (order.type in BUYS):
            return self._enter(order, target, volume, price, now_msc)
        deal = self._book_out(order, target, volume, price, now_msc)
        self._reduce(target, volume, now_msc)
        return Fill(deal.ticket, target.position.ticket, target.position.identifier)

    def close_by(self, order: Order, first: Holding, second: Holding, now_msc: int) -> Fill:
        """Book two ``OUT_BY`` deals; each closes at the other position's opening price.

        The position that is told is the first one, as by the EA, whichever is left.
        """
        volume = min(first.volume, second.volume)
        profit = self._earned(first, volume, second.price)
        deal = self._out_by(order, first, second, volume, profit, now_msc)
        self._out_by(order, second, first, volume, ZERO, now_msc)
        self._reduce(first, volume, now_msc)
        self._reduce(second, volume, now_msc)
        return Fill(deal, first.position.ticket, first.position.identifier)

    def _enter(
        self,
        order: Order,
        holding: Holding | None,
        volume: Decimal,
        price: Decimal,
        now_msc: int,
    ) -> Fill:
        """Open a position, or add what a partly filled order gets later to the one it opened."""
        deal = self._book(
            order,
            volume,
            price,
            now_msc,
            DealEntry.IN,
            buying=order.type in BUYS,
            identifier=order.ticket,
            commission=self._commission(volume),
        )
        if holding is None:
            self.ledger.add_position(self._open(order, volume, price, now_msc), now_msc)
        else:
            self.ledger.change_position(self._enlarged(holding, order, volume, price), now_msc)
        return Fill(deal.ticket, order.ticket, order.ticket)

    def _out_by(
        self,
        order: Order,
        closed: Holding,
        other: Holding,
        volume: Decimal,
        profit: Decimal,
        now_msc: int,
    ) -> int:
        deal = self._book(
            order,
            volume,
            other.price,
            now_msc,
            DealEntry.OUT_BY,
            buying=closed.position.type == PositionType.SELL,
            identifier=closed.position.identifier,
            profit=profit,
            swap=self._swap_share(closed, volume),
        )
        return deal.ticket
