"""State of the drop-in: the open terminal and the last error, and how a function is called.

As in the original there is one state for the whole process, and calls run one after another.

:class:`Connection` makes blocking calls to the gateway over one kept HTTP connection. There is no
event loop and no thread in it, so that it works in every thread, inside a running loop, and in a
child after ``fork``.
"""

from __future__ import annotations

import http.client
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, Literal, NoReturn, ParamSpec, TypeVar
from urllib.parse import urlsplit

from gateway.client.errors import (
    CallTimedOut,
    ConnectionLost,
    NoAnswer,
    NotTheGateway,
    Unreachable,
)
from gateway.client.mt5 import constants as c
from gateway.client.protocol import encode_request, parse_address, result_in
from gateway.client.reads import READS
from gateway.errors import (
    AmbiguousSymbol,
    Forbidden,
    GatewayError,
    InvalidParams,
    LimitExceeded,
    MethodNotSupported,
    NotReady,
    Outcome,
    Overloaded,
    SymbolNotFound,
    TerminalBusy,
    TerminalDisconnected,
    TerminalNotFound,
    Timeout,
    Unauthorized,
)

CONNECT_S = 5.0
CALL_S = 60.0
"""For one call. The gateway's own deadlines are shorter, so that it answers first."""
IDLE_S = 15.0
"""Half of what the gateway allows a connection without requests."""
BUSY_S = 30.0
"""How long a call that the gateway has no room for is tried again."""
LEAST_PAUSE_S = 0.01
"""Between two tries, whatever the gateway says."""
_BUSY = (LimitExceeded, Overloaded, TerminalBusy)


class Connection:
    """Connection with one token. Not for two threads at a time.

    Args:
        url: of the gateway.
        auth_token: opens one terminal.

    Raises:
        ValueError: the URL is none, or holds a secret.

    """

    def __init__(self, url: str, auth_token: str) -> None:
        self._address = parse_address(url)
        parts = urlsplit(self._address.rpc)
        self._path = parts.path
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._http = kind(parts.hostname or "", parts.port, timeout=CONNECT_S)
        self._headers = {
            "Authorization": f"Bearer {auth_token}",
            "Content-Type": "application/json",
        }
        self._used_s = 0.0
        self._last_id = 0

    def __repr__(self) -> str:
        return f"<Connection {self._address.base}>"

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._http.close()

    def call(self, method: str, **params: Any) -> Any:
        """Call a method and return its result.

        A call that the gateway has no room for is tried again for a while. A read is asked again
        when the connection broke or the terminal was late; a call that may trade never is.

        Raises:
            GatewayError: the answer is an error.
            NoAnswer: none came; of a trade ``outcome`` tells whether it may have been executed.

        """
        until_s = time.monotonic() + BUSY_S
        while True:
            try:
                return self._call(method, params)
            except _BUSY as busy:
                pause_s = max(LEAST_PAUSE_S, busy.data.get("retry_after_ms", 0) / 1000)
                was_sent = busy.data.get("outcome", "not_sent") != "not_sent"
                if was_sent or time.monotonic() + pause_s > until_s:
                    raise
                time.sleep(pause_s)

    def _call(self, method: str, params: dict[str, Any]) -> Any:
        if method not in READS:
            return self._exchange(method, params, "unknown")
        try:
            return self._exchange(method, params, None)
        except (ConnectionLost, Timeout):
            # a connection that was closed while it was idle shows it only to the next call
            return self._exchange(method, params, None)

    def _exchange(self, method: str, params: dict[str, Any], lost: Outcome | None) -> Any:
        self._last_id += 1
        request = encode_request(self._last_id, method, params)
        self._connect(lost and "not_sent")
        try:
            self._http.request("POST", self._path, request, self._headers)
            response = self._http.getresponse()
            body, status = response.read(), response.status
        # without cause or context: http.client's exceptions may quote what was sent
        except TimeoutError:
            self._http.close()
            raise CallTimedOut(f"No answer within {CALL_S:g} s", lost) from None
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            raise ConnectionLost(
                f"The connection broke before the answer came ({type(error).__name__})", lost
            ) from None
        except BaseException:
            self._http.close()  # half an answer would be taken for the next one's
            raise
        self._used_s = time.monotonic()
        return result_in(body, self._address.rpc, status, lost)

    def _connect(self, lost: Outcome | None) -> None:
        connection = self._http
        if connection.sock is not None and (
            time.monotonic() - self._used_s > IDLE_S or _is_over(connection.sock)
        ):
            connection.close()
        if connection.sock is None:
            try:
                connection.timeout = CONNECT_S
                connection.connect()
            except OSError:
                connection.close()
                raise Unreachable(
                    f"Nobody answers at {self._address.base}: is the gateway running?", lost
                ) from None
            if connection.sock is not None:
                connection.sock.settimeout(CALL_S)


def _is_over(sock: socket.socket) -> bool:
    """Whether the other side has closed: between calls there is nothing else to be read."""
    try:
        readable, _, _ = select.select([sock], [], [], 0)
    except (OSError, ValueError):  # the descriptor is gone, or too high for select
        return True
    return bool(readable)


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
