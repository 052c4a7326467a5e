"""A library with the exports and the class of mtmanapi, and a small trade server behind it.

Where there is no C++ compiler, the tests that need it are skipped.
"""

from __future__ import annotations

import ctypes
import subprocess
from ctypes import c_char_p, c_int32
from pathlib import Path

from external_programs import needed_cxx

from ea_bridge.mt4_manager.model import ConnectParams
from ea_bridge.mt4_manager.peer.layouts import UserRecord

SOURCES = Path(__file__).parent / "manager_library_sources"
CREDENTIALS = ConnectParams(server="203.0.113.10:443", login=224, password="let-me-in")


def compile_cpp(source: Path, out: Path, *flags: str) -> Path:
    """Compile a file of ours with the flags given."""
    words: list[str | Path] = [
        *needed_cxx(),
        "-O0",
        "-Wall",
        "-Werror",
        "-Wno-delete-non-virtual-dtor",
        "-I",
        SOURCES,
    ]
    subprocess.run([*words, *flags, "-o", out, source], check=True)
    return out


def compile_library(folder: Path) -> Path:
    """Compile the library."""
    return compile_cpp(SOURCES / "mtmanapi.cpp", folder / "mtmanapi.so", "-shared", "-fPIC")


class Fake:
    """What the tests turn and look at in the library's server."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._library = ctypes.CDLL(str(path))
        for name in ("mail_body", "mail_subject", "mail_from"):
            getattr(self._library, f"fake_{name}").restype = c_char_p
        self._library.fake_open_trade.argtypes = (c_int32, c_char_p, c_int32)
        self._library.fake_user.restype = ctypes.POINTER(UserRecord)

    def check(self) -> None:
        """See that no call went astray and no list was kept."""
        assert self.do("gaps") == 0, "a slot was called that is not ours"
        assert self.do("unfreed") == 0, "a list was not given back"

    def do(self, what: str, *numbers: int) -> int:
        return int(getattr(self._library, f"fake_{what}")(*numbers))

    def text(self, what: str) -> bytes:
        found: bytes = getattr(self._library, f"fake_{what}")()
        return found

    def user(self, login: int) -> UserRecord:
        found: UserRecord = self._library.fake_user(login).contents
        return found

    def open_trade(self, login: int, symbol: bytes = b"EURUSD", volume: int = 10) -> int:
        return int(self._library.fake_open_trade(login, symbol, volume))


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
