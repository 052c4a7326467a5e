"""Terminals that a program can open: by the environment, a password, or a file with several.

A program names a terminal by the path of its program or by a login. Tokens of several are listed
in ``mt5.toml``::

    url = "http://127.0.0.1:7400"

    [[terminal]]
    login = 50012345
    server = "Broker-Demo"
    path = 'C:\\Program Files\\Broker\\terminal64.exe'
    token = "mgt_..."
"""

from __future__ import annotations

import os
import stat
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ea_bridge.token import MalformedToken, parse_token
from gateway.client.errors import NoAnswer, Unreachable
from gateway.client.mt5 import constants as c
from gateway.client.mt5.arguments import named
from gateway.client.mt5.state import (
    AUTH_FAILED,
    NO_CONNECTION,
    STATE,
    TIMED_OUT,
    Connection,
    Failure,
    Terminal,
    error_of,
    function,
    invalid,
)
from gateway.errors import GatewayError, TerminalDisconnected

URL = "MT_GATEWAY_URL"
TOKEN = "MT_GATEWAY_TOKEN"  # noqa: S105 (a variable's name)
FILE = "MT_GATEWAY_MT5"
DEFAULT_URL = "http://127.0.0.1:7400"
DEFAULT_TIMEOUT_MS = 60_000
PAUSE_S = 0.25
"""Between two looks at a terminal that is not there yet."""


@dataclass(frozen=True)
class ReachableTerminal:
    """A terminal that can be opened."""

    url: str
    token: str = field(repr=False)
    login: int | None = None
    server: str | None = None
    path: str | None = None


@dataclass(frozen=True)
class Wanted:
    """Choice of a terminal by a program; 0 and empty mean any."""

    path: str = ""
    login: int = 0
    password: str = field(default="", repr=False)
    server: str = ""


@function("any", failed=False)
def initialize(*args: Any, **options: Any) -> bool:
    """initialize([path],[server="SERVER"],[login=LOGIN],[password="PASSWORD"])

    Establish connection to MetaTrader 5 terminal
    """
    STATE.use(None)
    STATE.is_begun = False
    if len(args) > 1:
        raise invalid("number of arguments")
    if args and args[0] is not None and not isinstance(args[0], str):
        raise invalid("1st unnamed argument")
    path = (args[0] if args else None) or named("path", options.get("path"), str)
    wanted = Wanted(
        path=path or "",
        login=named("login", options.get("login"), int) or 0,
        password=named("password", options.get("password"), str) or "",
        server=named("server", options.get("server"), str) or "",
    )
    STATE.use(open_terminal(wanted, _seconds(options.get("timeout"))))
    STATE.is_begun = True
    return True


@function("any", failed=False)
def login(*args: Any, **options: Any) -> bool:
    """login(login,[server="SERVER"],[password="PASSWORD"])

    Log in to specific account
    """
    if len(args) > 3:
        raise invalid("number of arguments")
    number = _first(args, options)
    texts = {}
    for place, name in enumerate(("password", "server"), start=1):
        given = args[place] if len(args) > place else options.get(name)
        if given is not None and not isinstance(given, str):
            ordinal = {1: "2nd", 2: "3rd"}[place]
            raise invalid(
                f"{ordinal} unnamed argument" if len(args) > place else f'"{name}" argument'
            )
        texts[name] = given or ""
    wanted = Wanted(login=number, **texts)
    timeout_s = _seconds(options.get("timeout"))
    if not STATE.is_begun:
        raise Failure(NO_CONNECTION)
    if STATE.terminal is not None:
        STATE.terminal.account = STATE.terminal.native("account")[0]  # it may be another by now
        if is_account(STATE.terminal, wanted):
            return True
    # first: after a login that failed nothing may be traded on the account before it
    STATE.use(None)
    STATE.use(open_terminal(wanted, timeout_s))
    return True


def _first(args: tuple[Any, ...], options: dict[str, Any]) -> int:
    if not args:
        number = named("login", options.get("login"), int)
        if not number:
            raise invalid('"login" argument')
        return int(number)
    if isinstance(args[0], bool) or not hasattr(args[0], "__index__"):
        raise invalid("1st unnamed argument")
    if not args[0]:
        raise invalid('"login" argument')
    return int(args[0])


