"""Notices: each thing is told once, to who asked for it, and to no mailbox without end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from console_fixtures import FINGERPRINT, Clock, Machine, approve, person
from sqlalchemy import select

from gateway.console.database.model import Hook, HookAlert, QueuedMail
from gateway.console.errors import Invalid, TooMany
from gateway.console.hook_template import HookTemplate
from gateway.console.notices import DAY_S, MAX_A_DAY, MAX_AWAY_S, MIN_AWAY_S, Notices
from gateway.console.service import Console
from gateway.console.tokens import TokenInfo
from gateway.console.user_info import UserInfo
from gateway.credentials.daemon_api import (
    Summary,
    TerminalDescription,
    TerminalReport,
    TerminalSummary,
)
from gateway.credentials.secrets import Place

FACTS = TerminalDescription(platform="mt5", login=77, server="Demo", fp=FINGERPRINT)
AWAY_S = 300


@dataclass
class Desk:
    """Ann's terminal, on a machine that speaks to the console."""

    console: Console
    clock: Clock
    ann: UserInfo
    token: TokenInfo
    machine: Machine

    async def says(self, state: str) -> None:
        """Have the machine tell what the terminal does."""
        await self.machine.seen_by(self.console)
        report = TerminalReport.model_validate(
            {"tid": self.token.tid, "state": state, "since": self.clock.now, "terminal": FACTS}
        )
        await self.console.reports.report(self.machine.did, [report])

    async def halted(self, by: str) -> None:
        """Have it tell its figures."""
        told = TerminalSummary(
            tid=self.token.tid,
            at=self.clock.now,
            linked=True,
            halted_by=by,
            halted_at=self.clock.now if by else None,
            halt_reason="news\n\x1b[31m <b>" if by else "",
        )
        summary = Summary(t="summary", manages=False, terminals=(told,))
        self.console.calls.told(self.machine.did, summary)

    async def mails(self) -> Sequence[str]:
        """Look, twice as two processes do, and return the kinds of all mails so far."""
        await self.console.notices.look()
        await self.console.notices.look()
        mine = select(QueuedMail.kind).where(QueuedMail.kind.startswith("notice-"))
        async with self.console.db.session() as session:
            return [
                kind.removeprefix("notice-")
                for kind in await session.scalars(mine.order_by(QueuedMail.created_at))
            ]


@pytest.fixture
async def desk(console: Console, clock: Clock) -> Desk:
    """Linked, and its owner wants to be told of everything."""
    ann, machine = await person(console), Machine("DESK-PC")
    _, token = await console.tokens.create(ann.id, "main")
    await approve(console, token, machine)
    built = Desk(console, clock, ann, token, machine)
    await built.says("online")
    await console.notices.choose(ann, ["away", "halt", "alert"], AWAY_S)
    return built


async def test_a_terminal_that_is_away_is_told_once_and_when_it_is_back(desk: Desk) -> None:
    """Whether its gateway says so, or its machine says nothing at all."""
    desk.clock.forward(DAY_S)
    await desk.says("online")
    await desk.says("offline")
    desk.clock.forward(AWAY_S - 1)
    assert await desk.mails() == []
    desk.clock.forward(1)
    assert await desk.mails() == ["away"]
    await desk.says("online")
    assert await desk.mails() == ["away", "away-over"]
    desk.clock.forward(AWAY_S)
    assert (await desk.mails())[2:] == ["away"]
    await desk.says("online")
    assert (await desk.mails())[3:] == ["away-over"]


async def test_a_console_that_was_off_takes_nobody_for_away(desk: Desk) -> None:
    """It has heard nobody itself: machines have as long to come as it is up."""
    desk.clock.forward(DAY_S)
    console = desk.console
    fresh = Notices(
        console.db,
        console.mail,
        console.terminals,
        console.calls,
        console.hooks,
        console.activity,
        console.url,
        desk.clock,
    )
    console.notices = fresh
    assert await desk.mails() == []
    desk.clock.forward(AWAY_S)
    assert await desk.mails() == ["away"]


