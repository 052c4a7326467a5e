"""Valuation of the account: floating profit, margin, and the money that one trade more needs.

The formulas of one symbol are those of the MQL5 reference (ENUM_SYMBOL_CALC_MODE) and of the
terminal's help ("Margin Calculation: Retail Forex, Futures"), with a margin rate of 1 for
positions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from msgspec.structs import replace

from ea_bridge.model import BUYS, Account, Position, PositionType, SymbolInfo
from ea_bridge.model import SymbolCalcMode as Mode

from .ledger import BrokerLedger, Holding
from .prices import ONE, ZERO, Prices, exact, rounded
from .terms import Switches, Terms

_BY_TICKS = {Mode.FUTURES, Mode.CFDINDEX, Mode.EXCH_FUTURES, Mode.EXCH_OPTIONS_MARGIN}
_FIXED_MARGIN = {Mode.FUTURES, Mode.EXCH_FUTURES, Mode.EXCH_OPTIONS_MARGIN}


def calc_mode(symbol: SymbolInfo) -> Mode:
    """Return the symbol's formula; MetaTrader 4 symbols are taken for Forex."""
    return Mode(symbol.trade_calc_mode or Mode.FOREX)


@cache
def _earns_by_ticks(mode: int) -> bool:
    # kept, because it is asked for each position at every tick
    return Mode(mode or Mode.FOREX) in _BY_TICKS


def profit(
    symbol: SymbolInfo, volume: Decimal, opened: Decimal, closed: Decimal, *, long: bool
) -> Decimal:
    """Return the profit of a position, unrounded, in the symbol's profit currency."""
    move = closed - opened if long else opened - closed
    # futures and indices earn by ticks: their contract size is no factor
    if _earns_by_ticks(symbol.trade_calc_mode) and symbol.trade_tick_size > 0:
        return move * volume * exact(symbol.trade_tick_value) / exact(symbol.trade_tick_size)
    return move * volume * exact(symbol.trade_contract_size)


def tick_value(symbol: SymbolInfo) -> Decimal:
    """Return what a move of one tick brings to a position of one lot, in the profit currency."""
    if _earns_by_ticks(symbol.trade_calc_mode):
        return exact(symbol.trade_tick_value)
    return exact(symbol.trade_tick_size) * exact(symbol.trade_contract_size)


def margin(
    symbol: SymbolInfo,
    volume: Decimal,
    price: Decimal,
    leverage: int,
    *,
    contract: Decimal | None = None,
    per_lot: Decimal | None = None,
) -> Decimal:
    """Return the margin of a volume, unrounded, in the symbol's margin currency.

    ``contract`` and ``per_lot`` take the place of the contract size and of the fixed margin of a
    lot: the hedged margin is one or the other.
    """
    fixed = exact(symbol.margin_initial) if per_lot is None else per_lot
    mode = calc_mode(symbol)
    # a fixed margin in the specification comes before any formula
    if fixed > 0 or mode in _FIXED_MARGIN:
        return volume * fixed
    size = volume * (exact(symbol.trade_contract_size) if contract is None else contract)
    geared = size / max(leverage, 1)
    if mode == Mode.FOREX:
        return geared
    if mode == Mode.FOREX_NO_LEVERAGE:
        return size
    if mode == Mode.CFDLEVERAGE:
        return geared * price
    if mode == Mode.CFDINDEX and symbol.trade_tick_size > 0:
        tick_value = exact(symbol.trade_tick_value) / exact(symbol.trade_tick_size)
        return size * price * tick_value
    # collateral is not traded: it holds up the margin of other positions
    if mode == Mode.SERV_COLLATERAL:
        return ZERO
    return size * price


def hedged_margin(symbol: SymbolInfo, volume: Decimal, price: Decimal, leverage: int) -> Decimal:
    """Return the margin of volume that is covered by an opposite position.

    ``margin_hedged`` is money for each lot where the initial margin is fixed too, and otherwise
    the contract size to calculate with; 0: covered volume needs no margin.
    """
    hedged = exact(symbol.margin_hedged)
    if hedged <= 0:
        return ZERO
    if symbol.margin_initial > 0:
        return margin(symbol, volume, price, leverage, per_lot=hedged)
    return margin(symbol, volume, price, leverage, contract=hedged)


