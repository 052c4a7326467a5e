"""Peer beside the library: the daemon's link in the event loop, the library in its own thread.

A :class:`CommandDispatcher` leads each command to the method that answers it.

:class:`ChangeCommands` are those that change something, by the library's methods. A change that
can be made twice without harm is refused with whatever code its method gives. One that cannot
(money, a new user, a mail) is refused with that code only if it says that nothing was made. A
connection that breaks in the middle may have carried it: then the code is ``TRADE_TIMEOUT``,
whatever the method gave, and the daemon looks for the change itself.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import logging
import mmap
import socket
import string
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref
from pathlib import Path
from typing import Any, TypeVar

from ea_bridge import host
from ea_bridge.commands import Command
from ea_bridge.endpoint.results import ResultStore
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import commands
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.commands import MAX_RESULTS, Done
from ea_bridge.mt4_manager.endpoint import (
    CommandRefused,
    ManagerConversation,
    ManagerExecutor,
    is_change,
)
from ea_bridge.mt4_manager.model import ReturnCode
from ea_bridge.protocol.messages import Ack, Cmd, Res

from . import layouts
from .connection import SUCCESSES, ServerConnection, demand, describe
from .library import Library, LibraryError
from .queries import ListReader, Queries, ints, no_such_login
from .records import RecordConverter, TextCodec, Unwritable

DOUBTFUL = frozenset(
    {
        ReturnCode.ERROR,
        ReturnCode.TECH_PROBLEM,
        ReturnCode.NO_CONNECT,
        ReturnCode.MALFUNCTION,
        ReturnCode.TRADE_TIMEOUT,
        ReturnCode.TRADE_ACCEPTED,
        ReturnCode.TRADE_PROCESS,
    }
)
"""Codes after which a change may have been made."""
MAIL_BYTES = 4 * mt4.MAX_MAIL_BODY + 1
PASSWORD_LENGTH = 12


class ChangeCommands:
    """Commands that change users, trades and money, or send mail.

    Args:
        connection: to the trade server.
        records: converts what goes.
        queries: read the records before and after.

    """

    def __init__(
        self, connection: ServerConnection, records: RecordConverter, queries: Queries
    ) -> None:
        self._connection = connection
        self._records = records
        self._queries = queries
        self._mail: LowBuffer | None = None

    # --- money -----------------------------------------------------------------------------

    def transact(self, params: mt4.TransactionParams) -> mt4.Transacted:
        """``TradeTransaction``."""
        info = layouts.TradeTransInfo()
        self._records.write(info, params)
        self._once("TradeTransaction", byref(info))
        # not every server may write the number back: 0 says that it is not known
        return mt4.Transacted(order=max(0, info.order))

    # --- users -----------------------------------------------------------------------------

    def add_user(self, params: mt4.NewUser) -> mt4.UserRecord:
        """``UserRecordNew``; the library writes the login into the record."""
        user = layouts.UserRecord()
        user.enable = user.enable_change_password = user.send_reports = 1
        user.user_color = mt4.NO_COLOR
        self._records.write(user, params)
        if params.password_investor is None:
            # an empty one would let anybody look at the account
            self._records.set(user, "password_investor", _new_password())
        self._once("UserRecordNew", byref(user))
        return self._user_now(user)

    def update_user(self, params: mt4.UserUpdate) -> mt4.UserRecord:
        """``UserRecordUpdate`` with the record as it is now but for what changes. The server
        leaves its passwords empty in what it tells, and keeps those that come back empty.
        """
        found = self._queries.raw_users([params.login])
        if not found:
            raise no_such_login(params.login)
        self._records.write(found[0], params.change)
        self._demand("UserRecordUpdate", byref(found[0]))
        return self._user_now(found[0])

    def _user_now(self, written: layouts.UserRecord) -> mt4.UserRecord:
        """Return what the server made of it; what was written, where it does not tell: that the
        change was made is certain by now.
        """
        try:
            now = self._queries.user_records([written.login])
        except CommandRefused:
            now = []
        return now[0] if now else self._records.read(written, mt4.UserRecord)

    def set_password(self, params: mt4.PasswordParams) -> Done:
        """``UserPasswordSet``."""
        password = self._records.codec.write(params.password, 16, "password")
        flags = (params.change_investor, params.clean_pubkey)
        self._demand("UserPasswordSet", params.login, password, *flags)
        return Done()

    def group_op(self, params: mt4.GroupOpParams) -> Done:
        """``UsersGroupOp``."""
        info = layouts.GroupCommandInfo(len=len(params.logins))
        self._records.write(info, params, but=("logins",))
        self._demand("UsersGroupOp", byref(info), ints(params.logins))
        return Done(total=len(params.logins))

    # --- trades ----------------------------------------------------------------------------

    def modify_trade(self, params: mt4.AdminModifyParams) -> mt4.TradeRecord:
        """``AdmTradeRecordModify`` with the record as it is now but for what changes."""
        found = self._trades([params.order])
        self._records.write(found[0], params.change)
        self._demand("AdmTradeRecordModify", byref(found[0]))
        self._fix_balance(params.fix_balance, found)
        try:
            now = self._queries.trade_records([params.order])
        except CommandRefused:
            now = []  # it was changed all the same
        return now[0] if now else self._records.read(found[0], mt4.TradeRecord)

    def delete_trades(self, params: mt4.AdminDeleteParams) -> Done:
        """``AdmTradesDelete``."""
        orders = list(dict.fromkeys(params.orders))
        found = self._trades(orders)  # read before: deleted ones no longer tell their logins
        self._demand("AdmTradesDelete", ints(orders), len(orders))
        self._fix_balance(params.fix_balance, found)
        return Done(total=len(orders))

    def _trades(self, orders: Sequence[int]) -> list[layouts.TradeRecord]:
        found = self._queries.raw_trades(orders)
        missing = set(orders) - {trade.order for trade in found}
        if missing:
            said = f"there is no order {min(missing)}"
            raise CommandRefused(said, retcode=int(ReturnCode.INVALID_DATA))
        return found

    def _fix_balance(self, wanted: int, trades: Sequence[layouts.TradeRecord]) -> None:
        """``AdmBalanceFix``: what was changed in the records moves the balances only now."""
        if not wanted:
            return
        logins = sorted({trade.login for trade in trades})
        # the trades are changed by now: a plain refusal would say that nothing was
        try:
            self._demand("AdmBalanceFix", ints(logins), len(logins))
        except CommandRefused as no:
            raise in_doubt(f"the trades were changed, but their balances were not: {no}") from no

    # --- mail ------------------------------------------------------------------------------

    def send_mail(self, mail: mt4.Mail) -> Done:
        """``MailSend``."""
        box = layouts.MailBox(to=len(mail.logins))
        self._records.set(box, "subject", mail.subject)
        if mail.sender:
            self._records.set(box, "from", mail.sender)
        body = self._records.codec.write(mail.body, MAIL_BYTES, "body")
        if self._mail is None:
            try:
                # one for all mails: low memory is scarce, and it is never given back
                self._mail = LowBuffer(MAIL_BYTES)
            except MemoryError as error:
                raise CommandRefused(str(error), retcode=int(ReturnCode.TECH_PROBLEM)) from None
        self._mail.write(body + b"\0")
        # a ``__ptr32``: four bytes, in a process of 64 bits as well
        box.body, box.bodylen = self._mail.address, len(body)
        self._once("MailSend", byref(box), ints(mail.logins))
        return Done(total=len(mail.logins))

    # --- calls -----------------------------------------------------------------------------

    def _demand(self, method: str, *arguments: Any) -> None:
        demand(self._connection.direct(), method, *arguments)

    def _once(self, method: str, *arguments: Any) -> None:
        """Call a method that must not be called again for the same.

        Raises:
            CommandRefused: it did nothing, or (``TRADE_TIMEOUT``) that cannot be said.

        """
        direct = self._connection.direct()
        code = direct.call(method, *arguments)
        # a plain refusal would let the daemon book it again
        if code in DOUBTFUL:
            raise in_doubt(f"{method}: {describe(direct, code)}")
        if code not in SUCCESSES:
            raise CommandRefused(f"{method}: {describe(direct, code)}", retcode=code)


def in_doubt(said: str) -> CommandRefused:
    """Return the refusal of a change that may have been made all the same."""
    return CommandRefused(said, retcode=int(ReturnCode.TRADE_TIMEOUT))


def _new_password() -> str:
    """Return a password that nobody learns, of the kinds of characters that servers demand."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
    return "".join(host.choice(kinds[at % len(kinds)]) for at in range(PASSWORD_LENGTH))


