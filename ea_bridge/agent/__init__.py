"""Agent: plugs a terminal into the daemon's bridge through the official ``MetaTrader5`` package.

It takes the place of an EA, beside a terminal that has none.

=======================  ================================================================
:mod:`.link`             dials the daemon while there is a terminal
:mod:`.terminal`         what the link tells, numbered and in order
:mod:`.package_thread`   the one thread that calls the package: jobs, and looks in between
:mod:`.state`            switches, account and clock as they were seen last
:mod:`.questions`        answers to commands that change nothing
:mod:`.trades`           ``order_send``
:mod:`.account_watch`    events of orders, positions and deals, by comparison
:mod:`.streams`          ticks by a cursor, books and bars
:mod:`.terminal`           logins to other accounts, in another terminal
:mod:`.package`          results of the package as the bridge's nouns
=======================  ================================================================

What an EA does by itself (the lease, stops that follow the market, the table of results) is
written once, for the emulated terminal, and is used from there.
"""

from .link import AgentLink
from .package import PackageMissing, import_package
from .terminal import AgentTerminal

__all__ = ["AgentLink", "AgentTerminal", "PackageMissing", "import_package"]
