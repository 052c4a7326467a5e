"""What devices are told: in order, without gaps, on disk first; and what they answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from console_fixtures import CHEAP, Clock, Machine, approve, events, offer, person
from pydantic import ValidationError
from sqlalchemy import text

from gateway.console.database import Database
from gateway.console.events import PendingEvent
from gateway.console.service import Console, open_console
from gateway.console.settings import ConsoleSettings
from gateway.credentials.daemon_api import EventAck
from gateway.credentials.event import open_event


async def test_what_is_not_committed_was_never_told(console: Console):
    """Neither counted nor woken for."""
    machine, woken = Machine(), list[str]()
    await machine.seen_by(console)
    await _listening(console)
    console.events.subscribe(machine.did, lambda: woken.append("x"))

    async def fail() -> None:
        async with console.db.begin() as session:
            await console.events.append(session, [PendingEvent(machine.did, "keys.rotated")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert await events(console, machine) == []
    assert (await console.events.last(machine.did), woken) == (0, [])


async def _listening(console: Console) -> None:
    """Wait until the console hears PostgreSQL: when it begins to, it wakes everybody once."""
    heard = asyncio.Event()
    end = console.events.subscribe("probe", heard.set)
    while not (console.db.is_sqlite or heard.is_set()):
        async with console.db.begin() as session:
            await console.notifier.announce(session, ["probe"])
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await heard.wait()
    end()


async def test_who_waits_is_woken_after_the_commit(console: Console):
    """What it reads then has the event; who has ended is left alone, and one that fails, too."""
    machine, woken, told = Machine(), asyncio.Event(), list[str]()
    await machine.seen_by(console)

    def fail() -> None:
        raise ZeroDivisionError

    console.events.subscribe(machine.did, fail)
    end = console.events.subscribe(machine.did, lambda: told.append("ended"))
    end()
    end()
    console.events.subscribe(machine.did, woken.set)
    await console.rotate_keys()

    await asyncio.wait_for(woken.wait(), 60)
    assert [event.type for event in await events(console, machine)] == ["keys.rotated"]
    assert told == []


@pytest.mark.alike
async def test_events_are_given_in_order_and_in_pieces(console: Console):
    """After any that is known; nothing after the last."""
    machine = Machine()
    await machine.seen_by(console)
    async with console.db.begin() as session:
        await console.events.append(session, [PendingEvent(machine.did, "keys.rotated")] * 5)

    assert [event.seq for event in await events(console, machine, 2)] == [3, 4, 5]
    assert len(await console.events.since(machine.did, 0, limit=2)) == 2
    assert await console.events.since(machine.did, 5) == []


@pytest.mark.alike
async def test_a_stop_is_confirmed_by_the_device(console: Console, clock: Clock):
    """By its first word on the event; the second, and those on other events, do not count."""
    ann, machine, other = await person(console), Machine(), Machine("other")
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    await approve(console, token, other)
    await offer(console, machine)
    await console.tokens.revoke(ann.id, token.tid)
    seq = await console.events.last(machine.did)
    clock.forward(2)
    ack = EventAck(seq=seq, at_ms=clock.now * 1000 + 4, closed_ws=3, orders_in_flight=1)
    later = EventAck(seq=seq, at_ms=clock.now * 1000 + 9000)
    unknown = EventAck(seq=seq + 7, at_ms=1)
    await console.events.acknowledge(machine.did, [ack])
    await console.events.acknowledge(machine.did, [later, unknown])

    lines = {
        event.did: event for event in await console.events.confirmation(ann.id, tid=token.tid)
    }
    assert lines[machine.did].stopped_at_ms == ack.at_ms
    assert lines[machine.did].acked_at == clock.now
    assert (lines[machine.did].closed_ws, lines[machine.did].orders_in_flight) == (3, 1)
    assert lines[other.did].stopped_at_ms is lines[other.did].acked_at is None


@pytest.mark.alike
@pytest.mark.parametrize(("said_ms", "shown_ms"), [(2**53, 2_999), (0, 0)])
async def test_a_stop_lies_between_question_and_answer(
    console: Console, clock: Clock, said_ms: int, shown_ms: int
):
    """Whatever the device's clock says: people would believe it, and pages have to show it."""
    ann, machine = await person(console), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    asked_ms = clock.now * 1000
    await console.tokens.revoke(ann.id, token.tid)
    seq = await console.events.last(machine.did)
    clock.forward(2)
    await console.events.acknowledge(machine.did, [EventAck(seq=seq, at_ms=said_ms)])

    [line] = await console.events.confirmation(ann.id, tid=token.tid)
    assert line.stopped_at_ms == asked_ms + shown_ms


