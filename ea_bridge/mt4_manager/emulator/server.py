"""Emulated MetaTrader 4 server, with the manager's peer in front of it."""

from __future__ import annotations

import hashlib
import hmac
import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any

from ea_bridge import host
from ea_bridge.commands import SymbolParams
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.endpoint.results import ResultStore
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.commands import MANAGER_COMMANDS, Done
from ea_bridge.mt4_manager.endpoint import ManagerExecutor, ResultUnknown
from ea_bridge.mt4_manager.model import (
    ALL_RIGHTS,
    ConnectParams,
    GroupFilter,
    GroupRecord,
    Mail,
    ManagerConnection,
    ManagerRight,
    Page,
    ReturnCode,
    ServerConfig,
    SymbolPrice,
    SymbolRecord,
    SymbolsFilter,
    TradeServerTime,
)
from ea_bridge.mt4_manager.model.types import Masks
from ea_bridge.simulation.broker.prices import Prices
from ea_bridge.simulation.faults import EmulatedFaults

from .books import Books, BookStore
from .market import FixedQuotes, MarketQuotes, Snapshot, price_of
from .rules import check_texts, cut, invalid, no_account, refuse
from .trade_commands import TradeCommands
from .user_commands import UserCommands

MAX_MAILS = 10_000
"""Mails that are kept; older ones are forgotten."""

NEEDED: dict[str, ManagerRight] = {
    "users_request": ManagerRight.MANAGER,
    "user_records_request": ManagerRight.MANAGER,
    "user_record_new": ManagerRight.MANAGER,
    "user_record_update": ManagerRight.MANAGER,
    "user_password_set": ManagerRight.MANAGER,
    "users_group_op": ManagerRight.MANAGER,
    "online_request": ManagerRight.ONLINE,
    "trade_transaction": ManagerRight.MONEY,
    "margin_level_request": ManagerRight.TRADES,
    "margins_get": ManagerRight.TRADES,
    "trades_request": ManagerRight.TRADES,
    "trades_get_by_login": ManagerRight.TRADES,
    "trades_user_history": ManagerRight.TRADES,
    "trade_records_request": ManagerRight.SEE_TRADES,
    "adm_trades_request": ManagerRight.ADMIN,
    "adm_trade_record_modify": ManagerRight.ADMIN,
    "adm_trades_delete": ManagerRight.ADMIN,
    "symbol_info_get": ManagerRight.MARKET_WATCH,
    "mail_send": ManagerRight.EMAIL,
    "manager_common": ManagerRight.ADMIN,
}
"""The right that a call needs; others need none."""

_log = logging.getLogger(__name__)
_Answer = Callable[[Any], Any]


