"""Several terminals of one person on one new machine: one approval is enough."""

from __future__ import annotations

import asyncio

import pytest
from approval_fixtures import Terminal, posts
from console_fixtures import Clock, Machine, approve, offer, person

from gateway.console.approvals.requests import LIFE_S
from gateway.console.service import Console
from gateway.console.tokens import TokenInfo
from gateway.console.user_info import UserInfo
from gateway.credentials.daemon_api import ApprovalVerdict

Waiting = tuple[Terminal, TokenInfo, ApprovalVerdict]


async def _dial(
    console: Console, user: UserInfo, name: str, machine: Machine, *, strict: bool = False
) -> Waiting:
    """Have a terminal with a new token wait."""
    text, token = await console.tokens.create(user.id, name, strict_terminal=strict)
    terminal = Terminal(text, machine)
    verdict = await terminal.dial(console)
    assert verdict.status == "pending"
    return terminal, token, verdict


async def _approve(console: Console, user: UserInfo, waiting: Waiting) -> None:
    verdict = waiting[2]
    assert verdict.rid is not None
    assert verdict.user_code is not None
    await console.approvals.approve(user.id, verdict.rid, verdict.user_code)


async def _status(console: Console, waiting: Waiting) -> str:
    terminal, _, verdict = waiting
    assert verdict.rid is not None
    return (await console.approvals.verdict(terminal.machine.did, verdict.rid)).status


@pytest.mark.alike
async def test_those_that_wait_too_are_let_in(console: Console) -> None:
    """With a lease each, and a notice by mail instead of a question."""
    ann, machine = await person(console), Machine()
    first, second, third = [await _dial(console, ann, f"T{n}", machine) for n in range(3)]

    await _approve(console, ann, second)

    for terminal in (first, second, third):
        assert await _status(console, terminal) == "approved"
    told = await offer(console, machine)
    assert all(told.lease(token.tid) for _, token, _ in (first, second, third))
    assert await console.approvals.open_requests(ann.id) == []
    assert len(await posts(console, "device-approved")) == 1
    assert len(await posts(console, "terminal-moved")) == 2


@pytest.mark.alike
async def test_the_code_of_the_mail_does_it_too(console: Console) -> None:
    """At the device."""
    ann, machine = await person(console), Machine()
    first, second = [await _dial(console, ann, f"T{n}", machine) for n in range(2)]
    post = next(letter for letter in await posts(console, "new-device") if "T0" in letter.text)
    assert first[2].rid is not None
    await console.approvals.confirm(machine.did, first[2].rid, post.code)
    assert await _status(console, second) == "approved"


@pytest.mark.alike
async def test_a_token_that_lives_elsewhere_goes_on_asking(console: Console) -> None:
    """It may have been stolen."""
    ann, machine = await person(console), Machine()
    first = await _dial(console, ann, "T0", machine)
    second = await _dial(console, ann, "T1", machine)
    await approve(console, second[1], Machine("elsewhere"))
    await _approve(console, ann, first)
    assert await _status(console, second) == "pending"


@pytest.mark.alike
async def test_another_terminal_of_a_strict_token_goes_on_asking(console: Console) -> None:
    """That the machine is known says nothing of it."""
    ann, machine = await person(console), Machine()
    old = await _dial(console, ann, "T1", machine, strict=True)
    await _approve(console, ann, old)
    first = await _dial_known(console, ann, old, machine)
    other = Terminal(old[0].token, machine, fp="cd" * 32)
    again = (other, old[1], await other.dial(console))
    assert await _status(console, again) == "pending"
    await _approve(console, ann, first)
    assert await _status(console, again) == "pending"


async def _dial_known(
    console: Console, user: UserInfo, known: Waiting, machine: Machine
) -> Waiting:
    """Have a terminal wait on a known machine: its token lives elsewhere."""
    text, token = await console.tokens.create(user.id, "T2")
    await approve(console, token, Machine("elsewhere"))
    terminal = Terminal(text, machine)
    return terminal, token, await terminal.dial(console)


@pytest.mark.alike
async def test_others_and_other_machines_go_on_asking(console: Console, clock: Clock) -> None:
    """And what has run out, or is revoked, stays so."""
    ann, bob, machine = await person(console), await person(console, "bob"), Machine()
    late = await _dial(console, ann, "late", machine)
    clock.forward(LIFE_S)
    first = await _dial(console, ann, "T0", machine)
    his = await _dial(console, bob, "T1", machine)
    revoked = await _dial(console, ann, "T2", machine)
    await console.tokens.revoke(ann.id, revoked[1].tid)
    there = await _dial(console, ann, "T3", Machine("other"))

    await _approve(console, ann, first)

    assert await _status(console, his) == "pending"
    assert await _status(console, there) == "pending"
    assert await _status(console, late) == "denied"
    told = await offer(console, machine)
    assert set(told.tokens) == {first[1].tid}


async def test_all_approved_at_once_are_approved_once(console: Console) -> None:
    """Whichever comes first lets the others in; each has one version more, not two."""
    ann, machine = await person(console), Machine()
    waiting = [await _dial(console, ann, f"T{n}", machine) for n in range(3)]
    await asyncio.gather(
        *(_approve(console, ann, terminal) for terminal in waiting),
        *(console.offers.make(machine.did) for _ in range(3)),
        return_exceptions=True,
    )
    for terminal in waiting:
        assert await _status(console, terminal) == "approved"
    told = await offer(console, machine)
    versions = {told.record(token.tid).devices[0].dev_ver for _, token, _ in waiting}
    assert len(versions) == 1
    mails = await posts(console)
    assert sorted(mail.kind for mail in mails if mail.kind != "new-device") == [
        "device-approved",
        "terminal-moved",
        "terminal-moved",
    ]
