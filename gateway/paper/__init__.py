"""Paper trading: orders that are filled at the terminal's prices and never reach the market.

Theory of operation
===================

An account that was registered with ``paper_trade_enabled`` has a :class:`PaperAccount`: the
emulator's broker, which fills on the ticks that the terminal tells (:class:`LiveQuotes`), with
books of its own (:mod:`.book`). A :class:`PaperSession` takes the place of the terminal's session
for all who trade or ask: what is about the account it answers from those books, questions about
the market it hands on to the terminal, and anything else it refuses, so that no command that could
change something goes through. Checks, kill switch, journal and audit stay what they are.

The books begin with the real account's balance when paper trading is first switched on, and are
kept: over restarts, and while it is switched off (nothing happens in them then). Deleting the
account and registering it again begins new ones. Each change is on the disk, in one transaction
with the result of the command that made it, before anybody hears of it.

Fills are at the bid or ask of the newest tick, whole and at once. Commission is not known and not
charged; swaps are, by the symbol's rates. Stops that the EA would trail are not offered.
"""

from .account import PaperAccount
from .book import TABLE, BookKey
from .session import PaperSession, paper_hello

__all__ = ["TABLE", "BookKey", "PaperAccount", "PaperSession", "paper_hello"]
