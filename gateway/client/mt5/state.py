"""State of the drop-in: the open terminal and the last error, and how a function is called.

As in the original there is one state for the whole process, and calls run one after another.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, Literal, NoReturn, ParamSpec, TypeVar

from gateway.client.errors import (
    CallTimedOut,
    ConnectionLost,
    NoAnswer,
    NotTheGateway,
    Unreachable,
)
from gateway.client.mt5 import constants as c
from gateway.client.mt5.connection import Connection
from gateway.errors import (
    AmbiguousSymbol,
    Forbidden,
    GatewayError,
    InvalidParams,
    LimitExceeded,
    MethodNotSupported,
    NotReady,
    Overloaded,
    SymbolNotFound,
    TerminalBusy,
    TerminalDisconnected,
    TerminalNotFound,
    Timeout,
    Unauthorized,
)

P = ParamSpec("P")
R = TypeVar("R")

SUCCESS = (c.RES_S_OK, "Success")
CALL_FAILED = (c.RES_E_FAIL, "Terminal: Call failed")
INVALID_PARAMS = (c.RES_E_INVALID_PARAMS, "Terminal: Invalid params")
NOT_FOUND = (c.RES_E_NOT_FOUND, "Terminal: Not found")
AUTH_FAILED = (c.RES_E_AUTH_FAILED, "Terminal: Authorization failed")
UNSUPPORTED = (c.RES_E_UNSUPPORTED, "Terminal: Unsupported function")
IPC_FAILED = (c.RES_E_INTERNAL_FAIL, "IPC call failed")
SEND_FAILED = (c.RES_E_INTERNAL_FAIL_SEND, "IPC send failed")
RECEIVE_FAILED = (c.RES_E_INTERNAL_FAIL_RECEIVE, "IPC recv failed")
NO_CONNECTION = (c.RES_E_INTERNAL_FAIL_CONNECT, "No IPC connection")
TIMED_OUT = (c.RES_E_INTERNAL_FAIL_TIMEOUT, "IPC timeout")

_ERRORS: tuple[tuple[tuple[type[Exception], ...], tuple[int, str]], ...] = (
    ((SymbolNotFound, AmbiguousSymbol), NOT_FOUND),
    ((InvalidParams,), INVALID_PARAMS),
    ((MethodNotSupported,), UNSUPPORTED),
    ((Unauthorized, Forbidden), AUTH_FAILED),
    ((TerminalDisconnected, TerminalNotFound, NotReady), NO_CONNECTION),
    ((Timeout, CallTimedOut, TerminalBusy, LimitExceeded, Overloaded), TIMED_OUT),
    ((Unreachable,), SEND_FAILED),
    ((ConnectionLost,), RECEIVE_FAILED),
    ((NotTheGateway,), IPC_FAILED),
)
"""What ``last_error()`` tells of each failure; of any other that the call failed."""


class Failure(Exception):
    """Failure of a function: what ``last_error()`` tells then, and what is returned.

    Args:
        error: code and text.
        answer: in place of the function's usual answer to a failure.

    """

    def __init__(self, error: tuple[int, str], answer: Any = ...) -> None:
        super().__init__(error[1])
        self.error = error
        self.answer = answer


def invalid(what: str = "arguments", answer: Any = ...) -> Failure:
    """Return the failure of a call with wrong arguments."""
    return Failure((c.RES_E_INVALID_PARAMS, f"Invalid {what}"), answer)


def error_of(failure: GatewayError | NoAnswer) -> tuple[int, str]:
    """Return what ``last_error()`` tells of a call to the gateway that failed."""
    for kinds, error in _ERRORS:
        if isinstance(failure, kinds):
            return error
    return CALL_FAILED


class Terminal:
    """An open terminal: its connection, its account, and what was learnt of it.

    Args:
        connection: to the gateway, with the token of that terminal.
        account: its account, as ``get_native`` tells it.

    """

    def __init__(self, connection: Connection, account: dict[str, Any]) -> None:
        self.connection = connection
        self.account = account
        self.max_bars: int | None = None
        """``TerminalInfo.maxbars``; 0 where the platform does not know it."""
        self.symbols: dict[str, dict[str, Any]] = {}
        """Symbols that are known to be there, as they were told first."""
        self.books: set[str] = set()
        """Symbols whose order book was asked for."""

    def native(self, kind: str, **params: Any) -> list[dict[str, Any]]:
        """Return MetaTrader's own records of a kind, all pages of them."""
        rows: list[dict[str, Any]] = []
        after = 0
        while True:
            page = self.connection.call("get_native", kind=kind, after=after, **params)
            rows += [dict(zip(page["fields"], row, strict=True)) for row in page["rows"]]
            if page["next"] is None:
                return rows
            after = page["next"]

    def symbol(self, name: str) -> dict[str, Any]:
        """Return a symbol by its exact name, as it was when it was asked for first.

        Raises:
            SymbolNotFound: the broker has none of that name.

        """
        if name not in self.symbols:
            self.symbols[name] = self.native("symbol", symbol=name)[0]
        return self.symbols[name]


