"""The account that the terminal is logged in with."""

from __future__ import annotations

from ea_bridge import commands
from gateway import schemas as shapes
from gateway.auth.caller import Scope
from gateway.errors import TerminalDisconnected, Timeout
from gateway.rpc.catalogue import Call, method
from gateway.schemas import convert


@method(scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
async def get_account_info(call: Call) -> shapes.AccountInfo:
    """Return everything the terminal knows of the account.

    Money is in the account's `currency`. `margin_level` is in percent and null without positions.
    MetaTrader 4 does not know the margin mode, FIFO rule and some sums: they are null and listed
    in `unavailable`.
    """
    account = await call.terminal.request(commands.ACCOUNT_GET, commands.NoParams())
    return convert.account_info(account, call.terminal.platform)


@method(scope=Scope.READ, raises=(TerminalDisconnected, Timeout))
async def get_account_balance(call: Call) -> shapes.AccountBalance:
    """Return the account's money: balance, equity, margin, floating profit.

    All of it is from one moment, and also in `get_account_info`.
    """
    account = await call.terminal.request(commands.ACCOUNT_GET, commands.NoParams())
    return convert.account_balance(account)
