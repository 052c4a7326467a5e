"""One sender's life: a receiver that fails, refuses, is slow, or is not there; restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ea_bridge.host import wall_ms
from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import PendingTerminal, TerminalRegistry
from gateway.audit import Audit
from gateway.broker_time.clock import BrokerClocks
from gateway.config import Notify
from gateway.home.ledger import open_ledger
from gateway.notify import service as module
from gateway.notify.notes import Note
from gateway.notify.service import NoteQueue, NotifyService
from gateway.notify.transports import DeliveryRefused, NotTaken
from gateway.storage.ledger import Ledger
from gateway.streams.service import Streams


class Scripted:
    """A transport that fails as often as it is told to."""

    pause_s = 0.0

    def __init__(self, *failures: Exception, most: int = 1) -> None:
        self.most = most
        self.failures = list(failures)
        self.tries = 0
        self.tried = asyncio.Event()
        self.taken: asyncio.Queue[list[Note]] = asyncio.Queue()

    async def send(self, notes: Sequence[Note]) -> None:
        self.tries += 1
        self.tried.set()
        if self.failures:
            raise self.failures.pop(0)
        self.taken.put_nowait(list(notes))

    async def next(self) -> list[Note]:
        return await asyncio.wait_for(self.taken.get(), 30)


class Stuck(Scripted):
    """A transport that never comes back."""

    async def send(self, notes: Sequence[Note]) -> None:
        self.tries += 1
        self.tried.set()
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look and try again at once, nearly."""
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.01)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(tmp_path)
    yield opened
    opened.close()


@asynccontextmanager
async def running(
    ledger: Ledger, home: Path, registry: TerminalRegistry | None = None, **transports: Scripted
) -> AsyncIterator[Audit]:
    """Run the service over a ledger; yields what writes to its trail."""
    audit, registry = Audit(ledger), registry or TerminalRegistry(wall_ms)

    async def ask(terminal: str, command: object, params: object, /) -> None:
        raise AssertionError("no terminal is here")

    streams = Streams(
        boot=audit.boot,
        clock=asyncio.get_running_loop(),
        now_ms=wall_ms,
        ask=ask,  # type: ignore[arg-type]  # nobody asks
        clock_of=BrokerClocks().of,
        max_channels=8,
    )
    notify = NotifyService(
        Notify(events=("halt", "limit_hit", "new_device")),
        transports,
        home=home,
        gateway="g1",
        ledger=ledger,
        registry=registry,
        streams=streams,
    )
    async with notify.running():
        yield audit
    streams.close()


def halt(audit: Audit, said: str = "") -> None:
    audit.record("kill_switch", reason="halt", actor="cli", terminal="all", said=said)


async def test_it_is_tried_until_it_is_taken(ledger: Ledger, tmp_path: Path) -> None:
    """After any kind of failure, the same note; then it is sent no more."""
    to = Scripted(NotTaken("later"), RuntimeError("a mistake of ours"), NotTaken("later"))
    async with running(ledger, tmp_path, to=to) as audit:
        halt(audit, "one")
        [note] = await to.next()
        assert note.text == "all, by cli: one"
        assert to.tries == 4
        halt(audit, "two")
        assert [one.text for one in await to.next()] == ["all, by cli: two"]
    queue = NoteQueue(tmp_path)
    assert queue.take("to", 9, wall_ms()) == (0, [])
    queue.close()


async def test_a_stuck_receiver_holds_up_nobody_else(ledger: Ledger, tmp_path: Path) -> None:
    """Nor the end of the gateway."""
    stuck, to = Stuck(), Scripted()
    async with running(ledger, tmp_path, stuck=stuck, to=to) as audit:
        for said in ("one", "two"):
            halt(audit, said)
            await to.next()
    assert stuck.tries == 1


async def test_what_is_refused_for_good_holds_up_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """The next one is sent."""
    to = Scripted(DeliveryRefused("answered 400"))
    async with running(ledger, tmp_path, to=to) as audit:
        halt(audit, "one")
        await to.tried.wait()
        halt(audit, "two")
        assert [one.text for one in await to.next()] == ["all, by cli: two"]


async def test_a_restart_loses_nothing_and_repeats_no_other_id(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Neither what waited, nor what happened while nobody looked; nothing of before the first
    start is told."""
    halt(Audit(ledger), "before the first start")
    await Audit(ledger).written()
    stuck = Stuck()
    async with running(ledger, tmp_path, to=stuck) as audit:
        halt(audit, "one")
        await stuck.tried.wait()
    halt(audit, "two")
    await audit.written()
    to = Scripted()
    async with running(ledger, tmp_path, to=to) as audit:
        notes = [*await to.next(), *await to.next()]
        halt(audit, "three")
        notes += await to.next()
    assert [note.text.rpartition(" ")[2] for note in notes] == ["one", "two", "three"]
    assert len({note.id for note in notes}) == 3


async def test_only_what_was_chosen_is_told(ledger: Ledger, tmp_path: Path) -> None:
    """And notes that wait go together where the receiver takes several."""
    to = Scripted(NotTaken("later"), most=20)
    async with running(ledger, tmp_path, to=to) as audit:
        audit.record("order", terminal="A", object="x", state="unknown")
        halt(audit, "one")
        halt(audit, "two")
        assert [note.event for note in await to.next()] == ["halt", "halt"]


async def test_a_terminal_that_waits_is_told_once(ledger: Ledger, tmp_path: Path) -> None:
    """And never its code: who has that approves the machine."""
    registry, to = TerminalRegistry(wall_ms), Scripted()
    hello = Hello(
        proto="1-1",
        tid="A1b2C3d4E5f6",
        cnonce="n",
        boot="b",
        platform="mt5",
        login=7,
        server="Broker\x1b[2J",
    )
    pending = PendingTerminal(
        hello=hello, since_ms=1, user_code="12345678", url="http://c/verify", expires_ms=2
    )
    async with running(ledger, tmp_path, registry, to=to) as audit:
        registry.await_approval(pending)
        [note] = await to.next()
        assert (note.event, note.data) == ("new_device", {"token": "A1b2C3d4E5f6"})
        assert note.text.startswith("7 at Broker [2J: a terminal with a token of yours waits")
        assert "12345678" not in repr(note)
        halt(audit, "next")
        assert [one.event for one in await to.next()] == ["halt"]


async def test_a_damaged_queue_keeps_no_gateway_from_trading(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It runs without notifications, and the log says what to do."""
    (tmp_path / "notify.db").write_bytes(b"no database" * 1000)
    to = Scripted()
    async with running(ledger, tmp_path, to=to) as audit:
        halt(audit)
        await audit.written()
    assert to.tries == 0
    assert "no notifications until the next start" in caplog.text
    assert "move it away" in caplog.text
