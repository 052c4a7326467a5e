"""What the tests of the manager peer share: how its library is compiled, turned and looked at."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable
from ctypes import c_char_p, c_int32
from pathlib import Path

from ea_bridge.manager.layouts import UserRecord
from ea_bridge.model.mt4 import ConnectParams

SOURCES = Path(__file__).parent / "library"
COMPILER = shutil.which("g++")
CREDENTIALS = ConnectParams(server="203.0.113.10:443", login=224, password="let-me-in")

Compile = Callable[..., Path]


class Fake:
    """What the tests turn and look at in the library's server."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._library = ctypes.CDLL(str(path))
        for name in ("mail_body", "mail_subject", "mail_from"):
            getattr(self._library, f"fake_{name}").restype = c_char_p
        self._library.fake_open_trade.argtypes = (c_int32, c_char_p, c_int32)
        self._library.fake_user.restype = ctypes.POINTER(UserRecord)

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
