"""What a daemon notes of the past until the console has taken it: bounded, never in the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import PendingTerminal
from ea_bridge.session import SessionState
from gateway.console_link.history import AGAIN_S, MAX_LOGINS, MAX_RUNS, SPAN_S, LoginLog, RunLog
from gateway.console_link.status import reports
from gateway.credentials.daemon_api import MAX_LINES, RunReport

TID = "0123456789Ab"
HELLO = Hello(
    proto="1-1",
    tid=TID,
    cnonce="ab" * 32,
    boot="x",
    platform="mt4",
    login=7,
    server="Demo",
    role="manager",
)


@dataclass
class Clock:
    """Seconds as a test sets them."""

    now: int = 1_800_000_000 - 1_800_000_000 % SPAN_S

    def __call__(self) -> int:
        """Return the time."""
        return self.now


@dataclass
class Peer:
    """What a registry tells of a manager's session."""

    id: str
    terminal: str = "mt4-server"
    hello: Hello = HELLO
    state: SessionState = SessionState.READY
    end_reason: str = ""


@dataclass
class Notes:
    """A run log, and what it said."""

    clock: Clock = field(default_factory=Clock)
    said: list[RunReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = RunLog("boot", self.clock, self.said.append)

    def tell(self, peer: Peer) -> None:
        """Tell of a session."""
        self.log.manager_changed(peer)  # type: ignore[arg-type]  # it looks at no more than this


def test_a_managers_link_is_a_run_too() -> None:
    """It begins once, however often it changes, ends with its reason, and the newest replaces."""
    notes = Notes()
    first = Peer("s-1")
    notes.tell(first)
    notes.tell(first)
    run = notes.log.latest(TID)
    assert run is not None
    assert (run.run, run.ended, len(notes.said)) == ("boot.s-1", None, 1)
    notes.clock.now += 5
    notes.tell(Peer("s-2"))
    assert [(one.run, one.reason) for one in notes.log.due()] == [
        ("boot.s-1", "replaced"),
        ("boot.s-2", ""),
    ]
    notes.tell(Peer("s-1", state=SessionState.DISCONNECTED, end_reason="replaced"))
    assert len(notes.said) == 3, "that has ended already"
    notes.tell(Peer("s-2", state=SessionState.DISCONNECTED, end_reason="shutdown"))
    last = notes.log.latest(TID)
    assert last is not None
    assert (last.ended, last.reason) == (notes.clock.now, "shutdown")


def test_what_was_told_is_told_no_more() -> None:
    """But what has changed while it was told is."""
    notes = Notes()
    notes.tell(Peer("s-1"))
    due = notes.log.due()
    notes.tell(Peer("s-1", state=SessionState.DISCONNECTED, end_reason="shutdown"))
    notes.log.told(due)
    assert [one.reason for one in notes.log.due()] == ["shutdown"]
    notes.log.told(notes.log.due())
    assert not notes.log.due()


def test_sessions_that_nobody_takes_are_bounded() -> None:
    """The oldest are left out, and counted; a report has a bound of its own."""
    notes = Notes()
    for number in range(MAX_RUNS + 50):
        notes.tell(Peer(f"s-{number}"))
    assert notes.log.left_out == 50
    assert len(notes.log.due()) == MAX_LINES


@dataclass
class Uses:
    """A log of uses, and how often it called."""

    clock: Clock = field(default_factory=Clock)
    called: list[None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = LoginLog("boot", self.clock, lambda: self.called.append(None))


def test_uses_of_one_program_are_one_line_an_hour() -> None:
    """It is told at once, grows, and is told again after a while; the next hour has another."""
    uses = Uses()
    uses.log.note(TID, "http", agent="bot")
    [line] = uses.log.due()
    uses.log.told([line])
    for _ in range(1000):
        uses.log.note(TID, "http", agent="bot")
    assert (len(uses.called), uses.log.due()) == (1, [])
    uses.clock.now += AGAIN_S
    [grown] = uses.log.due()
    assert (grown.line, grown.count) == (line.line, 1001)
    uses.log.told([grown])
    uses.clock.now += SPAN_S
    uses.log.note(TID, "http", agent="bot")
    [other] = uses.log.due()
    assert (other.line != line.line, other.count) == (True, 1)


@pytest.mark.parametrize("reason", ["", "unknown"])
def test_uses_are_bounded(reason: str) -> None:
    """Whoever names many programs fills one half alone, and what is left out is counted."""
    uses = Uses()
    uses.log.note(TID, "ws", "" if reason else "expired", "the other half")
    for number in range(MAX_LOGINS + 30):
        uses.log.note(TID, "http", reason, f"bot {number}")
    assert uses.log.left_out == 30
    told: set[str] = set()
    while due := uses.log.due():
        assert len(due) <= MAX_LINES
        told |= {one.agent for one in due}
        uses.log.told(due)
    assert len(told) == MAX_LOGINS + 1
    assert "the other half" in told
    assert "bot 0" not in told


@dataclass
class Waiting:
    """A registry in which terminals wait for approval, and a book with their tokens."""

    terminals: list[PendingTerminal] = field(default_factory=list)

    def pending(self) -> list[PendingTerminal]:
        """Return who waits."""
        return self.terminals

    def entries(self) -> list[SimpleNamespace]:
        """Return the one token."""
        return [SimpleNamespace(record=SimpleNamespace(tid=TID))]


def test_a_live_session_is_told_before_a_terminal_that_waits() -> None:
    """The link on which a terminal waited may close after its session has begun on the next; the
    wait is told where no session lives."""
    notes, waits = Notes(), Waiting()
    waits.terminals.append(
        PendingTerminal(
            hello=HELLO, since_ms=1_700_000_000_000, user_code="A", url="", expires_ms=0
        )
    )

    def states() -> list[str]:
        return [one.state for one in reports(waits, waits, notes.log.latest)]  # type: ignore[arg-type]  # they look at no more than this

    assert states() == ["pending"]
    notes.tell(Peer("s-1"))
    assert states() == ["online"]
    notes.tell(Peer("s-1", state=SessionState.DISCONNECTED, end_reason="shutdown"))
    assert states() == ["pending"]
    waits.terminals.clear()
    assert states() == ["offline"]
