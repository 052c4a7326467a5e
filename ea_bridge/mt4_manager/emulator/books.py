"""Books of the emulated server, in memory and on disk: users, trades, money.

Every change goes through :class:`Books`. The rule: an account's balance is what its closed trades
and balance operations add up to, and its credit its credit operations; an administrator's change
of a record breaks it, as on a real server, until ``fix_balance`` mends it. What changed since the
last :meth:`Books.take_changes` is noted.

A :class:`BookStore` writes a command's changes in one transaction of SQLite, committed before the
command is answered: a server that is killed finds on its next start either all of a command or
nothing of it. Whether it was carried out is then in the books, though the table of results may
not say it any more.
"""

from __future__ import annotations

import bisect
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ea_bridge.mt4_manager.model import (
    GroupRecord,
    SymbolRecord,
    TradeCommand,
    TradeReason,
    TradeRecord,
    TradeState,
    UserRecord,
)

from .accounts import MarginCalculator, UserAccount, amount, cents, result
from .market import Snapshot
from .rules import invalid, no_account

FIRST_ORDER = 1_000_001
FIRST_LOGIN = 100_001


@dataclass
class BookChanges:
    """Logins and trades that were written or removed."""

    users: set[int] = field(default_factory=set)
    trades: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.users or self.trades)


