"""Strangers who fail in somebody's name, and the browsers and addresses that its owner uses."""

from __future__ import annotations

import pytest
from console_fixtures import IP, PASSWORD, Clock, person
from sqlalchemy import event

from gateway.console.errors import SignInRefused
from gateway.console.links import RESET
from gateway.console.service import Console
from gateway.console.sign_ins import PER_MINUTE
from gateway.console.user_info import UserInfo
from gateway.credentials.passwords import FREE_TRIES, MAX_FAILURES

pytestmark = pytest.mark.alike

ELSEWHERE, NEW = "198.51.100.7", "203.0.113.9"


async def refused(console: Console, ip: str, name: str, password: str, browser: str = "") -> int:
    """Fail once; return how long to wait."""
    with pytest.raises(SignInRefused) as error:
        await console.users.authenticate(name, password, ip, browser=browser)
    return error.value.wait_s


async def shut_out(console: Console, ann: UserInfo, ip: str, clock: Clock) -> None:
    """Fail so often from an address that the account would be shut for good."""
    for _ in range(MAX_FAILURES):
        await console.throttle.count(f"login {ann.email}", None, f"ip {ip}" if ip == IP else "")
        clock.forward(900)


async def test_strangers_elsewhere_do_not_keep_the_owner_out(console: Console, clock: Clock):
    """Where he has signed in before he is let in, though a new address has to wait."""
    ann = await person(console)
    await console.users.authenticate(ann.email, PASSWORD, IP)
    await shut_out(console, ann, ELSEWHERE, clock)
    assert await refused(console, NEW, ann.email, PASSWORD) > 0
    await console.users.authenticate(ann.email, PASSWORD, IP)
    assert await refused(console, NEW, ann.email, PASSWORD) > 0  # his coming in opens it to nobody


async def test_strangers_on_the_same_machine_do_not_either(console: Console, clock: Clock):
    """There all have one address: the browser counts, and by no address."""
    ann = await person(console)
    await console.users.authenticate(ann.email, PASSWORD, IP)
    browser = console.browsers.mark(ann.id)
    await shut_out(console, ann, IP, clock)
    for number in range(PER_MINUTE):
        await refused(console, IP, f"nobody{number}@example.com", "wrong")
    assert await refused(console, IP, ann.email, PASSWORD) > 0
    await console.users.authenticate(ann.email, PASSWORD, IP, browser=browser)
    await console.users.authenticate(ann.email, PASSWORD, NEW, browser=browser)


async def test_who_has_the_browser_guesses_no_faster(console: Console):
    """Its tries have a count of their own, and cost nobody else a wait."""
    ann = await person(console)
    browser = console.browsers.mark(ann.id)
    for _ in range(FREE_TRIES + 1):
        assert not await refused(console, IP, ann.email, "wrong", browser)
    assert await refused(console, IP, ann.email, PASSWORD, browser) > 0
    await console.users.authenticate(ann.email, PASSWORD, IP)


async def test_a_mark_is_for_one_account_and_cannot_be_made(console: Console):
    """Anything else is a stranger's browser."""
    ann, bob = await person(console, "ann"), await person(console, "bob")
    mark = console.browsers.mark(ann.id)
    assert console.browsers.name(ann.id, mark)
    assert console.browsers.mark(ann.id, mark) == mark
    assert console.browsers.mark(bob.id, mark) != mark
    altered = ("B" if mark[0] == "A" else "A") + mark[1:]
    for kept in ("", mark[:-1], mark + "A", altered, mark[:32], mark[32:], "ü" * 75):
        assert not console.browsers.name(ann.id, kept)
    assert not console.browsers.name(bob.id, mark)


async def test_a_reset_opens_the_account_from_everywhere(console: Console, clock: Clock):
    """Whatever was counted, and in which lane."""
    ann = await person(console)
    await console.users.authenticate(ann.email, PASSWORD, IP)
    await shut_out(console, ann, IP, clock)
    await shut_out(console, ann, ELSEWHERE, clock)
    secret = await console.links.make(RESET, ann.id, 600)
    fresh = f"{PASSWORD} anew"
    await console.users.reset_password(secret, fresh)
    for ip in (IP, NEW):
        await console.users.authenticate(ann.email, fresh, ip)


async def test_the_lane_tells_nobody_who_has_an_account(console: Console):
    """What the database is asked takes as long for an address that nobody has."""
    ann = await person(console)
    asked: list[str] = []
    event.listen(
        console.db.engine.sync_engine,
        "before_cursor_execute",
        lambda *given: asked.append(given[2]),
    )
    counts = []
    for name in (ann.email, "nobody@example.com"):
        asked.clear()
        await refused(console, NEW, name, "wrong")
        counts.append(len(asked))
    assert counts[0] == counts[1]
