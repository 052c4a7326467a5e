"""Market of the simulated broker: real prices, moved to the present.

Theory of operation. A symbol's ticks are a pure function of time and seed (:mod:`.sources`): any
minute can be asked for and always answers the same. :class:`Market` shows what has happened by the
present and moves the present on; nothing is stored, so an hour takes no more memory than a minute,
and history agrees with what was delivered. Layers, each on those below::

    opening       packaged data, user's files and hours become a market
    market        all symbols; the present moves; one symbol's ticks and bars by now
    sources       ticks of any minute: made from bars, replayed, played once, spliced
    minute_bars   bars of four weeks: real, cut, drawn, computed
    tape          recorded ticks in a file
    bars          arithmetic of bars, timeframes, a bar followed tick by tick, packed minutes

Data: EURUSD's live ticks are real (10,000, repeated forth and mirrored), as are the bars of EURUSD
and GBPUSD (one minute) and XAUUSD (five minutes, cut into minutes). EURGBP and the other crosses
are computed from two symbols; everything else is a random walk around a real or plausible price.
Four weeks of bars repeat for ever: where they begin anew, over a weekend, prices jump. See
``data/ATTRIBUTION.md``.
"""

from ea_bridge.simulation.clock import Hours, SessionSpan

from .bars import BarBuilder
from .market import FIRST_MINUTE, MAX_BARS, MAX_TICKS, MAX_TICKS_A_STEP, Market, UnknownSymbol
from .opening import Sessions, open_market
from .sources import CoarseStamps, TickSource, ZeroQuote
from .tape import TickFileError, parse_ticks_option

__all__ = [
    "FIRST_MINUTE",
    "MAX_BARS",
    "MAX_TICKS",
    "MAX_TICKS_A_STEP",
    "BarBuilder",
    "CoarseStamps",
    "Hours",
    "Market",
    "SessionSpan",
    "Sessions",
    "TickFileError",
    "TickSource",
    "UnknownSymbol",
    "ZeroQuote",
    "open_market",
    "parse_ticks_option",
]
