"""``mtmanapi.dll``: the library, its interfaces, and the methods that are called by name.

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

No slot can be checked at run time: a library of another order would be called wrongly. So a
library of another main version is refused, and :mod:`.connection` looks at one deep record right
after the login, before it lets anything else be called.

The library wants Winsock to be started by the program that uses it. Python's ``socket`` has done
that as soon as anybody has imported it.
"""

from __future__ import annotations

import ctypes
import logging
import socket  # noqa: F401 - starts Winsock
import sys
from collections.abc import Mapping
from ctypes import POINTER, byref, c_char_p, c_int32, c_uint32, c_void_p
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from .layouts import (
    ConCommon,
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
    """Method of the class: its place in the table, its result and its arguments after ``this``."""

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


MAIN_VERSION = 400
"""``ManAPIProgramVersion``: the upper half of what ``MtManVersion`` says."""
FIRST_BUILD, LAST_BUILD = 1090, 1353
"""Builds of the header that were compared."""
MAX_RECORDS = 10_000_000
"""A longer list is none: its length was not written by a method that we know."""

R = TypeVar("R", bound=ctypes.Structure)
_log = logging.getLogger(__name__)


class LibraryError(Exception):
    """The library is not there, not of this machine, or not one that we know."""


class Interface:
    """Interface object, a ``CManagerInterface``. It is not safe for threads: use each in one
    alone.

    Args:
        address: of the object.

    """

    def __init__(self, address: int) -> None:
        self._address = address
        table = ctypes.cast(address, ctypes.POINTER(ctypes.POINTER(c_void_p)))[0]
        self._functions = {
            name: slot.prototype()(table[slot.index] or 0) for name, slot in METHODS.items()
        }

    def call(self, method: str, *arguments: Any) -> Any:
        """Return what the method returns.

        Raises:
            ctypes.ArgumentError: the arguments do not fit it.

        """
        return self._functions[method](self._address, *arguments)

    def list(self, method: str, record: type[R], *arguments: Any, count: int = 0) -> list[R]:
        """Return copies of the records that a method gives; its own are freed.

        Args:
            arguments: without the last, the number of records.
            count: what the method reads in that number: how many it is asked for.

        Raises:
            LibraryError: it gave no list.

        """
        total = c_int32(count)
        address = self.call(method, *arguments, byref(total))
        # nothing and a failure look the same here: the reader of lists tells them apart
        if not address:
            return []
        try:
            if not 0 <= total.value <= MAX_RECORDS:
                raise LibraryError(f"{method} tells of {total.value} records")
            array = record * total.value
            # copied, since the library's own memory is freed right after
            return list(array.from_buffer_copy(array.from_address(address)))
        finally:
            self.call("MemFree", address)

    def release(self) -> None:
        """Give the object back; it must not be used any more."""
        self.call("Release")


class Library:
    """Library that was loaded.

    Args:
        path: of ``mtmanapi.dll``, for a Python of 32 bits, or ``mtmanapi64.dll``.

    Raises:
        LibraryError: it cannot be used.

    """

    def __init__(self, path: Path) -> None:
        try:
            # a full path, so that nothing else of that name is found first
            self._library = ctypes.CDLL(str(path.resolve()))
            version = MTMANVERSION(("MtManVersion", self._library))
            self._create = MTMANCREATE(("MtManCreate", self._library))
        except (OSError, AttributeError) as error:
            bits = 64 if sys.maxsize > 2**32 else 32
            raise LibraryError(
                f"{path} cannot be loaded: this Python has {bits} bits and needs "
                f"{'mtmanapi64.dll' if bits == 64 else 'mtmanapi.dll'} as MetaQuotes ships it"
            ) from error
        self.version = int(version())
        self.build = self.version & 0xFFFF
        main = self.version >> 16
        if main != MAIN_VERSION or self.build < FIRST_BUILD:
            raise LibraryError(
                f"{path} is version {main}, build {self.build}; the methods are known of version "
                f"{MAIN_VERSION} from build {FIRST_BUILD} on"
            )
        # a warning alone: the deep look after each login tells whether the records still fit
        if self.build > LAST_BUILD:
            _log.warning(
                "build %d of %s is newer than %d, the last whose methods were compared",
                self.build,
                path,
                LAST_BUILD,
            )

    def create(self) -> Interface:
        """Return a fresh interface.

        Raises:
            LibraryError: the library gives none.

        """
        address = c_void_p()
        # its own version: a header's that is newer than the library would be refused
        code = self._create(self.version, byref(address))
        if not address.value:
            raise LibraryError(f"MtManCreate gives no interface: code {code}")
        return Interface(address.value)
