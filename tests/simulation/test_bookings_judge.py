"""The judge of bookings: it finds nothing in the truth, and each lie is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ea_bridge.mt4_manager.emulator import EmulatedManager, FixedQuotes, Population, build_manager
from ea_bridge.mt4_manager.model import ConnectParams, TradeCommand, TransactionParams

from .bookings import Booking, BookTruth, judge_bookings
from .rest_wire import RestAnswer
from .verdict import Verdict

UNKNOWN = RestAnswer(504, {}, {"detail": "it was sent; repeat the same request"})
NOT_SENT = RestAnswer(503, {}, {"detail": "It was not done; send it again"})
REFUSED = RestAnswer(409, {}, {"detail": "there is not enough money in the account"})
LOST = RestAnswer(504, {}, {"detail": "look at the record there before you send it anew"})


@dataclass
class Scene:
    """A server on which 10 were paid in, and the booking that asked for it."""

    server: EmulatedManager
    truth: BookTruth
    booking: Booking
    done: RestAnswer

    def pay(self, label: str) -> int:
        """Pay 10 in at the server; return the order."""
        params = TransactionParams(
            cmd=int(TradeCommand.BALANCE),
            orderby=self.booking.login,
            price=10.0,
            comment=f"{label} #abcdefgh",
        )
        order: int = self.server.answer("trade_transaction", params).order
        return order

    def judged(self, *told: RestAnswer | None) -> Verdict:
        """Judge the booking as it was told, one answer after the other."""
        return self.judged_in_rounds(*([one] for one in told))

    def judged_in_rounds(self, *rounds: list[RestAnswer | None]) -> Verdict:
        """Judge the booking as it was told, several answers at a time."""
        verdict = Verdict()
        judge_bookings([replace(self.booking, rounds=list(rounds))], self.truth, verdict)
        return verdict


@pytest.fixture(name="scene")
def a_deposit() -> Scene:
    """Ten are paid in."""
    quotes, population = FixedQuotes(), Population(users=3, positions=0.0)
    server = build_manager(password="-", population=population, quotes=quotes)
    truth = BookTruth(server)
    connect = ConnectParams(server=server.server, login=server.login, password="-")
    server.answer("connect", connect)
    booking = Booking(
        label="a",
        operation="deposit",
        login=truth.logins[0],
        amount=10.0,
        request="POST /api/accounts/1/deposit",
        body={},
    )
    scene = Scene(server, truth, booking, UNKNOWN)
    order = scene.pay("a")
    scene.done = RestAnswer(200, {}, {"order": order, "login": booking.login, "amount": 10.0})
    return scene


def is_right(verdict: Verdict) -> bool:
    """Whether nothing was found."""
    return not (verdict.doubled or verdict.missing or verdict.wrong)


def test_the_truth_is_right(scene: Scene):
    """Silence, what was not sent and what is unknown may come before the end."""
    assert is_right(scene.judged(scene.done))
    assert is_right(scene.judged(None, UNKNOWN, NOT_SENT, scene.done, None, scene.done))


def test_answers_that_were_asked_for_at_one_time_have_no_order(scene: Scene):
    """One copy of a request came before the peer was linked; the next ones met it."""
    assert is_right(scene.judged_in_rounds([None], [scene.done, scene.done, NOT_SENT]))
    assert is_right(scene.judged_in_rounds([REFUSED, scene.done], [scene.done]))

    assert scene.judged_in_rounds([scene.done, scene.done], [NOT_SENT, scene.done]).wrong != []
    assert scene.judged_in_rounds([NOT_SENT, REFUSED]).wrong != []


def test_what_is_open_in_a_round_goes_on(scene: Scene):
    """What was not sent in one copy may be under way in another."""
    for answers in ([NOT_SENT, UNKNOWN], [UNKNOWN, REFUSED], [NOT_SENT, None]):
        assert replace(scene.booking, rounds=[answers]).is_open
    assert not replace(scene.booking, rounds=[[NOT_SENT, NOT_SENT]]).is_open


def test_a_booking_that_was_made_twice_is_doubled(scene: Scene):
    """A booking that was made twice is counted as doubled, even if it was told to be done."""
    scene.pay("a")

    assert scene.judged(scene.done).doubled != []


def test_a_booking_that_is_not_there_is_missing(scene: Scene):
    """It was told to be done."""
    scene.booking = replace(scene.booking, label="b")

    assert scene.judged(scene.done).missing != []


LIES: dict[str, Callable[[Scene], list[RestAnswer | None]]] = {
    "refused": lambda scene: [REFUSED],
    "not sent": lambda scene: [NOT_SENT],
    "lost": lambda scene: [LOST],
    "no end": lambda scene: [UNKNOWN],
    "no answer": lambda scene: [None],
    "another order": lambda scene: [_altered(scene.done, order=1)],
    "another account": lambda scene: [_altered(scene.done, login=1)],
    "another amount": lambda scene: [_altered(scene.done, amount=1.0)],
    "taken back": lambda scene: [scene.done, NOT_SENT, scene.done],
    "refused after it was done": lambda scene: [scene.done, REFUSED, scene.done],
    "two orders": lambda scene: [scene.done, _altered(scene.done, order=1)],
}


def _altered(answer: RestAnswer, **changes: Any) -> RestAnswer:
    return RestAnswer(answer.status, answer.headers, {**answer.body, **changes})


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_noticed(scene: Scene, lie: str):
    """The booking was made once, and something else is told."""
    assert scene.judged(*LIES[lie](scene)).wrong != []


def test_other_money_is_noticed(scene: Scene):
    """What nobody asked for, and what the server's own history does not tell."""
    scene.pay("nobody's")
    assert scene.judged(scene.done).wrong != []

    scene.server.books.accounts[scene.booking.login].balance -= 1000
    (said,) = scene.judged(scene.done).wrong
    assert str(scene.booking.login) in said


def test_a_user_whom_nobody_finds_again_may_be_made_or_not(scene: Scene):
    """A change without a tag: nothing may tell any more whether it was made, once at most."""
    user = replace(scene.booking, operation="create", login=0)
    for label, is_told_right in (("nobody", True), ("a", True), ("twice", False)):
        verdict = Verdict()
        truth = scene.truth
        truth.executed["twice"] = [1, 2]
        money = [replace(scene.booking, rounds=[[scene.done]])]
        judge_bookings([replace(user, label=label, rounds=[[LOST]]), *money], truth, verdict)
        assert is_right(verdict) is is_told_right
