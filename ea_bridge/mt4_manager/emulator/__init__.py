"""A MetaTrader 4 server made of Python, as a manager sees it through the Manager API.

Theory of operation
===================

:class:`EmulatedManager` is the server and the manager's peer in front of it. Sans-I/O but for its
files: commands come in, answers go out, time and prices are what it is given::

    link         the wire to the daemon: acks, faults
    server       connect and disconnect, rights; which desk answers what
    users_desk  trades_desk      what is asked of users; of trades and money
    rules        what a record may hold
    books        users, trades, money in cents; every change is theirs
    store        the books on disk, a transaction a command
    margins      floating profit, margin, levels
    quotes  symbols  groups  population   prices; what is traded; terms; people

What a real server also does and this one does not: it has no clients who trade, so nothing
triggers stops or pending orders, no stop-out closes positions, swaps are not charged at midnight,
and credit stays when its expiration comes.
"""

from .build import LOGIN, SERVER, build_manager
from .link import ManagerLink
from .population import Population
from .quotes import FixedQuotes, MarketQuotes
from .server import EmulatedManager

__all__ = [
    "LOGIN",
    "SERVER",
    "EmulatedManager",
    "FixedQuotes",
    "ManagerLink",
    "MarketQuotes",
    "Population",
    "build_manager",
]
