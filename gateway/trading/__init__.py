"""Trading: everything between a method that changes the account and the terminal.

:class:`~.terminal.GuardedTerminal` is the only door: methods ask the terminal through it, and
trades are checked there once more right before their bytes are written.

====================  ==========================================================================
:mod:`.requests`      the values that pass through here; at the bottom
:mod:`.terminal`      the door, with the journal and the kill switch before it
:mod:`.state`         shared by all callers of a terminal, handed beside it
:mod:`.orders`        place, modify, cancel, close: request in, receipt out
:mod:`.risk`          the rules that an order must pass before it is journaled
:mod:`.journal`       what was asked of the market, on the disk before it is sent
:mod:`.reconcile`     finds out what became of unknown orders
:mod:`.contingent`    orders that the gateway keeps itself, and links between orders
:mod:`.kill_switch`   halts trading; sweeps for programs that fall silent
:mod:`.flatten`       cancels all orders and closes all positions that a filter selects
====================  ==========================================================================

Beside them stand small rules: :mod:`.price_grid` and :mod:`.symbols` (what a symbol takes),
:mod:`.history` (an account's past), :mod:`.results` (the meaning of the broker's answers),
:mod:`.symbols` (the broker's name of what a caller means) and :mod:`.trade_sessions` (when it
trades).
"""
