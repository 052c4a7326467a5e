"""What may reach the market, and what comes of it.

:class:`~.guard.GuardedTerminal` is the only door: methods ask the terminal through it, and trades
are checked there once more right before their bytes are written. Beside it stand the rules that
it applies: :mod:`.grid` (prices and volumes a symbol can have), :mod:`.filling`,
:mod:`.client_ids`, :mod:`.turns` (nobody changes what another is changing) and :mod:`.retcodes`
(what the broker's answers mean). Before an order is journaled it passes :mod:`.checks`;
:mod:`.symbols` finds the broker's name of what a caller means, :mod:`.sessions` when it trades.
"""
