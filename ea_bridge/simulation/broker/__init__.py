"""Simulated broker: orders, fills, positions, margin, history.

:class:`Broker` is the trade server with one account; it takes prices from whatever follows
:class:`QuoteSource`. Layers, each on those below::

    rows                         the books as somebody keeps them
    broker                       the interface
    matching  rollover           what ticks and midnights do
    execution                    carrying out requests
    checks                       refusing them, in MetaTrader's order
    positions                    fills become positions and deals
    valuation                    what they are worth, what they need
    formulas  prices             arithmetic of one symbol, conversion
    ledger  terms  money         the books, the rules, exact decimals
"""

from .answers import COMMENTS
from .broker import Broker, closes_nothing, past_orders
from .demo import load_demo
from .ledger import MAX_EVENTS, ClosedTrade, Holding, TradeEvent
from .prices import QuoteSource
from .terms import Platform, Script, Switches, Terms, terms_of

__all__ = [
    "COMMENTS",
    "MAX_EVENTS",
    "Broker",
    "ClosedTrade",
    "Holding",
    "Platform",
    "QuoteSource",
    "Script",
    "Switches",
    "Terms",
    "TradeEvent",
    "closes_nothing",
    "load_demo",
    "past_orders",
    "terms_of",
]
