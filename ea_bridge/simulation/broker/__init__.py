"""Simulated broker: orders, fills, positions, margin, history.

:class:`Broker` is the trade server with one account; it takes prices from whatever follows
:class:`QuoteSource`. Layers, each on those below::

    broker               the interface, the books as somebody keeps them
    matching             what ticks and midnights do
    execution            carrying out requests
    checks               refusing them, in MetaTrader's order
    requests             what they name, looked up; answers
    positions            fills become positions and deals
    valuation            what they are worth, what they need
    ledger  terms        the books, the rules
    prices               exact decimals, quotes, conversion
"""

from .broker import Broker, closes_nothing, past_orders
from .demo import load_demo
from .ledger import MAX_EVENTS, ClosedTrade, Holding, TradeEvent
from .prices import QuoteSource
from .requests import COMMENTS
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
