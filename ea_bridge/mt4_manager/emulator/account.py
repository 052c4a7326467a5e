"""One account as the emulated server keeps it."""

from __future__ import annotations

import msgspec

from ea_bridge.mt4_manager.model import TradeCommand, UserRecord

from .money import amount


class Account:
    """A user, his money in cents, and the numbers of his trades.

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
