"""Execution of requests that passed the checks: fills, pending orders, stops, close-by."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from ea_bridge.model import (
    BUYS,
    Order,
    OrderFilling,
    OrderReason,
    OrderState,
    OrderTime,
    OrderType,
    PositionType,
    SymbolExecution,
    SymbolInfo,
    TradeResult,
    TradeRetcode,
)

from .ledger import Holding
from .positions import Accounting, Fill
from .prices import ONE, ZERO, exact, rounded
from .requests import MARKET, STOP_LIMITS, RequestRefused, ResolvedRequest, answer
from .terms import Script

T = TypeVar("T")

MAX_COMMENT = 31
"""Characters of a comment that MetaTrader keeps."""


class Execution:
    """Execution of requests; each public method carries out one kind."""

    def __init__(self, accounting: Accounting, script: Script) -> None:
        self._accounting = accounting
        self._valuation = accounting.valuation
        self._ledger = accounting.ledger
        self._script = script
        self.due_msc: dict[int, int] = {}
        """Times at which delayed market orders are to be filled, by ticket."""

    # --- requests --------------------------------------------------------------------------

    def deal(self, resolved: ResolvedRequest) -> TradeResult:
        """Fill a market order, wholly or (IOC, RETURN) in part.

        Raises:
            RequestRefused: nobody offers the volume (10006).

        """
        order = self._market_order(resolved)
        if self._script.delays_ms and self._accounting.keeps_orders:
            return self._delay(order, resolved)
        wanted = exact(order.volume_current)
        fill, filled = self.fill(order, resolved.now_msc)
        return answer(
            # 10010 is a success, too: what was filled is in the account
            TradeRetcode.DONE if filled == wanted else TradeRetcode.DONE_PARTIAL,
            resolved.tick,
            order=order.ticket,
            deal=fill.deal,
            position=fill.position,
            volume=float(filled),
            price=float(self._price(order)),
        )

    def place(self, resolved: ResolvedRequest) -> TradeResult:
        """Take a pending order into the book."""
        request = resolved.request
        order = replace(
            self._order(resolved, request.type, exact(request.volume)),
            # a server keeps prices at the symbol's digits, whatever noise came with the float
            price_open=self._normal(resolved.symbol, request.price),
            price_stoplimit=self._stoplimit(resolved, request.type),
            type_time=request.type_time,
            time_expiration=_expiration(resolved),
        )
        self._ledger.add_order(order, resolved.now_msc)
        return answer(
            TradeRetcode.DONE, resolved.tick, order=order.ticket, volume=order.volume_initial
        )

    def modify(self, resolved: ResolvedRequest) -> TradeResult:
        """Give a pending order another price, other stops, another lifetime."""
        request, order = resolved.request, _present(resolved.order)
        changed = replace(
            order,
            price_open=self._normal(resolved.symbol, request.price),
            price_stoplimit=self._stoplimit(resolved, order.type),
            sl=self._normal(resolved.symbol, request.sl),
            tp=self._normal(resolved.symbol, request.tp),
            type_time=request.type_time,
            time_expiration=_expiration(resolved),
        )
        self._ledger.change_order(changed, resolved.now_msc)
        return answer(TradeRetcode.DONE, resolved.tick, order=order.ticket)

    def remove(self, resolved: ResolvedRequest) -> TradeResult:
        """Take a pending order back."""
        order = _present(resolved.order)
        self._ledger.finish_order(order, OrderState.CANCELED, resolved.now_msc)
        return answer(TradeRetcode.DONE, resolved.tick, order=order.ticket)

    def change_stops(self, resolved: ResolvedRequest) -> TradeResult:
        """Give a position other stops; 0 takes one away."""
        holding, request = _present(resolved.target), resolved.request
        position = replace(
            holding.position,
            sl=self._normal(resolved.symbol, request.sl),
            tp=self._normal(resolved.symbol, request.tp),
        )
        self._ledger.change_position(
            dataclasses.replace(holding, position=position), resolved.now_msc
        )
        return answer(TradeRetcode.DONE, resolved.tick, position=position.ticket)

    def close_by(self, resolved: ResolvedRequest) -> TradeResult:
        """Close two opposite positions by each other."""
        first, second = _present(resolved.target), _present(resolved.opposite)
        volume = min(first.volume, second.volume)
        order = replace(
            self._order(resolved, OrderType.CLOSE_BY, volume, closing=first),
            # the identifier, which a reversal leaves as it is, and not the ticket
            position_by_id=second.position.identifier,
            price_open=second.position.price_open,
        )
        fill = self._book_whole(order, first, second, resolved.now_msc)
        return answer(
            TradeRetcode.DONE,
            resolved.tick,
            order=order.ticket,
            deal=fill.deal,
            position=fill.position,
            volume=float(volume),
            # no market price is met: the first one closes at the other's opening price
            price=second.position.price_open,
        )

    # --- what the market triggers ------------------------------------------------------------

    def fill(self, order: Order, now_msc: int) -> tuple[Fill, Decimal]:
        """Fill an order at the market as far as volume is offered; return how far.

        Raises:
            RequestRefused: none is offered, or too little for FOK (10006).

        """
        wanted = exact(order.volume_current)
        filled = self._offered(order, wanted)
        # MetaTrader 4 has no fillings: an order there fills whole or not at all
        everything = order.type_filling == OrderFilling.FOK or not self._accounting.keeps_orders
        if filled == 0 or (everything and filled < wanted):
            raise RequestRefused(TradeRetcode.REJECT)
        price = self._price(order)
        # MetaTrader 5 tells of an order's arrival before its fill; MetaTrader 4 of the trade alone
        if order.ticket not in self._ledger.orders and self._accounting.keeps_orders:
            self._ledger.add_order(order, now_msc)
        fill = self._accounting.fill(order, filled, price, now_msc)
        self._settle(order, wanted - filled, price, fill, now_msc)
        return fill, filled

    def close(self, holding: Holding, reason: OrderReason, comment: str, now_msc: int) -> None:
        """Close a position at the market by a stop; the broker's own orders always fill."""
        position = holding.position
        long = position.type == PositionType.BUY
        order = Order(
            ticket=self._ticket(holding),
            time_setup=now_msc // 1000,
            time_setup_msc=now_msc,
            type=OrderType.SELL if long else OrderType.BUY,
            type_filling=OrderFilling.FOK,
            state=OrderState.PLACED,
            magic=position.magic,
            position_id=position.ticket,
            reason=reason,
            volume_initial=position.volume,
            volume_current=position.volume,
            symbol=position.symbol,
            comment=comment[:MAX_COMMENT],
        )
        price = self._price(order)
        if self._accounting.keeps_orders:
            self._ledger.add_order(order, now_msc)
        fill = self._accounting.fill(order, holding.volume, price, now_msc)
        self._settle(order, ZERO, price, fill, now_msc)

    # --- parts -----------------------------------------------------------------------------

    def _delay(self, order: Order, resolved: ResolvedRequest) -> TradeResult:
        self.due_msc[order.ticket] = resolved.now_msc + self._script.delays_ms.popleft()
        # 10008 finds the order in the book already, so that a bot that looks for it sees it
        self._ledger.add_order(order, resolved.now_msc)
        return answer(
            TradeRetcode.PLACED, resolved.tick, order=order.ticket, volume=order.volume_initial
        )

    def _settle(
        self, order: Order, rest: Decimal, price: Decimal, fill: Fill, now_msc: int
    ) -> None:
        """Say what became of an order: filled, partly filled and done, or still there."""
        after = replace(
            order,
            volume_current=float(rest),
            # only now is it known: the fill has made the position, or found it
            position_id=fill.identifier,
            price_current=float(price),
        )
        # on MetaTrader 4 the order has turned into the trade, under the same ticket
        if not self._accounting.keeps_orders:
            if order.ticket in self._ledger.orders:
                self._ledger.drop_order(replace(after, state=OrderState.FILLED), now_msc)
        elif rest == 0:
            self._ledger.finish_order(after, OrderState.FILLED, now_msc)
        elif order.type_filling == OrderFilling.IOC:
            # immediate or cancel: the rest is dropped
            self._ledger.finish_order(after, OrderState.PARTIAL, now_msc)
        else:
            # RETURN: the rest stays in the book and fills at later ticks
            partial = replace(after, state=OrderState.PARTIAL)
            self._ledger.change_order(partial, now_msc)

    def _book_whole(self, order: Order, first: Holding, second: Holding, now_msc: int) -> Fill:
        if self._accounting.keeps_orders:
            self._ledger.add_order(order, now_msc)
        fill = self._accounting.close_by(order, first, second, now_msc)
        if self._accounting.keeps_orders:
            done = replace(order, volume_current=0.0)
            self._ledger.finish_order(done, OrderState.FILLED, now_msc)
        return fill

    def _market_order(self, resolved: ResolvedRequest) -> Order:
        """Return the order of a deal. Its price is the request's under INSTANT and REQUEST
        execution and 0 otherwise, as terminals show it.
        """
        request, symbol = resolved.request, resolved.symbol
        order = self._order(resolved, request.type, exact(request.volume), closing=resolved.target)
        asked = symbol.trade_exemode in (SymbolExecution.INSTANT, SymbolExecution.REQUEST)
        return replace(order, price_open=self._normal(symbol, request.price) if asked else 0.0)

    def _order(
        self,
        resolved: ResolvedRequest,
        kind: int,
        volume: Decimal,
        *,
        closing: Holding | None = None,
    ) -> Order:
        request, symbol = resolved.request, resolved.symbol
        # a bot's 0.1 + 0.2 is 0.30000000000000004: the server keeps the step's decimals
        lots = rounded(volume, _decimals(symbol.volume_step))
        return Order(
            ticket=self._ticket(closing),
            time_setup=resolved.now_msc // 1000,
            time_setup_msc=resolved.now_msc,
            type=kind,
            type_filling=request.type_filling,
            state=OrderState.PLACED,
            magic=request.magic,
            position_id=0 if closing is None else closing.position.ticket,
            # all that is sent comes through the EA, so nothing is by CLIENT or MOBILE
            reason=OrderReason.EXPERT,
            volume_initial=float(lots),
            volume_current=float(lots),
            sl=self._normal(symbol, request.sl),
            tp=self._normal(symbol, request.tp),
            symbol=symbol.name,
            comment=self._comment(request.comment),
        )

    def _ticket(self, closing: Holding | None) -> int:
        """Return a new ticket; what closes a trade in MetaTrader 4 has none of its own."""
        if closing is not None and not self._accounting.keeps_orders:
            return closing.position.ticket
        return self._ledger.new_order_ticket()

    def _comment(self, comment: str) -> str:
        rewrite = self._script.rewrite_comment
        # cut without a word, as servers do: a comment that is too long is never a reason to refuse
        return (comment if rewrite is None else rewrite(comment))[:MAX_COMMENT]

    def _offered(self, order: Order, wanted: Decimal) -> Decimal:
        """Return the volume that the market offers, on the symbol's step."""
        script = self._script
        if not script.volumes and script.most_lots is None:
            return wanted
        offered = wanted if script.most_lots is None else min(wanted, exact(script.most_lots))
        if script.volumes:
            offered = min(offered, exact(script.volumes.popleft()))
        # a part is a volume as well, so it lies on the symbol's step
        step = exact(self._valuation.prices.known(order.symbol).volume_step) or ONE
        return max(ZERO, offered // step * step)

    def _price(self, order: Order) -> Decimal:
        symbol = self._valuation.prices.known(order.symbol)
        price = self._valuation.prices.price(symbol, order.type in BUYS)
        if price is None:
            raise RequestRefused(TradeRetcode.PRICE_OFF)
        return price

    def _stoplimit(self, resolved: ResolvedRequest, kind: int) -> float:
        if kind not in STOP_LIMITS:
            return 0.0
        return self._normal(resolved.symbol, resolved.request.stoplimit)

    def _normal(self, symbol: SymbolInfo, price: float) -> float:
        return float(rounded(exact(price), symbol.digits))


def is_market(order: Order) -> bool:
    """Whether the order waits for no price: delayed, or partly filled."""
    return order.type in MARKET


def _expiration(resolved: ResolvedRequest) -> int:
    request = resolved.request
    ends = request.type_time in (OrderTime.SPECIFIED, OrderTime.SPECIFIED_DAY)
    return request.expiration if ends else 0


def _decimals(step: float) -> int:
    # normalized: a step of 0.010 has two decimals, not three
    exponent = exact(step).normalize().as_tuple().exponent if step > 0 else -8
    return max(0, -int(exponent))


def _present(thing: T | None) -> T:
    """Return what the checks have made sure of."""
    if thing is None:
        raise AssertionError("carried out without having passed the checks")
    return thing
