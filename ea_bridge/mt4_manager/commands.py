"""Commands of a manager peer: one :class:`~ea_bridge.commands.Command` a line.

A manager peer stands beside MetaTrader 4's Manager API, or is an emulator of it. It speaks the
wire of the terminals, but has a role and commands of its own: neither can be asked what the
other can. An op is the API's call in lower case; its params lie flat in the line, lists and
records among them.

Refusals carry the API's return code as ``retcode`` (:class:`~.model.ReturnCode`), ``RET_OK``
and ``RET_OK_NONE`` being successes; ``err`` is one of :data:`~ea_bridge.commands.TERMINAL_ERRORS`
where the command did not get as far as the API. Who is told:

``NO_CONNECT`` (6)
    Anything but ``connect``, ``disconnect``, ``is_connected`` and ``results_get`` while the peer
    is not logged in at the server; ``connect`` where the server cannot be reached.
``NOT_ENOUGH_RIGHTS`` (7)
    The manager may not do that.
``BAD_ACCOUNT_INFO`` (65)
    There is no such login; ``connect``: the password is wrong.
``INVALID_DATA`` (3)
    A group, a symbol, an order that there is not, or a member that no record can have.
``TRADE_NO_MONEY`` (134)
    A withdrawal above the free margin, or credit taken away that was never given.

Lists by filter are a :class:`~.model.Page`, so that one page of 100,000 users is all that
crosses; without ``limit`` the page holds everything, and comes in parts.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ea_bridge.commands import Command, NoParams, ResultsParams, SymbolParams
from ea_bridge.model.struct import Integer, Struct

from . import model as mt4

MAX_RESULTS = 4096
"""Commands that change something whose results a manager peer keeps; see
:data:`ea_bridge.commands.MAX_RESULTS`."""
MAX_RESULT_IDS = 256
"""That one ``results_get`` can name."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Longest answer of a manager peer in all its parts: the margins of 200,000 accounts."""
MAX_LINE_TO_MANAGER = 1024 * 1024
"""Longest line to a manager peer, which is no EA with a small buffer."""


class StoredManagerResult(Struct, frozen=True, kw_only=True):
    """Entry of a manager peer's table for one command that changes something.

    ``state`` as in :class:`ea_bridge.commands.StoredResult`. Where it is ``done``, ``d`` is the
    answer as it was on the wire (:meth:`result`), or ``null`` and ``err`` and ``retcode`` are
    those of the refusal.
    """

    id: Integer
    state: Literal["absent", "taken", "done", "forgotten"]
    ok: bool = False
    """It was done, and not refused."""
    d: msgspec.Raw = msgspec.Raw(b"null")
    err: Integer = 0
    retcode: Integer = 0


class Done(Struct, frozen=True, kw_only=True):
    """It was done. ``total``: to so many users, trades or mails."""

    total: Integer = 1


CONNECT = Command("connect", mt4.ConnectParams, mt4.ManagerConnection)
DISCONNECT = Command("disconnect", NoParams, mt4.ManagerConnection)
IS_CONNECTED = Command("is_connected", NoParams, mt4.ManagerConnection)
PING = Command("ping", NoParams, Done)
SERVER_TIME = Command("server_time", NoParams, mt4.TradeServerTime)
MANAGER_COMMON = Command("manager_common", NoParams, mt4.ServerConfig)
RESULTS_GET = Command("results_get", ResultsParams, list[StoredManagerResult])

USERS_REQUEST = Command("users_request", mt4.UsersFilter, mt4.Page[mt4.UserRecord])
USER_RECORDS_REQUEST = Command("user_records_request", mt4.LoginsParams, list[mt4.UserRecord])
"""Of logins that there are not, nothing comes."""
USER_RECORD_NEW = Command("user_record_new", mt4.NewUser, mt4.UserRecord, trades=True)
USER_RECORD_UPDATE = Command("user_record_update", mt4.UserUpdate, mt4.UserRecord, trades=True)
USER_PASSWORD_SET = Command("user_password_set", mt4.PasswordParams, Done, trades=True)
USERS_GROUP_OP = Command("users_group_op", mt4.GroupOpParams, Done, trades=True)
"""To all of the logins or to none. A user who has open trades, a balance or credit cannot be
deleted (``INVALID_DATA``)."""
ONLINE_REQUEST = Command("online_request", mt4.GroupFilter, mt4.Page[mt4.OnlineRecord])

TRADE_TRANSACTION = Command(
    "trade_transaction", mt4.TransactionParams, mt4.Transacted, trades=True
)
MARGIN_LEVEL_REQUEST = Command("margin_level_request", mt4.UserParams, mt4.MarginLevel)
MARGINS_GET = Command("margins_get", mt4.MarginsFilter, mt4.Page[mt4.MarginLevel])
"""From the API's pumping mode. By login."""

TRADES_REQUEST = Command("trades_request", mt4.OpenTradesFilter, mt4.Page[mt4.TradeRecord])
TRADES_GET_BY_LOGIN = Command(
    "trades_get_by_login", mt4.LoginTradesParams, mt4.Page[mt4.TradeRecord]
)
"""From the API's pumping mode."""
TRADES_USER_HISTORY = Command(
    "trades_user_history", mt4.TradeHistoryParams, mt4.Page[mt4.TradeRecord]
)
TRADE_RECORDS_REQUEST = Command("trade_records_request", mt4.OrdersParams, list[mt4.TradeRecord])
"""Of orders that there are not, nothing comes."""
ADM_TRADES_REQUEST = Command(
    "adm_trades_request", mt4.AdminTradesParams, mt4.Page[mt4.TradeRecord]
)
ADM_TRADE_RECORD_MODIFY = Command(
    "adm_trade_record_modify", mt4.AdminModifyParams, mt4.TradeRecord, trades=True
)
ADM_TRADES_DELETE = Command("adm_trades_delete", mt4.AdminDeleteParams, Done, trades=True)

GROUPS_REQUEST = Command("groups_request", mt4.GroupFilter, mt4.Page[mt4.GroupRecord])
SYMBOLS_GET_ALL = Command("symbols_get_all", mt4.SymbolsFilter, mt4.Page[mt4.SymbolRecord])
SYMBOL_GET = Command("symbol_get", SymbolParams, mt4.SymbolRecord)
SYMBOL_INFO_GET = Command("symbol_info_get", SymbolParams, mt4.SymbolPrice)
"""The peer puts the symbol into its market watch first (``SymbolAdd``)."""
MAIL_SEND = Command("mail_send", mt4.Mail, Done, trades=True)

MANAGER_COMMANDS = {
    command.op: command
    for command in (
        CONNECT,
        DISCONNECT,
        IS_CONNECTED,
        PING,
        SERVER_TIME,
        MANAGER_COMMON,
        RESULTS_GET,
        USERS_REQUEST,
        USER_RECORDS_REQUEST,
        USER_RECORD_NEW,
        USER_RECORD_UPDATE,
        USER_PASSWORD_SET,
        USERS_GROUP_OP,
        ONLINE_REQUEST,
        TRADE_TRANSACTION,
        MARGIN_LEVEL_REQUEST,
        MARGINS_GET,
        TRADES_REQUEST,
        TRADES_GET_BY_LOGIN,
        TRADES_USER_HISTORY,
        TRADE_RECORDS_REQUEST,
        ADM_TRADES_REQUEST,
        ADM_TRADE_RECORD_MODIFY,
        ADM_TRADES_DELETE,
        GROUPS_REQUEST,
        SYMBOLS_GET_ALL,
        SYMBOL_GET,
        SYMBOL_INFO_GET,
        MAIL_SEND,
    )
}
