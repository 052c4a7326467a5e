"""Bookings: what operators of an MT4 broker want of it, what they were told, and the truth.

The books of the emulated server are the truth. A change is known by a label of its own: the
comment of a booking, the name of a new user, the city of a changed one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ea_bridge.mt4_manager.emulator import EmulatedManager
from ea_bridge.mt4_manager.emulator.accounts import cents, result

from .rest_wire import RestAnswer
from .verdict import Verdict

EXPIRATION = 2_000_000_000
"""Of credit; after every clock of a run."""
CREATED = 201
DONE = frozenset({200, CREATED})
LATER = frozenset({408, 429, 503, 504})
NO_DISK = 500
"""Of a daemon that cannot use its database; nothing says what became of the change."""
REFUSED = 409
UNKNOWN = 504
LOOK_THERE = "look at the record there"
"""In the words of a 504 that stays: nothing finds out any more what became of the change."""
MONEY = ("deposit", "withdraw", "credit")
ACCOUNTS = 8
"""Few enough that money runs out now and then."""


@dataclass(kw_only=True)
class Booking:
    """One change that an operator wants, under a key of its own.

    Attributes:
        label: its key, and what it is known by in the books.
        operation: of the API, such as ``deposit``.
        login: the account; 0 of a user who is to be made.
        request: method and path.
        body: of the request.
        rounds: every answer, ``None`` where there was none. Those of one round were asked for at
            the same time, on connections of their own: nothing tells which was given first.

    """

    label: str
    operation: str
    login: int = 0
    amount: float = 0.0
    request: str
    body: Mapping[str, Any]
    rounds: list[Sequence[RestAnswer | None]] = field(default_factory=list)

    @property
    def told(self) -> list[RestAnswer | None]:
        """Return every answer."""
        return [one for answers in self.rounds for one in answers]

    @property
    def end(self) -> str:
        """Return ``done``, ``refused``, ``lost`` or ``not_sent``, as it was told last; else "".

        Of what was told in one round the end that stays counts; if there is none, what is open.
        """
        ends = {_end_in(one) for one in self.rounds[-1]} if self.rounds else {""}
        return next(end for end in ("done", "lost", "", "refused", "not_sent") if end in ends)

    @property
    def is_open(self) -> bool:
        """Whether a request may still be on its way, or be worked on."""
        return any(one is None for one in self.told) or self.end == ""

    @property
    def adds(self) -> tuple[int, int]:
        """Return what it adds to balance and credit, in cents."""
        by = -cents(self.amount) if self.operation == "withdraw" else cents(self.amount)
        return (0, by) if self.operation == "credit" else (by, 0)


def _end_in(answer: RestAnswer | None) -> str:
    """Return the end that an answer tells, "" for none."""
    if answer is None:
        return ""
    if answer.status in DONE:
        return "done"
    if answer.status == REFUSED:
        return "refused"
    if answer.status == UNKNOWN:
        return "lost" if LOOK_THERE in answer.body["detail"] else ""
    return "not_sent" if answer.status == 503 else ""


def draw_booking(label: str, logins: Sequence[int], dice: Random) -> Booking:
    """Return a booking, or now and then another change of a user."""
    kind = dice.random()
    if kind < 0.08:
        body = {"group": "demoforex", "name": label, "password": "Secret12", "leverage": 100}
        return Booking(label=label, operation="create", request="POST /api/users/", body=body)
    login = dice.choice(logins)
    if kind < 0.2:
        request = f"PUT /api/users/{login}"
        body = {"city": label}
        return Booking(label=label, operation="update", login=login, request=request, body=body)
    operation = dice.choice(("deposit", "withdraw", "withdraw", "credit"))
    sign = dice.choice((1, -1)) if operation == "credit" else 1
    amount = sign * dice.randrange(1, 150_000) / 100
    body = {"amount": amount, "comment": label}
    if operation == "credit" and amount > 0:
        body["expiration"] = EXPIRATION
    return Booking(
        label=label,
        operation=operation,
        login=login,
        amount=amount,
        request=f"POST /api/accounts/{login}/{operation}",
        body=body,
    )


class BookTruth:
    """What the emulated server has carried out, by label, and the money that all began with."""

    def __init__(self, server: EmulatedManager) -> None:
        self.executed: defaultdict[str, list[int]] = defaultdict(list)
        """Order, or login, of each time that a change was carried out."""
        self._books = server.books
        accounts = self._books.accounts
        self._before = {login: (one.balance, one.credit) for login, one in accounts.items()}
        idle = [one.user.login for one in self._books.by_login() if not one.open]
        self.logins = idle[:ACCOUNTS]
        """The accounts that money is booked on: they have no positions."""
        answers = server._answers
        for op in ("trade_transaction", "user_record_new", "user_record_update"):
            answers[op] = self._witnessed(answers[op])

    def _witnessed(self, answer: Any) -> Any:
        def witness(params: Any) -> Any:
            result = answer(params)
            self.executed[_label(params)].append(getattr(result, "order", 0) or result.login)
            return result

        return witness

    def money(self, bookings: Iterable[Booking]) -> list[str]:
        """Return the accounts that have other money than what was told adds up to."""
        expected = {login: list(money) for login, money in self._before.items()}
        for one in bookings:
            if one.end == "done" and one.operation in MONEY:
                balance, credit = one.adds
                expected[one.login][0] += balance
                expected[one.login][1] += credit
        accounts = self._books.accounts
        return [
            f"{login} has {(accounts[login].balance, accounts[login].credit)}, not {money}"
            for login, money in expected.items()
            if [accounts[login].balance, accounts[login].credit] != money
            or self._books.drift(accounts[login]) != (0, 0)
        ]

    def cents(self, order: int) -> int:
        """Return what a booking has added to an account."""
        trade = self._books.trade(order)
        return 0 if trade is None else result(trade)


def _label(params: Any) -> str:
    if hasattr(params, "comment") and hasattr(params, "orderby"):
        return str(params.comment).partition(" #")[0]
    return str(params.name if hasattr(params, "name") else params.change.city)


def judge_bookings(bookings: Sequence[Booking], truth: BookTruth, verdict: Verdict) -> None:
    """Compare what the operators were told with the books."""
    for one in bookings:
        executed = truth.executed.get(one.label, [])
        verdict.orders += 1
        verdict.executed += len(executed)
        said = (
            f"{one.label} {one.request} {one.body} carried out as {executed}, told "
            f"{[told and (told.status, told.body) for told in one.told]}"
        )
        if len(executed) > 1:
            verdict.doubled.append(said)
        if one.end == "done" and not executed:
            verdict.missing.append(said)
        if not _is_told_right(one, executed, truth):
            verdict.wrong.append(said)
    verdict.wrong += truth.money(bookings)


def _is_told_right(one: Booking, executed: Sequence[int], truth: BookTruth) -> bool:
    """Whether the end, and every answer on the way to it, can be true."""
    dones = [told for told in one.told if told is not None and told.status in DONE]
    if _is_taken_back(one):
        return False
    match one.end:
        case "done":
            return len(executed) == 1 and all(_fits(one, told, executed, truth) for told in dones)
        case "refused" | "not_sent":
            return not executed
        case "lost":  # of a booking the books tell, whatever has happened
            return one.operation not in MONEY and len(executed) < 2
    return False


def _is_taken_back(one: Booking) -> bool:
    """Whether a booking that was done is told not to be, to who asked after that; a user is looked
    up once more, and nobody may be there to tell."""
    wrong = {REFUSED, 503} if one.operation in MONEY else {REFUSED}
    is_done = False
    for answers in one.rounds:
        statuses = {told.status for told in answers if told is not None}
        if is_done and wrong & statuses:
            return True
        is_done = is_done or bool(DONE & statuses)
    return False


def _fits(one: Booking, told: RestAnswer, executed: Sequence[int], truth: BookTruth) -> bool:
    if one.operation in MONEY:
        order, login, by = (told.body[name] for name in ("order", "login", "amount"))
        is_same = (order, login, cents(by)) == (executed[0], one.login, sum(one.adds))
        return bool(is_same and truth.cents(order) == sum(one.adds))
    user = told.body["user"]
    if one.operation == "create":
        return bool((user["login"], user["name"]) == (executed[0], one.label))
    is_first = "idempotency-replayed" not in told.headers
    return bool(user["login"] == one.login and (user["city"] == one.label or not is_first))


def rare_in(one: Booking) -> list[str]:
    """Return the points that an operator has come to with a booking."""
    ends = {"refused": "refused", "not_sent": "not sent", "lost": "looked up"}
    found = [ends[one.end]] if one.end in ends else []
    told = [told for told in one.told if told is not None]
    if any(answer.status == UNKNOWN for answer in told):
        found.append("unknown")
    if any("idempotency-replayed" in answer.headers for answer in told):
        found.append("answered again")
    return [f"booking: {name}" for name in found]
