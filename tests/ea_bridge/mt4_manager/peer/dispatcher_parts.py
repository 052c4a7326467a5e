"""What the dispatcher is asked in its tests, and what the daemon would read of its answers."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import commands
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.peer.manager_peer import CommandDispatcher

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


def ask(dispatcher: CommandDispatcher, command: Command[P, R], params: P) -> R:
    """What the daemon would read of the answer."""
    line = msgspec.json.encode(dispatcher.answer(command.op, params))
    return msgspec.json.decode(line, type=command.result)


def add(dispatcher: CommandDispatcher, group: str = "demo", **others: Any) -> int:
    user = mt4.NewUser(group=group, name="Ann", leverage=100, password="Secret12", **others)
    return ask(dispatcher, commands.USER_RECORD_NEW, user).login


def pay(dispatcher: CommandDispatcher, login: int, amount: float, comment: str = "") -> int:
    params = mt4.TransactionParams(cmd=6, orderby=login, price=amount, comment=comment)
    return ask(dispatcher, commands.TRADE_TRANSACTION, params).order