async def test_a_halt_and_its_end_are_told(desk: Desk) -> None:
    """What a machine says of it is text, and old figures tell nothing."""
    await desk.halted("cli")
    assert await desk.mails() == ["halt"]
    async with desk.console.db.session() as session:
        mail = (await session.scalars(select(QueuedMail))).one()
    assert (mail.subject, mail.address) == ("Trading of a terminal is halted", desk.ann.email)
    body = desk.console.box.open(mail.body, Place("mails", mail.id, "body")).decode()
    assert "news" in body
    assert not any(odd in body for odd in ("\\u001b", "<b>"))
    desk.clock.forward(1)
    await desk.halted("")
    assert await desk.mails() == ["halt", "halt-over"]
    await desk.halted("console")
    desk.clock.forward(AWAY_S // 2 + 1)
    assert len(await desk.mails()) == 2


async def test_an_alert_that_became_no_order_is_told(desk: Desk) -> None:
    """Not one of before the choice, nor one that was carried out."""
    hooks, template = desk.console.hooks, HookTemplate(size="0.1")
    await hooks.create(desk.ann.id, "tv", desk.token.tid, template)
    async with desk.console.db.begin() as session:
        hook = (await session.scalars(select(Hook))).one()
        now = desk.clock.now
        for at, status in ((now - 1, "late"), (now, "done"), (now, "rejected"), (now, "late")):
            session.add(
                HookAlert(hook_id=hook.id, at=at, status=status, words=status, envelope="")
            )
    assert await desk.mails() == ["alert", "alert"]


async def test_what_an_alert_was_refused_with_makes_no_link(desk: Desk) -> None:
    """Whoever knows a hook's address writes no mail of ours."""
    await desk.console.hooks.create(desk.ann.id, "tv", desk.token.tid, HookTemplate(size="0.1"))
    message = "There is no symbol https://bad.example/\u202e\n\nSign in at bad.example"
    async with desk.console.db.begin() as session:
        hook = (await session.scalars(select(Hook))).one()
        session.add(
            HookAlert(
                hook_id=hook.id,
                at=desk.clock.now,
                status="refused",
                words="buy",
                message=message,
                envelope="",
            )
        )
    assert await desk.mails() == ["alert"]
    async with desk.console.db.session() as session:
        mail = (await session.scalars(select(QueuedMail))).one()
    body = desk.console.box.open(mail.body, Place("mails", mail.id, "body")).decode()
    assert "There is no symbol https bad.example Sign in" in body


async def test_mails_are_bounded(desk: Desk) -> None:
    """Of one kind in a day; another kind is not kept back by them."""
    for number in range(MAX_A_DAY + 5):
        desk.clock.forward(1)
        await desk.halted("cli")
        assert len(await desk.mails()) == min(number + 1, MAX_A_DAY)
    async with desk.console.db.session() as session:
        last = (await session.scalars(select(QueuedMail).order_by(QueuedMail.created_at))).all()[
            -1
        ]
    body = desk.console.box.open(last.body, Place("mails", last.id, "body")).decode()
    assert "no more mails of this kind" in body
    await desk.says("offline")
    desk.clock.forward(AWAY_S)
    assert (await desk.mails())[-1] == "away"


async def test_nobody_else_is_told(desk: Desk) -> None:
    """Nor who did not ask, or whose account is disabled."""
    bob = await person(desk.console, "bob")
    await desk.console.notices.choose(bob, ["away", "halt", "alert"], AWAY_S)
    await desk.console.notices.choose(desk.ann, [], AWAY_S)
    await desk.halted("cli")
    assert await desk.mails() == []
    await desk.console.notices.choose(desk.ann, ["halt"], AWAY_S)
    await desk.console.users.disable(desk.ann.id, by=bob.id)
    assert await desk.mails() == []


async def test_a_choice_is_checked_and_a_test_is_sent_once_a_minute(desk: Desk) -> None:
    """It goes to the address of the account, to no other."""
    notices = desk.console.notices
    for events, away_s in ((["else"], AWAY_S), ([], MIN_AWAY_S - 1), ([], MAX_AWAY_S + 1)):
        with pytest.raises(Invalid):
            await notices.choose(desk.ann, events, away_s)
    assert (await notices.choice(desk.ann.id)).events == {"away", "halt", "alert"}
    await notices.test(desk.ann)
    with pytest.raises(TooMany):
        await notices.test(desk.ann)
    async with desk.console.db.session() as session:
        assert (await session.scalars(select(QueuedMail.address))).all() == [desk.ann.email]
