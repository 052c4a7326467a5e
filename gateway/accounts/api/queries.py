"""Asking the terminal of a registered account, and what its silence becomes."""

from __future__ import annotations

from typing import NoReturn, TypeVar

from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from gateway.accounts import RegisteredAccount
from gateway.errors import (
    AccessDenied,
    GatewayError,
    Overloaded,
    TerminalBusy,
    TerminalDisconnected,
)
from gateway.http.rest.models import Problem
from gateway.trading.terminal import GuardedTerminal

from .operation import AccountsCall

P = TypeVar("P", bound=Struct)
R = TypeVar("R")
OFFLINE = "No terminal that is logged in to account {login} is linked; start it, then try again"
RETRY = {"Retry-After": "5"}


def find_terminal(call: AccountsCall, account: RegisteredAccount) -> GuardedTerminal | None:
    """Return the terminal that is logged in to an account, if it is linked."""
    name = call.services.peers.logged_in(account.owner, account.login, account.server)
    return None if name is None else call.services.terminal(call.caller, name)


def terminal_of(call: AccountsCall, account: RegisteredAccount) -> GuardedTerminal:
    """Return the terminal that is logged in to an account.

    Raises:
        Problem: 503, none is linked.

    """
    terminal = find_terminal(call, account)
    if terminal is None:
        raise Problem(503, OFFLINE.format(login=account.login), RETRY)
    return terminal


async def question(terminal: GuardedTerminal, command: Command[P, R], params: P) -> R:
    """Ask a terminal.

    Raises:
        Problem: 503, it is busy or gone; 502, it did not answer as it should.
        Unauthorized: the caller's rights have ended.

    """
    try:
        return await terminal.request(command, params)
    except AccessDenied:
        raise
    except GatewayError as error:
        explain(error)


def explain(error: GatewayError) -> NoReturn:
    """Raise the :class:`Problem` that an error of a terminal becomes here."""
    if isinstance(error, TerminalDisconnected | TerminalBusy | Overloaded):
        raise Problem(503, error.message, RETRY) from error
    raise Problem(502, error.message) from error
