"""Commands of the emulated server about trades and money."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from msgspec.structs import replace

from ea_bridge.mt4_manager.commands import Done
from ea_bridge.mt4_manager.model import (
    AdminDeleteParams,
    AdminModifyParams,
    AdminTradesParams,
    LoginTradesParams,
    MarginLevel,
    MarginsFilter,
    OpenTradesFilter,
    OrdersParams,
    Page,
    ReturnCode,
    TradeCommand,
    TradeHistoryParams,
    TradeRecord,
    Transacted,
    TransactionParams,
    TransactionType,
    UserParams,
)
from ea_bridge.mt4_manager.model.types import Masks

from .accounts import UserAccount, amount, cents, is_amount
from .books import Books
from .market import Snapshot
from .rules import bounds, check_texts, check_times, check_trade, cut, invalid, refuse


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
