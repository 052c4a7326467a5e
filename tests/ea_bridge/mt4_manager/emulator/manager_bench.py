"""An emulated MetaTrader 4 server whose prices and clock a test drives."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from ea_bridge.commands import Command, NoParams
from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager import model as mt4
from ea_bridge.mt4_manager.commands import CONNECT, TRADE_TRANSACTION, USER_RECORD_NEW
from ea_bridge.mt4_manager.emulator import (
    LOGIN,
    SERVER,
    EmulatedManager,
    FixedQuotes,
    Population,
    build_manager,
)
from ea_bridge.mt4_manager.emulator.accounts import cents
from ea_bridge.protocol import messages as m
from ea_bridge.simulation.faults import EmulatedFaults

PASSWORD = "Manager-224"
NOW_S = 1_795_000_000
IDS = itertools.count(1000)
"""Of commands: unique for good, as a daemon's are."""
R = TypeVar("R")


class Refusal(AssertionError):
    """A command was refused, which a test may expect."""

    def __init__(self, res: m.Res) -> None:
        super().__init__(f"{mt4.ReturnCode(res.retcode).name}: {res.msg} (err {res.err})")
        self.code = mt4.ReturnCode(res.retcode)
        self.err = res.err


class ManagerBench:
    """The server, its prices, its clock; logged in."""

    def __init__(
        self,
        *,
        users: int = 0,
        connected: bool = True,
        books: Path | None = None,
        results: Path | None = None,
        **shares: float,
    ) -> None:
        self.quotes = FixedQuotes()
        self.now_s = NOW_S
        self.faults = EmulatedFaults()
        self.manager: EmulatedManager = build_manager(
            password=PASSWORD,
            population=Population(users=users, **shares),
            quotes=self.quotes,
            now_s=lambda: self.now_s,
            faults=self.faults,
            books_file=books,
            results_file=results,
        )
        self.books = self.manager.books
        if connected:
            self.connect()

    def connect(self, **changes: Any) -> mt4.ManagerConnection:
        given = {"server": SERVER, "login": LOGIN, "password": PASSWORD, **changes}
        return self.ask(CONNECT, mt4.ConnectParams(**given))

    def give(self, command: Command[Any, Any], params: Struct, id_: int = 0) -> list[m.Res]:
        """Give a command and return its answer as it is, in parts."""
        cmd = m.Cmd(id=id_ or next(IDS), op=command.op, params=params)
        return self.manager.executor.execute(cmd)

    def ask(self, command: Command[Any, R], params: Struct | None = None) -> R:
        """Give a command and return its result, which is in one part."""
        [res] = self.give(command, params or NoParams())
        if not res.ok:
            raise Refusal(res)
        return command.decoder.decode(res.d)

    def user(self, group: str = "real-usd", *, leverage: int = 100, deposit: float = 0.0) -> int:
        """Make a user and return his login."""
        new = mt4.NewUser(group=group, name="Ada Abel", leverage=leverage, password="Secret123")
        login = self.ask(USER_RECORD_NEW, new).login
        if deposit:
            self.operate(login, deposit)
        return login

    def operate(
        self, login: int, price: float, cmd: mt4.TradeCommand = mt4.TradeCommand.BALANCE
    ) -> int:
        """Pay in or out, or give or take credit for a day; return the number of the trade."""
        params = mt4.TransactionParams(
            cmd=int(cmd), orderby=login, price=price, comment="t", expiration=self.now_s + 86_400
        )
        return self.ask(TRADE_TRANSACTION, params).order

    def open(
        self,
        login: int,
        symbol: str = "EURUSD",
        cmd: mt4.TradeCommand = mt4.TradeCommand.BUY,
        volume: int = 100,
        **more: Any,
    ) -> int:
        """Open a trade at the market's price, as a client does; return its number."""
        account = self.books.accounts[login]
        bid, ask = self.manager.take_snapshot().quote(symbol)
        currency = self.books.groups[account.user.group].currency
        buying = cmd == mt4.TradeCommand.BUY
        trade = mt4.TradeRecord(
            order=0,
            login=login,
            symbol=symbol,
            cmd=int(cmd),
            volume=volume,
            open_time=self.now_s,
            open_price=ask if buying else bid,
            margin_rate=self.manager.take_snapshot().margin_rate(symbol, currency, buying=buying),
        )
        return self.books.open_trade(account, _with(trade, more)).order

    def close(self, login: int, number: int) -> mt4.TradeRecord:
        """Close a trade, as a client of the server does."""
        account = self.books.accounts[login]
        return self.books.close_trade(account, number, self.manager.take_snapshot(), self.now_s)

    def money(self, login: int) -> tuple[int, int]:
        """Return balance and credit in cents, as the record tells them."""
        user = self.books.accounts[login].user
        return cents(user.balance), cents(user.credit)

    def drift(self) -> set[tuple[int, int]]:
        """Return by how much accounts differ from what their histories add up to."""
        return {self.books.drift(account) for account in self.books.by_login()}


def _with(trade: mt4.TradeRecord, more: dict[str, Any]) -> mt4.TradeRecord:
    return replace(trade, **more)
