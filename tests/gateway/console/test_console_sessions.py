"""Browsers that are logged in: 256 random bits, hashed, idle and absolute end, rotated."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import pytest
from console_fixtures import IP, Clock, person
from sqlalchemy import select

from gateway.console.database.model import Session as Row
from gateway.console.errors import NotFound, StepUpNeeded
from gateway.console.service import Console
from gateway.console.sessions import ABSOLUTE_S, IDLE_S, MAX_SESSIONS, csrf_token


async def test_a_session_is_found_by_its_secret_alone(console: Console):
    """256 bits, of which a hash is kept."""
    ann = await person(console)
    secret = await console.sessions.create(ann, IP, "Firefox")
    found = await console.sessions.get(secret)
    async with console.db.session() as session:
        kept = (await session.scalars(select(Row.secret_hash))).one()

    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert kept == hashlib.sha256(secret.encode()).hexdigest()
    assert found is not None
    assert (found.user.id, found.ip, found.agent) == (ann.id, IP, "Firefox")
    for other in ("", secret[:-1], found.sid, kept, "\ud800", "x" * 10_000):
        assert await console.sessions.get(other) is None


@pytest.mark.alike
async def test_an_idle_session_ends(console: Console, clock: Clock):
    """After half an hour; use makes it longer, a page that asks by itself does not."""
    ann = await person(console)
    used, quiet = [await console.sessions.create(ann, IP, "x") for _ in range(2)]
    for _ in range(4):
        clock.forward(IDLE_S // 2)
        assert await console.sessions.get(used) is not None
        await console.sessions.get(quiet, touch=False)

    assert await console.sessions.get(quiet) is None
    clock.forward(IDLE_S)
    assert await console.sessions.get(used) is None


@pytest.mark.alike
async def test_a_session_ends_after_twelve_hours(console: Console, clock: Clock):
    """However much it is used, rotated or stepped up."""
    ann = await person(console)
    secret = await console.sessions.create(ann, IP, "x")
    for _ in range(ABSOLUTE_S // 1000):
        clock.forward(1000)
        assert await console.sessions.get(secret) is not None
        secret = await console.sessions.step_up(secret)
    clock.forward(ABSOLUTE_S % 1000)

    assert await console.sessions.get(secret) is None
    with pytest.raises(NotFound):
        await console.sessions.rotate(secret)


@pytest.mark.alike
async def test_a_clock_that_is_set_back_makes_no_session_longer(console: Console, clock: Clock):
    """It ends."""
    ann = await person(console)
    secret = await console.sessions.create(ann, IP, "x")
    clock.forward(-3600)

    assert await console.sessions.get(secret) is None


@pytest.mark.alike
async def test_a_rotated_session_has_another_secret(console: Console):
    """The old one opens nothing; name and beginning stay."""
    ann = await person(console)
    old = await console.sessions.create(ann, IP, "x")
    before = await console.sessions.get(old)
    new = await console.sessions.rotate(old)
    after = await console.sessions.get(new)

    assert before is not None
    assert after is not None
    assert (after.sid, after.created_at) == (before.sid, before.created_at)
    assert await console.sessions.get(old) is None
    with pytest.raises(NotFound):
        await console.sessions.rotate(old)


async def test_the_password_counts_for_a_quarter_of_an_hour(console: Console, clock: Clock):
    """From login, and from each time it is given again; rotating alone is no step up."""
    ann = await person(console)
    secret = await console.sessions.create(ann, IP, "x", https=True)

    async def demand() -> None:
        info = await console.sessions.get(secret)
        assert info is not None
        await console.sessions.use_step_up(secret, info)

    await demand()
    clock.forward(899)
    await demand()
    clock.forward(1)
    with pytest.raises(StepUpNeeded):
        await demand()
    secret = await console.sessions.rotate(secret)
    with pytest.raises(StepUpNeeded):
        await demand()
    secret = await console.sessions.step_up(secret)
    await demand()
    clock.forward(-30)
    with pytest.raises(StepUpNeeded):
        await demand()


async def test_without_https_the_password_counts_for_one_act(console: Console, clock: Clock):
    """Other servers of the host get the cookie: signing in counts for nothing, and of many acts
    at once one is done."""
    ann = await person(console)
    secret = await console.sessions.create(ann, IP, "x")

    async def act() -> None:
        info = await console.sessions.get(secret)
        assert info is not None
        await console.sessions.use_step_up(secret, info)

    with pytest.raises(StepUpNeeded):
        await act()
    secret = await console.sessions.step_up(secret)
    done = await asyncio.gather(*(act() for _ in range(5)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in done) == ["NoneType"] + ["StepUpNeeded"] * 4
    secret = await console.sessions.rotate(secret)
    with pytest.raises(StepUpNeeded):
        await act()
    secret = await console.sessions.step_up(secret)
    clock.forward(900)
    with pytest.raises(StepUpNeeded):
        await act()


async def test_sessions_are_listed_and_ended_by_their_owner(console: Console, clock: Clock):
    """By name; another user's is not there."""
    ann, bob = await person(console), await person(console, "bob")
    first = await console.sessions.create(ann, IP, "first")
    clock.forward(60)
    second = await console.sessions.create(ann, IP, "second")
    listed = await console.sessions.list(ann.id)
    with pytest.raises(NotFound):
        await console.sessions.end_one(bob.id, listed[0].sid)
    await console.sessions.end_one(ann.id, listed[0].sid)

    assert [session.agent for session in listed] == ["second", "first"]
    assert await console.sessions.get(second) is None
    assert await console.sessions.get(first) is not None
    assert await console.sessions.list(bob.id) == []
    await console.sessions.end(first)
    await console.sessions.end(first)
    assert await console.sessions.list(ann.id) == []


async def test_all_sessions_of_a_user_end_at_once(console: Console):
    """Except the one that asks for it; another user's go on."""
    ann, bob = await person(console), await person(console, "bob")
    mine = [await console.sessions.create(ann, IP, "x") for _ in range(3)]
    his = await console.sessions.create(bob, IP, "x")
    keep = await console.sessions.get(mine[0])
    assert keep is not None
    await console.sessions.end_all(ann.id, keep=keep.sid)
    assert [await console.sessions.get(secret) is not None for secret in mine] == [
        True,
        False,
        False,
    ]
    await console.sessions.end_all(ann.id)

    assert await console.sessions.get(mine[0]) is None
    assert await console.sessions.get(his) is not None


async def test_sessions_of_a_user_are_bounded(console: Console, clock: Clock):
    """The longest unused makes room."""
    ann = await person(console)
    secrets = []
    for _ in range(MAX_SESSIONS + 1):
        secrets.append(await console.sessions.create(ann, IP, "x"))
        clock.forward(1)

    assert await console.sessions.get(secrets[0]) is None
    assert await console.sessions.get(secrets[1]) is not None
    assert len(await console.sessions.list(ann.id)) == MAX_SESSIONS


@pytest.mark.alike
async def test_sessions_that_are_over_are_forgotten(console: Console, clock: Clock):
    """And others are not."""
    ann = await person(console)
    await console.sessions.create(ann, IP, "x")
    clock.forward(IDLE_S)
    live = await console.sessions.create(ann, IP, "x")
    await console.cleanup()
    async with console.db.session() as session:
        kept = (await session.scalars(select(Row))).all()

    assert len(kept) == 1
    assert await console.sessions.get(live) is not None


def test_each_session_has_its_form_token():
    """Which does not tell the secret."""
    assert csrf_token("a") != csrf_token("b")
    assert len(csrf_token("a")) == 64