class EmulatedManager:
    """MT4 server made of Python, and the peer that a daemon asks about it.

    It begins disconnected, as a peer does beside the real API: ``connect`` logs the manager in.

    Args:
        books: users and trades.
        quotes: the market.
        now_s: the server's clock.
        server: its address, as ``connect`` must name it.
        login: the manager's.
        password: the manager's.
        results: remembers the commands that change something.
        pin: which daemon it belongs to.
        faults: how it misbehaves.
        store: the books on disk; in memory only if absent.

    """

    def __init__(
        self,
        books: Books,
        quotes: FixedQuotes | MarketQuotes,
        *,
        users: UserCommands,
        now_s: Callable[[], int],
        server: str,
        login: int,
        password: str,
        results: ResultStore,
        pin: DevicePin,
        faults: EmulatedFaults,
        store: BookStore | None = None,
    ) -> None:
        self.books = books
        self.quotes = quotes
        self.users = users
        self.server, self.login = server, login
        self.rights = ALL_RIGHTS
        """Rights of the manager."""
        self.connected = False
        self.boot = ""
        """Random, new with each start."""
        self.fingerprint = hashlib.sha256(f"emulator\n{server}\n{login}".encode()).hexdigest()
        """See ``Hello.fp``; the same in each run of an emulator."""
        self.crashed = False
        """It died in the middle of a command, by a fault; who leads the link starts it again."""
        self.mails: deque[Mail] = deque(maxlen=MAX_MAILS)
        self.faults = faults
        self.pin = pin
        self.results = results
        self.executor = ManagerExecutor(self, results)
        self.trades = TradeCommands(books, now_s, self.take_snapshot)
        self._password = password
        self._now_s = now_s
        self._prices = Prices(quotes)
        self._store = store
        self._told: dict[str, float] = {}
        self._answers = self._all_answers()
        self.restart()

    def take_snapshot(self) -> Snapshot:
        """Return the prices of now."""
        return Snapshot(self._prices)

    def restart(self, *, lose_results: bool = False) -> None:
        """Start the peer anew: what was only in its memory is gone; the server lives on."""
        self.boot = host.token_hex(16)
        self.connected = False
        self.crashed = False
        if lose_results:
            self.results.lose()
        self.results.reload()

    def lose_connection(self) -> None:
        """Break the peer's connection to the server; ``connect`` brings it back."""
        self.connected = False

    def close(self) -> None:
        """Let go of the file, if there is one."""
        if self._store is not None:
            self._store.close()

    # --- commands --------------------------------------------------------------------------

    def answer(self, op: str, params: Struct) -> Any:
        """Return the result of a command.

        Raises:
            Refused: with the API's return code.
            ResultUnknown: it died over it, by a fault.

        """
        is_change = MANAGER_COMMANDS[op].trades
        # faults are for changes alone: a question that dies is asked again
        if is_change and self.faults.take("crash_before"):
            self.crashed = True
            raise ResultUnknown("the peer died before it began")
        if op not in ("connect", "disconnect", "is_connected"):
            self._check_connected()
        if NEEDED.get(op, ManagerRight(0)) not in self.rights:
            raise refuse(ReturnCode.NOT_ENOUGH_RIGHTS, "the manager may not do that")
        # rights are asked before the params: a refusal tells nothing of what there is
        result = self._answers[op](params)
        if is_change:
            # before the answer: what was told must be in the file
            self.save()
            if self.faults.take("crash_after"):
                self.crashed = True
                raise ResultUnknown("the peer died before it noted the result")
        return result

    def save(self) -> None:
        """Write what changed to the file, if there is one.

        Raises:
            ResultUnknown: the file could not be written.

        """
        # taken even without a file, or they would pile up
        changes = self.books.take_changes()
        if self._store is None or not changes:
            return
        try:
            self._store.save(self.books, changes)
        except sqlite3.Error as error:
            raise ResultUnknown(f"the database cannot be written: {error}") from error

    def _all_answers(self) -> dict[str, _Answer]:
        users, trades = self.users, self.trades
        return {
            "connect": self._connect,
            "disconnect": self._disconnect,
            "is_connected": self._connection,
            "ping": lambda _: Done(),
            "server_time": lambda _: TradeServerTime(time=self._now_s()),
            "manager_common": self._config,
            "users_request": users.users,
            "user_records_request": users.records,
            "user_record_new": users.new,
            "user_record_update": users.update,
            "user_password_set": users.set_password,
            "users_group_op": users.group_op,
            "online_request": users.connections,
            "trade_transaction": trades.transact,
            "margin_level_request": trades.level,
            "margins_get": trades.levels,
            "trades_request": trades.open_trades,
            "trades_get_by_login": trades.open_of_login,
            "trades_user_history": trades.history,
            "trade_records_request": trades.by_number,
            "adm_trades_request": trades.of_groups,
            "adm_trade_record_modify": trades.modify,
            "adm_trades_delete": trades.delete,
            "groups_request": self._groups,
            "symbols_get_all": self._symbols,
            "symbol_get": self._symbol,
            "symbol_info_get": self._price,
            "mail_send": self._mail,
        }

    def _check_connected(self) -> None:
        if self.faults.take("lose_server"):
            self.lose_connection()
        if not self.connected:
            raise refuse(ReturnCode.NO_CONNECT, "the manager is not logged in at the server")

    def _connect(self, params: ConnectParams) -> ManagerConnection:
        self.connected = False  # the API leaves an older connection before it makes a new one
        if params.server != self.server:
            raise refuse(ReturnCode.NO_CONNECT, "no server answers at that address")
        known = hmac.compare_digest(params.password.encode(), self._password.encode())
        # one answer for both: whoever guesses learns not even that the login is right
        if params.login != self.login or not known:
            raise refuse(ReturnCode.BAD_ACCOUNT_INFO, "login or password is wrong")
        self.connected = True
        return self._connection(params)

    def _disconnect(self, _: Struct) -> ManagerConnection:
        self.connected = False
        return self._connection(_)

    def _connection(self, _: Struct) -> ManagerConnection:
        if not self.connected:
            return ManagerConnection(connected=False)
        return ManagerConnection(connected=True, server=self.server, login=self.login)

    def _groups(self, params: GroupFilter) -> Page[GroupRecord]:
        masks = Masks(params.group)
        meant = [group for name, group in self.books.groups.items() if masks.fit(name)]
        return cut(meant, params.offset, params.limit)

    def _symbols(self, params: SymbolsFilter) -> Page[SymbolRecord]:
        masks = Masks(params.symbol)
        meant = [symbol for name, symbol in self.books.symbols.items() if masks.fit(name)]
        return cut(meant, params.offset, params.limit)

    def _symbol(self, params: SymbolParams) -> SymbolRecord:
        symbol = self.books.symbols.get(params.symbol)
        if symbol is None:
            raise invalid(f"there is no symbol {params.symbol[:32]!r}")
        return symbol

    def _price(self, params: SymbolParams) -> SymbolPrice:
        symbol = self._symbol(params)
        tick = self._prices.tick(symbol.symbol)
        before = self._told.get(symbol.symbol)
        if tick is not None:
            # ``direction`` of the next answer is against this price
            self._told[symbol.symbol] = tick.bid
        return price_of(symbol, tick, self.quotes.day(symbol.symbol), before)

    def _mail(self, params: Mail) -> Done:
        check_texts(params)
        for login in params.logins:
            if login not in self.books.accounts:
                raise no_account(login)
        self.mails.append(params)
        return Done(total=len(dict.fromkeys(params.logins)))

    def _config(self, _: Struct) -> ServerConfig:
        return ServerConfig(
            owner="Emulated Broker Ltd",
            name="Emulated-MT4",
            address=0x0100007F,
            port=443,
            timeout=3,
            typeofdemo=1,
            timeofdemo=30,
            daylightcorrection=1,
            timezone=2,
            timezone_real=2,
            minclient=1420,
            minapi=1420,
            feeder_timeout=60,
            keepemails=90,
            endhour=23,
            endminute=59,
            optimization_time=90,
            antiflood=1,
            floodcontrol=128,
            lastorder=self.books.last_order,
            lastlogin=self.books.last_login,
            rollovers_mode=1,
            path_database="bases",
            path_history="history",
            path_log="logs",
            server_version=400,
            server_build=1420,
            keepticks=30,
        )
