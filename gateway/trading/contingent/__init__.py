"""Orders that hang on something else: on the market's coming to a price, or on other orders.

Theory of operation
===================

*Trailing stops and break-even* run in the terminal, on every tick, with or without the daemon:
:mod:`.trailing_stops` only says what the EA shall do.

*One cancels the other* (:mod:`.oco`) and *held orders* (:mod:`.emulated`: stop-limit orders of
MetaTrader 4, which has none) run in the daemon, and every answer says so. They work while it runs
and the terminal is linked; what happened in between is looked up when the terminal is back, but
the price of a moment that nobody saw triggers nothing.

Both are rows of the ledger, written before anything follows from them. What they send goes
through the same door as a caller's trade, under an id of its own that is made from the parent's
and the number of the attempt, which is on the disk before it is used: so a restart asks the
journal what became of that id, and cannot send it twice. Nothing is sent without the right to:
a held order is its token's, and a token that may not trade any more triggers nothing.

:mod:`.service` has them all: those of one terminal, and those of all.
"""
