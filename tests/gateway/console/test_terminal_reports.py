"""What daemons report of their terminals, for people to look at."""

from __future__ import annotations

import pytest
from console_fixtures import FINGERPRINT, Clock, Machine, approve, person

from gateway.console.service import Console
from gateway.console.tokens import TokenInfo
from gateway.credentials.daemon_api import TerminalDescription, TerminalReport

FACTS = TerminalDescription(
    platform="mt5", login=5012345, server="Demo-Server", company="Broker", fp=FINGERPRINT
)


@pytest.fixture
async def machine(console: Console) -> Machine:
    """A machine that has spoken."""
    machine = Machine()
    await machine.seen_by(console)
    return machine


async def token_on(console: Console, machine: Machine, name: str = "ann") -> TokenInfo:
    """Make a user with a token that is approved for a machine."""
    user = await person(console, name)
    _, token = await console.tokens.create(user.id, "A")
    await approve(console, token, machine)
    return token


def report(token: TokenInfo, state: str, since: int, facts: TerminalDescription | None = FACTS):
    """Say what a terminal does."""
    return TerminalReport(tid=token.tid, state=state, since=since, terminal=facts)  # type: ignore[arg-type]  # a word of the list


async def test_a_terminal_that_works_is_an_active_run(
    console: Console, machine: Machine, clock: Clock
):
    """Said again it is the same; said offline it has ended; then another begins."""
    token = await token_on(console, machine)
    await console.reports.report(machine.did, [report(token, "online", clock.now)])
    clock.forward(60)
    await console.devices.heard(machine.did, "")
    await console.reports.report(machine.did, [report(token, "online", clock.now, None)])
    (run,) = await console.reports.active(token.user_id)
    await console.reports.report(machine.did, [report(token, "offline", clock.now)])
    ended = await console.reports.active(token.user_id)
    await console.reports.report(machine.did, [report(token, "online", clock.now)])

    assert (run.state, run.login, run.server) == ("online", 5012345, "Demo-Server")
    assert (run.started_at, run.reported_at) == (clock.now - 60, clock.now)
    assert ended == []
    assert [entry.ended_at for entry in await console.reports.list(token.user_id)] == [
        None,
        clock.now,
    ]


async def test_another_terminal_is_another_run(console: Console, machine: Machine, clock: Clock):
    """With the same token, on the same machine."""
    token = await token_on(console, machine)
    other = FACTS.model_copy(update={"fp": "cd" * 32, "login": 7})
    await console.reports.report(machine.did, [report(token, "online", clock.now)])
    await console.reports.report(machine.did, [report(token, "online", clock.now, other)])

    assert [run.login for run in await console.reports.active(token.user_id)] == [7]
    assert len(await console.reports.list(token.user_id)) == 2


@pytest.mark.alike
async def test_a_silent_daemon_is_not_known_to_work(
    console: Console, machine: Machine, clock: Clock
):
    """Its last word is old."""
    token = await token_on(console, machine)
    await console.reports.report(machine.did, [report(token, "online", clock.now)])
    clock.forward(91)

    assert [run.state for run in await console.reports.active(token.user_id)] == ["unknown"]


@pytest.mark.alike
async def test_a_machine_reports_its_own_tokens_alone(
    console: Console, machine: Machine, clock: Clock
):
    """Not those of others, not what is no token; a time in the future is now."""
    token = await token_on(console, machine)
    stranger = Machine("stranger")
    await stranger.seen_by(console)
    unknown = TerminalReport(tid="0" * 12, state="online", since=1, terminal=FACTS)
    await console.reports.report(stranger.did, [report(token, "online", clock.now), unknown])
    assert await console.reports.active(token.user_id) == []
    await console.reports.report(machine.did, [report(token, "online", clock.now + 9999), unknown])

    (run,) = await console.reports.active(token.user_id)
    assert run.since == clock.now


@pytest.mark.alike
async def test_nobody_sees_the_runs_of_another(console: Console, machine: Machine, clock: Clock):
    """Even on a machine that both use."""
    hers = await token_on(console, machine)
    his = await token_on(console, machine, "bob")
    await console.reports.report(machine.did, [report(hers, "online", clock.now)])

    assert await console.reports.active(his.user_id) == []
    assert await console.reports.list(his.user_id) == []


async def test_old_runs_are_forgotten(console: Console, machine: Machine, clock: Clock):
    """Three months after their end; active ones stay."""
    token = await token_on(console, machine)
    await console.reports.report(machine.did, [report(token, "online", clock.now)])
    await console.reports.report(machine.did, [report(token, "offline", clock.now)])
    await console.reports.report(machine.did, [report(token, "pending", clock.now)])
    clock.forward(91 * 86_400)
    await console.cleanup()

    assert [run.ended_at for run in await console.reports.list(token.user_id)] == [None]


async def test_the_log_is_read_in_pages(console: Console, clock: Clock):
    """The newest first; another user's lines are not in it; old ones are forgotten."""
    ann, bob = await person(console), await person(console, "bob")
    for number in range(5):
        await console.tokens.create(ann.id, f"T{number}")
    first = await console.activity.list(ann.id, limit=2)
    second = await console.activity.list(ann.id, limit=2, before=first[-1].id)

    assert [entry.detail for entry in (*first, *second)] == ["T4", "T3", "T2", "T1"]
    assert [entry.event for entry in await console.activity.list(bob.id)] == ["user.created"]
    assert len(await console.activity.list(ann.id, event="token")) == 5
    clock.forward(401 * 86_400)
    await console.cleanup()
    assert await console.activity.list(ann.id, event="token") == []
