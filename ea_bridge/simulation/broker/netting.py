"""One position a symbol: fills add up, reduce, close or reverse it."""

from __future__ import annotations

from decimal import Decimal

from ea_bridge.model import DealEntry, Order, PositionType

from .ledger import Holding
from .positions import Accounting, Fill
from .valuation import BUYS


class Netting(Accounting):
    """``ACCOUNT_MARGIN_MODE_RETAIL_NETTING`` and ``..._EXCHANGE``."""

    def fill(self, order: Order, volume: Decimal, price: Decimal, now_msc: int) -> Fill:
        """Book a fill against the symbol's position, if there is one."""
        held = self.ledger.held(order.symbol)
        if not held:
            return self._first(order, volume, price, now_msc)
        holding = held[0]
        long, bought = holding.position.type == PositionType.BUY, order.type in BUYS
        if long == bought:
            return self._add(order, holding, volume, price, now_msc)
        if volume > holding.volume:
            return self._reverse(order, holding, volume, price, now_msc)
        return self._take(order, holding, volume, price, now_msc)

    def close_by(self, order: Order, first: Holding, second: Holding, now_msc: int) -> Fill:
        """Never happens: a netting account has no two positions in a symbol."""
        raise AssertionError("the checks refuse close-by on netting accounts")

    def _first(self, order: Order, volume: Decimal, price: Decimal, now_msc: int) -> Fill:
        holding = self._open(order, volume, price, now_msc)
        return self._entered(order, holding, volume, price, now_msc, new=True)

    def _add(
        self, order: Order, holding: Holding, volume: Decimal, price: Decimal, now_msc: int
    ) -> Fill:
        larger = self._enlarged(holding, order, volume, price)
        return self._entered(order, larger, volume, price, now_msc, new=False)

    def _entered(
        self,
        order: Order,
        holding: Holding,
        volume: Decimal,
        price: Decimal,
        now_msc: int,
        *,
        new: bool,
    ) -> Fill:
        position = holding.position
        deal = self._book(
            order,
            volume,
            price,
            now_msc,
            DealEntry.IN,
            buying=order.type in BUYS,
            identifier=position.identifier,
            commission=self._commission(volume),
        )
        if new:
            self.ledger.add_position(holding, now_msc)
        else:
            self.ledger.change_position(holding, now_msc)
        return Fill(deal.ticket, position.ticket, position.identifier)

    def _take(
        self, order: Order, holding: Holding, volume: Decimal, price: Decimal, now_msc: int
    ) -> Fill:
        deal = self._book_out(order, holding, volume, price, now_msc)
        self._reduce(holding, volume, now_msc)
        return Fill(deal.ticket, holding.position.ticket, holding.position.identifier)

    def _reverse(
        self, order: Order, holding: Holding, volume: Decimal, price: Decimal, now_msc: int
    ) -> Fill:
        """Close the whole position and open the rest the other way, in one ``INOUT`` deal.

        The position's ticket becomes the order's; its identifier stays.
        """
        closed, identifier = holding.volume, holding.position.identifier
        deal = self._book(
            order,
            volume,
            price,
            now_msc,
            DealEntry.INOUT,
            buying=order.type in BUYS,
            identifier=identifier,
            profit=self._earned(holding, closed, price),
            swap=self._swap_share(holding, closed),
            commission=self._commission(volume),
        )
        rest = self._open(order, volume - closed, price, now_msc, identifier=identifier)
        self.ledger.remove_position(holding, now_msc)
        self.ledger.add_position(rest, now_msc)
        return Fill(deal.ticket, order.ticket, identifier)