@dataclass(frozen=True)
class Leg:
    """Positions of one direction: their volume, and sums weighted with it."""

    volume: Decimal = ZERO
    value: Decimal = ZERO
    rates: Decimal = ZERO

    def plus(self, volume: Decimal, price: Decimal, rate: Decimal) -> Leg:
        """Return the leg with more volume, bought or sold at ``price``."""
        return Leg(self.volume + volume, self.value + volume * price, self.rates + volume * rate)

    def joined(self, other: Leg) -> Leg:
        """Return both legs as one."""
        return Leg(self.volume + other.volume, self.value + other.value, self.rates + other.rates)

    @property
    def price(self) -> Decimal:
        """The volume-weighted average opening price."""
        return self.value / self.volume

    @property
    def rate(self) -> Decimal:
        """The volume-weighted average rate from margin to account currency."""
        return self.rates / self.volume


@dataclass(frozen=True)
class Legs:
    """Both directions of one symbol."""

    long: Leg = Leg()
    short: Leg = Leg()

    @classmethod
    def of(cls, holdings: Iterable[Holding]) -> Legs:
        """Sum up positions."""
        legs = cls()
        for holding in holdings:
            bought = holding.position.type == PositionType.BUY
            legs = legs.plus(bought, holding.volume, holding.price, holding.margin_rate)
        return legs

    def plus(self, bought: bool, volume: Decimal, price: Decimal, rate: Decimal) -> Legs:
        """Return the legs with one position more."""
        if bought:
            return Legs(self.long.plus(volume, price, rate), self.short)
        return Legs(self.long, self.short.plus(volume, price, rate))

    def margin(self, symbol: SymbolInfo, leverage: int) -> Decimal:
        """Return the margin in the account's currency, unrounded.

        From the terminal's help, "Calculation for Hedging Positions of the Same Symbol": with
        *larger leg* the dearer direction counts alone; otherwise the uncovered volume at the
        larger leg's average price, and the covered volume at the average price of all.
        """
        if symbol.margin_hedged_use_leg:
            return max(
                _leg_margin(symbol, self.long, leverage), _leg_margin(symbol, self.short, leverage)
            )
        larger, smaller = sorted((self.long, self.short), key=lambda leg: -leg.volume)
        if larger.volume == 0:
            return ZERO
        # 0 where both sides are equal: then the covered volume alone needs margin
        open_volume = larger.volume - smaller.volume
        total = margin(symbol, open_volume, larger.price, leverage) * larger.rate
        if smaller.volume > 0:
            both = larger.joined(smaller)
            total += hedged_margin(symbol, smaller.volume, both.price, leverage) * both.rate
        return total


def _leg_margin(symbol: SymbolInfo, leg: Leg, leverage: int) -> Decimal:
    if leg.volume == 0:
        return ZERO
    return margin(symbol, leg.volume, leg.price, leverage) * leg.rate


