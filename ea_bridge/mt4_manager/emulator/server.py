"""Emulated MetaTrader 4 server, with the manager's peer in front of it.

Its commands about trades and money stand here; those about users in :mod:`.user_commands`.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from ea_bridge import host
from ea_bridge.commands import SymbolParams
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.endpoint.results import ResultStore
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.commands import MANAGER_COMMANDS, Done
from ea_bridge.mt4_manager.endpoint import ManagerExecutor, ResultUnknown
from ea_bridge.mt4_manager.model import (
    ALL_RIGHTS,
    AdminDeleteParams,
    AdminModifyParams,
    AdminTradesParams,
    ConnectParams,
    GroupFilter,
    GroupRecord,
    LoginTradesParams,
    Mail,
    ManagerConnection,
    ManagerRight,
    MarginLevel,
    MarginsFilter,
    OpenTradesFilter,
    OrdersParams,
    Page,
    ReturnCode,
    ServerConfig,
    SymbolPrice,
    SymbolRecord,
    SymbolsFilter,
    TradeCommand,
    TradeHistoryParams,
    TradeRecord,
    TradeServerTime,
    Transacted,
    TransactionParams,
    TransactionType,
    UserParams,
)
from ea_bridge.mt4_manager.model.types import Masks
from ea_bridge.simulation.broker.prices import Prices
from ea_bridge.simulation.faults import EmulatedFaults

from .accounts import UserAccount, amount, cents, is_amount
from .books import Books, BookStore
from .market import FixedQuotes, MarketQuotes, Snapshot, price_of
from .rules import bounds, check_texts, check_times, check_trade, cut, invalid, no_account, refuse
from .user_commands import UserCommands


class TradeCommands:
    """Commands about trades and money.

    Args:
        books: the trades.
        now_s: the server's clock.
        take_snapshot: takes a snapshot of the prices.

    """

    def __init__(
        self, books: Books, now_s: Callable[[], int], take_snapshot: Callable[[], Snapshot]
    ) -> None:
        self._books = books
        self._now_s = now_s
        self._take_snapshot = take_snapshot

    # --- money -----------------------------------------------------------------------------

    def transact(self, params: TransactionParams) -> Transacted:
        """``TradeTransaction``: a balance or credit operation."""
        if params.type != TransactionType.BR_BALANCE:
            raise invalid("only TT_BR_BALANCE is known here")
        check_texts(params)
        account = self._books.account(params.orderby)
        if not is_amount(params.price) or not cents(params.price):
            raise invalid("price is an amount of money, not 0")
        by = cents(params.price)
        match params.cmd:
            case TradeCommand.BALANCE:
                self._check_balance(account, by)
            case TradeCommand.CREDIT:
                self._check_credit(account, by, params.expiration)
            case _:
                raise invalid("cmd is OP_BALANCE or OP_CREDIT")
        expiration = params.expiration if params.cmd == TradeCommand.CREDIT and by > 0 else 0
        cmd = TradeCommand(params.cmd)
        trade = self._books.operate(
            account, cmd, by, params.comment, self._now_s(), expiration=expiration
        )
        return Transacted(order=trade.order)

    def _check_balance(self, account: UserAccount, by: int) -> None:
        """Refuse to withdraw what margin and credit hold up, or what was never paid in."""
        if by > 0:
            return
        level = self._books.margins.level(account, self._take_snapshot())
        # credit is part of the free margin, and not the client's to withdraw
        available = min(account.balance, cents(level.margin_free) - account.credit)
        if -by > available:
            said = f"{amount(max(available, 0)):.2f} can be withdrawn"
            raise refuse(ReturnCode.TRADE_NO_MONEY, said)

    def _check_credit(self, account: UserAccount, by: int, expiration: int) -> None:
        if by > 0 and expiration <= self._now_s():
            raise invalid("credit that is given needs an expiration after the server's time")
        if by < 0 and -by > account.credit:  # a rewritten row may have left it below zero
            said = f"there is a credit of {amount(account.credit):.2f}"
            raise refuse(ReturnCode.TRADE_NO_MONEY, said)

    # --- margins ---------------------------------------------------------------------------

    def level(self, params: UserParams) -> MarginLevel:
        """``MarginLevelRequest``."""
        return self._books.margins.level(self._books.account(params.login), self._take_snapshot())

    def levels(self, params: MarginsFilter) -> Page[msgspec.Raw]:
        """``MarginsGet``; the rows are encoded already."""
        books, snapshot = self._books, self._take_snapshot()
        # the daemon's usual question: nothing is worked out but the rows of the page
        if params.group is None and params.level_type is None:
            total = len(books.accounts)
            logins = books.logins(bounds(total, params.offset, params.limit))
            accounts: Iterable[UserAccount] = (books.accounts[login] for login in logins)
            return Page(total=total, rows=books.margins.encoded(accounts, snapshot))
        masks = Masks(params.group)
        meant = [account for account in books.by_login() if masks.fit(account.user.group)]
        if params.level_type is not None:
            level = books.margins.level
            meant = [
                account
                for account in meant
                if level(account, snapshot).level_type == params.level_type
            ]
        page = cut(meant, params.offset, params.limit)
        return Page(total=page.total, rows=books.margins.encoded(page.rows, snapshot))

    # --- trades ----------------------------------------------------------------------------

    def open_trades(self, params: OpenTradesFilter) -> Page[TradeRecord]:
        """``TradesRequest``, by number."""
        accounts = self._books.accounts
        if params.login is not None:
            rows = self._open_of(params.login)
        else:
            rows = list(self._books.open.values())
        if params.symbol is not None:
            rows = [trade for trade in rows if trade.symbol == params.symbol]
        if params.group is not None:
            masks = Masks(params.group)
            rows = [trade for trade in rows if masks.fit(accounts[trade.login].user.group)]
        return self._shown(cut(rows, params.offset, params.limit))

    def open_of_login(self, params: LoginTradesParams) -> Page[TradeRecord]:
        """``TradesGetByLogin``."""
        account = self._books.account(params.login)
        if params.group not in ("", account.user.group):
            raise invalid(f"{params.login} is not in {params.group}")
        return self._shown(cut(self._open_of(params.login), params.offset, params.limit))

    def history(self, params: TradeHistoryParams) -> Page[TradeRecord]:
        """``TradesUserHistory``, by number."""
        closed = self._books.closed
        if params.from_s > params.to_s:
            raise invalid("from is after to")
        rows = (closed[number] for number in self._books.account(params.login).closed)
        meant = [trade for trade in rows if params.from_s <= trade.close_time <= params.to_s]
        return cut(meant, params.offset, params.limit)

    def by_number(self, params: OrdersParams) -> list[TradeRecord]:
        """``TradeRecordsRequest``: in the order of the question, once each."""
        found = (self._books.trade(number) for number in dict.fromkeys(params.orders))
        return self._shown(cut([trade for trade in found if trade is not None], 0, None)).rows

    def of_groups(self, params: AdminTradesParams) -> Page[TradeRecord]:
        """``AdmTradesRequest``: open ones first, each by number."""
        rows = list(self._books.open.values())
        if not params.open_only:
            rows += self._books.closed.values()
        accounts = self._books.accounts
        masks = Masks(params.group)
        meant = [trade for trade in rows if masks.fit(accounts[trade.login].user.group)]
        return self._shown(cut(meant, params.offset, params.limit))

    def _open_of(self, login: int) -> list[TradeRecord]:
        account = self._books.accounts.get(login)
        return [] if account is None else [self._books.open[number] for number in account.open]

    def _shown(self, page: Page[TradeRecord]) -> Page[TradeRecord]:
        snapshot, accounts = self._take_snapshot(), self._books.accounts
        shown = self._books.margins.shown
        rows = [
            trade if trade.close_time else shown(trade, accounts[trade.login], snapshot)
            for trade in page.rows
        ]
        return Page(total=page.total, rows=rows)

    # --- an administrator's ----------------------------------------------------------------

    def modify(self, params: AdminModifyParams) -> TradeRecord:
        """``AdmTradeRecordModify``."""
        before = self._books.trade(params.order)
        if before is None:
            raise invalid(f"there is no order {params.order}")
        check_texts(params.change)
        given = {
            name: value
            for name, value in msgspec.structs.asdict(params.change).items()
            if value is not None
        }
        if given.get("symbol", before.symbol) not in (before.symbol, *self._books.symbols):
            raise invalid(f"there is no symbol {given['symbol']!r}")
        after = replace(before, **given, timestamp=self._now_s())
        check_trade(before, params.change, after)
        check_times(before, after)
        if after.symbol != before.symbol:
            after = replace(after, digits=self._books.symbols[after.symbol].digits)
        self._books.modify_trade(after)
        account = self._books.accounts[after.login]
        if params.fix_balance:
            self._books.fix_balance(account)
        return self._shown(Page(total=1, rows=[after])).rows[0]

    def delete(self, params: AdminDeleteParams) -> Done:
        """``AdmTradesDelete``: all of them or none."""
        numbers = list(dict.fromkeys(params.orders))
        # all are looked up before the first is deleted: all of them or none
        for number in numbers:
            if self._books.trade(number) is None:
                raise invalid(f"there is no order {number}")
        logins = {self._books.delete_trade(number) for number in numbers}
        if params.fix_balance:
            for login in logins:
                self._books.fix_balance(self._books.accounts[login])
        return Done(total=len(numbers))


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
