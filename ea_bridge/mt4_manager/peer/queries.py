"""Commands that read, by the library's methods, and the lists that their pages are cut from.

A method that gives a list gives nothing at all both where the list is empty and where the server
did not answer. So an empty one is believed only if the server answers a ping right after. A
history, from which the daemon learns what became of a payment, is believed to be empty only when
it was empty twice.

The daemon asks for a long list page by page, and the library knows no pages: so what the first
page was cut from is kept for a while for those that follow, who then see one and the same list,
and the server is not asked for all of its users fifty times.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from ctypes import byref, c_int32
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec.structs import replace

from ea_bridge import host
from ea_bridge.commands import SymbolParams
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.commands import Done
from ea_bridge.mt4_manager.endpoint import CommandRefused
from ea_bridge.mt4_manager.model import Page, ReturnCode
from ea_bridge.mt4_manager.model.types import Masks

from . import layouts
from .connection import NO_CONNECT, ServerConnection, demand
from .layouts import ConCommon, ConGroup
from .library import Interface
from .records import RecordConverter

SNAPSHOT_S = 30.0
"""So long pages are cut from one list."""

R = TypeVar("R", bound=ctypes.Structure)
S = TypeVar("S", bound=Struct)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """List that pages are cut from."""

    interface: Interface
    question: Struct
    records: list[Any]
    until_s: float


class ListReader:
    """Reader of lists, which keeps the last one for the pages that are cut from it.

    Args:
        connection: to the trade server.
        clock: seconds that only grow.

    """

    def __init__(
        self, connection: ServerConnection, clock: Callable[[], float] = host.monotonic_s
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._snapshot: _Snapshot | None = None

    def ask(self, method: str, kind: type[R], *arguments: Any, count: int = 0) -> list[R]:
        """Return what a method gives; the arguments as of :meth:`.Interface.list`.

        Raises:
            Refused: the server did not answer.

        """
        direct = self._connection.direct()
        found = direct.list(method, kind, *arguments, count=count)
        if not found:
            demand(direct, "Ping")
        return found

    def for_page(self, wanted: Struct, fetch: Callable[[], list[R]]) -> list[R]:
        """Return the list that a page is cut from: a fresh one for the first page.

        Args:
            wanted: what is asked, the page's ``offset`` and ``limit`` among it.
            fetch: gets the whole of what is asked.

        Raises:
            Refused: the server did not answer.

        """
        interface, now_s = self._connection.direct(), self._clock()
        question = replace(wanted, offset=0, limit=None)
        # let go of at once: a new first page is never cut from an old list
        known, self._snapshot = self._snapshot, None
        if (
            _offset(wanted)
            and known is not None
            # another interface is another login: it may see other accounts
            and known.interface is interface
            and known.question == question
            and now_s < known.until_s
        ):
            self._snapshot = known
            return known.records
        found = fetch()
        # kept only where rows follow: a whole server's users are a lot of memory
        if len(found) > len(window(wanted, found)) + _offset(wanted):
            self._snapshot = _Snapshot(interface, question, found, now_s + SNAPSHOT_S)
        return found

    def discard_expired(self) -> None:
        """Let go of a list that nobody asks more of; call it now and then."""
        if self._snapshot is not None and self._clock() >= self._snapshot.until_s:
            self._snapshot = None


def window(wanted: Any, rows: list[R]) -> list[R]:
    """Return the rows of a page."""
    end = None if wanted.limit is None else wanted.offset + wanted.limit
    return rows[wanted.offset : end]


def _offset(wanted: Any) -> int:
    offset: int = wanted.offset
    return offset


class Queries:
    """Commands that read the server's records.

    Args:
        connection: to the trade server.
        lists: from it.
        records: converts what comes.

    """

    def __init__(
        self, connection: ServerConnection, lists: ListReader, records: RecordConverter
    ) -> None:
        self._connection = connection
        self._lists = lists
        self._records = records

    # --- the server ------------------------------------------------------------------------

    def ping(self) -> Done:
        """``Ping``."""
        self.demand("Ping")
        return Done()

    def server_time(self) -> mt4.TradeServerTime:
        """``ServerTime``."""
        return mt4.TradeServerTime(time=max(0, self._connection.direct().call("ServerTime")))

    def server_config(self) -> mt4.ServerConfig:
        """``ManagerCommon``."""
        common = ConCommon()
        self.demand("ManagerCommon", byref(common))
        return self._records.read(common, mt4.ServerConfig)

    # --- users -----------------------------------------------------------------------------

    def users(self, wanted: mt4.UsersFilter) -> Page[mt4.UserRecord]:
        """``UsersRequest``, and of those the ones that are wanted."""
        fits = self._user_test(wanted)

        def fetch() -> list[layouts.UserRecord]:
            return [
                user for user in self._lists.ask("UsersRequest", layouts.UserRecord) if fits(user)
            ]

        return self._page(wanted, fetch, mt4.UserRecord)

    def user_records(self, logins: Sequence[int]) -> list[mt4.UserRecord]:
        """``UserRecordsRequest``."""
        return [self._records.read(user, mt4.UserRecord) for user in self.raw_users(logins)]

    def raw_users(self, logins: Sequence[int]) -> list[layouts.UserRecord]:
        """Return the whole records, to be changed and written back."""
        return self._lists.ask(
            "UserRecordsRequest", layouts.UserRecord, ints(logins), count=len(logins)
        )

    def online(self, wanted: mt4.GroupFilter) -> Page[mt4.OnlineRecord]:
        """``OnlineRequest``."""
        fits = self._group_test(wanted.group)

        def fetch() -> list[layouts.OnlineRecord]:
            every = self._lists.ask("OnlineRequest", layouts.OnlineRecord)
            return [record for record in every if fits(record)]

        return self._page(wanted, fetch, mt4.OnlineRecord)

    def _user_test(self, wanted: mt4.UsersFilter) -> Callable[[layouts.UserRecord], bool]:
        in_groups = self._group_test(wanted.group)
        needle = (wanted.search or "").casefold()
        read = self._records.codec.read

        def test(user: layouts.UserRecord) -> bool:
            if wanted.enable is not None and bool(user.enable) is not bool(wanted.enable):
                return False
            if user.regdate < (wanted.regdate_from or 0):
                return False
            if user.lastdate < (wanted.lastdate_from or 0):
                return False
            texts = (user.name, user.email, user.phone, user.comment)
            if needle and not any(needle in read(text).casefold() for text in texts):
                return False
            return in_groups(user)

        return test

    def _group_test(self, text: str | None) -> Callable[[Any], bool]:
        masks = Masks(text)
        read = self._records.codec.read
        return lambda record: masks.fit(read(record.group))

    # --- margins ---------------------------------------------------------------------------

    def margin(self, login: int) -> mt4.MarginLevel:
        """``MarginLevelRequest``."""
        level = layouts.MarginLevel()
        self.demand("MarginLevelRequest", login, byref(level))
        return self._records.read(level, mt4.MarginLevel)

    def margins(self, wanted: mt4.MarginsFilter) -> Page[mt4.MarginLevel]:
        """``MarginsGet``, by login."""
        pump = self._connection.pump()
        if pump is None:
            raise CommandRefused("pumping has not begun yet; ask again", retcode=NO_CONNECT)
        fits = self._group_test(wanted.group)

        def fetch() -> list[layouts.MarginLevel]:
            levels = [
                level
                for level in pump.list("MarginsGet", layouts.MarginLevel)
                if fits(level) and wanted.level_type in (None, level.level_type)
            ]
            levels.sort(key=lambda level: int(level.login))
            return levels

        return self._page(wanted, fetch, mt4.MarginLevel)

    # --- trades ----------------------------------------------------------------------------

    def open_trades(self, wanted: mt4.OpenTradesFilter) -> Page[mt4.TradeRecord]:
        """``TradesRequest``. A trade does not know its group, so users are asked for then too."""
        return self._page(wanted, lambda: self._open_trades(wanted), mt4.TradeRecord)

    def _open_trades(self, wanted: mt4.OpenTradesFilter) -> list[layouts.TradeRecord]:
        logins = None
        if wanted.group is not None:
            fits = self._group_test(wanted.group)
            users = self._lists.ask("UsersRequest", layouts.UserRecord)
            logins = {user.login for user in users if fits(user)}
        return [
            trade
            for trade in self._lists.ask("TradesRequest", layouts.TradeRecord)
            if wanted.login in (None, trade.login)
            and (logins is None or trade.login in logins)
            and wanted.symbol in (None, self._records.codec.read(trade.symbol))
        ]

    def trades_of(self, wanted: mt4.LoginTradesParams) -> Page[mt4.TradeRecord]:
        """``TradesGetByLogin``; before pumping has begun, those of ``TradesRequest``."""
        users = self.raw_users([wanted.login])
        if not users:
            raise no_such_login(wanted.login)
        # the method wants the user's group, which the caller need not know
        group, pump = bytes(users[0].group), self._connection.pump()

        def fetch() -> list[layouts.TradeRecord]:
            if pump is not None:
                return pump.list("TradesGetByLogin", layouts.TradeRecord, wanted.login, group)
            every = self._lists.ask("TradesRequest", layouts.TradeRecord)
            return [trade for trade in every if trade.login == wanted.login]

        return self._page(wanted, fetch, mt4.TradeRecord)

    def history(self, wanted: mt4.TradeHistoryParams) -> Page[mt4.TradeRecord]:
        """``TradesUserHistory``."""
        span = (wanted.login, wanted.from_s, wanted.to_s)

        def fetch() -> list[layouts.TradeRecord]:
            found = self._lists.ask("TradesUserHistory", layouts.TradeRecord, *span)
            if found:
                return found
            # asked again: an empty list that was wrong would make the daemon pay twice
            return self._lists.ask("TradesUserHistory", layouts.TradeRecord, *span)

        return self._page(wanted, fetch, mt4.TradeRecord)

    def trade_records(self, orders: Sequence[int]) -> list[mt4.TradeRecord]:
        """``TradeRecordsRequest``."""
        return [self._records.read(trade, mt4.TradeRecord) for trade in self.raw_trades(orders)]

    def raw_trades(self, orders: Sequence[int]) -> list[layouts.TradeRecord]:
        """Return the whole records, to be changed and written back."""
        return self._lists.ask(
            "TradeRecordsRequest", layouts.TradeRecord, ints(orders), count=len(orders)
        )

    def admin_trades(self, wanted: mt4.AdminTradesParams) -> Page[mt4.TradeRecord]:
        """``AdmTradesRequest``."""
        asked = (self._records.codec.write(wanted.group, 1024, "group"), wanted.open_only)

        def fetch() -> list[layouts.TradeRecord]:
            return self._lists.ask("AdmTradesRequest", layouts.TradeRecord, *asked)

        return self._page(wanted, fetch, mt4.TradeRecord)

    # --- groups and symbols ----------------------------------------------------------------

    def groups(self, wanted: mt4.GroupFilter) -> Page[mt4.GroupRecord]:
        """``GroupsRequest``."""
        fits = self._group_test(wanted.group)
        raw = [group for group in self._lists.ask("GroupsRequest", ConGroup) if fits(group)]
        rows = [self._records.read_group(group) for group in window(wanted, raw)]
        return Page(total=len(raw), rows=rows)

    def symbols(self, wanted: mt4.SymbolsFilter) -> Page[mt4.SymbolRecord]:
        """``SymbolsRefresh`` and ``SymbolsGetAll``."""
        self.demand("SymbolsRefresh")
        masks, read = Masks(wanted.symbol), self._records.codec.read
        every = self._lists.ask("SymbolsGetAll", layouts.ConSymbol)
        raw = [symbol for symbol in every if masks.fit(read(symbol.symbol))]
        rows = [self._records.read_symbol(symbol) for symbol in window(wanted, raw)]
        return Page(total=len(raw), rows=rows)

    def symbol(self, params: SymbolParams) -> mt4.SymbolRecord:
        """``SymbolGet``."""
        symbol = layouts.ConSymbol()
        self.demand("SymbolGet", self._name(params), byref(symbol))
        return self._records.read_symbol(symbol)

    def price(self, params: SymbolParams) -> mt4.SymbolPrice:
        """``SymbolAdd`` and ``SymbolInfoGet``, of the interface that is kept up to date."""
        interface = self._connection.pump() or self._connection.direct()
        name, info = self._name(params), layouts.SymbolInfo()
        # a symbol outside of the market watch has no price
        demand(interface, "SymbolAdd", name)
        demand(interface, "SymbolInfoGet", name, byref(info))
        # zeros until the first tick after it was added
        if not info.bid and not info.ask:
            said = "there has been no price yet; ask again"
            raise CommandRefused(said, retcode=int(ReturnCode.TRADE_OFFQUOTES))
        return self._records.read(info, mt4.SymbolPrice)

    def _name(self, params: SymbolParams) -> bytes:
        return self._records.codec.write(params.symbol, 12, "symbol")

    # --- calls -----------------------------------------------------------------------------

    def demand(self, method: str, *arguments: Any) -> None:
        """Call a method that changes nothing and gives a return code.

        Raises:
            CommandRefused: the code is no success.

        """
        demand(self._connection.direct(), method, *arguments)

    def _page(self, wanted: Any, fetch: Callable[[], list[R]], kind: type[S]) -> Page[S]:
        every = self._lists.for_page(wanted, fetch)
        rows = [self._records.read(record, kind) for record in window(wanted, every)]
        return Page(total=len(every), rows=rows)


def ints(numbers: Sequence[int]) -> ctypes.Array[c_int32]:
    """Return an array of C's ``int``."""
    return (c_int32 * len(numbers))(*numbers)


def no_such_login(login: int) -> CommandRefused:
    """Return the refusal of a command about a user who is not there."""
    return CommandRefused(f"there is no login {login}", retcode=int(ReturnCode.BAD_ACCOUNT_INFO))
