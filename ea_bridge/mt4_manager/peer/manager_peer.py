"""Peer beside the library: the daemon's link in the event loop, the library in its own thread.

A :class:`CommandDispatcher` leads each command to the method that answers it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ea_bridge import host
from ea_bridge.commands import Command
from ea_bridge.endpoint.results import ResultStore
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import commands
from ea_bridge.mt4_manager.commands import MAX_RESULTS
from ea_bridge.mt4_manager.endpoint import (
    CommandRefused,
    ManagerConversation,
    ManagerExecutor,
    is_change,
)
from ea_bridge.mt4_manager.model import ReturnCode
from ea_bridge.protocol.messages import Ack, Cmd, Res

from .changes import ChangeCommands
from .connection import ServerConnection
from .library import Library, LibraryError
from .queries import ListReader, Queries
from .records import RecordConverter, TextCodec, Unwritable

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


NAME = "mtmanapi peer 1"
SUPERVISION_S = 1.0
LONGEST = 256
"""Bytes of an address or a password, with its end."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class ManagerPeer:
    """Peer beside ``mtmanapi.dll``.

    Everything that touches the library, the table of results too, happens in one thread, one
    command after the other: neither is safe for threads.

    Args:
        library: where it is.
        home: keeps the table of results; of this peer alone.
        codec: of the texts of the server's records.
        pumps: whether there is to be an interface that pumps.

    Raises:
        LibraryError: the library cannot be used.
        OSError: the table is there and cannot be read.

    """

    def __init__(self, library: Path, home: Path, codec: TextCodec, *, pumps: bool = True) -> None:
        self.boot = host.token_hex(16)
        self.name = NAME
        label = f"mt4-manager|{socket.gethostname()}|{home.resolve()}"
        self.fingerprint = hashlib.sha256(label.encode()).hexdigest()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mtmanapi")
        self._connection = ServerConnection(
            Library(library),
            encode=lambda text: codec.write(text, LONGEST, "connect"),
            pumps=pumps,
        )
        table = ResultStore(home / "results.jsonl", room=MAX_RESULTS, durable=True)
        self._dispatcher = CommandDispatcher(self._connection, codec)
        self._executor = ManagerExecutor(self._dispatcher, table)

    @property
    def connected(self) -> bool:
        """Whether we are logged in at the trade server."""
        return self._connection.connected

    def obey(self, cmd: Cmd, conversation: ManagerConversation, waited_ms: float) -> None:
        """Have a command carried out in its turn, and answer if the link is still there."""
        if is_change(cmd):
            # before its turn: it has arrived, however long the library takes for those before
            conversation.say(Ack(id=cmd.id))
        # the wait in our own queue counts against its ``ttl``, too
        sent_ms = host.boot_ms() - waited_ms

        def work() -> list[Res]:
            return self._executor.execute(cmd, waited_ms=host.boot_ms() - sent_ms)

        def answer(done: asyncio.Future[list[Res]]) -> None:
            if not done.cancelled():
                conversation.say(*done.result())

        self._in_turn(work).add_done_callback(answer)

    async def supervise(self) -> None:
        """Keep the connection to the trade server, until cancelled."""
        while True:
            # the API tells nothing of a server that is lost: somebody has to look
            await asyncio.sleep(SUPERVISION_S)
            try:
                await self._in_turn(self._poll)
            except Exception:
                _log.exception("the connection to the trade server cannot be looked after")

    def _poll(self) -> None:
        self._connection.supervise()
        self._dispatcher.cleanup()

    async def close(self) -> None:
        """Finish what was taken, and log out."""
        # in its turn: what was taken is carried out before
        await self._in_turn(self._connection.disconnect)
        # after the last command: nothing is cut off in the middle of a booking
        self._pool.shutdown()

    def _in_turn(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work)
