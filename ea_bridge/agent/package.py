"""Adapter of the official ``MetaTrader5`` package: its results as the bridge's nouns.

The package speaks to one terminal of this machine and is made for one thread; whoever calls from
two gets failures. Where a function fails it returns ``None`` or ``False``, and ``last_error()``
says why: here that is a :class:`PackageError`.
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable
from functools import cache
from math import isfinite
from typing import Any, TypeVar, cast

from ea_bridge import host
from ea_bridge.model import Account, Bar, BookEntry, BookType, Terminal, Tick
from ea_bridge.model.struct import Struct

CALL_FAILED, INVALID_PARAMS, NOT_FOUND, AUTH_FAILED = -1, -2, -4, -6
AUTOTRADING_DISABLED = -8
"""``order_send``: "Disable automated trading via the external Python API" is ticked."""
CONNECTION_ERRORS = -10000
"""This and below: the package is not connected to its terminal (any more)."""
LAST_S = 2**31 - 1
"""The latest date that is given to the package, which takes whole seconds of 32 bits."""
EVERY_TICK = -1
"""``COPY_TICKS_ALL``."""

S = TypeVar("S", bound=Struct)


class PackageMissing(Exception):
    """The package cannot be imported; the message says what to do."""


class PackageError(Exception):
    """A function of the package failed.

    Args:
        function: its name.
        code: of ``last_error()``; 0 where the function raised.
        text: the package's words: for logs.

    """

    def __init__(self, function: str, code: int, text: str) -> None:
        super().__init__(f"{function} failed: {code}, {text}")
        self.code = code
        self.text = text

    @property
    def is_lost(self) -> bool:
        """Whether there is no terminal at the other end any more."""
        return self.code <= CONNECTION_ERRORS


def import_package() -> Any:
    """Return the module ``MetaTrader5``.

    Raises:
        PackageMissing: it is not installed, or cannot run here.

    """
    try:
        return importlib.import_module("MetaTrader5")
    except ImportError as error:
        raise PackageMissing(
            "the package MetaTrader5 cannot be imported: install it with `pip install "
            "MetaTrader5` for the Python of Windows, or of Wine, beside the terminal; it needs "
            f"numpy ({type(error).__name__})"
        ) from None


class Package:
    """The package, called from the one thread that owns it.

    Args:
        module: ``MetaTrader5``, or what looks like it.

    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._called_at: float | None = None

    @property
    def held_s(self) -> float:
        """How long the call lasts that is under way, 0 for none; any thread may look."""
        since = self._called_at
        return 0.0 if since is None else host.monotonic_s() - since

    def connect(self, **options: Any) -> None:
        """Connect to the terminal, in place of a connection that there was.

        Raises:
            PackageError: there is none, or it refuses.

        """
        self.call("initialize", **options)

    def disconnect(self) -> None:
        """Let the terminal go."""
        self._module.shutdown()

    def call(self, name: str, *args: Any, **named: Any) -> Any:
        """Return what a function of the package returns.

        Raises:
            PackageError: it failed.

        """
        self._called_at = host.monotonic_s()
        try:
            result = getattr(self._module, name)(*args, **named)
            failed = result is None or result is False
            code, text = self._module.last_error() if failed else (0, "")
        except Exception as error:
            raise PackageError(name, 0, f"it raised {type(error).__name__}") from error
        finally:
            self._called_at = None
        if failed:
            raise PackageError(name, code, text)
        return result

    def account(self) -> Account:
        """Return the account that the terminal is logged in to."""
        return struct_of(Account, self.call("account_info"))

    def terminal(self) -> Terminal:
        """Return the terminal's state."""
        return struct_of(Terminal, self.call("terminal_info"))

    def last_tick(self, symbol: str) -> Tick:
        """Return the newest quote of a symbol; its time is 0 before the first one."""
        tick = self.call("symbol_info_tick", symbol)
        return Tick(
            time_msc=tick.time_msc,
            bid=tick.bid,
            ask=tick.ask,
            last=tick.last,
            volume=tick.volume,
            flags=tick.flags,
            volume_real=tick.volume_real,
        )

    def ticks(self, function: str, *args: Any) -> list[Tick]:
        """Return the ticks that ``copy_ticks_from`` or ``copy_ticks_range`` gives."""
        return [
            Tick(time_msc, bid, ask, last, volume, flags, volume_real)
            for _, bid, ask, last, volume, time_msc, flags, volume_real in self.call(
                function, *args
            ).tolist()
            if isfinite(bid) and isfinite(ask)
        ]

    def bars(self, function: str, *args: Any) -> list[Bar]:
        """Return the bars that one of the ``copy_rates`` functions gives."""
        return [Bar(*row) for row in self.call(function, *args).tolist()]

    def book(self, symbol: str) -> list[BookEntry]:
        """Return a subscribed order book, the best price of each side first."""
        entries = [
            BookEntry(
                type=entry.type,
                price=entry.price,
                volume=entry.volume_dbl if entry.volume_dbl > 0 else float(entry.volume),
            )
            for entry in self.call("market_book_get", symbol)
        ]
        # the terminal lists from the highest price down
        entries.sort(key=lambda entry: -entry.price)
        sells = [entry for entry in entries if entry.type in _SELLS]
        return [*reversed(sells), *(entry for entry in entries if entry.type not in _SELLS)]


_SELLS = (BookType.SELL, BookType.SELL_MARKET)


def struct_of(kind: type[S], record: Any) -> S:
    """Return a record of the package as the noun with the same fields.

    What the package has no field for keeps its default.
    """
    names = _shared(kind.__struct_fields__, cast("Hashable", type(record)))
    values = {name: _sayable(getattr(record, name)) for name in names}
    return kind(**values)


def _sayable(value: Any) -> Any:
    """Return a value as it can be written to the wire."""
    if isinstance(value, str):
        # a terminal's text may have a lone surrogate
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float):
        return value if isfinite(value) else 0.0
    # MQL's ulong, which the wire has as a long, as by the EA
    if isinstance(value, int) and value >= 2**63:
        return value - 2**64
    return value


@cache
def _shared(names: tuple[str, ...], record: Hashable) -> tuple[str, ...]:
    # the gateway's own marks never cross the wire, and only MetaTrader 4's orders have money
    return tuple(name for name in names if name not in _OURS and hasattr(record, name))


_OURS = {"paper", "emulated", "became"}
