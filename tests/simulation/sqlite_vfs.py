"""Simulated disk as the file system of the SQLite that Python's ``sqlite3`` uses.

SQLite calls it by ctypes. What lies in the folder of the disk is opened there, and every other
file by the file system that SQLite had before. No exception may pass into SQLite: the first one is
kept for whoever runs the simulation, and SQLite sees an error of the disk.
"""

from __future__ import annotations

import _sqlite3
import ctypes
from collections.abc import Callable
from ctypes import c_int, c_longlong, c_void_p, memmove, string_at
from functools import cache
from typing import TYPE_CHECKING, Any

from .open_file import OpenFile
from .vfs_layout import (
    CANTOPEN,
    IOERR,
    IOERR_DELETE_NOENT,
    OK,
    PATH_BYTES,
    SIGNATURES,
    IoMethods,
    Vfs,
)

if TYPE_CHECKING:
    from .disk import SimulatedDisk

NAME = b"simulated"
UNIX_EPOCH_MS = 210_866_760_000_000
"""In the days that SQLite counts, in milliseconds."""


class SqliteUnreachable(Exception):
    """The SQLite of this Python cannot be called by ctypes, since it is linked in statically."""


class SqliteVfs:
    """The file system, registered while a disk is in use; one for the whole process."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(_sqlite3.__file__)
            self._library.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
            original = self._library.sqlite3_vfs_find(None)
        except (AttributeError, OSError) as error:
            raise SqliteUnreachable(
                f"the SQLite of this Python cannot be called by ctypes: {error}"
            ) from error
        self._original = original
        self._original_vfs: Vfs = original.contents
        self._files: dict[int, OpenFile] = {}
        self.disk: SimulatedDisk | None = None
        """The one in use."""
        self._kept: list[Any] = []  # ctypes frees a callback that nobody refers to
        self._methods = self._new_methods()
        self._methods_address = ctypes.addressof(self._methods)
        self._vfs = self._new_vfs()

    def begin(self, disk: SimulatedDisk) -> None:
        """Open all files by a disk from now on, and draw SQLite's random numbers from its seed."""
        if self.disk is not None:
            raise RuntimeError("one simulated disk at a time")
        self.disk = disk
        self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        self._library.sqlite3_randomness(0, None)

    def end(self) -> None:
        """Open files as before; those that are open stay those of their disk."""
        self.disk = None
        self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs))
        self._library.sqlite3_vfs_register(self._original, 1)
        self._library.sqlite3_randomness(0, None)

    # --- calls on an open file -----------------------------------------------------------------

    def _new_methods(self) -> IoMethods:
        methods = IoMethods(version=2)
        for name in SIGNATURES:
            if hasattr(IoMethods, name) and name != "close":
                method = getattr(OpenFile, name)
                setattr(methods, name, self._address(name, self._of_file(method)))
        methods.close = self._address("close", self._close)
        return methods

    def _of_file(self, method: Callable[..., int]) -> Callable[..., int]:
        files = self._files

        def call(file: int, *arguments: int) -> int:
            try:
                return method(files[file], *arguments)
            except BaseException as error:
                self._note(error)
                return IOERR

        return call

    def _close(self, file: int) -> int:
        try:
            return self._files.pop(file).close()
        except BaseException as error:
            self._note(error)
            return IOERR

    # --- calls on the file system --------------------------------------------------------------

    def _new_vfs(self) -> Vfs:
        original = self._original_vfs
        vfs = Vfs(version=2, name=NAME, path_bytes=PATH_BYTES)
        vfs.file_bytes = max(original.file_bytes, ctypes.sizeof(c_void_p))
        for name in ("dl_open", "dl_error", "dl_sym", "dl_close", "get_last_error"):
            setattr(vfs, name, getattr(original, name))
        for name in (
            "open",
            "delete",
            "access",
            "full_pathname",
            "randomness",
            "sleep",
            "current_time",
            "current_time_int64",
        ):
            before = SIGNATURES[name](getattr(original, name))
            setattr(vfs, name, self._address(name, self._of_system(name, before)))
        return vfs

    def _of_system(self, name: str, before: Callable[..., int]) -> Callable[..., int]:
        ours: Callable[..., int | None] = getattr(self, f"_{name}")
        original = ctypes.cast(self._original, c_void_p)

        def call(_vfs: int, *arguments: Any) -> int:
            try:
                code = None if self.disk is None else ours(self.disk, *arguments)
                return before(original, *arguments) if code is None else code
            except BaseException as error:
                self._note(error)
                return IOERR

        return call

    def _open(
        self, disk: SimulatedDisk, name: int | None, file: int, flags: int, told: int | None
    ) -> int | None:
        if name is None or not (path := string_at(name)).startswith(disk.prefix):
            return None
        c_void_p.from_address(file).value = None  # SQLite then does not close it
        opened = disk.open(path, flags)
        if opened is None:
            return CANTOPEN
        self._files[file] = opened
        c_void_p.from_address(file).value = self._methods_address
        if told is not None:
            c_int.from_address(told).value = flags
        return OK

    def _delete(self, disk: SimulatedDisk, name: int, sync_folder: int) -> int | None:
        if not (path := string_at(name)).startswith(disk.prefix):
            return None
        return OK if disk.delete(path, sync=bool(sync_folder)) else IOERR_DELETE_NOENT

    def _access(self, disk: SimulatedDisk, name: int, _flags: int, told: int) -> int | None:
        if not (path := string_at(name)).startswith(disk.prefix):
            return None
        c_int.from_address(told).value = disk.has(path)
        return OK

    def _full_pathname(self, disk: SimulatedDisk, name: int, room: int, target: int) -> int | None:
        if not (path := string_at(name)).startswith(disk.prefix):
            return (
                None  # it may lead into the folder all the same: it is asked again with the whole
            )
        if len(path) >= room:
            return CANTOPEN
        memmove(target, path + b"\0", len(path) + 1)
        return OK

    def _randomness(self, disk: SimulatedDisk, count: int, target: int) -> int:
        memmove(target, disk.random_bytes(count), count)
        return count

    def _sleep(self, disk: SimulatedDisk, microseconds: int) -> int:
        disk.spend(microseconds / 1e6)
        return microseconds

    def _current_time(self, disk: SimulatedDisk, target: Any) -> int:
        target[0] = (disk.wall_s() * 1000 + UNIX_EPOCH_MS) / 86_400_000
        return OK

    def _current_time_int64(self, disk: SimulatedDisk, target: int) -> int:
        c_longlong.from_address(target).value = int(disk.wall_s() * 1000) + UNIX_EPOCH_MS
        return OK

    # --- both ----------------------------------------------------------------------------------

    def _address(self, name: str, call: Callable[..., int | None]) -> int | None:
        callback = SIGNATURES[name](call)
        self._kept.append(callback)
        return ctypes.cast(callback, c_void_p).value

    def _note(self, error: BaseException) -> None:
        if self.disk is not None and self.disk.error is None:
            self.disk.error = error


@cache
def sqlite_vfs() -> SqliteVfs:
    """Return the file system of this process.

    Raises:
        SqliteUnreachable: there can be none.

    """
    return SqliteVfs()
