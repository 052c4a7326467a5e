"""Whoever holds a token that leaked: what is left of him once its owner has said no."""

from __future__ import annotations

import asyncio

import pytest
from approval_fixtures import Post, Terminal, last_post, posts
from console_fixtures import IP, Clock, Machine, person
from sqlalchemy import func, select

from gateway.console.approvals.admission import MAX_MAILS_PER_USER, TOKEN_WINDOW_S
from gateway.console.database.model import Device
from gateway.console.service import Console
from gateway.credentials.daemon_api import TerminalDescription


async def _devices(console: Console) -> int:
    async with console.db.session() as session:
        return await session.scalar(select(func.count()).select_from(Device)) or 0


async def test_who_gets_nothing_leaves_nothing(console: Console):
    """A token that is revoked makes no rows, however many keys come with it."""
    ann = await person(console)
    text, token = await console.tokens.create(ann.id, "MT5-Live")
    await console.tokens.revoke(ann.id, token.tid)
    verdicts = [await Terminal(text, Machine(str(n))).dial(console) for n in range(3)]
    assert [verdict.code for verdict in verdicts] == ["revoked"] * 3
    assert await _devices(console) == 0


@pytest.mark.alike
async def test_an_ended_token_uses_up_nobodys_mails(console: Console, clock: Clock):
    """Its mails count while it lives; its owner can then approve machines for the next one."""
    ann = await person(console)
    leaked, token = await console.tokens.create(ann.id, "MT5-Live")
    while len(await posts(console, "new-device")) < MAX_MAILS_PER_USER:
        for _ in range(3):
            await Terminal(leaked).dial(console)
        clock.forward(TOKEN_WINDOW_S)
    fresh, _ = await console.tokens.create(ann.id, "MT5-Next")
    assert (await Terminal(fresh).dial(console)).code == "busy"
    await console.tokens.revoke(ann.id, token.tid)
    assert (await Terminal(fresh).dial(console)).status == "pending"


@pytest.mark.alike
async def test_an_ended_token_keeps_no_question_open(console: Console):
    """Three of it would be in the way of the next token for ten minutes."""
    ann = await person(console)
    leaked, token = await console.tokens.create(ann.id, "MT5-Live")
    for number in range(3):
        assert (await Terminal(leaked, Machine(str(number))).dial(console)).status == "pending"
    fresh, _ = await console.tokens.create(ann.id, "MT5-Next")
    assert (await Terminal(fresh).dial(console)).code == "busy"
    await console.tokens.suspend(ann.id, token.tid)
    assert (await Terminal(fresh).dial(console)).status == "pending"


@pytest.mark.alike
async def test_not_me_finds_the_machine_that_a_newer_question_let_in(
    console: Console, clock: Clock
):
    """The link of either mail undoes it: people follow the one that they see first."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "MT5-Live")
    terminal = Terminal(text)
    await terminal.dial(console)
    first: Post = await last_post(console)
    clock.forward(1)
    newer = await terminal.dial(console)
    assert newer.rid is not None
    code = (await last_post(console)).code
    await console.approvals.confirm(terminal.machine.did, newer.rid, code)
    await console.approvals.not_me(first.secret("not-me"))
    assert (await console.devices.get(ann.id, terminal.machine.did)).status == "revoked"


async def test_not_me_and_approve_at_once_leave_no_approved_machine(console: Console):
    """Whichever comes first."""
    ann = await person(console)
    for number in range(8):
        text, _ = await console.tokens.create(ann.id, f"MT5-{number}")
        terminal = Terminal(text, Machine(str(number)))
        verdict = await terminal.dial(console)
        assert verdict.rid is not None
        post = await last_post(console)
        confirm = console.approvals.confirm(terminal.machine.did, verdict.rid, post.code)
        not_me = console.approvals.not_me(post.secret("not-me"))
        await asyncio.gather(confirm, not_me, return_exceptions=True)
    left = [
        device.hostname
        for device in await console.devices.list(ann.id)
        if device.status == "approved"
    ]
    assert left == []


@pytest.mark.alike
async def test_a_terminals_words_cannot_turn_those_around_them(console: Console):
    """Marks that reverse the direction of text would make a page say something else."""
    ann = await person(console)
    text, _ = await console.tokens.create(ann.id, "MT5-Live")
    terminal = Terminal(text)
    hello = terminal.hello()
    facts = TerminalDescription(
        platform="mt5", login=1, server="Demo\u202eevil", company="A\nB", fp="ab" * 32
    )
    hello = hello.model_copy(update={"terminal": facts})
    answer = await console.approvals.contact(terminal.machine.did, hello, IP)
    await console.approvals.prove(terminal.machine.did, answer.eid, terminal.proof(hello))
    [view] = await console.approvals.open_requests(ann.id)
    assert (view.server, view.company) == ("Demo\ufffdevil", "A\ufffdB")