class Books:
    """Books of users and trades.

    Args:
        symbols: by name.
        groups: by name.

    """

    def __init__(
        self, symbols: Mapping[str, SymbolRecord], groups: Mapping[str, GroupRecord]
    ) -> None:
        self.symbols = symbols
        self.groups = groups
        self.accounts: dict[int, UserAccount] = {}
        self.open: dict[int, TradeRecord] = {}
        """Positions and pending orders, by number."""
        self.closed: dict[int, TradeRecord] = {}
        """Closed trades, balance and credit operations, by number."""
        self.margins = MarginCalculator(symbols, groups, self.open)
        self.last_order = FIRST_ORDER - 1
        self.last_login = FIRST_LOGIN - 1
        self._logins: list[int] = []
        self._changes = BookChanges()

    # --- looking ---------------------------------------------------------------------------

    def account(self, login: int) -> UserAccount:
        """Return an account.

        Raises:
            Refused: ``BAD_ACCOUNT_INFO``: there is none.

        """
        account = self.accounts.get(login)
        if account is None:
            raise no_account(login)
        return account

    def group(self, name: str) -> GroupRecord:
        """Return a group.

        Raises:
            Refused: ``INVALID_DATA``: there is none.

        """
        group = self.groups.get(name)
        if group is None:
            raise invalid(f"there is no group {name!r}")
        return group

    def trade(self, number: int) -> TradeRecord | None:
        """Return a trade, open or closed, as it was booked."""
        return self.open.get(number) or self.closed.get(number)

    def by_login(self) -> Iterator[UserAccount]:
        """Return all accounts, by login."""
        accounts = self.accounts
        return (accounts[login] for login in self._logins)

    def logins(self, which: slice) -> list[int]:
        """Return some of all logins, in their order."""
        return self._logins[which]

    def drift(self, account: UserAccount) -> tuple[int, int]:
        """Return how many cents balance and credit are above what the history adds up to."""
        balance, credit = self._adds_up(account)
        return account.balance - balance, account.credit - credit

    def take_changes(self) -> BookChanges:
        """Return what changed, and begin anew."""
        changes, self._changes = self._changes, BookChanges()
        return changes

    # --- users -----------------------------------------------------------------------------

    def add_user(self, user: UserRecord) -> UserAccount:
        """Enter a new user without money; ``login`` 0 is allotted."""
        login = user.login
        if login == 0:
            login = self.last_login + 1
            # a manager may have asked for a login by its number: those are passed over
            while login in self.accounts:
                login += 1
            self.last_login = login
        account = UserAccount(replace(user, login=login, balance=0.0, credit=0.0), 0, 0)
        self._enter(account)
        self._changes.users.add(login)
        return account

    def change_user(self, account: UserAccount, user: UserRecord) -> None:
        """Take over another record of a user; his money stays."""
        account.change(user)
        self._changes.users.add(user.login)

    def remove_user(self, account: UserAccount) -> None:
        """Remove a user and his history."""
        login = account.user.login
        for number in account.closed:
            del self.closed[number]
        self._changes.trades.update(account.closed)
        del self.accounts[login]
        del self._logins[bisect.bisect_left(self._logins, login)]
        self._changes.users.add(login)

    def _enter(self, account: UserAccount) -> None:
        login = account.user.login
        self.accounts[login] = account
        # nearly always at the end, where nothing of the long list has to move
        if not self._logins or login > self._logins[-1]:
            self._logins.append(login)
        else:
            bisect.insort(self._logins, login)

    # --- money and trades ------------------------------------------------------------------

    def operate(
        self,
        account: UserAccount,
        cmd: TradeCommand,
        by: int,
        comment: str,
        now_s: int,
        expiration: int = 0,
    ) -> TradeRecord:
        """Book a balance or credit operation of so many cents."""
        trade = TradeRecord(
            order=self._next_order(),
            login=account.user.login,
            cmd=int(cmd),
            open_time=now_s,
            close_time=now_s,
            state=int(TradeState.CLOSED_NORMAL),
            expiration=expiration,
            reason=int(TradeReason.API),
            profit=amount(by),
            comment=comment,
            timestamp=now_s,
        )
        self._book_closed(account, trade)
        account.book(trade.cmd, by)
        self._changes.users.add(trade.login)
        return trade

    def open_trade(self, account: UserAccount, trade: TradeRecord) -> TradeRecord:
        """Enter a position or a pending order; its number is allotted, and it is not checked."""
        trade = replace(trade, order=self._next_order(), login=account.user.login)
        self.open[trade.order] = trade
        account.open.append(trade.order)
        account.touch()
        self._changes.trades.add(trade.order)
        return trade

    def close_trade(
        self, account: UserAccount, number: int, snapshot: Snapshot, now_s: int
    ) -> TradeRecord:
        """Close a position at the market's price and book its result; delete a pending order."""
        trade = self.margins.shown(self.open[number], account, snapshot)
        is_pending = TradeCommand(trade.cmd).is_pending
        state = TradeState.DELETED if is_pending else TradeState.CLOSED_NORMAL
        trade = replace(trade, close_time=now_s, state=int(state), timestamp=now_s)
        del self.open[number]
        account.open.remove(number)
        self._book_closed(account, trade)
        account.book(trade.cmd, 0 if is_pending else result(trade))
        self._changes.users.add(trade.login)
        return trade

    def _book_closed(self, account: UserAccount, trade: TradeRecord) -> None:
        self.closed[trade.order] = trade
        account.closed.append(trade.order)
        self._changes.trades.add(trade.order)

    def _next_order(self) -> int:
        self.last_order += 1
        return self.last_order

    # --- an administrator's ----------------------------------------------------------------

    def modify_trade(self, trade: TradeRecord) -> None:
        """Write another record of a trade; no balance moves."""
        table = self.open if trade.order in self.open else self.closed
        table[trade.order] = trade
        self.accounts[trade.login].touch()
        self._changes.trades.add(trade.order)

    def delete_trade(self, number: int) -> int:
        """Remove a trade; no balance moves. Return whose it was."""
        trade = self.open.pop(number, None)
        account = None
        if trade is not None:
            account = self.accounts[trade.login]
            account.open.remove(number)
        else:
            trade = self.closed.pop(number)
            account = self.accounts[trade.login]
            account.closed.remove(number)
        account.touch()
        self._changes.trades.add(number)
        return trade.login

    def fix_balance(self, account: UserAccount) -> None:
        """``AdmBalanceFix``: set balance and credit to what the history adds up to."""
        account.set_money(*self._adds_up(account))
        self._changes.users.add(account.user.login)

    def _adds_up(self, account: UserAccount) -> tuple[int, int]:
        balance = credit = 0
        for number in account.closed:
            trade = self.closed[number]
            if trade.cmd == TradeCommand.CREDIT:
                credit += result(trade)
            # a pending order that was deleted stands in the history and never moved money
            elif trade.state != TradeState.DELETED:
                balance += result(trade)
        return balance, credit

    # --- from the disk ---------------------------------------------------------------------

    def restore(self, user: UserRecord) -> None:
        """Enter a user as he was."""
        self._enter(UserAccount(user, cents(user.balance), cents(user.credit)))
        self.last_login = max(self.last_login, user.login)

    def restore_trade(self, trade: TradeRecord) -> None:
        """Enter a trade as it was; its user is there."""
        account = self.accounts[trade.login]
        if trade.close_time:
            self.closed[trade.order] = trade
            account.closed.append(trade.order)
        else:
            self.open[trade.order] = trade
            account.open.append(trade.order)
        self.last_order = max(self.last_order, trade.order)