def _seconds(timeout: Any) -> float:
    milliseconds = named("timeout", timeout, int)
    return max(0, DEFAULT_TIMEOUT_MS if milliseconds is None else milliseconds) / 1000


@function("none")
def shutdown() -> bool:
    """shutdown()

    Disconnect from MetaTrader 5 terminal
    """
    STATE.use(None)
    STATE.is_begun = False
    return True


def open_terminal(wanted: Wanted, timeout_s: float) -> Terminal:
    """Connect to the terminal that is wanted; one that is not there yet is waited for.

    Raises:
        Failure: there is none, or it is logged in to another account.

    """
    entry = _entry(wanted)
    try:
        connection = Connection(entry.url, entry.token)
    except ValueError as error:
        raise _not_begun(str(error)) from None
    try:
        terminal = Terminal(connection, _account(connection, timeout_s))
        if not is_account(terminal, wanted):
            raise Failure(AUTH_FAILED)
    except BaseException as error:
        connection.close()
        if isinstance(error, Unreachable):
            raise _not_begun(str(error)) from None
        if isinstance(error, GatewayError | NoAnswer):
            raise Failure(error_of(error)) from None
        raise
    return terminal


def is_account(terminal: Terminal, wanted: Wanted) -> bool:
    """Whether a terminal is logged in to the account that is wanted."""
    account = terminal.account
    return wanted.login in (0, account["login"]) and (
        wanted.server.casefold() in ("", account["server"].casefold())
    )


def _account(connection: Connection, timeout_s: float) -> dict[str, Any]:
    until_s = time.monotonic() + timeout_s
    while True:
        try:
            answer = connection.call("get_native", kind="account")
        except TerminalDisconnected:
            if time.monotonic() + PAUSE_S > until_s:
                raise Failure(TIMED_OUT) from None
            time.sleep(PAUSE_S)
        else:
            return dict(zip(answer["fields"], answer["rows"][0], strict=True))


def _entry(wanted: Wanted) -> ReachableTerminal:
    """Return the entry of what is wanted.

    Raises:
        Failure: there is none.

    """
    url = os.environ.get(URL) or DEFAULT_URL
    if _is_token(wanted.password):
        return ReachableTerminal(url, wanted.password)
    entries = list(_listed(url))
    found = [entry for entry in entries if _fits(entry, wanted, entries)]
    if found and (wanted.login or wanted.path):
        return found[0]
    token = os.environ.get(TOKEN, "")
    if token and not (wanted.path and any(entry.path for entry in entries)):
        return ReachableTerminal(url, token)
    if found:
        return found[0]
    if entries:
        raise Failure(AUTH_FAILED) if wanted.login else _not_begun(f"{_file()} lists no such path")
    raise _not_begun(f"no token: set {TOKEN}, or write {_file()}")


def _fits(entry: ReachableTerminal, wanted: Wanted, entries: list[ReachableTerminal]) -> bool:
    # where no entry has a path, those of programs written for Windows choose nothing
    chooses = wanted.path and any(one.path for one in entries)
    return (
        (not chooses or _same_path(entry.path or "") == _same_path(wanted.path))
        and (not wanted.login or entry.login in (None, wanted.login))
        and (wanted.server.casefold() in ("", (entry.server or wanted.server).casefold()))
    )


def _same_path(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").casefold()


def _is_token(text: str) -> bool:
    try:
        parse_token(text)
    except MalformedToken:
        return False
    return True


def _listed(url: str) -> Iterator[ReachableTerminal]:
    path = _file()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = tomllib.load(file)
    except FileNotFoundError:
        return
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _not_begun(f"{path} cannot be read: {type(error).__name__}") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _not_begun(f"{path} can be read by others: chmod 600 it, it holds tokens")
    try:
        for given in content.get("terminal", []):
            yield ReachableTerminal(
                url=str(given.get("url", content.get("url", url))),
                token=str(given["token"]),
                login=given.get("login"),
                server=given.get("server"),
                path=given.get("path"),
            )
    except (AttributeError, KeyError, TypeError):
        raise _not_begun(f"{path}: each [[terminal]] needs a token") from None


def _file() -> Path:
    named = os.environ.get(FILE)
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / "mt-gateway" / "mt5.toml"
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "mt-gateway" / "mt5.toml"


def _not_begun(why: str) -> Failure:
    return Failure((c.RES_E_INTERNAL_FAIL_INIT, f"IPC initialize failed, {why}"))
