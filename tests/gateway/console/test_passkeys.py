"""Passkeys on both databases: who answers another question, or elsewhere, is not let in."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pyotp
import pytest
from console_fixtures import IP, PASSWORD, Clock, person
from soft_authenticator import PRESENT, SoftAuthenticator
from sqlalchemy import select

from gateway.console.database.model import Activity, QueuedMail, RecoveryCode
from gateway.console.errors import (
    CodeNeeded,
    CodeRefused,
    ConsoleError,
    Gone,
    Invalid,
    NotFound,
    PasskeyRefused,
    Taken,
    TooMany,
)
from gateway.console.passkeys import (
    MAX_ANSWER,
    MAX_CREDENTIAL,
    MAX_PASSKEYS,
    PENDING_S,
    PasskeyAnswer,
    RelyingParty,
)
from gateway.console.second_factor import RECOVERY_CODES, PasskeyQuestion
from gateway.console.service import Console
from gateway.console.user_info import UserInfo

ORIGIN = "http://localhost:8790"
HERE = RelyingParty("localhost", ORIGIN)


def answer(text: str, party: RelyingParty | None = HERE) -> PasskeyAnswer:
    """Return what a form brings."""
    return PasskeyAnswer(text, party)


async def add(
    console: Console, user: UserInfo, device: SoftAuthenticator, name: str = "laptop"
) -> list[str]:
    """Add a passkey as its owner does; return the recovery codes."""
    factors, party = console.second_factors, RelyingParty.of(device.origin)
    assert party is not None
    asked = await factors.begin_passkey(user, "session", party)
    made = answer(device.make(asked.options), party)
    return list(await factors.add_passkey(user, "session", name, asked.pending, made))


async def asked_at_sign_in(console: Console, name: str = "ann") -> PasskeyQuestion:
    """Give the password; return the question to the browser."""
    user = await console.users.authenticate(f"{name}@example.com", PASSWORD, IP)
    with pytest.raises(CodeNeeded):
        await console.sessions.create(user, IP, "")
    pending = await console.second_factors.ask(user)
    return await console.second_factors.question(user.id, pending, HERE)


async def opens(console: Console, asked: PasskeyQuestion, text: str) -> bool:
    """Whether an answer completes a sign-in."""
    try:
        user = await console.second_factors.finish(asked.pending, answer(text), IP, "")
    except CodeRefused:
        # as the tries of others would make this one wait
        await console.throttle.succeeded("login.code ann@example.com")
        return False
    return bool(await console.sessions.create(user, IP, "", with_code=True))


async def test_a_passkey_signs_in_beside_the_password(console: Console, clock: Clock) -> None:
    """The first brings recovery codes, which stand in for it; each change is told."""
    ann, device = await person(console), SoftAuthenticator(ORIGIN, count=3)
    other = await console.sessions.create(ann, IP, "")
    codes = await add(console, ann, device)
    assert len(codes) == RECOVERY_CODES
    assert await console.sessions.get(other) is None
    asked = await asked_at_sign_in(console)
    assert json.loads(asked.options)["userVerification"] == "required"
    assert await opens(console, asked, device.lying(count=4).use(asked.options))
    with pytest.raises(Gone):
        await opens(console, asked, device.lying(count=5).use(asked.options))
    asked = await asked_at_sign_in(console)
    user = await console.second_factors.finish(asked.pending, codes[0], IP, "")
    clock.forward(1)
    second = SoftAuthenticator(ORIGIN)
    assert await add(console, user, second, "blue key") == []
    info = await console.second_factors.info(ann.id)
    assert info is not None
    assert [one.name for one in info.passkeys] == ["laptop", "blue key"]
    assert (info.app_since, info.codes_left) == (None, RECOVERY_CODES - 1)
    assert ann.id in await console.second_factors.users()
    async with console.db.session() as session:
        events = (await session.scalars(select(Activity.event))).all()
        mails = (await session.scalars(select(QueuedMail.kind))).all()
    assert events.count("passkey.added") == 2
    assert mails.count("second-factor") == 3  # two are added, one code is used


async def told(console: Console) -> list[str]:
    """Return what happened to second factors, as the log has it and mails say."""
    async with console.db.session() as session:
        events = await session.scalars(select(Activity.event).order_by(Activity.id))
        found = [event for event in events if event.startswith(("passkey.", "second_factor."))]
        mails = " ".join(await session.scalars(select(QueuedMail.dedupe)))
    assert all(f":{event}:" in mails for event in found)
    return [event.partition(".")[2] for event in found]


async def test_the_app_may_go_while_a_passkey_stays(console: Console, clock: Clock) -> None:
    """Nobody is told that the password alone signs in, and the recovery codes stay good."""
    ann = await person(console)
    await add(console, ann, SoftAuthenticator(ORIGIN))
    setup = await console.second_factors.begin(ann)
    codes = list(await console.second_factors.confirm(ann, pyotp.TOTP(setup.secret).at(clock())))
    await console.second_factors.remove(ann, codes[0])
    assert await told(console) == ["added", "on", "recovery", "app_off"]
    asked = await asked_at_sign_in(console)
    assert await console.second_factors.finish(asked.pending, codes[1], IP, "")


LIES: dict[str, dict[str, Any]] = {
    "another port": {"origin": "http://localhost:8791"},
    "another site": {"origin": "https://evil.example"},
    "another name": {"rp_id": "evil.example"},
    "nobody was verified": {"flags": PRESENT},
    "nobody was there": {"flags": 0},
    "another challenge": {"challenge": "AAAA"},
    "another ceremony": {"kind": "webauthn.other"},
}


@pytest.mark.parametrize("lie", LIES)
async def test_what_was_said_elsewhere_opens_nothing(console: Console, lie: str) -> None:
    """Neither when a passkey is made nor when it is used."""
    ann, device = await person(console), SoftAuthenticator(ORIGIN)
    liar = device.lying(**LIES[lie])
    asked = await console.second_factors.begin_passkey(ann, "session", HERE)
    with pytest.raises(PasskeyRefused):
        await console.second_factors.add_passkey(
            ann, "session", "laptop", asked.pending, answer(liar.make(asked.options))
        )
    assert await console.second_factors.info(ann.id) is None
    await add(console, ann, device)
    asked = await asked_at_sign_in(console)
    assert not await opens(console, asked, liar.use(asked.options))
    assert await opens(console, asked, device.use(asked.options))


async def test_an_answer_belongs_to_one_sign_in(console: Console, clock: Clock) -> None:
    """One that was overheard answers no other, and none after its end; of many at once one."""
    ann, device = await person(console), SoftAuthenticator(ORIGIN)
    await add(console, ann, device)
    asked = await asked_at_sign_in(console)
    heard = device.use(asked.options)
    another = await asked_at_sign_in(console)
    assert not await opens(console, another, heard)

    async def late() -> bool:
        try:
            return await opens(console, asked, heard)
        except Gone:
            return False

    assert sorted(await asyncio.gather(*(late() for _ in range(4)))) == [False] * 3 + [True]
    clock.forward(PENDING_S)
    with pytest.raises(Gone):
        await opens(console, another, device.use(another.options))
    asked = await asked_at_sign_in(console)
    await console.users.set_password(ann.id, "another horse battery staple")
    with pytest.raises(Gone):
        await opens(console, asked, device.use(asked.options))


async def test_another_persons_passkey_opens_nothing(console: Console) -> None:
    """Also not if it is named as one's own, or if it is to be added to a second account."""
    ann, bob = await person(console), await person(console, "bob")
    hers, his = SoftAuthenticator(ORIGIN), SoftAuthenticator(ORIGIN)
    await add(console, ann, hers)
    await add(console, bob, his)
    asked = await asked_at_sign_in(console)
    offered = {one["id"] for one in json.loads(asked.options)["allowCredentials"]}
    assert offered == {json.loads(hers.use(asked.options))["id"]}
    assert not await opens(console, asked, his.use(asked.options))
    assert not await opens(
        console, asked, his.lying(credential=hers.credential).use(asked.options)
    )
    with pytest.raises(Taken):
        await add(console, bob, hers)
    hers_id = (await console.second_factors.info(ann.id)).passkeys[0].id  # type: ignore[union-attr]  # she has one
    with pytest.raises(NotFound):
        await console.second_factors.remove_passkey(bob, hers_id, "000000")


