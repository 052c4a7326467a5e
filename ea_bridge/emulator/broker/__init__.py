"""The broker of the emulated terminal: orders, fills, positions, margin, history.

:class:`Broker` is the trade server with one account; it takes prices from whatever follows
:class:`Quotes`. Layers, each on those below::

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
from .ledger import MAX_EVENTS, TradeEvent
from .prices import Quotes
from .server import Broker, ClosedTrade
from .terms import Platform, Script, Switches, Terms, terms_of

__all__ = [
    "COMMENTS",
    "MAX_EVENTS",
    "Broker",
    "ClosedTrade",
    "Platform",
    "Quotes",
    "Script",
    "Switches",
    "Terms",
    "TradeEvent",
    "load_demo",
    "terms_of",
]