@pytest.mark.parametrize("member", ["closed_ws", "closed_bridge", "orders_in_flight"])
def test_what_a_device_has_closed_is_a_count_that_a_database_can_hold(member: str):
    """A number of any size would be kept for later and fail there."""
    with pytest.raises(ValidationError):
        EventAck.model_validate({"seq": 1, "at_ms": 1, member: 2**63})


@pytest.mark.alike
async def test_another_user_sees_no_confirmation(console: Console):
    """Neither by token nor by device."""
    ann, bob, machine = await person(console), await person(console, "bob"), Machine()
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, machine)
    await console.tokens.revoke(ann.id, token.tid)

    assert await console.events.confirmation(bob.id, tid=token.tid) == []
    assert await console.events.confirmation(bob.id, did=machine.did) == []
    assert len(await console.events.confirmation(ann.id, did=machine.did)) == 1


async def test_another_process_is_heard(
    console: Console, console_settings: ConsoleSettings, tmp_path: Path, clock: Clock
):
    """Two consoles on one database: what one writes wakes who waits at the other."""
    machine, woken = Machine(), asyncio.Event()
    await machine.seen_by(console)
    async with open_console(tmp_path / "home", console_settings, clock, costs=CHEAP) as other:
        other.events.subscribe(machine.did, woken.set)
        await asyncio.sleep(0)
        await console.rotate_keys()
        await asyncio.wait_for(woken.wait(), 60)

        assert len(await other.events.since(machine.did, 0)) == 1


async def test_the_news_of_a_new_key_is_signed_with_the_old_one(console: Console):
    """Which the device has; what comes after it, with the new one."""
    machine = Machine()
    await machine.seen_by(console)
    told = await offer(console, machine)
    kid = await console.rotate_keys()
    await console.rotate_keys(remove_old=True)
    first, second = await console.events.since(machine.did, 0)
    old = told.keys.keys_for("evt", console.now_s())

    assert open_event(first, old).type == "keys.rotated"
    assert kid not in old
    assert second.split(".")[2] == kid


@pytest.mark.alike
async def test_old_events_are_forgotten_once_they_are_obeyed(console: Console, clock: Clock):
    """Not before; counting goes on."""
    machine = Machine()
    await machine.seen_by(console)
    async with console.db.begin() as session:
        await console.events.append(session, [PendingEvent(machine.did, "keys.rotated")] * 3)
    await console.events.acknowledge(machine.did, [EventAck(seq=2, at_ms=1)])
    clock.forward(31 * 86_400)
    async with console.db.begin() as session:
        await console.events.cleanup(session)
        await console.events.append(session, [PendingEvent(machine.did, "keys.rotated")])

    assert [event.seq for event in await events(console, machine)] == [3, 4]


async def test_events_at_once_leave_no_gap(console: Console):
    """From many transactions, each for two devices in another order."""
    one, two = Machine("one"), Machine("two")
    await one.seen_by(console)
    await two.seen_by(console)

    async def tell(db: Database, dids: tuple[str, str]) -> None:
        async with db.begin() as session:
            await console.events.append(
                session, [PendingEvent(did, "keys.rotated") for did in dids]
            )

    pairs = [(one.did, two.did), (two.did, one.did)] * 20
    await asyncio.gather(*(tell(console.db, pair) for pair in pairs))

    for machine in (one, two):
        assert [e.seq for e in await events(console, machine)] == list(range(1, 41))


async def test_a_lost_connection_is_made_anew(
    console: Console,
    console_settings: ConsoleSettings,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
):
    """Whatever ended it; what was told meanwhile is not missed. SQLite has none to lose."""
    monkeypatch.setattr("gateway.console.events.CHECK_S", 0.05)
    machine = Machine()
    await machine.seen_by(console)
    async with open_console(tmp_path / "home", console_settings, clock, costs=CHEAP) as other:
        woken = asyncio.Event()
        other.events.subscribe(machine.did, woken.set)
        for _ in range(3):
            if not console.db.is_sqlite:
                async with console.db.begin() as session:
                    listeners = "SELECT pid FROM pg_stat_activity WHERE query ILIKE 'LISTEN %'"
                    await session.execute(
                        text(f"SELECT pg_terminate_backend(pid) FROM ({listeners}) AS l")  # noqa: S608 (our own)
                    )
            woken.clear()
            await console.rotate_keys()
            await asyncio.wait_for(woken.wait(), 60)
