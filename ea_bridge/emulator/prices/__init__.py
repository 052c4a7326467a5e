"""The market of the emulated broker.

Layers, each on those below::

    market               quotes that move with the time that they are told
    history              what a request asks for: ticks, bars, the forming bar
    series  sessions     one symbol over all time, and when it can be traded
    tile  modelled       repeated bars, and the ticks made from them
    recording  frames    files of ticks; periods and their alignment
"""

from .clock import BrokerZone, MarketClock
from .frames import BarBuilder
from .market import Market, Week
from .recording import (
    PACKAGED_SYMBOL,
    BadTickFile,
    packaged_ticks,
    read_ticks,
    symbol_of,
)
from .specs import default_account, load_specs

__all__ = [
    "PACKAGED_SYMBOL",
    "BadTickFile",
    "BarBuilder",
    "BrokerZone",
    "Market",
    "MarketClock",
    "Week",
    "default_account",
    "load_specs",
    "packaged_ticks",
    "read_ticks",
    "symbol_of",
]