LIMIT = 2**31
_STEP = 2**24
_MAP_32BIT = 0x40
"""Linux on x86-64; ``mmap`` names it from Python 3.13 on."""


class LowBuffer:
    """Block of memory for the body of a mail, whose address fits the 4 bytes of a ``__ptr32``.

    In a process of 32 bits all memory is like that. In one of 64 bits the system has to be asked
    for it: the library reads the 4 bytes as a signed number, so the address lies below 2 GiB.
    It is kept as long as the object lives.

    Args:
        size: in bytes.

    Raises:
        MemoryError: there is none.

    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.address = self._allocate()
        if not 0 < self.address <= LIMIT - size:
            raise MemoryError("there is no memory below 2 GiB")

    def write(self, data: bytes) -> None:
        """Put bytes at the beginning.

        Raises:
            ValueError: there is no room for them.

        """
        if len(data) > self.size:
            raise ValueError(f"{len(data)} bytes do not fit {self.size}")
        ctypes.memmove(self.address, data, len(data))

    if sys.platform == "win32":

        def _allocate(self) -> int:
            kernel = ctypes.WinDLL("kernel32")
            kernel.VirtualAlloc.restype = ctypes.c_void_p
            kernel.VirtualAlloc.argtypes = (
                ctypes.c_void_p,
                ctypes.c_size_t,
                ctypes.c_uint32,
                ctypes.c_uint32,
            )
            reserve_and_commit, read_write = 0x3000, 0x04
            # Windows has no flag for low memory: one address after the other is asked for
            for start in range(_STEP, LIMIT - _STEP, _STEP):
                found = kernel.VirtualAlloc(start, self.size, reserve_and_commit, read_write)
                if found:
                    return int(found)
            return 0

    else:

        def _allocate(self) -> int:
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_32BIT
            self._map = mmap.mmap(-1, self.size, flags=flags)
            return ctypes.addressof(ctypes.c_char.from_buffer(self._map))


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
