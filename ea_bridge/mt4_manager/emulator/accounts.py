"""Accounts of the emulated server: money, floating profit, margin and margin levels.

Sums are whole cents inside, so that books add up, and floats in records.

The formulas are those of MetaTrader 4's help ("Margin Calculation", "Profit Calculation") and of
the Manager API's header. Lots L, contract size C, leverage V, price of opening P:

    forex          L * C / V              (with an initial margin that instead of C)
    cfd            L * C * P
    futures        L * initial margin
    cfd index      L * C * P * tick value / tick size
    cfd leverage   L * C * P / V

each divided by the symbol's ``margin_divider``, or the group's own for that symbol, and converted
with the trade's ``margin_rate``. Of opposite positions in one symbol the uncovered volume needs
margin at the larger side's average, the covered one with ``margin_hedged`` for C (0: none).

Margins do not move with the market, since ``margin_rate`` is that of the opening; levels
do. A question about all accounts looks each price up once and does floats: a profit is one
product, and rounded to the cent before anything is added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from ea_bridge.mt4_manager.model import (
    GroupRecord,
    LevelType,
    MarginCalculation,
    MarginLevel,
    MarginType,
    ProfitCalculation,
    SymbolRecord,
    TradeCommand,
    TradeRecord,
    UserRecord,
)

from .market import Snapshot


class UserAccount:
    """Account of a user: his record, his money in cents, and the numbers of his trades.

    What is worked out from them (margin, the encoded margin level of an account without
    positions) is kept until something changes.
    """

    __slots__ = ("balance", "closed", "credit", "flat", "margin", "open", "user")

    def __init__(self, user: UserRecord, balance: int, credit: int) -> None:
        self.user = user
        self.balance = balance
        self.credit = credit
        self.open: list[int] = []
        self.closed: list[int] = []
        self.margin: tuple[int, int] | None = None
        """Margin in cents and volume in lots times 100; ``None``: to be worked out."""
        self.flat: msgspec.Raw | None = None
        """The encoded margin level, where no price moves it."""

    def book(self, cmd: int, by: int) -> None:
        """Add cents to the balance, or to the credit if a credit operation says so."""
        if cmd == TradeCommand.CREDIT:
            self.set_money(self.balance, self.credit + by)
        else:
            self.set_money(self.balance + by, self.credit)

    def set_money(self, balance: int, credit: int) -> None:
        """Set balance and credit, in cents, here and in the user's record."""
        self.balance, self.credit = balance, credit
        self.change(
            msgspec.structs.replace(self.user, balance=amount(balance), credit=amount(credit))
        )

    def change(self, user: UserRecord) -> None:
        """Take over another record of the user."""
        self.user = user
        self.touch()

    def touch(self) -> None:
        """Forget what was worked out."""
        self.margin = None
        self.flat = None


MAX_AMOUNT = 1_000_000_000.0
"""Of one balance or credit operation."""
_NOISE = 1e-4


def cents(amount: float) -> int:
    """Return an amount in cents, halves away from zero."""
    # Python's ``round`` would take halves to the even neighbour, which no server does
    return math.floor(amount * 100 + 0.5) if amount >= 0 else -cents(-amount)


def amount(in_cents: int) -> float:
    """Return cents as an amount; the float that its two decimals are written as."""
    return in_cents / 100


def is_amount(value: float) -> bool:
    """Whether a number is an amount of money: finite, bounded, in whole cents."""
    if not math.isfinite(value) or abs(value) > MAX_AMOUNT:
        return False
    # 0.29 * 100 is 28.999999999999996
    return abs(value * 100 - cents(value)) < _NOISE


def result(trade: TradeRecord) -> int:
    """Return what a trade has added to balance or credit, or would now: with swap, commission
    and taxes, each of them rounded.
    """
    if trade.cmd >= TradeCommand.BALANCE:
        return cents(trade.profit)
    return (
        cents(trade.profit) + cents(trade.storage) + cents(trade.commission) + cents(trade.taxes)
    )


