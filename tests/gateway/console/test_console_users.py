"""People: made once, logged in with one text for every refusal, disabled as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from console_fixtures import IP, PASSWORD, Clock, Machine, approve, events, person

from gateway.console.errors import Gone, Invalid, NotFound, SignInRefused, TooBusy, WeakPassword
from gateway.console.links import RESET, SETUP
from gateway.console.service import Console
from gateway.console.sign_ins import PER_MINUTE
from gateway.credentials.passwords import FREE_TRIES, Passwords, Verified

NEW = "another stable rattling charger"


@pytest.mark.alike
async def test_the_right_password_logs_in(console: Console, clock: Clock):
    """However the address is written."""
    ann = await person(console)
    clock.forward(5)
    found = await console.users.authenticate(" Ann@Example.COM ", PASSWORD, IP)

    assert (found.id, found.last_login_at) == (ann.id, clock.now)


@pytest.mark.alike
async def test_every_refusal_reads_the_same(console: Console):
    """Wrong password, no such account, disabled account, too many tries."""
    await person(console, "root", admin=True)
    ann, bob = await person(console), await person(console, "bob")
    await console.users.disable(bob.id)
    tries = [
        (ann.email, "wrong " + PASSWORD),
        ("nobody@example.com", PASSWORD),
        (bob.email, PASSWORD),
        (ann.email, "x" * 10_000),
        (ann.email, ""),
        (ann.email, "\ud800"),
        (ann.email, PASSWORD[:-1]),
        (ann.email, PASSWORD),
    ]
    said = set()
    for email, password in tries:
        with pytest.raises(SignInRefused) as refused:
            await console.users.authenticate(email, password, IP)
        said.add((str(refused.value), refused.value.word, refused.value.status))

    assert len(said) == 1


@pytest.mark.alike
async def test_an_unknown_account_costs_a_hash_too(
    console: Console, monkeypatch: pytest.MonkeyPatch
):
    """And a disabled one: one hash each, so that the time tells nothing."""
    await person(console, "root", admin=True)
    ann, bob = await person(console), await person(console, "bob")
    await console.users.disable(bob.id)
    hashed, verify = list[str](), Passwords._verify

    def counted(self: Passwords, stored: str | None, password: str) -> Verified:
        hashed.append("once")
        return verify(self, stored, password)

    monkeypatch.setattr(Passwords, "_verify", counted)
    for email in (ann.email, bob.email, "nobody@example.com"):
        with pytest.raises(SignInRefused):
            await console.users.authenticate(email, "wrong", IP)
        assert hashed == ["once"]
        hashed.clear()


async def test_an_address_has_one_account(console: Console):
    """However it is written, and whoever comes first of many at once."""
    made = await asyncio.gather(
        *(
            console.users.create(email, "Ann", PASSWORD)
            for email in ("ann@example.com", "ANN@example.com", " Ann@Example.com")
        ),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in made) == ["Taken", "Taken", "UserInfo"]
    assert len(await console.users.list()) == 1


@pytest.mark.alike
@pytest.mark.parametrize(
    "email",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "a b@example.com",
        "ann@example.com\r\nRCPT TO:<eve@example.com>",
        "ann@exa_mple.com",
        "ann@-example.com",
        "änn@example.com",
        "ann@" + "a" * 260,
        "a" * 65 + "@example.com",
        "ann@example.com,eve@example.com",
        "<ann@example.com>",
        "ann@example..com",
        ".ann@example.com",
        "ann@example.com\x00",
    ],
)
async def test_what_is_no_address_makes_no_account(console: Console, email: str):
    """Mail goes there, later."""
    with pytest.raises(Invalid):
        await console.users.create(email, "Ann", PASSWORD)
    assert await console.users.is_empty()


@pytest.mark.alike
async def test_a_weak_password_makes_no_account(console: Console):
    """Nor does one that is the address."""
    for password in ("short", "ann@example.com", "Password12345", "a" * 257):
        with pytest.raises(WeakPassword):
            await console.users.create("ann@example.com", "Ann", password)
    assert await console.users.is_empty()


@pytest.mark.alike
async def test_the_first_administrator_comes_with_a_link(console: Console):
    """That works once; a mistake in the form does not use it up."""
    secret = await console.setup_link()
    assert secret is not None
    with pytest.raises(WeakPassword):
        await console.users.set_up(secret, "root@example.com", "Root", "short")
    root = await console.users.set_up(secret, "root@example.com", "Root", PASSWORD)

    assert root.is_admin
    assert await console.setup_link() is None
    with pytest.raises(Gone):
        await console.users.set_up(secret, "eve@example.com", "Eve", PASSWORD)


@pytest.mark.alike
async def test_a_setup_link_is_worthless_once_there_is_an_account(console: Console):
    """However the account came."""
    secret = await console.links.make(SETUP, None, 3600)
    await person(console)

    with pytest.raises(Gone):
        await console.users.set_up(secret, "eve@example.com", "Eve", PASSWORD)


async def test_two_set_ups_at_once_make_one_administrator(console: Console):
    """Of one link."""
    secret = await console.setup_link() or ""
    made = await asyncio.gather(
        *(
            console.users.set_up(secret, f"{name}@example.com", name, PASSWORD)
            for name in ("one", "two", "three")
        ),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in made) == ["Gone", "Gone", "UserInfo"]


@pytest.mark.alike
async def test_a_changed_password_ends_the_other_sessions(console: Console):
    """The one that asked goes on."""
    ann = await person(console)
    here = await console.sessions.create(ann, IP, "here")
    there = await console.sessions.create(ann, IP, "there")
    mine = await console.sessions.get(here)
    assert mine is not None
    with pytest.raises(SignInRefused):
        await console.users.change_password(ann.id, "wrong", NEW, IP)
    with pytest.raises(WeakPassword):
        await console.users.change_password(ann.id, PASSWORD, "short", IP)
    await console.users.change_password(ann.id, PASSWORD, NEW, IP, keep_sid=mine.sid)

    assert await console.sessions.get(here) is not None
    assert await console.sessions.get(there) is None
    assert (await console.users.authenticate(ann.email, NEW, IP)).id == ann.id
    with pytest.raises(SignInRefused):
        await console.users.authenticate(ann.email, PASSWORD, IP)


async def test_a_sign_in_that_a_new_password_overtakes_begins_no_session(console: Console):
    """What ended all sessions would else have missed the one that begins a moment later."""
    await person(console)
    known = await console.users.authenticate("ann@example.com", PASSWORD, IP)
    await console.users.set_password(known.id, NEW)
    with pytest.raises(SignInRefused):
        await console.sessions.create(known, IP, "x")
    # within the same second too
    known = await console.users.authenticate(known.email, NEW, IP)
    await console.users.set_password(known.id, PASSWORD)
    with pytest.raises(SignInRefused):
        await console.sessions.create(known, IP, "x")

    assert await console.sessions.list(known.id) == []


async def test_a_sign_in_that_races_a_new_password_has_no_session_in_the_end(console: Console):
    """Whichever comes first."""
    await person(console)
    for old, new in [(PASSWORD, NEW), (NEW, PASSWORD)] * 3:
        known = await console.users.authenticate("ann@example.com", old, IP)
        await asyncio.gather(
            *(console.sessions.create(known, IP, "x") for _ in range(3)),
            console.users.set_password(known.id, new),
            return_exceptions=True,
        )

        assert await console.sessions.list(known.id) == []


async def test_a_sign_in_that_is_overtaken_by_a_disabled_account_begins_no_session(
    console: Console,
):
    """It would else be there again once the account is enabled."""
    await person(console)
    known = await console.users.authenticate("ann@example.com", PASSWORD, IP)
    await console.users.disable(known.id)
    with pytest.raises(SignInRefused):
        await console.sessions.create(known, IP, "x")
    await console.users.enable(known.id)

    assert await console.sessions.list(known.id) == []


@pytest.mark.alike
async def test_a_reset_opens_an_account_that_was_shut(console: Console, clock: Clock):
    """After too many failures; the link works once, and a weak password does not use it up."""
    ann = await person(console)
    session = await console.sessions.create(ann, IP, "here")
    for number in range(100):
        clock.forward(901)
        with pytest.raises(SignInRefused):
            await console.users.authenticate(ann.email, f"wrong {number}", IP)
    clock.forward(86_400)
    with pytest.raises(SignInRefused):
        await console.users.authenticate(ann.email, PASSWORD, IP)
    secret = await console.links.make(RESET, ann.id, 1800)
    with pytest.raises(WeakPassword):
        await console.users.reset_password(secret, "short")
    await console.users.reset_password(secret, NEW)

    assert (await console.users.authenticate(ann.email, NEW, IP)).id == ann.id
    assert await console.sessions.get(session) is None
    with pytest.raises(Gone):
        await console.users.reset_password(secret, PASSWORD)


async def test_a_doubted_password_has_to_be_changed(console: Console):
    """Whoever is logged in is not any more."""
    ann = await person(console)
    session = await console.sessions.create(ann, IP, "here")
    await console.users.demand_password_change(ann.id)
    doubted = await console.users.authenticate(ann.email, PASSWORD, IP)
    await console.users.set_password(ann.id, NEW)

    assert await console.sessions.get(session) is None
    assert doubted.must_change_password
    assert not (await console.users.get(ann.id)).must_change_password


async def test_disabling_ends_everything_at_once(console: Console):
    """Sessions, reset links, tokens on all machines; twice is once."""
    await person(console, "root", admin=True)
    ann, one, two = await person(console), Machine("one"), Machine("two")
    _, token = await console.tokens.create(ann.id, "A")
    await approve(console, token, one)
    await approve(console, token, two)
    session = await console.sessions.create(ann, IP, "here")
    link = await console.links.make(RESET, ann.id, 1800)
    await console.users.disable(ann.id)
    await console.users.disable(ann.id)

    assert await console.sessions.get(session) is None
    assert not (await console.tokens.get(ann.id, token.tid)).is_live
    for machine in (one, two):
        assert [e.type for e in await events(console, machine)].count("user.disabled") == 1
    with pytest.raises(Gone):
        await console.links.peek(link, RESET)


async def test_the_last_administrator_stays(console: Console):
    """Of two who disable each other one stays."""
    one = await person(console, "one", admin=True)
    two = await person(console, "two", admin=True)
    done = await asyncio.gather(
        console.users.disable(one.id), console.users.disable(two.id), return_exceptions=True
    )

    assert sorted(type(result).__name__ for result in done) == ["Invalid", "NoneType"]


@pytest.mark.alike
async def test_strangers_keep_nobody_from_giving_the_password_again(console: Console):
    """Neither by tries for the account nor by those from the same address, which many share."""
    ann = await person(console)
    names = [ann.email] * 5 + [f"password.given {ann.email}"] * 5
    for name in (*names, *(f"nobody{n}@example.com" for n in range(PER_MINUTE))):
        with pytest.raises(SignInRefused):
            await console.users.authenticate(name, "wrong", IP)
    with pytest.raises(SignInRefused):
        await console.users.authenticate(ann.email, PASSWORD, IP)
    await console.users.authenticate(ann.email, PASSWORD, IP, event="password.given")


@pytest.mark.alike
async def test_who_has_a_session_guesses_no_faster(console: Console):
    """The password given again is counted like that of a login."""
    ann = await person(console)
    for _ in range(FREE_TRIES + 1):
        with pytest.raises(SignInRefused):
            await console.users.authenticate(ann.email, "wrong", IP, event="password.given")
    with pytest.raises(SignInRefused) as refused:
        await console.users.authenticate(ann.email, PASSWORD, IP, event="password.given")
    assert refused.value.wait_s > 0


async def test_a_busy_console_counts_no_failure(console: Console, monkeypatch: pytest.MonkeyPatch):
    """The password was not even looked at."""
    ann = await person(console)

    async def busy(*_: object) -> Verified:
        raise TooBusy

    monkeypatch.setattr(Passwords, "verify", busy)
    with pytest.raises(TooBusy):
        await console.users.authenticate(ann.email, PASSWORD, IP)
    assert await console.throttle.failures(f"login {ann.email}") == 0


async def test_an_outdated_hash_is_made_anew_at_login(
    console: Console, monkeypatch: pytest.MonkeyPatch
):
    """While the password is at hand."""
    ann = await person(console)
    made = list[str]()
    hash_ = Passwords.hash

    async def noted(self: Passwords, password: str) -> str:
        made.append(await hash_(self, password))
        return made[-1]

    verify = Passwords.verify

    async def outdated(self: Passwords, stored: str | None, password: str) -> Verified:
        return Verified((await verify(self, stored, password)).ok, True)

    monkeypatch.setattr(Passwords, "hash", noted)
    monkeypatch.setattr(Passwords, "verify", outdated)
    await console.users.authenticate(ann.email, PASSWORD, IP)
    with pytest.raises(SignInRefused):
        await console.users.authenticate(ann.email, "wrong", IP)
    monkeypatch.undo()

    assert len(made) == 1
    assert (await console.users.authenticate(ann.email, PASSWORD, IP)).id == ann.id


@pytest.mark.alike
async def test_nobody_knows_a_user_that_never_was(console: Console):
    """In every act."""
    acts: list[Callable[[str], Awaitable[object]]] = [
        console.users.get,
        console.users.disable,
        console.users.enable,
        console.users.demand_password_change,
    ]
    for act in acts:
        with pytest.raises(NotFound):
            await act("nobody")
    with pytest.raises(NotFound):
        await console.users.set_password("nobody", NEW)
    with pytest.raises(NotFound):
        await console.tokens.create("nobody", "A")
    assert await console.users.by_email("nobody@example.com") is None


@pytest.mark.alike
async def test_logins_are_in_the_log(console: Console):
    """Refused ones too, with where they came from; no password, ever."""
    ann = await person(console)
    with pytest.raises(SignInRefused):
        await console.users.authenticate(ann.email, "a wrong secret", IP, agent="evil\n\x00agent")
    await console.users.authenticate(ann.email, PASSWORD, IP, agent="Firefox")

    lines = await console.activity.list(ann.id, event="login")
    assert [(line.outcome, line.ip) for line in lines] == [("ok", IP), ("refused", IP)]
    assert "\n" not in lines[1].agent
    assert "a wrong secret" not in repr(await console.activity.list(ann.id))


@pytest.mark.alike
async def test_a_name_is_one_line(console: Console):
    """It stands in mails."""
    with pytest.raises(Invalid):
        await console.users.create("ann@example.com", "Ann\r\nBcc: eve", PASSWORD)
