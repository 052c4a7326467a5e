"""Which of our methods answers which command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ea_bridge import host
from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import commands
from ea_bridge.mt4_manager.executor import Refused
from ea_bridge.mt4_manager.model import ReturnCode

from .changes import Changes
from .connection import Connection
from .library import LibraryError
from .lists import Lists
from .questions import Questions
from .records import Records
from .text import TextCodec, Unwritable

P = TypeVar("P", bound=Struct)
Answer = Callable[[Any], Any]


class Desk:
    """Carries a manager's commands out at a trade server.

    Args:
        connection: to it.
        codec: of the texts of its records.
        clock: seconds that only grow.

    """

    def __init__(
        self,
        connection: Connection,
        codec: TextCodec,
        clock: Callable[[], float] = host.monotonic_s,
    ) -> None:
        records = Records(codec)
        self._lists = Lists(connection, clock)
        questions = Questions(connection, self._lists, records)
        changes = Changes(connection, records, questions)
        self._answers = dict(_answers(connection, questions, changes))

    def answer(self, op: str, params: Struct) -> Any:
        """Return the result of a command.

        Raises:
            Refused: it was not carried out; with ``TRADE_TIMEOUT`` it may have been.

        """
        try:
            return self._answers[op](params)
        except Unwritable as error:
            raise Refused(str(error), retcode=int(ReturnCode.INVALID_DATA)) from None
        except LibraryError as error:
            raise Refused(str(error), retcode=int(ReturnCode.TECH_PROBLEM)) from None

    def tidy(self) -> None:
        """Let go of what nobody asks more of; call it about once a second."""
        self._lists.forget()


def _answers(
    connection: Connection, questions: Questions, changes: Changes
) -> Mapping[str, Answer]:
    table: dict[Command[Any, Any], Answer] = {}

    def on(command: Command[P, Any], answer: Callable[[P], Any]) -> None:
        table[command] = answer

    on(commands.CONNECT, connection.connect)
    on(commands.DISCONNECT, lambda _: connection.disconnect())
    on(commands.IS_CONNECTED, lambda _: connection.state())
    on(commands.PING, lambda _: questions.ping())
    on(commands.SERVER_TIME, lambda _: questions.server_time())
    on(commands.MANAGER_COMMON, lambda _: questions.server_config())
    on(commands.USERS_REQUEST, questions.users)
    on(commands.USER_RECORDS_REQUEST, lambda params: questions.user_records(params.logins))
    on(commands.USER_RECORD_NEW, changes.add_user)
    on(commands.USER_RECORD_UPDATE, changes.update_user)
    on(commands.USER_PASSWORD_SET, changes.set_password)
    on(commands.USERS_GROUP_OP, changes.group_op)
    on(commands.ONLINE_REQUEST, questions.online)
    on(commands.TRADE_TRANSACTION, changes.transact)
    on(commands.MARGIN_LEVEL_REQUEST, lambda params: questions.margin(params.login))
    on(commands.MARGINS_GET, questions.margins)
    on(commands.TRADES_REQUEST, questions.open_trades)
    on(commands.TRADES_GET_BY_LOGIN, questions.trades_of)
    on(commands.TRADES_USER_HISTORY, questions.history)
    on(commands.TRADE_RECORDS_REQUEST, lambda params: questions.trade_records(params.orders))
    on(commands.ADM_TRADES_REQUEST, questions.admin_trades)
    on(commands.ADM_TRADE_RECORD_MODIFY, changes.modify_trade)
    on(commands.ADM_TRADES_DELETE, changes.delete_trades)
    on(commands.GROUPS_REQUEST, questions.groups)
    on(commands.SYMBOLS_GET_ALL, questions.symbols)
    on(commands.SYMBOL_GET, questions.symbol)
    on(commands.SYMBOL_INFO_GET, questions.price)
    on(commands.MAIL_SEND, changes.send_mail)
    return {command.op: answer for command, answer in table.items()}
