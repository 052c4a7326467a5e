"""The rules of one-time tickets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.auth.caller import IMPLIED, Caller, Scope
from gateway.auth.gate import Gate
from gateway.auth.tickets import LIFETIME_S, MAX_IN_ALL, MAX_OF_A_TOKEN, Tickets
from gateway.errors import LimitExceeded, Overloaded, Unauthorized
from gateway.home.home import Home

PAGE = "http://127.0.0.1:7402"
CALLER = Caller("A1b2C3d4E5f6", "demo", IMPLIED[Scope.READ], 1, "device")


class Desk:
    """Tickets with a clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.tickets = Tickets(lambda caller: None, lambda: self.now)

    def issue(self, tid: str = CALLER.tid, origin: str | None = PAGE) -> str:
        return self.tickets.issue(replace(CALLER, tid=tid), origin)

    def reason(self, ticket: str, origin: str | None = PAGE) -> str:
        return reason(lambda: self.tickets.take(ticket, origin))


def reason(take: Callable[[], object]) -> str:
    """Return why a ticket is refused; ``""`` if it is not."""
    try:
        take()
    except Unauthorized as error:
        assert error.message
        return str(error.data["reason"])
    return ""


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("origin", [PAGE, None])
def test_a_ticket_gives_back_its_caller_once(desk: Desk, origin: str | None) -> None:
    """Of a page or of a program; the second time it is unknown."""
    ticket = desk.tickets.issue(CALLER, origin)
    assert desk.tickets.take(ticket, origin) is CALLER
    assert desk.reason(ticket, origin) == "unknown"
    assert len(desk.tickets) == 0


def test_tickets_are_128_random_bits(desk: Desk) -> None:
    """22 characters of base64url, never the same."""
    several = {desk.issue(tid=f"t{n}") for n in range(100)}
    assert len(several) == 100
    assert {len(one) for one in several} == {22}


@pytest.mark.parametrize(
    ("asked", "shown"),
    [(PAGE, None), (None, PAGE), (PAGE, "http://localhost:7402"), (PAGE, PAGE + "/")],
)
def test_a_ticket_is_for_one_origin(desk: Desk, asked: str | None, shown: str | None) -> None:
    """Shown by another it is unknown, and used up: whoever has it is not who asked."""
    ticket = desk.issue(origin=asked)
    assert desk.reason(ticket, shown) == "unknown"
    assert desk.reason(ticket, asked) == "unknown"


def test_a_ticket_lasts_five_seconds(desk: Desk) -> None:
    """Up to the end, exclusive; then it has expired, and is used up all the same."""
    assert LIFETIME_S == 5
    in_time, late = desk.issue(), desk.issue()
    desk.now += LIFETIME_S - 0.001
    assert desk.reason(in_time) == ""
    desk.now += 0.001
    assert desk.reason(late) == "expired"
    assert desk.reason(late) == "unknown"


@pytest.mark.parametrize(
    "text",
    ["", "x", "A" * 21, "A" * 23, "A" * 21 + "=", "A" * 21 + "+", "Ä" * 22, "A" * 22 + "\n"],
)
def test_what_is_no_ticket_is_malformed(desk: Desk, text: str) -> None:
    """Told apart from one that is not known: that is somebody's mistake in writing a page."""
    assert desk.reason(text) == "malformed"


def test_a_token_has_so_many_tickets_and_no_more(desk: Desk) -> None:
    """-32005 with the time to wait; others get theirs; room again when one is used or late."""
    first, *_ = [desk.issue() for _ in range(MAX_OF_A_TOKEN)]
    desk.now += 1.5
    with pytest.raises(LimitExceeded) as refused:
        desk.issue()
    assert refused.value.data == {"limit": MAX_OF_A_TOKEN, "retry_after_ms": 3500}
    desk.issue(tid="another")
    desk.tickets.take(first, PAGE)
    desk.issue()
    with pytest.raises(LimitExceeded):
        desk.issue()
    desk.now += 3.5
    desk.issue()


def test_there_are_so_many_tickets_in_all(desk: Desk) -> None:
    """-32006 while all of them may be used; those that came to nothing make room, oldest first."""
    several = [desk.issue(tid=f"t{n}") for n in range(MAX_IN_ALL)]
    with pytest.raises(Overloaded) as refused:
        desk.issue(tid="late")
    assert refused.value.data == {"retry_after_ms": 5000}
    desk.now += LIFETIME_S
    for n in range(10):
        desk.issue(tid=f"new{n}")
    assert len(desk.tickets) == MAX_IN_ALL
    assert desk.reason(several[9]) == "unknown"
    assert desk.reason(several[10]) == "expired"


def test_a_ticket_is_not_kept(desk: Desk) -> None:
    """Its digest is: who looks into the gateway's memory finds nothing to use."""
    ticket = desk.issue()
    assert len(desk.tickets) == 1
    assert ticket not in repr(vars(desk.tickets))


@pytest.mark.parametrize("end", ["revoked", "expired"])
async def test_what_ends_a_token_ends_its_tickets(tmp_path: Path, end: str) -> None:
    """At that moment, whoever has been told of it yet; the tickets of others go on."""
    now = [1_800_000_000]
    with closing(Home(tmp_path / "home", now_s=lambda: now[0])) as home:
        gate = Gate(home.book(), "device", lambda: now[0])
        tickets = Tickets(gate.recheck)
        own, others = (
            tickets.issue(gate.admit(home.issuer.create(name, lifetime_s=life)[0]), PAGE)
            for name, life in (("demo", 60), ("other", None))
        )
        if end == "revoked":
            home.issuer.revoke("demo")
        else:
            now[0] += 60
        assert reason(lambda: tickets.take(own, PAGE)) == end
        assert reason(lambda: tickets.take(others, PAGE)) == ""