class State:
    """The one state of a process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.error = SUCCESS
        self.terminal: Terminal | None = None
        self.is_begun = False
        """``initialize()`` has succeeded; there is no terminal then after a login that failed."""

    def open(self) -> Terminal:
        """Return the open terminal.

        Raises:
            Failure: there is none.

        """
        if self.terminal is None:
            raise Failure(NO_CONNECTION)
        return self.terminal

    def use(self, terminal: Terminal | None) -> None:
        """Take another terminal in the place of the one that is open."""
        if self.terminal is not None:
            self.terminal.connection.close()
        self.terminal = terminal

    def after_fork(self) -> None:
        """Have a child talk over a connection of its own; its parent may hold the lock."""
        self.lock = threading.RLock()
        if self.terminal is not None:
            self.terminal.connection.close()


STATE = State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=STATE.after_fork)

Arguments = Literal["none", "positional", "any"]


class Function(Generic[P, R]):
    """Function of the package: sets ``last_error()``, and never raises but for wrong calls.

    It is no Python function, since those turn into methods where a program keeps one as an
    attribute of a class; the original's do not.
    """

    def __init__(self, call: Callable[P, R], arguments: Arguments, failed: Any) -> None:
        self.__wrapped__ = call
        self.__name__ = self.__qualname__ = call.__name__
        self.__module__ = "gateway.client.mt5"
        self.__doc__ = call.__doc__
        self._arguments = arguments
        self._failed = failed

    def __repr__(self) -> str:
        return f"<built-in function {self.__name__}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it."""
        if kwargs and self._arguments != "any":
            raise TypeError(f"{self.__name__}() takes no keyword arguments")
        if args and self._arguments == "none":
            raise TypeError(f"{self.__name__}() takes no arguments ({len(args)} given)")
        with STATE.lock:
            STATE.error = SUCCESS
            try:
                return self.__wrapped__(*args, **kwargs)
            except Failure as failure:
                return self._fail(failure.error, failure.answer)
            except (GatewayError, NoAnswer) as failure:
                return self._fail(error_of(failure), ...)

    def _fail(self, error: tuple[int, str], answer: Any) -> R:
        STATE.error = error
        told: R = self._failed if answer is ... else answer
        return told

    def __reduce__(self) -> str:
        return self.__name__


def function(
    arguments: Arguments = "positional", *, failed: Any = None
) -> Callable[[Callable[P, R]], Function[P, R]]:
    """Make a function of the package.

    Args:
        arguments: it takes none, or positional ones alone, or any.
        failed: its answer where it fails.

    """
    return lambda call: Function(call, arguments, failed)


def refuse(what: str = "arguments", answer: Any = ...) -> NoReturn:
    """Fail for wrong arguments."""
    raise invalid(what, answer)
