"""Memory whose address fits the 4 bytes of a ``__ptr32``, for the body of a mail.

In a process of 32 bits all memory is like that. In one of 64 bits the system has to be asked for
it: the library reads the 4 bytes as a signed number, so the address lies below 2 GiB.
"""

from __future__ import annotations

import ctypes
import mmap
import sys

LIMIT = 2**31
_STEP = 2**24
_MAP_32BIT = 0x40
"""Linux on x86-64; ``mmap`` names it from Python 3.13 on."""


class LowBuffer:
    """A block of low memory, as long as the object lives.

    Args:
        size: in bytes.

    Raises:
        MemoryError: there is none.

    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.address = self._allocate()
        if not 0 < self.address <= LIMIT - size:
            raise MemoryError("there is no memory below 2 GiB")

    def write(self, data: bytes) -> None:
        """Put bytes at the beginning.

        Raises:
            ValueError: there is no room for them.

        """
        if len(data) > self.size:
            raise ValueError(f"{len(data)} bytes do not fit {self.size}")
        ctypes.memmove(self.address, data, len(data))

    if sys.platform == "win32":

        def _allocate(self) -> int:
            kernel = ctypes.WinDLL("kernel32")
            kernel.VirtualAlloc.restype = ctypes.c_void_p
            kernel.VirtualAlloc.argtypes = (
                ctypes.c_void_p,
                ctypes.c_size_t,
                ctypes.c_uint32,
                ctypes.c_uint32,
            )
            reserve_and_commit, read_write = 0x3000, 0x04
            for start in range(_STEP, LIMIT - _STEP, _STEP):
                found = kernel.VirtualAlloc(start, self.size, reserve_and_commit, read_write)
                if found:
                    return int(found)
            return 0

    else:

        def _allocate(self) -> int:
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_32BIT
            self._map = mmap.mmap(-1, self.size, flags=flags)
            return ctypes.addressof(ctypes.c_char.from_buffer(self._map))