class Valuation:
    """Prices, books and terms put together. Sums are in the account's currency, rounded."""

    def __init__(self, prices: Prices, ledger: BrokerLedger, terms: Terms) -> None:
        self.prices = prices
        self.ledger = ledger
        self.terms = terms
        # the version of the books that it was worked out for; the first one is 0
        self._margin = (-1, ZERO)

    def money(self, amount: Decimal) -> Decimal:
        """Round to the account currency's smallest unit."""
        return rounded(amount, self.terms.currency_digits)

    # --- single trades ---------------------------------------------------------------------

    def profit_rate(
        self, symbol: SymbolInfo, *, long: bool, price: Decimal | None = None
    ) -> Decimal | None:
        """Return the rate at which a position's profit is turned into the account's currency.

        A long position is closed by a sell, so its profit converts at the bid.
        """
        return self.prices.rate(
            symbol, symbol.currency_profit, self.terms.currency, buying=not long, price=price
        )

    def margin_rate(
        self, symbol: SymbolInfo, *, buying: bool, price: Decimal | None = None
    ) -> Decimal | None:
        """Return the rate from the margin currency to the account's."""
        return self.prices.rate(
            symbol, symbol.currency_margin, self.terms.currency, buying=buying, price=price
        )

    def profit(
        self,
        symbol: SymbolInfo,
        volume: Decimal,
        opened: Decimal,
        closed: Decimal,
        *,
        long: bool,
        otherwise: Decimal | None = None,
    ) -> Decimal | None:
        """Return what closing earns, to the cent; ``None`` if a currency cannot be converted
        (unless there is a rate to use ``otherwise``).
        """
        rate = self.profit_rate(symbol, long=long, price=closed)
        rate = otherwise if rate is None else rate
        if rate is None:
            return None
        return self.money(profit(symbol, volume, opened, closed, long=long) * rate)

    def with_tick_value(self, symbol: SymbolInfo) -> SymbolInfo:
        """Return a specification with the value of a tick in the account's currency.

        A profit is turned into it at the worse side of the market and a loss at the better one,
        as terminals show it; a currency without a quote leaves the values as they are.
        """
        rates = [self.profit_rate(symbol, long=long) for long in (True, False)]
        known = [rate for rate in rates if rate is not None]
        if not known:
            return symbol
        value = tick_value(symbol)
        earned, lost = float(value * min(known)), float(value * max(known))
        return replace(
            symbol,
            trade_tick_value=earned,
            trade_tick_value_profit=earned,
            trade_tick_value_loss=lost,
        )

    def margin(
        self, symbol: SymbolInfo, volume: Decimal, price: Decimal, *, buying: bool
    ) -> Decimal | None:
        """Return the margin of an order by itself, to the cent (``OrderCalcMargin``)."""
        rate = self.margin_rate(symbol, buying=buying, price=price)
        if rate is None:
            return None
        return self.money(margin(symbol, volume, price, self.terms.leverage) * rate)

    # --- positions -------------------------------------------------------------------------

    def closing_price(self, holding: Holding) -> Decimal | None:
        """Return the price at which the position would close now."""
        symbol = self.prices.symbol(holding.position.symbol)
        long = holding.position.type == PositionType.BUY
        return None if symbol is None else self.prices.price(symbol, not long)

    def floating(self, holding: Holding) -> Decimal:
        """Return the profit if the position closed now, without swap; 0 without a quote."""
        symbol = self.prices.symbol(holding.position.symbol)
        long = holding.position.type == PositionType.BUY
        price = None if symbol is None else self.prices.price(symbol, not long)
        if symbol is None or price is None:
            return ZERO
        amount = self.profit(
            symbol,
            holding.volume,
            holding.price,
            price,
            long=long,
            otherwise=holding.profit_rate,
        )
        return ZERO if amount is None else amount

    def shown(self, position: Position) -> Position:
        """Return the position with its present price and profit, as a terminal shows it."""
        holding = self.ledger.holdings.get(position.ticket)
        # an event of a position that has closed since: it stays as it was
        if holding is None:
            return position
        price = self.closing_price(holding)
        return replace(
            position,
            price_current=position.price_open if price is None else float(price),
            profit=float(self.floating(holding)),
        )

    # --- the account -----------------------------------------------------------------------

    def result(self) -> Decimal:
        """Return ``ACCOUNT_PROFIT``: floating profit, swaps, MetaTrader 4's commission."""
        return sum(
            (
                self.floating(holding) + exact(holding.position.swap) + holding.commission
                for holding in self.ledger.holdings.values()
            ),
            ZERO,
        )

    def equity(self) -> Decimal:
        """Return balance, credit and floating result."""
        return self.ledger.balance + self.ledger.credit + self.result()

    def used_margin(self) -> Decimal:
        """Return the margin of all positions and pending orders.

        It does not move with the market (positions keep the rate of their opening), so it is
        worked out anew only when the books change.
        """
        version, known = self._margin
        if version != self.ledger.version:
            known = self.money(self._all_margins())
            self._margin = (self.ledger.version, known)
        return known

    def margin_with(self, symbol: SymbolInfo, legs: Legs) -> Decimal:
        """Return :meth:`used_margin` if the symbol's positions were ``legs`` instead."""
        now = self.legs(symbol.name).margin(symbol, self.terms.leverage)
        then = legs.margin(symbol, self.terms.leverage)
        # summed before it is rounded: rounded parts would be cents away from the terminal's sum
        return self.money(self._all_margins() - now + then)

    def legs(self, symbol: str) -> Legs:
        """Return the open positions of a symbol, summed up by direction."""
        return Legs.of(self.ledger.held(symbol))

    def margin_level(self) -> Decimal | None:
        """Return equity in percent of margin, ``None`` without margin."""
        used = self.used_margin()
        return self.equity() / used * 100 if used > 0 else None

    def account(self, template: Account, switches: Switches) -> Account:
        """Return the account as a terminal shows it."""
        result, used = self.result(), self.used_margin()
        equity = self.ledger.balance + self.ledger.credit + result
        return replace(
            template,
            trade_allowed=switches.trade_allowed,
            trade_expert=switches.server_autotrading,
            balance=float(self.ledger.balance),
            credit=float(self.ledger.credit),
            profit=float(result),
            equity=float(equity),
            margin=float(used),
            margin_free=float(equity - used),
            margin_level=float(equity) / float(used) * 100 if used > 0 else 0.0,
        )

    def _all_margins(self) -> Decimal:
        total = ZERO
        for name in dict.fromkeys(h.position.symbol for h in self.ledger.holdings.values()):
            symbol = self.prices.symbol(name)
            # a symbol that the market no longer knows holds no margin up
            if symbol is not None:
                total += self.legs(name).margin(symbol, self.terms.leverage)
        return total + self._reserved_by_orders()

    def _reserved_by_orders(self) -> Decimal:
        share = self.terms.pending_margin_rate
        if share == 0:
            return ZERO
        return sum((self.reserved(ticket) for ticket in self.ledger.orders), ZERO) * share

    def reserved(self, ticket: int) -> Decimal:
        """Return the margin that a pending order would need as a position, before the rate."""
        order = self.ledger.orders[ticket]
        symbol = self.prices.symbol(order.symbol)
        if symbol is None:
            return ZERO
        buying, price = order.type in BUYS, exact(order.price_open)
        # a sum without a rate counts as it is: a stop-out must never fail for want of one
        rate = self.margin_rate(symbol, buying=buying, price=price) or ONE
        volume = exact(order.volume_current)
        return margin(symbol, volume, price, self.terms.leverage) * rate