async def test_a_copy_is_noticed_by_its_count(console: Console) -> None:
    """Its owner is told; the copy that comes second does not get in."""
    ann, device = await person(console), SoftAuthenticator(ORIGIN, count=7)
    await add(console, ann, device)
    asked = await asked_at_sign_in(console)
    for count in (7, 6, 0):
        assert not await opens(console, asked, device.lying(count=count).use(asked.options))
    async with console.db.session() as session:
        events = (await session.scalars(select(Activity.event))).all()
    assert events.count("passkey.copied") == 3
    assert await opens(console, asked, device.lying(count=8).use(asked.options))


async def test_a_question_of_a_session_is_that_sessions(console: Console, clock: Clock) -> None:
    """It is answered once, in time, by the one who was asked."""
    ann, bob = await person(console), await person(console, "bob")
    factors, device = console.second_factors, SoftAuthenticator(ORIGIN)
    asked = await factors.begin_passkey(ann, "session", HERE)
    made = answer(device.make(asked.options))
    for who, sid in ((ann, "another"), (bob, "session")):
        with pytest.raises(Gone):
            await factors.add_passkey(who, sid, "laptop", asked.pending, made)
    for name in ("", "x" * 65, "two\nlines"):
        with pytest.raises(Invalid):
            await factors.add_passkey(ann, "session", name, asked.pending, made)
    await factors.add_passkey(ann, "session", "laptop", asked.pending, made)
    with pytest.raises(Gone):
        await factors.add_passkey(ann, "session", "laptop", asked.pending, made)
    asked = await factors.begin_passkey(ann, "session", HERE)
    clock.forward(PENDING_S)
    late = answer(SoftAuthenticator(ORIGIN).make(asked.options))
    with pytest.raises(Gone):
        await factors.add_passkey(ann, "session", "late", asked.pending, late)


