"""From MetaTrader's nouns to what clients receive.

Integers become words, broker time becomes UTC milliseconds beside the raw value, and zeros that
mean "none" become null. Numbers themselves pass unchanged: the EA prints prices with the symbol's
digits, so that the nearest double prints the same again. Plain functions without look-ups beyond
a dictionary, since events take this way too.
"""

from .account import account_balance, account_info, broker_offset, server_time, terminal_info
from .enums import code, flags
from .market import bar, bar_event, book, history_tick, sessions, symbol_info, tick
from .trade import check_result, deal, order, position, refused_check, retcode_name

__all__ = [
    "account_balance",
    "account_info",
    "bar",
    "bar_event",
    "book",
    "broker_offset",
    "check_result",
    "code",
    "deal",
    "flags",
    "history_tick",
    "order",
    "position",
    "refused_check",
    "retcode_name",
    "server_time",
    "sessions",
    "symbol_info",
    "terminal_info",
    "tick",
]
