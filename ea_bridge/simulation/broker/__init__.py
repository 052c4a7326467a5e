"""The broker of the emulated terminal: orders, fills, positions, margin, history.

:class:`Broker` is the trade server with one account; it takes prices from whatever follows
:class:`Quotes`. Layers, each on those below::

    ea_rules  rows               what an EA does around it; the books as somebody keeps them
    server                       the interface
    matching  rollover           what ticks and midnights do
    execution                    carrying out requests
    checks                       refusing them, in MetaTrader's order
    netting  hedging  mt4        fills become positions and deals
    exposure  valuation          what they are worth, what they need
    formulas  legs  prices       arithmetic of one symbol, conversion
    ledger  terms  money         the books, the rules, exact decimals
"""

from .answers import COMMENTS
from .demo import load_demo
from .ea_rules import closes_nothing, past_orders
from .ledger import MAX_EVENTS, Holding, TradeEvent
from .past import ClosedTrade
from .prices import Quotes
from .server import Broker
from .terms import Platform, Script, Switches, Terms, terms_of

__all__ = [
    "COMMENTS",
    "MAX_EVENTS",
    "Broker",
    "ClosedTrade",
    "Holding",
    "Platform",
    "Quotes",
    "Script",
    "Switches",
    "Terms",
    "TradeEvent",
    "closes_nothing",
    "load_demo",
    "past_orders",
    "terms_of",
]
