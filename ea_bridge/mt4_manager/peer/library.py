"""``mtmanapi.dll``: loads it, makes interfaces, calls their methods by name.

It wants Winsock to be started by the program that uses it. Python's ``socket`` has done that as
soon as anybody has imported it.
"""

from __future__ import annotations

import ctypes
import logging
import socket  # noqa: F401 - starts Winsock
import sys
from ctypes import byref, c_int32, c_void_p
from pathlib import Path
from typing import Any, TypeVar

from .vtable import METHODS, MTMANCREATE, MTMANVERSION

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
    """One ``CManagerInterface``. It is not safe for threads: use each in one alone.

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
        if not address:
            return []
        try:
            if not 0 <= total.value <= MAX_RECORDS:
                raise LibraryError(f"{method} tells of {total.value} records")
            array = record * total.value
            return list(array.from_buffer_copy(array.from_address(address)))
        finally:
            self.call("MemFree", address)

    def release(self) -> None:
        """Give the object back; it must not be used any more."""
        self.call("Release")


class Library:
    """The loaded library.

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
