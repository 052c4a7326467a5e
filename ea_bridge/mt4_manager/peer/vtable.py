"""The methods of ``CManagerInterface`` by their place in its table, and how they are called.

Theory of operation
===================

``CManagerInterface`` is an abstract C++ class of 195 virtual methods, all ``__stdcall``, without
bases and without a virtual destructor. It begins with the three of COM's ``IUnknown`` ("for
Delphi", says the header), and it is called as COM objects are: the object's first word points to
a table of functions in the order of their declaration, and ``this`` is the first argument. That
much is fixed by Microsoft's ABI for such classes, on 32 bits (``__stdcall``: arguments on the
stack, the callee removes them) and on 64 (the one convention there is), and is what ctypes'
``WINFUNCTYPE`` calls.

The order is that of the public header. Builds 1090, 1170 and 1353 declare the same methods in the
same order; the only overloaded ones, which a compiler may swap, are the last two, and none of
ours. A method that is missing here is not needed.

No slot can be checked at run time: a library of another order would be called wrongly. So
:mod:`.library` takes no library of another main version, and :mod:`.connection` looks at one deep
record right after the login, before it lets anything else be called.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from ctypes import POINTER, c_char_p, c_int32, c_uint32, c_void_p
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .configuration import ConCommon
from .layouts import (
    ConSymbol,
    GroupCommandInfo,
    MailBox,
    MarginLevel,
    SymbolInfo,
    TradeRecord,
    TradeTransInfo,
    UserRecord,
)

SLOTS = 195
"""Methods of the class, those that we do not call among them."""

if sys.platform == "win32":
    FUNCTION = ctypes.WINFUNCTYPE
else:
    FUNCTION = ctypes.CFUNCTYPE
"""Makes the type of a function with the class's convention. There is no library but for Windows;
elsewhere the tests have one of their own."""

NOTIFY = FUNCTION(None, c_int32, c_int32, c_void_p, c_void_p)
"""``MTAPI_NOTIFY_FUNC_EX``: code, type, data, param."""

_INTS = POINTER(c_int32)


@dataclass(frozen=True, slots=True)
class Slot:
    """One method: its place in the table, its result and its arguments after ``this``."""

    index: int
    result: Any
    arguments: tuple[Any, ...] = ()

    def prototype(self) -> Any:
        """Return the type of the function, ``this`` its first argument."""
        return FUNCTION(self.result, c_void_p, *self.arguments)


METHODS: Mapping[str, Slot] = MappingProxyType(
    {
        "Release": Slot(2, c_int32),
        "MemFree": Slot(3, None, (c_void_p,)),
        "ErrorDescription": Slot(4, c_char_p, (c_int32,)),
        "Connect": Slot(6, c_int32, (c_char_p,)),
        "Disconnect": Slot(7, c_int32),
        "IsConnected": Slot(8, c_int32),
        "Login": Slot(9, c_int32, (c_int32, c_char_p)),
        "Ping": Slot(12, c_int32),
        "AdmTradesRequest": Slot(80, c_void_p, (c_char_p, c_int32, _INTS)),
        "AdmBalanceFix": Slot(82, c_int32, (_INTS, c_int32)),
        "AdmTradesDelete": Slot(83, c_int32, (_INTS, c_int32)),
        "AdmTradeRecordModify": Slot(84, c_int32, (POINTER(TradeRecord),)),
        "SymbolsRefresh": Slot(85, c_int32),
        "SymbolsGetAll": Slot(86, c_void_p, (_INTS,)),
        "SymbolGet": Slot(87, c_int32, (c_char_p, POINTER(ConSymbol))),
        "SymbolInfoGet": Slot(88, c_int32, (c_char_p, POINTER(SymbolInfo))),
        "SymbolAdd": Slot(89, c_int32, (c_char_p,)),
        "GroupsRequest": Slot(93, c_void_p, (_INTS,)),
        "MailSend": Slot(94, c_int32, (POINTER(MailBox), _INTS)),
        "UsersRequest": Slot(97, c_void_p, (_INTS,)),
        "UserRecordsRequest": Slot(98, c_void_p, (_INTS, _INTS)),
        "UserRecordNew": Slot(99, c_int32, (POINTER(UserRecord),)),
        "UserRecordUpdate": Slot(100, c_int32, (POINTER(UserRecord),)),
        "UsersGroupOp": Slot(101, c_int32, (POINTER(GroupCommandInfo), _INTS)),
        "UserPasswordSet": Slot(103, c_int32, (c_int32, c_char_p, c_int32, c_int32)),
        "OnlineRequest": Slot(104, c_void_p, (_INTS,)),
        "TradeTransaction": Slot(105, c_int32, (POINTER(TradeTransInfo),)),
        "TradesRequest": Slot(106, c_void_p, (_INTS,)),
        "TradeRecordsRequest": Slot(107, c_void_p, (_INTS, _INTS)),
        "TradesUserHistory": Slot(108, c_void_p, (c_int32, c_int32, c_int32, _INTS)),
        "TradesGetByLogin": Slot(124, c_void_p, (c_int32, c_char_p, _INTS)),
        "MarginsGet": Slot(128, c_void_p, (_INTS,)),
        "ServerTime": Slot(147, c_int32),
        "MarginLevelRequest": Slot(156, c_int32, (c_int32, POINTER(MarginLevel))),
        "PumpingSwitchEx": Slot(163, c_int32, (NOTIFY, c_int32, c_void_p)),
        "ManagerCommon": Slot(176, c_int32, (POINTER(ConCommon),)),
    }
)
"""Those that the endpoints need. Methods that return a list give an address, which goes back to
``MemFree``; the number of its records is written to the last argument."""

MTMANVERSION = ctypes.CFUNCTYPE(c_uint32)
MTMANCREATE = ctypes.CFUNCTYPE(c_int32, c_uint32, POINTER(c_void_p))
"""The library's two exports have the convention of C, not that of the class."""
