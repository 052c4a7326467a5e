"""Dispatcher of a manager's commands to the methods that answer them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ea_bridge import host
from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import commands
from ea_bridge.mt4_manager.executor import CommandRefused
from ea_bridge.mt4_manager.model import ReturnCode

from .changes import ChangeCommands
from .connection import ServerConnection
from .library import LibraryError
from .list_reader import ListReader
from .queries import Queries
from .records import RecordConverter
from .text_codec import TextCodec, Unwritable

P = TypeVar("P", bound=Struct)
Answer = Callable[[Any], Any]


class CommandDispatcher:
    """Dispatcher of commands to a trade server.

    Args:
        connection: to it.
        codec: of the texts of its records.
        clock: seconds that only grow.

    """

    def __init__(
        self,
        connection: ServerConnection,
        codec: TextCodec,
        clock: Callable[[], float] = host.monotonic_s,
    ) -> None:
        records = RecordConverter(codec)
        self._lists = ListReader(connection, clock)
        queries = Queries(connection, self._lists, records)
        changes = ChangeCommands(connection, records, queries)
        self._answers = dict(_answers(connection, queries, changes))

    def answer(self, op: str, params: Struct) -> Any:
        """Return the result of a command.

        Raises:
            CommandRefused: it was not carried out; with ``TRADE_TIMEOUT`` it may have been.

        """
        try:
            return self._answers[op](params)
        except Unwritable as error:
            raise CommandRefused(str(error), retcode=int(ReturnCode.INVALID_DATA)) from None
        except LibraryError as error:
            raise CommandRefused(str(error), retcode=int(ReturnCode.TECH_PROBLEM)) from None

    def cleanup(self) -> None:
        """Drop the list that nobody asks more pages of; call it about once a second."""
        self._lists.discard_expired()


def _answers(
    connection: ServerConnection, queries: Queries, changes: ChangeCommands
) -> Mapping[str, Answer]:
    table: dict[Command[Any, Any], Answer] = {}

    def on(command: Command[P, Any], answer: Callable[[P], Any]) -> None:
        table[command] = answer

    on(commands.CONNECT, connection.connect)
    on(commands.DISCONNECT, lambda _: connection.disconnect())
    on(commands.IS_CONNECTED, lambda _: connection.state())
    on(commands.PING, lambda _: queries.ping())
    on(commands.SERVER_TIME, lambda _: queries.server_time())
    on(commands.MANAGER_COMMON, lambda _: queries.server_config())
    on(commands.USERS_REQUEST, queries.users)
    on(commands.USER_RECORDS_REQUEST, lambda params: queries.user_records(params.logins))
    on(commands.USER_RECORD_NEW, changes.add_user)
    on(commands.USER_RECORD_UPDATE, changes.update_user)
    on(commands.USER_PASSWORD_SET, changes.set_password)
    on(commands.USERS_GROUP_OP, changes.group_op)
    on(commands.ONLINE_REQUEST, queries.online)
    on(commands.TRADE_TRANSACTION, changes.transact)
    on(commands.MARGIN_LEVEL_REQUEST, lambda params: queries.margin(params.login))
    on(commands.MARGINS_GET, queries.margins)
    on(commands.TRADES_REQUEST, queries.open_trades)
    on(commands.TRADES_GET_BY_LOGIN, queries.trades_of)
    on(commands.TRADES_USER_HISTORY, queries.history)
    on(commands.TRADE_RECORDS_REQUEST, lambda params: queries.trade_records(params.orders))
    on(commands.ADM_TRADES_REQUEST, queries.admin_trades)
    on(commands.ADM_TRADE_RECORD_MODIFY, changes.modify_trade)
    on(commands.ADM_TRADES_DELETE, changes.delete_trades)
    on(commands.GROUPS_REQUEST, queries.groups)
    on(commands.SYMBOLS_GET_ALL, queries.symbols)
    on(commands.SYMBOL_GET, queries.symbol)
    on(commands.SYMBOL_INFO_GET, queries.price)
    on(commands.MAIL_SEND, changes.send_mail)
    return {command.op: answer for command, answer in table.items()}