_BUY, _SELL = int(TradeCommand.BUY), int(TradeCommand.SELL)
_SOLD_LATER = (_BUY, int(TradeCommand.SELL_LIMIT), int(TradeCommand.SELL_STOP))
_encoder = msgspec.json.Encoder()


@dataclass(slots=True)
class Side:
    """Positions of one direction: lots, and sums weighted with them."""

    lots: float = 0.0
    value: float = 0.0
    rates: float = 0.0

    def add(self, trade: TradeRecord) -> None:
        """Count a position in."""
        lots = trade.volume / 100
        self.lots += lots
        self.value += lots * trade.open_price
        self.rates += lots * trade.margin_rate


class MarginCalculator:
    """Calculator of the worth of trades and accounts.

    Args:
        symbols: by name.
        groups: by name.
        trades: the open ones, by number.

    """

    def __init__(
        self,
        symbols: Mapping[str, SymbolRecord],
        groups: Mapping[str, GroupRecord],
        trades: Mapping[int, TradeRecord],
    ) -> None:
        self._groups = groups
        self._symbols = symbols
        self._trades = trades
        self._units = {name: _unit(symbol) / 100 for name, symbol in symbols.items()}

    # --- trades ----------------------------------------------------------------------------

    def profit(self, trade: TradeRecord, account: UserAccount, snapshot: Snapshot) -> int:
        """Return in cents what closing a position now earns; 0 without a price."""
        bid, ask = snapshot.quote(trade.symbol)
        # ``not >`` instead of ``<=``: NaN is no price either
        if not bid > 0 or not ask > 0:
            return 0
        long = trade.cmd == _BUY
        currency = self._groups[account.user.group].currency
        rate = snapshot.profit_rate(trade.symbol, currency, long=long)
        move = bid - trade.open_price if long else trade.open_price - ask
        return cents(move * trade.volume * self._units[trade.symbol] * rate)

    def shown(self, trade: TradeRecord, account: UserAccount, snapshot: Snapshot) -> TradeRecord:
        """Return an open trade with the market's price, and a position's floating profit."""
        bid, ask = snapshot.quote(trade.symbol)
        # a buy closes at the bid, and pending sells open there
        price = bid if trade.cmd in _SOLD_LATER else ask
        if trade.cmd > _SELL:
            return msgspec.structs.replace(trade, close_price=price)
        profit = amount(self.profit(trade, account, snapshot))
        return msgspec.structs.replace(trade, close_price=price, profit=profit)

    # --- accounts --------------------------------------------------------------------------

    def level(self, account: UserAccount, snapshot: Snapshot) -> MarginLevel:
        """Return how an account stands."""
        group = self._groups[account.user.group]
        floating, profits, losses = 0, 0, 0
        for number in account.open:
            trade = self._trades[number]
            if trade.cmd > _SELL:
                continue
            result = self.profit(trade, account, snapshot) + _costs(trade)
            floating += result
            if result > 0:
                profits += result
            else:
                losses += result
        # kept: the margin stands with the rate of its opening, only the level floats
        used, volume = account.margin or self._used(account, group)
        money = account.balance + account.credit
        equity = money + floating
        # the group says which part of the floating result counts as free margin
        counted = (0, floating, profits, losses)[group.margin_mode]
        free = money + counted - used
        percent = round(equity / used * 100, 2) if used > 0 else 0.0
        return MarginLevel(
            login=account.user.login,
            group=group.group,
            leverage=account.user.leverage,
            balance=amount(money),
            equity=amount(equity),
            volume=volume,
            margin=amount(used),
            margin_free=amount(free),
            margin_level=percent,
            margin_type=group.margin_type,
            level_type=_level_type(group, used, free, percent),
        )

    def encoded(self, accounts: Iterable[UserAccount], snapshot: Snapshot) -> list[msgspec.Raw]:
        """Return margin levels as JSON; without open trades an account has a cached row."""
        rows: list[msgspec.Raw] = []
        for account in accounts:
            row = account.flat
            if row is None:
                row = msgspec.Raw(_encoder.encode(self.level(account, snapshot)))
                # no price moves the level of an account without positions
                if not account.open:
                    account.flat = row
            rows.append(row)
        return rows

    def _used(self, account: UserAccount, group: GroupRecord) -> tuple[int, int]:
        """Return an account's margin in cents and its volume, and keep them."""
        sides: dict[str, tuple[Side, Side]] = {}
        volume = 0
        for number in account.open:
            trade = self._trades[number]
            if trade.cmd > _SELL:
                continue
            if trade.symbol not in sides:
                sides[trade.symbol] = (Side(), Side())
            # OP_BUY is 0 and OP_SELL is 1: the number is the side's place
            sides[trade.symbol][trade.cmd].add(trade)
            volume += trade.volume
        total = 0.0
        for name, (bought, sold) in sides.items():
            symbol = self._symbols[name]
            needed = _both(symbol, bought, sold, account.user.leverage)
            total += needed / _divider(symbol, group)
        account.margin = (cents(total), volume)
        return account.margin