_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (login INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS trades (number INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS last (login INTEGER NOT NULL, number INTEGER NOT NULL);
"""
_encoder = msgspec.json.Encoder()
_users = msgspec.json.Decoder(UserRecord)
_trades = msgspec.json.Decoder(TradeRecord)


class BookStore:
    """Store of the books in a file.

    Args:
        path: of the file; made if it is not there.

    Raises:
        sqlite3.Error: it cannot be opened, or is no database.

    """

    def __init__(self, path: Path) -> None:
        # no transactions of the module's own: a command's changes are one, begun by hand
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        # with WAL a killed process loses nothing; only a power cut could take the last commits
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)

    def load(self, books: Books) -> bool:
        """Put what is there into empty books; false where there is nothing."""
        rows = self._database.execute("SELECT record FROM users ORDER BY login")
        for (record,) in rows:
            books.restore(_users.decode(record))
        rows = self._database.execute("SELECT record FROM trades ORDER BY number")
        for (record,) in rows:
            books.restore_trade(_trades.decode(record))
        last = self._database.execute("SELECT login, number FROM last").fetchone()
        if last is None:
            return False
        books.last_login, books.last_order = last
        return True

    def save(self, books: Books, changes: BookChanges) -> None:
        """Write what changed, all of it or nothing.

        Raises:
            sqlite3.Error: it could not be written.

        """
        with self._database:  # rolls back on error; the commit is ours
            self._database.execute("BEGIN")
            self._save_users(books, changes)
            self._save_trades(books, changes)
            # kept beside the rows: the number of a removed user or trade is never given out again
            self._database.execute("DELETE FROM last")
            last = (books.last_login, books.last_order)
            self._database.execute("INSERT INTO last VALUES (?, ?)", last)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _save_users(self, books: Books, changes: BookChanges) -> None:
        there = [login for login in changes.users if login in books.accounts]
        gone = [(login,) for login in changes.users if login not in books.accounts]
        self._database.executemany("DELETE FROM users WHERE login = ?", gone)
        self._database.executemany(
            "INSERT OR REPLACE INTO users VALUES (?, ?)",
            ((login, _encoder.encode(books.accounts[login].user)) for login in there),
        )

    def _save_trades(self, books: Books, changes: BookChanges) -> None:
        found = ((number, books.trade(number)) for number in changes.trades)
        there: list[tuple[int, bytes]] = []
        gone: list[tuple[int]] = []
        for number, trade in found:
            if trade is None:
                gone.append((number,))
            else:
                there.append((number, _encoder.encode(trade)))
        self._database.executemany("DELETE FROM trades WHERE number = ?", gone)
        self._database.executemany("INSERT OR REPLACE INTO trades VALUES (?, ?)", there)
