"""MetaTrader 4 server made of Python, as a manager sees it through the Manager API.

Theory of operation
===================

:class:`EmulatedManager` is the server and the manager's peer in front of it. Sans-I/O but for its
files: commands come in, answers go out, time and prices are what it is given::

    link         the wire to the daemon: acks, faults
    server       connect and disconnect, rights; the method that answers each command
    user_commands  trade_commands
    rules        what a record may hold; refusals; pages of lists
    books        users, trades, money in cents; every change is theirs; a transaction a command
    accounts     an account's money, floating profit, margin, levels
    market       what is traded, prices
    factory      all of it put together, with groups and users at the beginning

A real server does more than this one: here no clients trade, so nothing
triggers stops or pending orders, no stop-out closes positions, swaps are not charged at midnight,
and credit stays when its expiration comes.
"""

from .factory import LOGIN, SERVER, ManagerLink, Population, build_manager
from .market import FixedQuotes, MarketQuotes
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
