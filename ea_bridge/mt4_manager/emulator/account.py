"""Account of the emulated server, and its sums.

Sums are whole cents inside, so that books add up, and floats in records.
"""

from __future__ import annotations

import math

import msgspec

from ea_bridge.mt4_manager.model import TradeCommand, TradeRecord, UserRecord


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
        """Set both, and the record with them."""
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
    return math.floor(amount * 100 + 0.5) if amount >= 0 else -cents(-amount)


def amount(in_cents: int) -> float:
    """Return cents as an amount; the float that its two decimals are written as."""
    return in_cents / 100


def is_amount(value: float) -> bool:
    """Whether a number is an amount of money: finite, bounded, in whole cents."""
    if not math.isfinite(value) or abs(value) > MAX_AMOUNT:
        return False
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