@dataclass(frozen=True)
class PossibleFill:
    """A fill that might happen."""

    symbol: SymbolInfo
    buying: bool
    volume: Decimal
    price: Decimal
    target: Holding | None = None
    """The position that it closes, on hedging accounts."""


def met_position(valuation: Valuation, trade: PossibleFill) -> Holding | None:
    """Return the position that the trade closes, reduces or reverses."""
    if valuation.terms.hedging:
        return trade.target
    for holding in valuation.ledger.held(trade.symbol.name):
        if (holding.position.type == PositionType.BUY) != trade.buying:
            return holding
    return None


def opened_volume(valuation: Valuation, trade: PossibleFill) -> Decimal:
    """Return how much of the volume is new exposure instead of closing some."""
    met = met_position(valuation, trade)
    return trade.volume if met is None else max(ZERO, trade.volume - met.volume)


def margin_after(valuation: Valuation, trade: PossibleFill) -> Decimal | None:
    """Return the account's margin after the trade, ``None`` if a currency has no quote."""
    rate = valuation.margin_rate(trade.symbol, buying=trade.buying, price=trade.price)
    if rate is None:
        return None
    met, name = met_position(valuation, trade), trade.symbol.name
    legs = Legs()
    for holding in valuation.ledger.held(name):
        left = holding.volume
        if met is not None and holding.position.ticket == met.position.ticket:
            # a reversal closes all of it; the rest of its volume is ``opened`` below
            left = max(ZERO, left - trade.volume)
        long = holding.position.type == PositionType.BUY
        legs = legs.plus(long, left, holding.price, holding.margin_rate)
    opened = opened_volume(valuation, trade)
    legs = legs.plus(trade.buying, opened, trade.price, rate)
    return valuation.margin_with(trade.symbol, legs)


def affordable(valuation: Valuation, trade: PossibleFill) -> bool:
    """Whether free margin suffices.

    Pure closing always passes, even of one side of a hedge, which leaves the other uncovered and
    the account with more margin to find; so does what needs no more margin than before.
    """
    if opened_volume(valuation, trade) == 0:
        return True
    needed = margin_after(valuation, trade)
    if needed is None:
        return False
    # an account under water may still do what lowers its margin
    return needed <= valuation.used_margin() or needed <= valuation.equity()
