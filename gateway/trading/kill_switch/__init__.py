"""Kill switch: trading is stopped by hand, or when a program falls silent.

==================== =============================================================================
:mod:`.halts`        the halts of a home, in the ledger: they outlive the daemon
:mod:`.switch`       whether a trade may be sent, asked right before its bytes are written
:mod:`.dead_man`     ``cancel_all_after``: a program that calls nothing is taken for dead; and what
                     waits for that, in the ledger
:mod:`.disconnects`  cancel on disconnect: a connection that is lost takes its orders with it
:mod:`.service`      carries it out, and tells the EA the same, lest the daemon itself dies
==================== =============================================================================

A halt stops *new exposure*. Closing positions, cancelling orders and moving a stop loss closer to
the market stay possible, since a trader who has just stopped a runaway program wants to get out:
unless the halt was asked for with ``reductions`` false, which freezes all.
"""
