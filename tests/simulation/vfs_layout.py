"""C structures by which SQLite calls a file system, and the codes that it answers with.

See https://www.sqlite.org/c3ref/vfs.html and https://www.sqlite.org/c3ref/io_methods.html.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, c_double, c_int, c_longlong, c_void_p

OK, BUSY, IOERR, FULL, NOTFOUND, CANTOPEN = 0, 5, 10, 13, 12, 14
IOERR_READ = IOERR | 1 << 8
IOERR_SHORT_READ = IOERR | 2 << 8
IOERR_WRITE = IOERR | 3 << 8
IOERR_FSYNC = IOERR | 4 << 8
IOERR_TRUNCATE = IOERR | 6 << 8
IOERR_FSTAT = IOERR | 7 << 8
IOERR_LOCK = IOERR | 15 << 8
IOERR_DELETE_NOENT = IOERR | 23 << 8
IOERR_SHMMAP = IOERR | 21 << 8

OPEN_READONLY, OPEN_READWRITE, OPEN_CREATE, OPEN_DELETE_ON_CLOSE = 1, 2, 4, 8
OPEN_MAIN_DB = 0x100
POWERSAFE_OVERWRITE = 0x1000
"""A write harms no byte that it does not write, whatever happens to the power."""
PAGE_BYTES = 4096
PATH_BYTES = 1024


class IoMethods(ctypes.Structure):
    """Calls on an open file; version 2: with shared memory, without memory mapping."""

    _fields_ = [
        ("version", c_int),
        *(
            (name, c_void_p)
            for name in (
                "close",
                "read",
                "write",
                "truncate",
                "sync",
                "file_size",
                "lock",
                "unlock",
                "check_reserved_lock",
                "file_control",
                "sector_size",
                "device_characteristics",
                "shm_map",
                "shm_lock",
                "shm_barrier",
                "shm_unmap",
            )
        ),
    ]


class Vfs(ctypes.Structure):
    """Calls on a file system; version 2: with the time as an integer."""

    _fields_ = [
        ("version", c_int),
        ("file_bytes", c_int),
        ("path_bytes", c_int),
        ("next", c_void_p),
        ("name", ctypes.c_char_p),
        ("app_data", c_void_p),
        *(
            (name, c_void_p)
            for name in (
                "open",
                "delete",
                "access",
                "full_pathname",
                "dl_open",
                "dl_error",
                "dl_sym",
                "dl_close",
                "randomness",
                "sleep",
                "current_time",
                "get_last_error",
                "current_time_int64",
            )
        ),
    ]


_FILE, _ADDRESS = c_void_p, c_void_p
SIGNATURES = {
    "close": CFUNCTYPE(c_int, _FILE),
    "read": CFUNCTYPE(c_int, _FILE, _ADDRESS, c_int, c_longlong),
    "write": CFUNCTYPE(c_int, _FILE, _ADDRESS, c_int, c_longlong),
    "truncate": CFUNCTYPE(c_int, _FILE, c_longlong),
    "sync": CFUNCTYPE(c_int, _FILE, c_int),
    "file_size": CFUNCTYPE(c_int, _FILE, _ADDRESS),
    "lock": CFUNCTYPE(c_int, _FILE, c_int),
    "unlock": CFUNCTYPE(c_int, _FILE, c_int),
    "check_reserved_lock": CFUNCTYPE(c_int, _FILE, _ADDRESS),
    "file_control": CFUNCTYPE(c_int, _FILE, c_int, _ADDRESS),
    "sector_size": CFUNCTYPE(c_int, _FILE),
    "device_characteristics": CFUNCTYPE(c_int, _FILE),
    "shm_map": CFUNCTYPE(c_int, _FILE, c_int, c_int, c_int, _ADDRESS),
    "shm_lock": CFUNCTYPE(c_int, _FILE, c_int, c_int, c_int),
    "shm_barrier": CFUNCTYPE(None, _FILE),
    "shm_unmap": CFUNCTYPE(c_int, _FILE, c_int),
    "open": CFUNCTYPE(c_int, _ADDRESS, _ADDRESS, _FILE, c_int, _ADDRESS),
    "delete": CFUNCTYPE(c_int, _ADDRESS, _ADDRESS, c_int),
    "access": CFUNCTYPE(c_int, _ADDRESS, _ADDRESS, c_int, _ADDRESS),
    "full_pathname": CFUNCTYPE(c_int, _ADDRESS, _ADDRESS, c_int, _ADDRESS),
    "randomness": CFUNCTYPE(c_int, _ADDRESS, c_int, _ADDRESS),
    "sleep": CFUNCTYPE(c_int, _ADDRESS, c_int),
    "current_time": CFUNCTYPE(c_int, _ADDRESS, ctypes.POINTER(c_double)),
    "current_time_int64": CFUNCTYPE(c_int, _ADDRESS, _ADDRESS),
}
"""Of the calls that we answer; the others are the system's own."""
