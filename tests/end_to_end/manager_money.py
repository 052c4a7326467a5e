"""The manager's money run: bookings by the hundred, each under a key, over what fails and dies.

The emulated server's books are the truth. Whoever asks goes on asking, with the same key, until
he is told that it was done or refused; then each booking is looked for in the books.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ea_bridge.mt4_manager.emulator import EmulatedManager
from ea_bridge.mt4_manager.emulator.accounts import cents, result
from ea_bridge.mt4_manager.model import TradeCommand

AGAIN_S = 0.1
ANSWER_S = 60.0
FINAL = frozenset({200, 409})
LATER = frozenset({429, 503, 504})
EXPIRATION = 2_000_000_000


@dataclass
class Address:
    """Where the daemon is, while it is thought to answer."""

    url: str = ""
    up: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Booking:
    """One booking that somebody wants."""

    label: str
    """Its comment, which no other has, and its key."""
    operation: str
    login: int
    amount: float
    status: int = 0
    """Of the last answer; 0 before one."""
    body: Any = None
    replies: list[int] = field(default_factory=list)
    """The status of each answer; 0 where there was none."""

    @property
    def given(self) -> dict[str, Any]:
        """The body of the request."""
        body = {"amount": self.amount, "comment": self.label}
        is_given = self.operation == "credit" and self.amount > 0
        return body | ({"expiration": EXPIRATION} if is_given else {})

    @property
    def cents(self) -> int:
        """What it adds to balance or credit."""
        return -cents(self.amount) if self.operation == "withdraw" else cents(self.amount)


def plan(
    server: EmulatedManager, count: int, dice: random.Random, label: str = "b"
) -> list[Booking]:
    """Draw bookings for some accounts: few enough that money runs out now and then."""
    logins = [one.user.login for one in server.books.by_login() if not one.open][:8]
    bookings = []
    for place in range(count):
        operation = dice.choice(("deposit", "withdraw", "withdraw", "credit"))
        sign = dice.choice((1, -1)) if operation == "credit" else 1
        amount = sign * dice.randrange(1, 150_000) / 100
        bookings.append(Booking(f"{label}{place:05}", operation, dice.choice(logins), amount))
    return bookings


async def book(
    http: aiohttp.ClientSession, address: Address, bearer: str, booking: Booking
) -> None:
    """Ask for a booking until it is told what became of it; the test's own time bounds that."""
    headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": booking.label}
    while booking.status not in FINAL:
        await address.up.wait()
        url = f"{address.url}/api/accounts/{booking.login}/{booking.operation}"
        try:
            async with http.post(
                url,
                json=booking.given,
                headers=headers,
                timeout=aiohttp.ClientTimeout(ANSWER_S),
            ) as response:
                booking.body = await response.json()
                booking.status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            booking.status = 0  # it may have been done: asking again with the key is safe
        booking.replies.append(booking.status)
        assert booking.status in FINAL | LATER | {0}, (booking.status, booking.body)
        if booking.status not in FINAL:
            await asyncio.sleep(AGAIN_S)


@dataclass
class Verdict:
    """What the books say of bookings that have an end."""

    done: int = 0
    refused: int = 0
    asked: int = 0
    """How often, in all."""
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.done} done, {self.refused} refused, asked {self.asked} times"


@dataclass
class Before:
    """The money of every account, in cents, before a run."""

    money: dict[int, tuple[int, int]]

    @classmethod
    def of(cls, server: EmulatedManager) -> Before:
        """Note it."""
        accounts = server.books.accounts
        return cls({login: (one.balance, one.credit) for login, one in accounts.items()})


def judge(server: EmulatedManager, before: Before, bookings: Sequence[Booking]) -> Verdict:
    """Compare what was told with the books: each booking once, or not at all."""
    books, verdict = server.books, Verdict()
    found: Counter[str] = Counter()
    orders = {}
    for trade in books.closed.values():
        label = trade.comment.partition(" #")[0]
        found[label] += 1
        orders[label] = trade
    expected = {login: list(money) for login, money in before.money.items()}
    for one in bookings:
        verdict.asked += len(one.replies)
        if one.status == 200:
            verdict.done += 1
            kept = orders.get(one.label)
            is_right = kept is not None and (
                kept.order == one.body["order"]
                and kept.login == one.login
                and result(kept) == one.cents
            )
            if (times := found[one.label]) != 1 or not is_right:
                verdict.wrong.append(f"{one.label} was done, and is there {times} times")
            expected[one.login][one.operation == "credit"] += one.cents
        else:
            verdict.refused += 1
            if found[one.label]:
                verdict.wrong.append(f"{one.label} was refused, and is there")
    for login, (balance, credit) in expected.items():
        account = books.accounts[login]
        if (account.balance, account.credit) != (balance, credit):
            verdict.wrong.append(f"{login} has other money than what was told adds up to")
        if books.drift(account) != (0, 0):
            verdict.wrong.append(f"the history of {login} does not add up to his money")
    kinds = {TradeCommand(one.cmd) for one in orders.values()}
    assert kinds >= {TradeCommand.BALANCE}  # something was looked at
    return verdict
