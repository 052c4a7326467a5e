"""Links that work once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from console_fixtures import Clock, person
from sqlalchemy import func, select

from gateway.console.database.model import OneTimeLink, QueuedMail
from gateway.console.errors import Gone
from gateway.console.links import PAUSE_S, RESET, SETUP
from gateway.console.service import Console


async def test_a_link_is_taken_once(console: Console):
    """Of many at once by one."""
    ann = await person(console)
    secret = await console.links.make(RESET, ann.id, 600)
    done = await asyncio.gather(
        *(console.links.take(secret, RESET) for _ in range(10)), return_exceptions=True
    )

    assert sorted(type(result).__name__ for result in done) == ["Gone"] * 9 + ["LinkInfo"]


@pytest.mark.alike
async def test_looking_at_a_link_changes_nothing(console: Console):
    """Mail scanners open links."""
    ann = await person(console)
    secret = await console.links.make(RESET, ann.id, 600)
    seen = [await console.links.peek(secret, RESET) for _ in range(3)]

    assert {link.user_id for link in seen} == {ann.id}
    assert (await console.links.take(secret, RESET)).user_id == ann.id
    with pytest.raises(Gone):
        await console.links.peek(secret, RESET)


@pytest.mark.alike
async def test_a_link_is_for_one_purpose_and_for_its_time(console: Console, clock: Clock):
    """Also when the clock is set back."""
    ann = await person(console)
    secret = await console.links.make(RESET, ann.id, 600)
    for wrong, purpose in ((secret, SETUP), (secret + "x", RESET), ("", RESET)):
        with pytest.raises(Gone):
            await console.links.take(wrong, purpose)
    clock.forward(-3600)
    with pytest.raises(Gone):
        await console.links.take(secret, RESET)
    clock.forward(3600 + 600)
    with pytest.raises(Gone):
        await console.links.take(secret, RESET)


@pytest.mark.alike
async def test_a_new_link_ends_the_old_one(console: Console):
    """Of the same user and purpose."""
    ann, bob = await person(console), await person(console, "bob")
    old = await console.links.make(RESET, ann.id, 600)
    his = await console.links.make(RESET, bob.id, 600)
    new = await console.links.make(RESET, ann.id, 600)

    with pytest.raises(Gone):
        await console.links.peek(old, RESET)
    assert (await console.links.peek(new, RESET)).user_id == ann.id
    assert (await console.links.peek(his, RESET)).user_id == bob.id


@pytest.mark.alike
async def test_only_hashes_of_links_are_kept(console: Console, tmp_path: Path):
    """Who reads the database has no link."""
    secret = await console.links.make(SETUP, None, 600)
    async with console.db.session() as session:
        row = (await session.scalars(select(OneTimeLink))).one()

    assert secret not in row.secret_hash
    assert len(row.secret_hash) == 64


async def test_a_reset_link_is_mailed_once_in_a_while(console: Console, clock: Clock):
    """To accounts that there are; the link of the first mail stays good."""
    ann = await person(console)
    for email in ("nobody@example.com", "Ann@Example.com", ann.email, ann.email, "", "\ud800"):
        await console.request_reset(email)
    await console.resets.settled()
    async with console.db.session() as session:
        first = await session.scalar(select(func.count()).select_from(QueuedMail))
        links = await session.scalar(select(func.count()).select_from(OneTimeLink))
    clock.forward(PAUSE_S)
    await console.request_reset(ann.email)
    await console.resets.settled()
    async with console.db.session() as session:
        mails = (await session.scalars(select(QueuedMail))).all()

    assert (first, links) == (1, 1)
    assert [(mail.kind, mail.address) for mail in mails] == [("password-reset", ann.email)] * 2


@pytest.mark.alike
async def test_a_disabled_account_gets_no_link(console: Console):
    """It could open nothing with it."""
    await person(console, "root", admin=True)
    ann = await person(console)
    await console.users.disable(ann.id)
    await console.request_reset(ann.email)
    await console.resets.settled()
    async with console.db.session() as session:
        assert await session.scalar(select(func.count()).select_from(QueuedMail)) == 0
