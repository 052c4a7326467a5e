"""What a trade would do to the positions of its symbol, and whether there is money for it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ea_bridge.model import PositionType, SymbolInfo

from .ledger import Holding
from .legs import Legs
from .money import ZERO
from .valuation import Valuation


@dataclass(frozen=True)
class Trade:
    """A fill that might happen."""

    symbol: SymbolInfo
    buying: bool
    volume: Decimal
    price: Decimal
    target: Holding | None = None
    """The position that it closes, on hedging accounts."""


def met_position(valuation: Valuation, trade: Trade) -> Holding | None:
    """Return the position that the trade closes, reduces or reverses."""
    if valuation.terms.hedging:
        return trade.target
    for holding in valuation.ledger.held(trade.symbol.name):
        if (holding.position.type == PositionType.BUY) != trade.buying:
            return holding
    return None


def opened_volume(valuation: Valuation, trade: Trade) -> Decimal:
    """Return how much of the volume is new exposure instead of closing some."""
    met = met_position(valuation, trade)
    return trade.volume if met is None else max(ZERO, trade.volume - met.volume)


def margin_after(valuation: Valuation, trade: Trade) -> Decimal | None:
    """Return the account's margin after the trade, ``None`` if a currency has no quote."""
    rate = valuation.margin_rate(trade.symbol, buying=trade.buying, price=trade.price)
    if rate is None:
        return None
    met, name = met_position(valuation, trade), trade.symbol.name
    legs = Legs()
    for one in valuation.ledger.held(name):
        left = one.volume
        if met is not None and one.position.ticket == met.position.ticket:
            left = max(ZERO, left - trade.volume)
        long = one.position.type == PositionType.BUY
        legs = legs.plus(long, left, one.price, one.margin_rate)
    opened = opened_volume(valuation, trade)
    legs = legs.plus(trade.buying, opened, trade.price, rate)
    return valuation.margin_with(trade.symbol, legs)


def affordable(valuation: Valuation, trade: Trade) -> bool:
    """Whether free margin suffices.

    Pure closing always passes, even of one side of a hedge, which leaves the other uncovered and
    the account with more margin to find; so does what needs no more margin than before.
    """
    if opened_volume(valuation, trade) == 0:
        return True
    needed = margin_after(valuation, trade)
    if needed is None:
        return False
    return needed <= valuation.used_margin() or needed <= valuation.equity()