async def test_the_last_one_takes_the_recovery_codes_along(console: Console) -> None:
    """It is removed by a passkey, a recovery code or the app; a wrong one removes nothing."""
    ann, factors = await person(console), console.second_factors
    first, second = SoftAuthenticator(ORIGIN), SoftAuthenticator(ORIGIN)
    codes = await add(console, ann, first)
    await add(console, ann, second, "blue key")
    info = await factors.info(ann.id)
    assert info is not None
    one, two = (passkey.id for passkey in info.passkeys)
    asked = await factors.ask_in_session(ann, "session", HERE)
    shown = answer(second.use(asked.options))
    for text, sid in ((answer("{}"), "session"), (shown, "another"), ("000000", "")):
        with pytest.raises(ConsoleError):
            await factors.remove_passkey(ann, one, text, sid=sid, pending=asked.pending)
        await console.throttle.succeeded("login.code ann@example.com")
    await factors.remove_passkey(ann, one, shown, sid="session", pending=asked.pending)
    asked = await asked_at_sign_in(console)
    assert not await opens(console, asked, first.use(asked.options))
    await factors.remove_passkey(ann, two, codes[0])
    assert await factors.info(ann.id) is None
    assert await console.sessions.create(ann, IP, "")
    assert await told(console) == ["added"] * 2 + ["removed", "recovery", "removed", "off"]
    async with console.db.session() as session:
        assert (await session.scalars(select(RecoveryCode.code_hash))).all() == []


async def test_passkeys_are_bounded(console: Console) -> None:
    """Of one user, in the length of an answer and of a passkey's name."""
    ann = await person(console)
    with pytest.raises(PasskeyRefused):
        await add(console, ann, SoftAuthenticator(ORIGIN, credential=bytes(MAX_CREDENTIAL + 1)))
    for number in range(MAX_PASSKEYS):
        await add(console, ann, SoftAuthenticator(ORIGIN), f"key {number}")
    with pytest.raises(TooMany):
        await add(console, ann, SoftAuthenticator(ORIGIN))
    asked = await asked_at_sign_in(console)
    for text in (
        "[]",
        '{"id": "a\\u0000"}',
        "{",
        '{"id": 1}',
        '{"id": "\u00e9"}',
        "[" * 9999,
        "x" * (MAX_ANSWER + 1),
    ):
        assert not await opens(console, asked, text)
    await console.second_factors.take_off(ann.id, by="administrator")
    assert await console.second_factors.info(ann.id) is None


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://console.example.com", "console.example.com"),
        ("https://console.example.com:8443", "console.example.com"),
        ("http://localhost:8790", "localhost"),
        ("http://console.example.com", None),
        ("http://127.0.0.1:8790", None),
        ("https://192.0.2.1", None),
        ("https://[2001:db8::1]", None),
    ],
)
def test_a_passkey_needs_a_name_that_is_safe(origin: str, name: str | None) -> None:
    """As browsers have it: https or this machine, and no IP address."""
    party = RelyingParty.of(origin)
    assert (party and party.id) == name
