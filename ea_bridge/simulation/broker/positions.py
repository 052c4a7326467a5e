"""Accounting modes: fills become positions by netting, by hedging, or as on MetaTrader 4.

===================  =======================================================================
:class:`Netting`     one position a symbol: fills add up, reduce, close or reverse it
:class:`Hedging`     many positions a symbol: each opening order makes its own
:class:`Mt4`         one ticket for an order's whole life, closed trades instead of deals
===================  =======================================================================
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from ea_bridge.model import (
    BUYS,
    Deal,
    DealEntry,
    DealType,
    Order,
    OrderReason,
    OrderState,
    OrderType,
    Position,
    PositionType,
)

from .ledger import Holding
from .prices import ONE, ZERO, exact
from .valuation import Valuation


@dataclass(frozen=True)
class Fill:
    """Tickets that an execution left, 0 for none."""

    deal: int
    position: int
    """The ticket by which the position is known now."""
    identifier: int
    """``POSITION_IDENTIFIER``: the same through the position's whole life."""


class Accounting(ABC):
    """Accounting mode: it turns a fill into deals and positions."""

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
            # MetaTrader gives a position the ticket of the order that opened it
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
        # for its rates alone: it is entered nowhere
        added = self._open(order, volume, price, 0)
        total = holding.volume + volume
        share = volume / total
        position = replace(
            holding.position,
            volume=float(total),
            # unrounded: MetaTrader shows an averaged price with more digits than the symbol has
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
        # what was charged goes out with the volume: the rest keeps its own part, to the cent
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
        if volume > holding.volume:  # MetaTrader turns the position round in one deal
            return self._reverse(order, holding, volume, price, now_msc)
        return self._take(order, holding, volume, price, now_msc)

    def close_by(self, order: Order, first: Holding, second: Holding, now_msc: int) -> Fill:
        """Raise: a netting account has no two positions in a symbol."""
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
        # told as a removal and an addition, since the ticket is another one now
        self.ledger.add_position(rest, now_msc)
        return Fill(deal.ticket, order.ticket, identifier)


class Hedging(Accounting):
    """``ACCOUNT_MARGIN_MODE_RETAIL_HEDGING``. A position's ticket is its opening order's."""

    def fill(self, order: Order, volume: Decimal, price: Decimal, now_msc: int) -> Fill:
        """Close the position that the order names, or open (or go on opening) one."""
        # an order that fills in parts finds the position that its first part opened
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
        # the profit of both stands in the first position's deal
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


class Mt4(Accounting):
    """Hedging with MetaTrader 4's tickets.

    A closed trade stands in the history as an order with its opening price and time
    (``price_open``, ``time_setup``) and its closing ones (``price_current``, ``time_done``), as
    ``OrderSelect(..., MODE_HISTORY)`` gives them. The deals that carry the money stay inside the
    broker; :meth:`~.broker.Broker.closed_trade` joins the two.
    """

    keeps_orders = False

    def fill(self, order: Order, volume: Decimal, price: Decimal, now_msc: int) -> Fill:
        """Open a trade under the order's own ticket, or close the one it names."""
        target = self.ledger.holdings.get(order.position_id) if order.position_id else None
        if target is None:
            return self._enter(order, volume, price, now_msc)
        self._close(order, target, volume, price, now_msc)
        left = self._split(target, volume, now_msc)
        # the closed part says in its comment where the rest lives on
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
        # the server's words replace the bot's: its tag is lost, and this is all that leads back
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
