"""How fills become positions: what netting, hedging and MetaTrader 4 have in common."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from ea_bridge.model import Deal, DealEntry, DealType, Order, Position, PositionType

from .ledger import Holding
from .money import ONE, ZERO, exact
from .valuation import BUYS, Valuation


@dataclass(frozen=True)
class Fill:
    """What an execution left: tickets, 0 for none."""

    deal: int
    position: int
    """The ticket by which the position is known now."""
    identifier: int
    """``POSITION_IDENTIFIER``: the same through the position's whole life."""


class Accounting(ABC):
    """Turns a fill into deals and positions. One for each way of keeping positions."""

    keeps_orders = True
    """Executed orders go to the history; MetaTrader 4 turns them into trades instead."""

    def __init__(self, valuation: Valuation) -> None:
        self.valuation = valuation
        self.ledger = valuation.ledger

    @abstractmethod
    def fill(self, order: Order, volume: Decimal, price: Decimal, now_msc: int) -> Fill:
        """Book the execution of ``volume`` of the order at ``price``."""

    @abstractmethod
    def close_by(self, order: Order, first: Holding, second: Holding, now_msc: int) -> Fill:
        """Close two opposite positions of a symbol by each other.

        The first earns the difference of the opening prices, the second nothing.
        """

    # --- positions -------------------------------------------------------------------------

    def _open(
        self,
        order: Order,
        volume: Decimal,
        price: Decimal,
        now_msc: int,
        *,
        identifier: int | None = None,
    ) -> Holding:
        symbol = self.valuation.prices.known(order.symbol)
        bought = order.type in BUYS
        position = Position(
            ticket=order.ticket,
            time=now_msc // 1000,
            time_msc=now_msc,
            time_update=now_msc // 1000,
            time_update_msc=now_msc,
            type=PositionType.BUY if bought else PositionType.SELL,
            magic=order.magic,
            identifier=order.ticket if identifier is None else identifier,
            reason=order.reason,
            volume=float(volume),
            price_open=float(price),
            sl=order.sl,
            tp=order.tp,
            price_current=float(price),
            symbol=order.symbol,
            comment=order.comment,
        )
        rates = self.valuation
        return Holding(
            position=position,
            margin_rate=rates.margin_rate(symbol, buying=bought, price=price) or ONE,
            profit_rate=rates.profit_rate(symbol, long=bought, price=price) or ONE,
        )

    def _enlarged(
        self, holding: Holding, order: Order, volume: Decimal, price: Decimal
    ) -> Holding:
        """Return the position with more volume at the average price.

        Stops of the order replace the position's where it has any.
        """
        added = self._open(order, volume, price, 0)
        total = holding.volume + volume
        share = volume / total
        position = replace(
            holding.position,
            volume=float(total),
            price_open=float(holding.price + (price - holding.price) * share),
            sl=order.sl or holding.position.sl,
            tp=order.tp or holding.position.tp,
        )
        return dataclasses.replace(
            holding,
            position=position,
            margin_rate=holding.margin_rate + (added.margin_rate - holding.margin_rate) * share,
        )

    def _reduce(self, holding: Holding, volume: Decimal, now_msc: int) -> None:
        """Take volume off a position, and the swap that goes with it."""
        if volume == holding.volume:
            self.ledger.remove_position(holding, now_msc)
            return
        self.ledger.change_position(self._remainder(holding, volume), now_msc)

    def _remainder(self, holding: Holding, volume: Decimal) -> Holding:
        swap = exact(holding.position.swap) - self._swap_share(holding, volume)
        position = replace(
            holding.position, volume=float(holding.volume - volume), swap=float(swap)
        )
        commission = holding.commission - self._commission_share(holding, volume)
        return dataclasses.replace(holding, position=position, commission=commission)

    def _swap_share(self, holding: Holding, volume: Decimal) -> Decimal:
        whole = exact(holding.position.swap)
        return self.valuation.money(whole * volume / holding.volume)

    def _commission_share(self, holding: Holding, volume: Decimal) -> Decimal:
        return self.valuation.money(holding.commission * volume / holding.volume)

    # --- deals -----------------------------------------------------------------------------

    def _earned(self, holding: Holding, volume: Decimal, price: Decimal) -> Decimal:
        amount = self.valuation.profit(
            self.valuation.prices.known(holding.position.symbol),
            volume,
            holding.price,
            price,
            long=holding.position.type == PositionType.BUY,
            otherwise=holding.profit_rate,
        )
        return ZERO if amount is None else amount

    def _commission(self, volume: Decimal) -> Decimal:
        return self.valuation.money(-self.valuation.terms.commission_per_lot * volume)

    def _book(
        self,
        order: Order,
        volume: Decimal,
        price: Decimal,
        now_msc: int,
        entry: DealEntry,
        *,
        buying: bool,
        identifier: int,
        profit: Decimal = ZERO,
        swap: Decimal = ZERO,
        commission: Decimal = ZERO,
    ) -> Deal:
        deal = Deal(
            ticket=self.ledger.new_deal_ticket(),
            order=order.ticket,
            time=now_msc // 1000,
            time_msc=now_msc,
            type=DealType.BUY if buying else DealType.SELL,
            entry=entry,
            magic=order.magic,
            position_id=identifier,
            reason=order.reason,
            volume=float(volume),
            price=float(price),
            commission=float(commission),
            swap=float(swap),
            profit=float(profit),
            symbol=order.symbol,
            comment=order.comment,
        )
        self.ledger.add_deal(deal)
        return deal

    def _book_out(
        self, order: Order, holding: Holding, volume: Decimal, price: Decimal, now_msc: int
    ) -> Deal:
        """Book the deal that closes ``volume`` of a position, with its profit and swap."""
        return self._book(
            order,
            volume,
            price,
            now_msc,
            DealEntry.OUT,
            buying=holding.position.type == PositionType.SELL,
            identifier=holding.position.identifier,
            profit=self._earned(holding, volume, price),
            swap=self._swap_share(holding, volume),
            commission=self._commission(volume),
        )
