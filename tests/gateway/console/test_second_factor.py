"""Second factors on both databases: each code opens once, and nothing opens without one."""

from __future__ import annotations

import asyncio

import pyotp
import pytest
from console_fixtures import IP, PASSWORD, Clock, person
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.console import sign_ins
from gateway.console.database import insert_missing
from gateway.console.database.model import Base, QueuedMail, RecoveryCode, SecondFactor
from gateway.console.errors import CodeNeeded, CodeRefused, Gone, Taken
from gateway.console.second_factor import PENDING_S, RECOVERY_CODES, STEP_S
from gateway.console.service import Console
from gateway.console.user_info import UserInfo
from gateway.credentials.passwords import MAX_FAILURES, delay_s

NEW = "another horse battery staple"


async def switched_on(console: Console, clock: Clock) -> tuple[UserInfo, pyotp.TOTP, list[str]]:
    """Return a person with a second factor, its app, and the recovery codes."""
    ann = await person(console)
    setup = await console.second_factors.begin(ann)
    app = pyotp.TOTP(setup.secret)
    assert pyotp.parse_uri(setup.uri).secret == setup.secret
    codes = await console.second_factors.confirm(ann, app.at(clock()))
    clock.forward(STEP_S)
    return ann, app, list(codes)


async def halfway(console: Console) -> str:
    """Give the password; return the sign-in that waits for a code."""
    user = await console.users.authenticate("ann@example.com", PASSWORD, IP)
    with pytest.raises(CodeNeeded):
        await console.sessions.create(user, IP, "")
    return await console.second_factors.ask(user)


async def takes(console: Console, pending: str, code: str) -> bool:
    """Whether a code completes a sign-in."""
    try:
        user = await console.second_factors.finish(pending, code, IP, "")
    except CodeRefused:
        return False
    return bool(await console.sessions.create(user, IP, "", with_code=True))


@pytest.mark.alike
async def test_the_password_alone_opens_no_session(console: Console, clock: Clock) -> None:
    """With the app's code it does; a sign-in counts as one when it is complete."""
    _, app, _ = await switched_on(console, clock)
    pending = await halfway(console)
    before = (await console.users.list())[0].last_login_at
    assert not await takes(console, pending, "000000")
    assert await takes(console, pending, f" {app.at(clock())[:3]} {app.at(clock())[3:]}")
    after = (await console.users.list())[0].last_login_at
    assert (before, after) == (None, clock())
    with pytest.raises(Gone):
        await takes(console, pending, app.at(clock() + STEP_S))


async def test_a_code_that_comes_twice_at_once_opens_once(console: Console, clock: Clock) -> None:
    """Of many sign-ins with one code one is let in; so of a recovery code."""
    _, app, codes = await switched_on(console, clock)
    for code in (app.at(clock()), codes[0]):
        waiting = [await halfway(console) for _ in range(4)]
        got = await asyncio.gather(*(takes(console, pending, code) for pending in waiting))
        assert sorted(got) == [False, False, False, True]
        assert not await takes(console, waiting[got.index(False)], code)
        clock.forward(1000)


async def test_codes_of_the_neighbouring_steps_fit_and_none_goes_back(
    console: Console, clock: Clock
) -> None:
    """A phone's clock may be half a minute off; what was seen over a shoulder is used up."""
    _, app, _ = await switched_on(console, clock)
    clock.forward(10 * STEP_S)
    for steps, fits in ((2, False), (-2, False), (1, True), (0, False), (-1, False)):
        code = app.at(clock() + steps * STEP_S)
        assert await takes(console, await halfway(console), code) is fits, steps
        async with console.db.begin() as session:
            await console.throttle.discard_all(session, "login.code ann@example.com")


@pytest.mark.alike
async def test_codes_are_not_guessed(console: Console, clock: Clock) -> None:
    """Tries wait ever longer, and end at a hundred: then only a new password helps."""
    ann, app, _ = await switched_on(console, clock)
    for failures in range(1, MAX_FAILURES + 1):
        clock.forward(delay_s(failures))
        with pytest.raises(CodeRefused):
            await console.second_factors.check(ann, "12345", IP, "")
    clock.forward(86_400)
    with pytest.raises(CodeRefused) as refused:
        await console.second_factors.check(ann, app.at(clock()), IP, "")
    assert refused.value.wait_s
    pending = await halfway(console)
    await console.users.set_password(ann.id, NEW)
    with pytest.raises(Gone):
        await takes(console, pending, app.at(clock()))
    user = await console.users.authenticate("ann@example.com", NEW, IP)
    assert await console.second_factors.check(user, app.at(clock()), IP, "")


async def test_a_sign_in_waits_for_five_minutes(console: Console, clock: Clock) -> None:
    """And one that waits ends with the second factor."""
    _, app, codes = await switched_on(console, clock)
    pending = await halfway(console)
    clock.forward(PENDING_S)
    with pytest.raises(Gone):
        await takes(console, pending, app.at(clock()))
    pending = await halfway(console)
    await console.second_factors.remove((await console.users.list())[0], codes[0])
    with pytest.raises(Gone):
        await takes(console, pending, app.at(clock()))


async def test_it_is_switched_off_by_a_code_or_by_who_administers(
    console: Console, clock: Clock
) -> None:
    """Its owner is told each time; the secret is sealed, and recovery codes are hashes."""
    ann, app, codes = await switched_on(console, clock)
    with pytest.raises(Taken):
        await console.second_factors.begin(ann)
    async with console.db.session() as session:
        row = await session.get_one(SecondFactor, ann.id)
        hashes = (await session.scalars(select(RecoveryCode.code_hash))).all()
    assert app.secret not in row.secret
    assert len(hashes) == len(set(hashes)) == RECOVERY_CODES
    assert not any(code.replace("-", "") in "".join(hashes) for code in codes)
    fresh = await console.second_factors.new_codes(ann)
    with pytest.raises(CodeRefused):
        await console.second_factors.remove(ann, codes[1])
    clock.forward(1)
    await console.second_factors.remove(ann, fresh[0].upper())
    assert await console.second_factors.info(ann.id) is None
    assert await console.sessions.create(ann, IP, "")
    setup = await console.second_factors.begin(ann)
    clock.forward(STEP_S)
    await console.second_factors.confirm(ann, pyotp.TOTP(setup.secret).at(clock()))
    clock.forward(1)
    await console.second_factors.take_off(ann.id, by="administrator")
    assert await console.second_factors.info(ann.id) is None
    assert not await console.sessions.list(ann.id)
    async with console.db.session() as session:
        mails = (await session.scalars(select(QueuedMail.kind))).all()
    assert mails.count("second-factor") == 5


async def test_a_count_that_is_taken_away_meanwhile_is_made_anew(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-in that succeeds beside this one deletes the row before it is locked."""
    taken = asyncio.Event()

    async def insert(session: AsyncSession, table: type[Base], **values: object) -> None:
        await insert_missing(session, table, **values)
        if not taken.is_set():
            taken.set()
            if console.db.is_sqlite:  # which has one writer: nobody else could
                await console.throttle.discard(session, "ann")
            else:
                await asyncio.create_task(console.throttle.succeeded("ann"))

    await console.throttle.count("ann", IP)
    monkeypatch.setattr(sign_ins, "insert_missing", insert)
    await console.throttle.count("ann", None)
    assert taken.is_set()
    assert await console.throttle.failures("ann") == 1