def _costs(trade: TradeRecord) -> int:
    """Swap, commission and taxes of a position."""
    if not (trade.storage or trade.commission or trade.taxes):
        return 0
    return cents(trade.storage) + cents(trade.commission) + cents(trade.taxes)


def _unit(symbol: SymbolRecord) -> float:
    """Return what a lot earns when the price moves by 1, in the profit's currency."""
    if symbol.profit_mode == ProfitCalculation.FUTURES and symbol.tick_size > 0:
        return symbol.tick_value / symbol.tick_size
    return symbol.contract_size


def _both(symbol: SymbolRecord, bought: Side, sold: Side, leverage: int) -> float:
    larger, smaller = (bought, sold) if bought.lots >= sold.lots else (sold, bought)
    if larger.lots <= 0:
        return 0.0
    open_lots = larger.lots - smaller.lots
    size = symbol.margin_initial or symbol.contract_size
    needed = _margin(symbol, open_lots, larger.value / larger.lots, leverage, size)
    total = needed * larger.rates / larger.lots
    if smaller.lots > 0 and symbol.margin_hedged > 0:
        lots = larger.lots + smaller.lots
        price, rate = (larger.value + smaller.value) / lots, (larger.rates + smaller.rates) / lots
        total += _margin(symbol, smaller.lots, price, leverage, symbol.margin_hedged) * rate
    return total


def _margin(symbol: SymbolRecord, lots: float, price: float, leverage: int, size: float) -> float:
    match symbol.margin_mode:
        case MarginCalculation.FUTURES:
            return lots * size if symbol.margin_initial else 0.0
        case MarginCalculation.CFD:
            return lots * symbol.contract_size * price
        case MarginCalculation.CFD_INDEX:
            worth = symbol.tick_value / symbol.tick_size if symbol.tick_size > 0 else 1.0
            return lots * symbol.contract_size * price * worth
        case MarginCalculation.CFD_LEVERAGE:
            return lots * symbol.contract_size * price / max(leverage, 1)
        case _:
            return lots * size / max(leverage, 1)


def _divider(symbol: SymbolRecord, group: GroupRecord) -> float:
    own = next((terms for terms in group.secmargins if terms.symbol == symbol.symbol), None)
    divider = symbol.margin_divider if own is None else own.margin_divider
    return divider if divider > 0 else 1.0


def _level_type(group: GroupRecord, used: int, free: int, percent: float) -> int:
    """Compare with the group's levels: equity by margin in percent, or free margin in money.

    Without a position there is nothing to call for.
    """
    if used <= 0:
        return int(LevelType.OK)
    stands = percent if group.margin_type == MarginType.PERCENT else amount(free)
    if stands <= group.margin_stopout:
        return int(LevelType.STOPOUT)
    return int(LevelType.MARGINCALL if stands <= group.margin_call else LevelType.OK)
